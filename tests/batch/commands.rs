//! `wrun batch`, `wrun logs` and `wrun doctor`.

use rustix::process::Signal;

use super::cloud::Cloud;

#[test]
fn jobs_are_listed_and_ended() {
    let cloud = Cloud::new();
    cloud.fake.state().mood.most_containers = Some(0);
    let running = cloud.start("linear", &[]);
    cloud.until(|fake| fake.calls("submitjob") == 1);
    let listed = cloud.wrun(&["batch", "list"]).good().stdout;
    insta::assert_snapshot!(listed, @r"
    run       status    attempts  submitted (UTC)      job
    linear/1  runnable         1  1970-01-01 00:00:00  00000000-0000-4000-8000-000000000000
    ");
    let listed = cloud
        .wrun(&["batch", "list", "linear/1", "--json"])
        .good()
        .stdout;
    assert!(
        listed.contains("\"run\":\"linear/1\"") && listed.contains("runnable"),
        "{listed}"
    );
    let ended = cloud.wrun(&["batch", "kill", "linear/1"]).good().stderr;
    assert_eq!(ended, "ended 1 job of linear/1\n");
    let (events, code) = running.end();
    assert_eq!(code, Some(130), "{events:?}");
    assert_eq!(cloud.wrun(&["batch", "list"]).good().stderr, "no jobs\n");
    let all = cloud.wrun(&["batch", "list", "--all"]).good().stdout;
    assert!(all.contains("failed"), "{all}");
    let ended = cloud.wrun(&["batch", "kill", "linear/1"]).good().stderr;
    assert_eq!(ended, "linear/1 has no jobs that wait or run\n");
}

#[test]
fn what_workers_left_is_shown_without_a_driver() {
    let cloud = Cloud::new();
    cloud.fake.state().mood.most_containers = Some(0);
    let running = cloud.start("linear", &[]);
    cloud.until(|fake| fake.calls("submitjob") == 1);
    running.signal(Signal::KILL);
    running.end();
    cloud.fake.resume();
    cloud.until(|fake| fake.states().iter().all(|(_, state)| state == "SUCCEEDED"));
    let journal = cloud.wrun(&["logs", "linear/1"]).good();
    assert_eq!(
        (journal.stdout.as_str(), journal.stderr.as_str()),
        ("", "nothing was printed\n")
    );
    let left = cloud.wrun(&["batch", "logs", "linear/1"]).good().stdout;
    assert_eq!(left, "start/- | printed by start\n");
}

#[test]
fn the_doctor_looks_at_the_queue() {
    let cloud = Cloud::new();
    let line = |cloud: &Cloud| {
        let said = cloud.wrun(&["doctor"]).stdout;
        let line = said.lines().find(|line| line.contains("queue `queue`"));
        line.unwrap_or_else(|| panic!("{said}")).trim().to_owned()
    };
    assert!(line(&cloud).contains("queue `queue` takes jobs"));
    cloud.fake.state().mood.queue_disabled = true;
    let odd = cloud.wrun(&["doctor"]).stdout;
    assert!(odd.contains("takes no jobs: it is disabled"), "{odd}");
}

//! `wrun batch`, `wrun logs` and `wrun doctor`.

use rustix::process::Signal;

use super::cloud::Cloud;
use super::world::Said;

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

/// A command by somebody whose variables are these; what is said.
fn said(cloud: &Cloud, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = cloud.command(arguments);
    for (name, value) in variables {
        match *value {
            "" => command.env_remove(name),
            value => command.env(name, value),
        };
    }
    command.output().unwrap().into()
}

/// The settings of whoever asks are others than those of the driver.
#[test]
fn jobs_are_listed_heard_and_ended_in_the_queue_that_they_were_submitted_to() {
    for queue in ["other", "deleted", ""] {
        let cloud = Cloud::new();
        cloud.fake.state().mood.queues = vec!["other"];
        cloud.fake.state().mood.most_containers = Some(1);
        let running = cloud.start("linear", &[]);
        cloud.until(|fake| fake.calls("submitjob") == 2);
        let here = [("WRUN_BATCH_QUEUE", queue)];
        let listed = said(&cloud, &["batch", "list", "linear/1"], &here).good();
        assert_eq!(listed.stdout.matches("linear/1").count(), 1, "{queue}");
        let logs = said(&cloud, &["batch", "logs", "linear/1"], &here).good();
        assert_eq!(logs.stdout, "start/- | printed by start\n");
        let killed = said(&cloud, &["batch", "kill", "linear/1"], &here).good();
        assert_eq!(killed.stderr, "ended 1 job of linear/1\n");
        assert_eq!(running.end().1, Some(130));
        let killed = said(&cloud, &["batch", "kill", "linear/1"], &here).good();
        assert_eq!(killed.stderr, "linear/1 has no jobs that wait or run\n");
    }
}

#[test]
fn jobs_that_cannot_be_seen_are_not_said_to_be_none() {
    let cloud = Cloud::new();
    cloud.fake.state().mood.most_containers = Some(0);
    let running = cloud.start("linear", &[]);
    cloud.until(|fake| fake.calls("submitjob") == 1);
    let text = |arguments: &[&str], variables: &[(&str, &str)]| {
        cloud.world.text(&said(&cloud, arguments, variables))
    };
    let elsewhere = [("AWS_REGION", "us-east-1"), ("WRUN_BATCH_QUEUE", "")];
    insta::assert_snapshot!(text(&["batch", "kill", "linear/1", "--quiet"], &elsewhere), @r"
    error: jobs of the run were submitted to the queue `queue` of the region `eu-central-1`, where this does not look
      hint: `AWS_REGION=eu-central-1` in front of the command looks there
    exit code 2
    ");
    let wrong = [("WRUN_BATCH_QUEUE", "wrong")];
    insta::assert_snapshot!(text(&["batch", "list"], &wrong), @r"
    error: there is no job queue `wrong` in this region
      hint: `batch.queue` names the queue, `AWS_REGION` the region
    exit code 4
    ");
    insta::assert_snapshot!(text(&["batch", "kill", "linaer/1"], &[]), @r"
    error: flow `linaer` has no runs
      caused by: there are runs of `linear`
      hint: did you mean `linear`?
    exit code 4
    ");
    drop(running);
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
    cloud.world.run("foreach", &["--quiet"]).good();
    let text = |target| cloud.world.text(&cloud.wrun(&["batch", "logs", target]));
    insta::assert_snapshot!(text("linear/1/nostep"), @r"
    error: run `linear/1` had no job for `linear/1/nostep` in Batch
      caused by: it had some for `start`
      hint: `wrun logs linear/1` shows what all tasks have printed
    exit code 4
    ");
    insta::assert_snapshot!(text("foreach/1"), @r"
    error: run `foreach/1` had no jobs in Batch
      hint: `wrun logs foreach/1` shows what all tasks have printed
    exit code 4
    ");
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

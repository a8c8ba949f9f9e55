//! Batch on bad days: throttling, lost answers, lost hosts, images that are not there.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::cloud::Cloud;
use super::fake::{Mishap, Mood};
use super::world::Said;

const FOREACH: [&str; 3] = ["--n", "6", "--quiet"];

/// Runs a foreach under this mood.
fn foreach(mood: Mood) -> (Cloud, Said) {
    let cloud = Cloud::new();
    cloud.fake.state().mood = mood;
    let said = cloud.run("foreach", &FOREACH);
    (cloud, said)
}

fn mishaps(mishaps: impl IntoIterator<Item = Mishap>) -> Mood {
    Mood {
        mishaps: mishaps.into_iter().collect(),
        ..Mood::default()
    }
}

/// How many attempts of a step failed without being charged to it.
fn failed_attempts(cloud: &Cloud) -> u64 {
    let shown = cloud.world.json(&["show", "foreach/1"]);
    let steps = shown["steps"].as_array().unwrap();
    let retried = |step: &serde_json::Value| step["retried"].as_u64().unwrap();
    steps.iter().map(retried).sum()
}

#[test]
fn too_many_requests_are_sent_again_later() {
    let (cloud, said) = foreach(Mood {
        throttled: 6,
        ..Mood::default()
    });
    said.good();
    cloud.replay("foreach/1");
}

#[test]
fn a_lost_answer_submits_no_job_twice() {
    let (cloud, said) = foreach(Mood {
        lost_submits: 2,
        ..Mood::default()
    });
    said.good();
    assert_eq!(cloud.fake.calls("submitjob"), 4);
    assert_eq!(cloud.fake.state().containers, 9);
    cloud.replay("foreach/1");
}

#[test]
fn what_lost_its_host_is_started_again_by_batch_and_charged_to_nobody() {
    let lost = || Mishap::LostAfter(Duration::from_millis(20));
    let spot = || Mishap::Says("Your Spot Task was interrupted.");
    let (cloud, said) = foreach(mishaps([lost(), Mishap::HostLost, spot(), lost()]));
    said.good();
    assert_eq!(cloud.fake.calls("submitjob"), 4);
    assert_eq!(cloud.fake.state().containers, 13);
    assert_eq!(failed_attempts(&cloud), 0);
    cloud.replay("foreach/1");
}

/// Hosts that are lost so often that Batch gives the job up `times` times, and the driver is asked.
fn lost(times: usize) -> Mood {
    mishaps(vec![Mishap::HostLost; 5 * times])
}

#[test]
fn a_task_whose_hosts_are_taken_away_more_often_than_anything_else_may_fail_is_made_in_the_end() {
    let (cloud, said) = foreach(lost(4));
    said.good();
    assert_eq!(failed_attempts(&cloud), 4);
    assert_eq!(cloud.fake.state().containers, 20 + 9);
    let shown = cloud.world.wrun(&["show", "foreach/1/start"]).good();
    assert!(shown.stdout.contains("reclaimed"), "{}", shown.stdout);
    cloud.replay("foreach/1");
}

#[test]
fn how_often_hosts_may_be_taken_away_is_a_setting() {
    let cloud = Cloud::new();
    cloud.world.write("wrun.toml", "[limits]\nreclaims = 1\n");
    cloud.fake.state().mood = lost(2);
    let said = cloud.run("linear", &[]);
    let text = cloud.world.text(&said);
    let (text, _) = text.split_once("run linear/1 failed in").unwrap();
    insta::assert_snapshot!(text, @r"
    run linear/1
    start/- failed: reclaimed: the host of the job was reclaimed
        caused by: Host EC2 (instance i-0123456789abcdef0) terminated.
        caused by: job `00000000-0000-4000-8000-000000000000`
        hint: `limits.reclaims` says how often a task is made again; a queue of machines on demand loses none
    start/- is tried again at once, attempt 2
    start/- failed in attempt 2: reclaimed: the host of the job was reclaimed
    ");
    // The queue has machines on demand now.
    cloud.fake.state().mood.mishaps.clear();
    let module = super::world::module("linear");
    let resume = ["resume", "--module", &module, "--with", "batch", "--quiet"];
    cloud.wrun(&resume).good();
}

#[test]
fn a_job_that_runs_and_is_ended_by_its_operator_does_not_come_back() {
    let cloud = Cloud::new();
    let mut running = cloud.start("foreach", &["--n", "1", "--stay"]);
    running.until("started", "end");
    cloud.wrun(&["batch", "kill", "foreach/1"]).good();
    let (events, code) = running.end();
    assert_eq!(code, Some(130), "{events:?}");
    let shown = cloud.world.json(&["show", "foreach/1"]);
    assert_eq!(shown["status"], "cancelled", "{shown}");
}

#[test]
fn a_clock_that_goes_wrong_meanwhile_stops_nothing() {
    let cloud = Cloud::new();
    cloud.fake.state().mood.most_containers = Some(0);
    let running = cloud.start("linear", &[]);
    cloud.until(|fake| fake.calls("submitjob") == 1);
    cloud.fake.clock.ahead.store(3_600, Ordering::SeqCst);
    cloud.fake.resume();
    assert_eq!(running.end().1, Some(0));
    assert!(cloud.fake.clock.refused.load(Ordering::SeqCst) > 0);
    assert_eq!(cloud.fake.calls("submitjob"), 3);
    cloud.replay("linear/1");
}

#[test]
fn a_slow_start_is_waited_for() {
    let (cloud, said) = foreach(mishaps([Mishap::Slow(Duration::from_secs(3))]));
    said.good();
    cloud.replay("foreach/1");
}

#[test]
fn a_container_that_did_not_start_is_another_attempt_and_charged_to_nobody() {
    let (cloud, said) = foreach(mishaps([
        Mishap::Says("CannotPullContainerError: i/o timeout"),
        Mishap::Says("Task failed to start"),
    ]));
    said.good();
    assert_eq!(failed_attempts(&cloud), 2);
    assert_eq!(cloud.fake.calls("submitjob"), 6);
    cloud.replay("foreach/1");
}

#[test]
fn an_image_that_is_not_there_ends_the_run_and_is_named() {
    let (cloud, said) = foreach(mishaps(vec![Mishap::CannotPull; 4]));
    said.fails(
        1,
        &[
            "the image `wrun:test` cannot be pulled",
            "`batch.image` names the image",
        ],
    );
    assert_eq!(cloud.fake.state().containers, 1);
    assert_eq!(failed_attempts(&cloud), 0);
}

#[test]
fn a_request_that_is_denied_in_the_middle_names_the_permission() {
    let (cloud, said) = foreach(Mood {
        denied: vec!["submitjob"],
        ..Mood::default()
    });
    said.fails(
        1,
        &[
            "could not be submitted to Batch",
            "allow `batch:SubmitJob` in the policy",
        ],
    );
    // That it is allowed the next time would be a surprise.
    assert_eq!(cloud.fake.calls("submitjob"), 1);
}

#[test]
fn a_quota_of_definitions_is_named() {
    let (_, said) = foreach(Mood {
        no_room_for_definitions: true,
        ..Mood::default()
    });
    said.fails(
        1,
        &[
            "`batch:RegisterJobDefinition`",
            "Maximum number of job definitions reached",
            "`aws batch deregister-job-definition",
        ],
    );
}

#[test]
fn a_worker_that_is_asked_to_end_keeps_a_record_and_the_task_is_made_again() {
    let cloud = Cloud::new();
    let mut running = cloud.start("foreach", &["--n", "1", "--stay"]);
    running.until("started", "end");
    assert_eq!(cloud.fake.warn(), 1);
    let ended = running.until("finished", "end");
    assert_eq!(ended["attempt"], 0);
    let text = ended.to_string();
    assert!(text.contains("the worker was asked to end"), "{text}");
    assert!(text.contains("reclaimed"), "{text}");
    let retrying = running.until("started", "end");
    assert_eq!(retrying["attempt"], 1);
    running.signal(rustix::process::Signal::INT);
    running.signal(rustix::process::Signal::INT);
    let (events, code) = running.end();
    assert_eq!(code, Some(130), "{events:?}");
}

//! Runs that are cancelled, and runs whose driver is gone.

use rustix::process::Signal;
use wrun::cli::exit;
use wrun::datastore::jobs::new_token;
use wrun::datastore::{Datastore, DatastoreUrl, Run};
use wrun::model::job::Said;
use wrun::model::record::{LogChunk, Stream};
use wrun::model::time::Timestamp;

use super::cloud::Cloud;

const LONG: [&str; 4] = ["--n", "12", "--max-workers", "1"];

/// Starts a foreach, of whose containers only the first `most` start.
fn stuck(cloud: &Cloud, most: u32) -> super::running::Running {
    cloud.fake.state().mood.most_containers = Some(most);
    let running = cloud.start("foreach", &LONG);
    cloud.until(|fake| fake.calls("submitjob") == 2);
    running
}

fn all_ended(cloud: &Cloud) {
    cloud.until(|fake| {
        let states = fake.states();
        states
            .iter()
            .all(|(_, state)| state == "SUCCEEDED" || state == "FAILED")
    });
}

#[test]
fn a_run_that_is_cancelled_ends_its_jobs() {
    let cloud = Cloud::new();
    let running = stuck(&cloud, 1);
    running.signal(Signal::INT);
    running.signal(Signal::INT);
    assert_eq!(running.end().1, Some(i32::from(exit::CANCELLED)));
    all_ended(&cloud);
    assert_eq!(
        cloud.world.json(&["show", "foreach/1"])["status"],
        "cancelled"
    );
    // What was done is taken over.
    cloud.fake.resume();
    let module = super::world::module("foreach");
    let resume = ["resume", "--module", &module, "--with", "batch", "--quiet"];
    cloud.wrun(&resume).good();
    cloud.replay("foreach/2");
}

#[test]
fn a_container_that_runs_is_ended_with_its_run() {
    let cloud = Cloud::new();
    let mut running = cloud.start("foreach", &["--n", "1", "--stay"]);
    running.until("started", "end");
    running.signal(Signal::INT);
    running.signal(Signal::INT);
    assert_eq!(running.end().1, Some(i32::from(exit::CANCELLED)));
    all_ended(&cloud);
}

#[test]
fn jobs_of_a_driver_that_is_gone_are_picked_up() {
    let cloud = Cloud::new();
    let running = stuck(&cloud, 4);
    cloud.until(|fake| {
        fake.states()
            .iter()
            .filter(|(_, it)| it == "SUCCEEDED")
            .count()
            == 4
    });
    running.signal(Signal::KILL);
    running.end();
    cloud.fake.resume();
    cloud.wrun(&["attach", "--quiet"]).good();
    assert_eq!(cloud.fake.calls("submitjob"), 4);
    assert_eq!(cloud.fake.state().containers, 15);
    cloud.replay("foreach/1");
}

/// The driver of a foreach is killed while its array job is in flight, one of its tasks has been made
/// and Batch goes on; the settings of whoever comes next are others.
fn left_in_flight() -> Cloud {
    let cloud = Cloud::new();
    cloud.fake.state().mood.queues = vec!["other"];
    cloud.fake.state().mood.most_containers = Some(2);
    let running = cloud.start("foreach", &["--n", "3"]);
    cloud.until(|fake| fake.calls("submitjob") == 2);
    running.signal(Signal::KILL);
    running.end();
    cloud
}

fn attach(cloud: &Cloud, variables: &[(&str, &str)]) -> super::world::Said {
    let mut command = cloud.command(&["attach", "--quiet"]);
    let said = command.envs(variables.iter().copied()).output();
    said.unwrap().into()
}

#[test]
fn jobs_are_found_in_the_queue_that_they_were_submitted_to() {
    let cloud = left_in_flight();
    let mut list = cloud.command(&["batch", "list", "foreach/1"]);
    list.env("WRUN_BATCH_QUEUE", "other");
    let listed = super::world::Said::from(list.output().unwrap()).good();
    assert_eq!(
        listed.stdout.matches("foreach/1").count(),
        1,
        "{}",
        listed.stdout
    );
    cloud.fake.resume();
    attach(&cloud, &[("WRUN_BATCH_QUEUE", "other")]).good();
    // What comes after what was in flight goes to the new queue.
    assert_eq!(cloud.fake.queues(), ["queue", "queue", "other", "other"]);
    assert_eq!(cloud.fake.state().containers, 6);
    cloud.replay("foreach/1");
}

#[test]
fn a_queue_that_was_deleted_has_taken_its_jobs_along() {
    let cloud = left_in_flight();
    cloud.fake.state().mood.deleted = vec!["queue"];
    cloud.fake.forget();
    cloud.fake.resume();
    attach(&cloud, &[("WRUN_BATCH_QUEUE", "other")]).good();
    let queues = cloud.fake.queues();
    assert_eq!(queues, ["queue", "queue", "other", "other", "other"]);
    cloud.replay("foreach/1");
}

#[test]
fn nothing_is_submitted_while_it_is_not_known_what_is_in_flight() {
    let cloud = left_in_flight();
    let elsewhere = attach(&cloud, &[("AWS_REGION", "us-east-1")]);
    insta::assert_snapshot!(cloud.world.text(&elsewhere), @r"
    error: jobs of the run are in flight in the queue `queue` of the region `eu-central-1`, and this is `us-east-1`
      hint: `AWS_REGION=eu-central-1 wrun attach` finds them
    exit code 2
    ");
    cloud.fake.state().mood.denied = vec!["listjobs"];
    let unseen = attach(&cloud, &[("WRUN_BATCH_QUEUE", "other")]);
    insta::assert_snapshot!(cloud.world.text(&unseen), @r"
    error: Batch could not be asked about the job queue `queue`
      caused by: `batch:ListJobs`: AccessDeniedException: User: ada is not authorized to perform: listjobs
      hint: allow `batch:ListJobs` in the policy of these credentials
    exit code 6
    ");
    assert_eq!(cloud.fake.calls("submitjob"), 2);
    cloud.fake.state().mood.denied.clear();
    cloud.fake.resume();
    attach(&cloud, &[]).good();
    assert_eq!(cloud.fake.calls("submitjob"), 4);
    cloud.replay("foreach/1");
}

#[test]
fn what_ended_while_nobody_was_there_is_found() {
    let cloud = Cloud::new();
    let running = stuck(&cloud, 1);
    running.signal(Signal::KILL);
    running.end();
    cloud.fake.resume();
    all_ended(&cloud);
    cloud.wrun(&["attach", "--quiet"]).good();
    assert_eq!(cloud.fake.calls("submitjob"), 4);
    cloud.replay("foreach/1");
}

#[test]
fn a_job_that_was_never_submitted_is_submitted_by_the_next_driver() {
    let cloud = Cloud::new();
    cloud.fake.state().mood.most_containers = Some(1);
    let mut running = cloud.start("foreach", &LONG);
    running.until("finished", "start");
    cloud.fake.state().mood.throttled = 1_000_000;
    let asked = cloud.fake.calls("submitjob");
    cloud.until(|fake| fake.calls("submitjob") > asked);
    running.signal(Signal::KILL);
    running.end();
    cloud.fake.state().mood.throttled = 0;
    cloud.fake.resume();
    cloud.wrun(&["attach", "--quiet"]).good();
    assert_eq!(cloud.fake.state().containers, 15);
    cloud.replay("foreach/1");
}

#[test]
fn a_queue_without_room_is_named_after_a_while() {
    let cloud = Cloud::new();
    cloud.fake.state().mood.most_containers = Some(0);
    let mut running = cloud.start("linear", &[]);
    let waiting = running.until("waiting", "");
    assert_eq!(waiting["step"], "start");
    assert_eq!(waiting["attempts"], 1);
    assert!(waiting["for_ms"].as_u64() >= Some(30_000), "{waiting}");
    assert!(waiting["queue"].is_string(), "{waiting}");
    cloud.fake.resume();
    assert_eq!(running.end().1, Some(0));
}

async fn open(cloud: &Cloud) -> Run {
    let url: DatastoreUrl = cloud.world.store().to_str().unwrap().parse().unwrap();
    let datastore = Datastore::open(&url).await.unwrap();
    datastore.run(&"linear/1".parse().unwrap()).await.unwrap()
}

#[test]
fn what_a_lost_worker_has_printed_is_shown_and_then_void() {
    let cloud = Cloud::new();
    cloud.fake.state().mood.most_containers = Some(0);
    let mut running = cloud.start("linear", &[]);
    cloud.until(|fake| fake.calls("submitjob") == 1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let said = Said::Log {
            at: Timestamp(7),
            chunks: vec![LogChunk {
                stream: Stream::Stdout,
                bytes: "printed by a lost worker\n".into(),
            }],
        };
        let (run, task) = (open(&cloud).await, "start/-".parse().unwrap());
        let begun = Said::Started { at: Timestamp(5) };
        let lost = new_token();
        run.say((&task, 0), (&lost, 0), &[begun, said])
            .await
            .unwrap();
    });
    running.until("log", "start");
    let logs = || cloud.world.wrun(&["logs", "linear/1"]).good().stdout;
    assert_eq!(logs(), "start/- | printed by a lost worker\n");
    cloud.fake.resume();
    assert_eq!(running.end().1, Some(0));
    let again = logs();
    assert!(
        again.contains("printed by start") && !again.contains("lost"),
        "{again}"
    );
    cloud.replay("linear/1");
}

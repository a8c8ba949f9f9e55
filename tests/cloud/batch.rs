//! End to end: the stack of the guide, the image, the queue, real containers, S3, and back.

use std::process::Command;

use rustix::process::Signal;
use wrun::cli::exit;

use super::another;
use super::cloud::Cloud;
use super::docker::{Docker, docker};
use super::weather;
use super::world::{Said, module};

/// Every example that asks nobody, with parameters that keep the number of containers low.
const EXAMPLES: [(&str, &[&str], &str); 6] = [
    ("hello", &[], "hello/1"),
    ("penguins", &[], "penguins/1"),
    (
        "wordcount",
        &["--text", "corpus", "--parts", "3"],
        "wordcount/1",
    ),
    (
        "monte_carlo",
        &["--tasks", "2", "--precision", "0.01"],
        "monte-carlo/1",
    ),
    (
        "grid_search",
        &["--k", "1", "--k", "5", "--folds", "2"],
        "grid-search/1",
    ),
    ("flaky", &[], "flaky/1"),
];

#[test]
fn every_example_runs_in_batch_and_replays_here() {
    let Some(cloud) = Cloud::start() else { return };
    std::fs::create_dir(cloud.world.path().join("corpus")).unwrap();
    cloud.world.write("corpus/a.txt", "one two\n".repeat(500));
    cloud.world.write("corpus/b.txt", "two three\n");
    // Two at a time: what takes long is waiting for Batch.
    let next = std::sync::Mutex::new(EXAMPLES.iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((flow, parameters, run)) = { next.lock().unwrap().next() } {
                    cloud.run(flow, parameters).good();
                    cloud.replay(run);
                }
            });
        }
    });
}

#[test]
fn a_container_asks_whom_it_was_granted_and_the_replay_nobody() {
    let Some(cloud) = Cloud::start() else { return };
    let server = weather::serve(Docker::gateway());
    let service = server.origin();
    let grant = format!("http={service}");
    cloud
        .run("fetch", &["--allow", &grant, "--service", &service])
        .good();
    cloud.replay("fetch/1");
    let asked_another = ["--allow", "http=http://127.0.0.1:1", "--service", &service];
    cloud
        .run("fetch", &asked_another)
        .fails(exit::RUN_FAILED, &[&grant]);
}

/// How many elements a foreach has: twenty, two hundred under `CI=true`, or as many as `WRUN_TEST_CONTAINERS`
/// says. moto starts all containers of an array job at once, however few processors there are: two hundred take
/// two minutes on two processors, most of which the engine needs to start them. Thousands are tried with the fake service.
fn elements() -> u64 {
    let asked = std::env::var("WRUN_TEST_CONTAINERS").ok();
    let promised = match std::env::var("CI").as_deref() {
        Ok("true") => 200,
        _ => 20,
    };
    asked.map_or(promised, |n| n.parse().unwrap())
}

#[test]
fn a_foreach_is_one_array_job_between_steps_that_run_here() {
    let Some(cloud) = Cloud::start_alone() else {
        return;
    };
    let n = elements();
    cloud.settings("[steps.square]\nexecutor = \"batch\"\n");
    let module = module("foreach");
    cloud
        .wrun(&["run", "--quiet", "--module", &module, "--n", &n.to_string()])
        .good();
    assert_eq!(cloud.jobs("foreach/1"), 1);
    let sum = cloud.wrun(&["get", "foreach/1/sum/-/sum", "--json"]).good();
    let sum: serde_json::Value = serde_json::from_str(&sum.stdout).unwrap();
    assert_eq!(sum["value"], (0..n).map(|n| n * n).sum::<u64>());
    cloud.replay("foreach/1");
}

#[test]
fn what_fails_in_a_container_fails_as_it_does_here() {
    let Some(cloud) = Cloud::start() else { return };
    let limits = "[limits]\nmemory = \"16MiB\"\ntimeout = \"4s\"\n";
    let failures: [(&str, &[&str], &str); 3] = [
        ("lenient", &["--end", "panic"], "panic"),
        (
            "foreach",
            &["--n", "1", "--width", "60000000"],
            "memory limit",
        ),
        ("pieces", &["--stay"], "took longer than 4 s"),
    ];
    cloud.settings(limits);
    std::thread::scope(|scope| {
        for (flow, parameters, why) in failures {
            let cloud = &cloud;
            scope.spawn(move || {
                let said = cloud.run(flow, parameters).fails(exit::RUN_FAILED, &[why]);
                assert!(!said.stderr.contains("infrastructure"), "{}", said.stderr);
                cloud.replay(&format!("{}/1", flow.replace('_', "-")));
            });
        }
    });
}

#[test]
fn a_container_with_another_engine_than_its_driver_says_so_and_is_not_started_again() {
    let Some(cloud) = Cloud::start() else { return };
    let driver = another::wrun(cloud.world.path());
    let module = module("hello");
    let run = ["run", "--quiet", "--with", "batch", "--module", &module];
    let output = another::by(&driver, &cloud.command(&run)).output();
    let said = Said::from(output.unwrap()).fails(
        exit::RUN_FAILED,
        &["hello/1/start/- failed: misconfigured", "wrun batch image"],
    );
    let versions = said.stderr.matches(env!("CARGO_PKG_VERSION")).count();
    assert_eq!(versions, 2, "{}", said.stderr);
    assert_eq!(cloud.jobs("hello/1"), 1);
}

#[test]
fn a_container_that_is_killed_has_its_task_made_again() {
    let Some(cloud) = Cloud::start() else { return };
    let mut running = cloud.begin("foreach", &["--n", "1", "--work", "1500"]);
    running.until("started", "square");
    let containers = cloud.containers("foreach");
    assert_eq!(containers.len(), 1);
    docker(&["kill", &containers[0]]);
    let (events, code) = running.end();
    assert_eq!(code, Some(i32::from(exit::OK)), "{events:?}");
    let lost = events
        .iter()
        .filter(|it| it["event"] == "finished" && it["failure"]["kind"] == "infrastructure");
    assert_eq!(lost.count(), 1, "{events:?}");
    cloud.replay("foreach/1");
}

#[test]
fn a_run_that_is_cancelled_leaves_no_container() {
    let Some(cloud) = Cloud::start() else { return };
    let mut running = cloud.begin("foreach", &["--n", "1", "--stay"]);
    running.until("started", "end");
    let containers = cloud.containers("foreach");
    assert_eq!(containers.len(), 1);
    running.signal(Signal::INT);
    running.signal(Signal::INT);
    assert_eq!(running.end().1, Some(i32::from(exit::CANCELLED)));
    // Returns when the container has ended; an error says that it is gone already.
    let _ = Command::new("docker")
        .args(["wait", &containers[0]])
        .output();
    assert_eq!(cloud.containers("foreach"), Vec::<String>::new());
}

#[test]
fn jobs_of_a_driver_that_was_killed_are_taken_over() {
    let Some(cloud) = Cloud::start() else { return };
    let mut running = cloud.begin("foreach", &["--n", "2", "--work", "1000"]);
    running.until("started", "square");
    let before = cloud.jobs("foreach/1");
    running.signal(Signal::KILL);
    assert_eq!(running.end().1, None);
    cloud.wrun(&["attach", "foreach/1", "--quiet"]).good();
    // Two steps were still to come.
    assert_eq!(cloud.jobs("foreach/1"), before + 2);
    cloud.replay("foreach/1");
}

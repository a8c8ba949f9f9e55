//! A run whose attempts were made in Batch, in the datastore that it was copied to.
//!
//! What workers leave beside the journal is for the driver of the run; once the run has an end, the journal has
//! all of it. So the copy is without it, and nothing is missed there.

use std::collections::BTreeSet;
use std::path::Path;

use super::cloud::Cloud;
use super::world::{Said, module};

/// The names of all objects of a run below `directory`.
fn objects(directory: &Path, run: &str) -> BTreeSet<String> {
    let (flow, number) = run.split_once('/').unwrap();
    let root = directory.join(format!("flows/{flow}/runs/{number}"));
    let mut found = BTreeSet::new();
    let mut todo = vec![root.clone()];
    while let Some(at) = todo.pop() {
        for entry in std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap()) {
            match entry.file_type().unwrap().is_dir() {
                true => todo.push(entry.path()),
                false => {
                    let path = entry.path();
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                    found.insert(name.to_owned());
                }
            }
        }
    }
    found
}

/// A cloud with a run that succeeded, one that failed, and one that was cancelled in flight.
fn ended() -> Cloud {
    let cloud = Cloud::new();
    cloud.run("foreach", &["--n", "3", "--quiet"]).good();
    cloud.run("shaky_end", &["--quiet"]).fails(1, &[]);
    let so_far = cloud.fake.state().containers;
    cloud.fake.state().mood.most_containers = Some(so_far + 1);
    let running = cloud.start("linear", &[]);
    cloud.until(|fake| fake.states().iter().any(|(_, state)| state == "RUNNABLE"));
    running.signal(rustix::process::Signal::INT);
    running.signal(rustix::process::Signal::INT);
    assert_eq!(running.end().1, Some(130));
    cloud.fake.resume();
    cloud
}

const RUNS: [&str; 3] = ["foreach/1", "shaky/1", "linear/1"];

#[test]
fn a_copy_has_all_that_is_asked_of_a_run() {
    let cloud = ended();
    let there = cloud.world.path().join("there");
    let there = there.to_str().unwrap();
    let store = cloud.world.store();
    let copy = ["datastore", "copy", store.to_str().unwrap(), there];
    cloud.wrun(&copy).good();
    let at = |arguments: &[&str]| -> Said {
        let mut command = cloud.command(arguments);
        command.env("WRUN_DATASTORE", there);
        command.output().unwrap().into()
    };
    for run in RUNS {
        for ask in ["show", "logs"] {
            let (here, copied) = (cloud.wrun(&[ask, run]), at(&[ask, run]));
            assert_eq!(here.good().stdout, copied.good().stdout, "{ask} {run}");
        }
        let left: Vec<_> = objects(Path::new(there), run)
            .into_iter()
            .filter(|name| name.starts_with("tasks/") || name.starts_with("jobs/"))
            .collect();
        assert_eq!(left, [""; 0], "{run}");
        at(&["replay", run]).good();
        let attach = at(&["attach", run]);
        assert!(
            attach.stderr.contains("has ended already"),
            "{}",
            attach.stderr
        );
    }
    assert!(
        objects(&cloud.world.store(), "foreach/1")
            .iter()
            .any(|name| name.starts_with("tasks/")),
        "the original keeps what its workers left until it is collected"
    );
    let sum = at(&["get", "foreach/1/sum/sum", "--json"]).good().stdout;
    assert_eq!(
        sum,
        cloud
            .wrun(&["get", "foreach/1/sum/sum", "--json"])
            .good()
            .stdout
    );
    // What had failed, or not been made, is made there, in Batch again or here.
    for (run, flow, with) in [
        ("shaky/1", "shaky", "batch"),
        ("linear/1", "linear", "local"),
    ] {
        let module = module(flow);
        let resume = [
            "resume", run, "--module", &module, "--with", with, "--quiet",
        ];
        at(&resume).good();
        let name = format!("{flow}/2");
        at(&["replay", &name]).good();
    }
    // All of it once more copies nothing.
    let again = cloud.wrun(&copy).good().stderr;
    let nothing = again.lines().last().unwrap_or_default();
    assert!(nothing.starts_with("0 runs copied to"), "{again}");
    assert!(nothing.ends_with("0 new blobs, 0 B written"), "{again}");
}

#[test]
fn a_run_that_goes_on_keeps_no_other_from_being_copied() {
    let cloud = Cloud::new();
    cloud.world.run("linear", &["--quiet"]).good();
    cloud.fake.state().mood.most_containers = Some(0);
    let running = cloud.start("foreach", &["--n", "1"]);
    cloud.until(|fake| fake.calls("submitjob") == 1);
    let copy = |to: &str, runs: &[&str]| {
        let copy = ["datastore", "copy", "store", to];
        cloud.world.text(&cloud.wrun(&[&copy[..], runs].concat()))
    };
    insta::assert_snapshot!(copy("all", &[]), @r"
    linear/1 copied
    foreach/1 left out: it has not ended
    1 run copied to [dir]/all: 1 new blob, 106 KiB written
    exit code 0
    ");
    insta::assert_snapshot!(copy("one", &["foreach/1"]), @r"
    error: run `foreach/1` has not ended
      hint: `wrun attach foreach/1` goes on where its driver is gone
    exit code 6
    ");
    insta::assert_snapshot!(copy("store", &[]), @r"
    error: both datastores are `[dir]/store`
      hint: the first is copied from, the second to
    exit code 2
    ");
    drop(running);
}

//! The same path: what a run leaves does not tell where its attempts were made.
//!
//! Every example is run by the executor of this machine and by that of Batch, whose containers are processes of
//! the real `wrun`; all records are the same but for what they cost, when, and where.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]
#![allow(
    clippy::disallowed_methods,
    reason = "a Batch waits for processes, and a test for it"
)]

#[path = "flows/certificates.rs"]
#[allow(
    dead_code,
    reason = "the server can encrypt, which nobody asks for here"
)]
mod certificates;
#[allow(dead_code, reason = "each test target uses a part of it")]
#[path = "batch/cloud.rs"]
mod cloud;
#[allow(dead_code, reason = "each test target uses a part of it")]
#[path = "batch/fake/mod.rs"]
mod fake;
#[allow(dead_code, reason = "each test target uses a part of it")]
#[path = "exact/results.rs"]
mod results;
#[path = "flows/running.rs"]
mod running;
#[allow(dead_code, reason = "a part of it is used here")]
#[path = "flows/server.rs"]
mod server;
#[path = "flows/weather.rs"]
mod weather;
#[path = "flows/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wrun::datastore::{Datastore, DatastoreUrl};
use wrun::model::event::Event;
use wrun::model::record::{Logs, Record, Usage};

use cloud::Cloud;

/// All attempts of a run, without what they cost, and without how what they printed was cut.
fn records(store: &Path, run: &str) -> BTreeMap<(String, u32), Record> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let events = runtime.block_on(async {
        let url: DatastoreUrl = store.to_str().unwrap().parse().unwrap();
        let datastore = Datastore::open(&url).await.unwrap();
        let run = datastore.run(&run.parse().unwrap()).await.unwrap();
        run.events().await.unwrap()
    });
    let records = events.into_iter().filter_map(|event| match event {
        Event::Finished {
            task,
            attempt,
            mut record,
        } => {
            record.usage = Usage::default();
            record.logs = Logs::None;
            Some(((task.to_string(), attempt), *record))
        }
        _ => None,
    });
    records.collect()
}

/// Runs a flow here and in Batch, and compares all that is kept.
fn same(flow: &str, run: &str, arguments: &[&str]) {
    let cloud = Cloud::new();
    for (name, text) in [
        ("a.txt", "one two\n".repeat(50)),
        ("b.txt", "three\n".into()),
    ] {
        cloud.world.write(name, text);
    }
    let arguments = [arguments, &["--quiet"]].concat();
    let here = cloud.world.run(flow, &arguments).code;
    assert_eq!(cloud.run(flow, &arguments).code, here);
    let store = cloud.world.store();
    let (first, second) = (format!("{run}/1"), format!("{run}/2"));
    assert_eq!(records(&store, &first), records(&store, &second));
    let (here, there) = (results::of(&store, &first), results::of(&store, &second));
    assert_eq!(here.difference(&there), None);
    assert!(cloud.fake.state().containers > 0);
    cloud.replay(&second);
}

/// Runs the example in this directory here and in Batch; false when it is not known how.
fn example(directory: &str) -> bool {
    match directory {
        "fetch" => {
            let server = weather::serve([127, 0, 0, 1].into());
            let service = server.origin();
            let grant = format!("http={service}");
            same(
                "fetch",
                "fetch",
                &["--allow", &grant, "--service", &service],
            );
        }
        "flaky" => same("flaky", "flaky", &[]),
        "grid-search" => {
            let small = ["--k", "1", "--k", "3", "--folds", "2"];
            same("grid_search", "grid-search", &small);
        }
        "hello" => same("hello", "hello", &["--name", "Ada"]),
        "monte-carlo" => {
            let small = ["--rounds", "2", "--tasks", "3"];
            same("monte_carlo", "monte-carlo", &small);
        }
        "penguins" => same("penguins", "penguins", &[]),
        "wordcount" => {
            let texts = ["--text", "a.txt", "--text", "b.txt"];
            same("wordcount", "wordcount", &texts);
        }
        _ => return false,
    }
    true
}

#[test]
fn every_example_leaves_the_same_records() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap());
    let packages = entries.filter(|entry| entry.path().join("Cargo.toml").exists());
    let names: BTreeSet<String> = packages
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(names.len() >= 7, "{names:?}");
    // Two at a time, as a Batch has two slots and waits for most of the time.
    let names: Vec<_> = names.into_iter().collect();
    for pair in names.chunks(2) {
        std::thread::scope(|scope| {
            for name in pair {
                scope.spawn(move || assert!(example(name), "how is `{name}` to be run?"));
            }
        });
    }
}

#[test]
fn failures_of_every_kind() {
    // Not `memory`: a slow machine reaches the time limit of the step before it.
    let ways = ["well", "second", "error", "fatal", "panic", "timeout"];
    let how: Vec<_> = ways.iter().flat_map(|way| ["--how", way]).collect();
    same("lenient", "lenient", &how);
}

#[test]
fn a_run_that_fails() {
    same("lenient", "lenient", &["--end", "fatal"]);
}

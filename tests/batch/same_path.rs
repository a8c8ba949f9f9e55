//! The same path: what a run leaves does not tell where its attempts were made.

use std::collections::BTreeMap;
use std::path::Path;

use wrun::datastore::{Datastore, DatastoreUrl};
use wrun::model::event::Event;
use wrun::model::record::{Logs, Record, Usage};

use super::cloud::Cloud;
use super::results;

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

#[test]
fn hello() {
    same("hello", "hello", &["--name", "Ada"]);
}

#[test]
fn penguins() {
    same("penguins", "penguins", &[]);
}

#[test]
fn wordcount() {
    same(
        "wordcount",
        "wordcount",
        &["--text", "a.txt", "--text", "b.txt"],
    );
}

#[test]
fn monte_carlo() {
    same(
        "monte_carlo",
        "monte-carlo",
        &["--rounds", "2", "--tasks", "3"],
    );
}

#[test]
fn grid_search() {
    same(
        "grid_search",
        "grid-search",
        &["--k", "1", "--k", "3", "--folds", "2"],
    );
}

#[test]
fn flaky() {
    same("flaky", "flaky", &[]);
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

//! What must hold of a datastore whatever has happened to those who wrote to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use wrun::datastore::{Datastore, DatastoreUrl, RunSummary};
use wrun::model::artifact::{Artifact, ValueAt};
use wrun::model::digest::Digest;
use wrun::model::event::Event;
use wrun::model::id::RunId;
use wrun::model::name::FlowName;
use wrun::model::record::Logs;
use wrun::report::json;

use super::results::{Results, results};

/// What is in a datastore, as far as it is the same in every execution.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What came out of each run.
    pub runs: BTreeMap<String, Results>,
    /// How many tasks each run had, where it has ended; how many results others may take; its tags.
    pub counts: BTreeMap<String, String>,
}

/// Checks everything in the datastore of a directory; `shown` are lines that were shown to somebody.
///
/// # Panics
/// When something is lost, doubled, partial, or lies where nothing should.
pub fn all(store: &Path, shown: &[Json]) -> Found {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url: DatastoreUrl = store.to_str().unwrap().parse().unwrap();
        let datastore = match Datastore::open(&url).await {
            Ok(datastore) => datastore,
            Err(error) => {
                assert!(shown.is_empty(), "{error}: {shown:?}");
                return Found::default();
            }
        };
        files(store, &datastore).await;
        runs(store, &datastore, shown).await
    })
}

/// Every run of the datastore.
async fn runs(store: &Path, datastore: &Datastore, shown: &[Json]) -> Found {
    let mut found = Found::default();
    for flow in datastore.flows().await.unwrap() {
        let runs = datastore.runs(&flow, usize::MAX).await.unwrap();
        let mut numbers: BTreeSet<_> = runs.iter().map(|run| run.number).collect();
        numbers.extend(removed(store, &flow));
        let numbers: Vec<_> = numbers.into_iter().collect();
        let dense: Vec<_> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, dense, "numbers of `{flow}`");
        for id in runs {
            let lines: Vec<_> = shown.iter().collect();
            one(datastore, &id, &lines, &mut found).await;
        }
    }
    found
}

/// The numbers of the runs of a flow that have a tombstone.
fn removed(store: &Path, flow: &FlowName) -> Vec<u64> {
    let directory = store.join(format!("flows/{flow}/removed"));
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .map(|it| u64::MAX - it.parse::<u64>().unwrap())
        .collect()
}

async fn one(datastore: &Datastore, id: &RunId, shown: &[&Json], found: &mut Found) {
    let run = datastore.run(id).await.unwrap();
    let events = run.events().await.unwrap();
    once(id, &events);
    kept(id, &run.header().run, &events, shown);
    for event in &events {
        referred(datastore, event).await;
    }
    let summary = run.summary().await.unwrap();
    if let Some(summary) = &summary {
        let ended = matches!(events.last(), Some(Event::RunEnded { status, at })
            if (*status, *at) == (summary.status, summary.ended_at));
        assert!(
            ended,
            "the summary of `{id}` says what its journal does not"
        );
        assert_eq!(summary.segments, run.segments().await.unwrap(), "{id}");
        found.counts.insert(id.to_string(), counts(summary));
    }
    let memo = run.memo().await.unwrap().map(|it| it.entries);
    for entry in memo.iter().flatten() {
        assert!(u64::from(entry.segment) < run.segments().await.unwrap());
    }
    let beside = (memo.map(|it| it.len()), run.tags().await.unwrap());
    let text = format!("{beside:?}");
    found.counts.insert(format!("beside {id}"), text);
    run.lease().await.unwrap();
    for job in run.jobs().await.unwrap() {
        run.job(&job).await.unwrap();
    }
    found
        .runs
        .insert(id.to_string(), results(datastore, &events).await);
}

fn counts(summary: &RunSummary) -> String {
    format!("{:?} {:?}", summary.tasks, summary.steps)
}

/// No attempt has two ends, and no run.
fn once(run: &RunId, events: &[Event]) {
    let mut attempts = BTreeSet::new();
    for (task, attempt, _) in events.iter().filter_map(Event::ending) {
        let is_new = attempts.insert((task.clone(), attempt));
        assert!(
            is_new,
            "`{run}/{task}` has two results of attempt {attempt}"
        );
    }
    let ends = events
        .iter()
        .filter(|it| matches!(it, Event::RunEnded { .. }));
    assert!(ends.count() <= 1, "`{run}` ended twice");
    let after = events
        .iter()
        .skip_while(|it| !matches!(it, Event::RunEnded { .. }));
    assert!(after.count() <= 1, "`{run}` went on after its end");
}

/// All that was shown of a run is in its journal, as it was shown.
fn kept(id: &RunId, run: &RunId, events: &[Event], shown: &[&Json]) {
    assert_eq!(id, run, "a header under another name");
    let stored: BTreeSet<_> = events
        .iter()
        .map(|event| json::event(event).to_string())
        .collect();
    let name = id.to_string();
    let mut of_this = false;
    for line in shown {
        if line["event"] == "run_started" {
            of_this = line["header"]["run"] == name.as_str();
        }
        let is_stored = [
            "finished",
            "reused",
            "caught",
            "rejected",
            "log",
            "cancel_requested",
            "run_ended",
        ]
        .iter()
        .any(|kind| line["event"] == *kind);
        if of_this && is_stored {
            assert!(
                stored.contains(&line.to_string()),
                "shown and not kept: {line}"
            );
        }
    }
}

/// What an event refers to is there, and whole.
async fn referred(datastore: &Datastore, event: &Event) {
    let Some((_, _, record)) = event.ending() else {
        return;
    };
    let of =
        |artifact: &Artifact| (artifact.value.at == ValueAt::Blob).then_some(artifact.value.digest);
    let mut blobs: Vec<Digest> = record.artifacts.iter().filter_map(of).collect();
    blobs.extend(record.trace);
    if let Logs::Blob(value) = &record.logs {
        blobs.push(value.digest);
    }
    for blob in blobs {
        datastore.verify(&blob).await.unwrap();
    }
}

/// Every file is an object and whole, or lies in `tmp/`.
async fn files(store: &Path, datastore: &Datastore) {
    for file in below(store) {
        let key = file.strip_prefix(store).unwrap().to_str().unwrap();
        let parts: Vec<_> = key.split('/').collect();
        let digest = || -> Digest { parts.last().unwrap().parse().unwrap() };
        match parts[..] {
            ["wrun-datastore"] => {}
            ["tmp", name] => assert!(name.starts_with('w') || name == "replace.lock", "{key}"),
            ["blobs", prefix, name] => {
                assert!(name.starts_with(prefix), "{key}");
                datastore.verify(&digest()).await.unwrap();
            }
            ["snapshots", _] => drop(datastore.get_snapshot(&digest()).await.unwrap()),
            ["flows", _, "index", number] => assert_eq!(number.len(), 20, "{key}"),
            ["flows", _, "runs", _, "journal", number] => assert_eq!(number.len(), 10, "{key}"),
            ["flows", _, "runs", _, "lease" | "summary" | "tags"] => {}
            ["flows", _, "runs", _, "jobs", _] => {}
            ["flows", _, "runs", _, "tasks", _, _, name] => {
                let known = name.starts_with("attempt-") || name.starts_with("said-");
                assert!(known, "{key}");
            }
            ["memo", _, _] | ["gc", "last"] => {}
            ["flows", _, "removed", number] => assert_eq!(number.len(), 20, "{key}"),
            _ => panic!("`{key}` is no object and no leftover"),
        }
    }
}

/// All files below a directory.
pub fn below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(below(&path)),
            false => files.push(path),
        }
    }
    files
}

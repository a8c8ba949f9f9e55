//! What came out of a run, in a form that two runs can be compared by.

use std::collections::BTreeMap;
use std::path::Path;

use wrun::datastore::{Datastore, DatastoreUrl};
use wrun::model::artifact::Artifact;
use wrun::model::event::{Event, RunStatus};
use wrun::model::record::{LogChunk, Logs};

/// Of every task the last attempt: how it ended, what it wrote, what it printed, what was caught.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Results {
    pub tasks: BTreeMap<String, String>,
    pub ended: Option<RunStatus>,
}

/// What came out of a run with these events.
pub fn results(events: &[Event]) -> Results {
    let mut found = Results::default();
    let mut printed: BTreeMap<(String, u32), Vec<LogChunk>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Log {
                task,
                attempt,
                chunks,
                ..
            } => {
                let of = (task.to_string(), *attempt);
                printed.entry(of).or_default().extend(chunks.clone());
            }
            Event::Finished {
                task,
                attempt,
                record,
            }
            | Event::Reused {
                task,
                attempt,
                record,
                ..
            } => {
                let mut logs = printed
                    .remove(&(task.to_string(), *attempt))
                    .unwrap_or_default();
                let mut long = None;
                match &record.logs {
                    Logs::None => {}
                    Logs::Inline(chunks) => logs.extend(chunks.clone()),
                    Logs::Blob(value) => long = Some(value.digest),
                }
                let text = format!(
                    "{:?} {} {} {:?} {} {long:?}",
                    record.result,
                    listed(&record.artifacts),
                    record.inputs,
                    record.observed,
                    joined(&logs)
                );
                found.tasks.insert(task.to_string(), text);
            }
            Event::Caught { task, artifact, .. } => {
                let text = found.tasks.entry(task.to_string()).or_default();
                *text += &listed(std::slice::from_ref(artifact));
            }
            Event::Rejected { task, failure, .. } => {
                let text = found.tasks.entry(task.to_string()).or_default();
                *text += &format!("{failure:?}");
            }
            Event::RunEnded { status, .. } => found.ended = Some(*status),
            _ => {}
        }
    }
    found
}

fn listed(artifacts: &[Artifact]) -> String {
    let each = artifacts.iter().map(|artifact| {
        let value = &artifact.value;
        format!("{}={} {}", artifact.name, value.digest, value.media)
    });
    each.collect::<Vec<_>>().join(", ")
}

/// What was printed, however it was cut into pieces.
fn joined(chunks: &[LogChunk]) -> String {
    let mut text = String::new();
    let mut last = None;
    for chunk in chunks {
        if last != Some(chunk.stream) {
            text += &format!("\n{:?}: ", chunk.stream);
            last = Some(chunk.stream);
        }
        text += &String::from_utf8_lossy(&chunk.bytes);
    }
    text
}

/// The events of a run in the datastore of a directory.
pub fn events(store: &Path, run: &str) -> Vec<Event> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url: DatastoreUrl = store.to_str().unwrap().parse().unwrap();
        let datastore = Datastore::open(&url).await.unwrap();
        let run = datastore.run(&run.parse().unwrap()).await.unwrap();
        run.events().await.unwrap()
    })
}

/// What came out of a run in the datastore of a directory.
pub fn of(store: &Path, run: &str) -> Results {
    results(&events(store, run))
}

/// How many tasks were executed, and how many taken over.
pub fn counts(store: &Path, run: &str) -> (usize, usize) {
    let events = events(store, run);
    let count = |what: fn(&Event) -> bool| events.iter().filter(|event| what(event)).count();
    (
        count(|event| matches!(event, Event::Finished { .. })),
        count(|event| matches!(event, Event::Reused { .. })),
    )
}

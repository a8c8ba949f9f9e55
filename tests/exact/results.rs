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

impl Results {
    /// The first thing in which another run differs, in short.
    pub fn difference(&self, other: &Results) -> Option<String> {
        if self.ended != other.ended {
            return Some(format!("{:?} and {:?}", self.ended, other.ended));
        }
        let names = self.tasks.keys().chain(other.tasks.keys());
        let none = String::new();
        names.into_iter().find_map(|task| {
            let text = |of: &Results| of.tasks.get(task).unwrap_or(&none).clone();
            let (ours, theirs) = (text(self), text(other));
            let both = ours.bytes().zip(theirs.bytes());
            let same = both.take_while(|(a, b)| a == b).count();
            let part = |text: &str| -> String {
                text.chars()
                    .skip(same.saturating_sub(80))
                    .take(400)
                    .collect()
            };
            let (sizes, parts) = ((ours.len(), theirs.len()), (part(&ours), part(&theirs)));
            (ours != theirs).then(|| format!("{task}, of {sizes:?}, from {same} on: {parts:?}"))
        })
    }
}

/// What came out of a run with these events.
pub async fn results(datastore: &Datastore, events: &[Event]) -> Results {
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
                LogChunk::follow(printed.entry(of).or_default(), chunks);
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
                match &record.logs {
                    Logs::None => {}
                    Logs::Inline(chunks) => logs.extend(chunks.clone()),
                    // How much was printed before the end is a matter of time.
                    Logs::Blob(value) => {
                        let bytes = datastore.load(value).await.unwrap();
                        let chunks: Vec<LogChunk> = ciborium::from_reader(&bytes[..]).unwrap();
                        logs.extend(chunks);
                    }
                }
                let text = format!(
                    "{:?} {} {} {:?} {}",
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

/// What came out of a run in the datastore of a directory.
pub fn of(store: &Path, run: &str) -> Results {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (datastore, events) = open(store, run).await;
        results(&datastore, &events).await
    })
}

async fn open(store: &Path, run: &str) -> (Datastore, Vec<Event>) {
    let url: DatastoreUrl = store.to_str().unwrap().parse().unwrap();
    let datastore = Datastore::open(&url).await.unwrap();
    let run = datastore.run(&run.parse().unwrap()).await.unwrap();
    let events = run.events().await.unwrap();
    (datastore, events)
}

/// How many tasks were executed, and how many taken over.
pub fn counts(store: &Path, run: &str) -> (usize, usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_, events) = runtime.block_on(open(store, run));
    let count = |what: fn(&Event) -> bool| events.iter().filter(|event| what(event)).count();
    (
        count(|event| matches!(event, Event::Finished { .. })),
        count(|event| matches!(event, Event::Reused { .. })),
    )
}

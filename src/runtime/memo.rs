//! Results of earlier runs: notes those of this run, and finds those of others.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::drive::Known;
use crate::datastore::Datastore;
use crate::datastore::memo::Entry;
use crate::datastore::object::StoreError;
use crate::datastore::run::Run;
use crate::model::artifact::ValueAt;
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::id::{RunId, TaskId};
use crate::model::record::{Logs, Record};
use crate::scheduler::Assignment;
use crate::task::site::Site;
use crate::task::{inputs, memo};

/// How many segments of other runs' journals are kept at hand.
const SEGMENTS: usize = 8;

/// The results of the run that is being driven, as far as they are durable.
#[derive(Default)]
pub struct Notes {
    state: Mutex<NotesState>,
}

#[derive(Default)]
struct NotesState {
    entries: Vec<Entry>,
    /// The first segment with something that a task has printed.
    printed: BTreeMap<(TaskId, u32), u32>,
}

impl Notes {
    fn state(&self) -> MutexGuard<'_, NotesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of events that are durable in `segment`.
    pub fn stored(&self, site: &Site, events: &[Event], segment: u64) {
        let segment = u32::try_from(segment).expect("a journal has fewer than 2^32 segments");
        let mut state = self.state();
        for event in events {
            match event {
                Event::Log {
                    task,
                    attempt,
                    chunks,
                    ..
                } => {
                    let key = (task.clone(), *attempt);
                    match chunks.is_empty() {
                        true => drop(state.printed.remove(&key)),
                        false => drop(state.printed.entry(key).or_insert(segment)),
                    }
                }
                // What a run takes over from the one that it continues may be of another module.
                Event::Reused { .. } if !site.header.cache => {}
                event => {
                    let Some((task, attempt, record)) = event.ending() else {
                        continue;
                    };
                    let printed = state.printed.remove(&(task.clone(), attempt));
                    let entry = entry(site, task, attempt, record).map(|key| Entry {
                        key,
                        segment,
                        logs_from: printed.unwrap_or(segment),
                    });
                    state.entries.extend(entry);
                }
            }
        }
    }

    /// All that was noted.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.state().entries)
    }
}

fn entry(site: &Site, task: &TaskId, attempt: u32, record: &Record) -> Option<Digest> {
    // What it saw of the world may be otherwise next time.
    if record.result.is_err() || record.trace.is_some() {
        return None;
    }
    memo::key(
        site,
        &record.engine,
        (task, attempt),
        &record.inputs,
        record.observed,
    )
}

/// Takes results from earlier runs of the same module.
pub struct Cache {
    site: Arc<Site>,
    index: HashMap<Digest, (u32, Entry)>,
    runs: Vec<RunId>,
    open: HashMap<u32, Opened>,
    segments: VecDeque<(Place, Arc<Vec<Event>>)>,
}

/// A run that has results, with the site that it had: its names decide about keys.
struct Opened {
    run: Run,
    site: Arc<Site>,
}

/// A segment of a run, which is named by its position in `runs`.
type Place = (u32, u32);

impl Cache {
    /// What is known of the module of `site`.
    ///
    /// # Errors
    /// When the datastore cannot be read.
    pub async fn open(site: Arc<Site>) -> Result<Self, StoreError> {
        let mut index = HashMap::new();
        let mut runs = Vec::new();
        for memo in site.datastore.memos(&site.header.module).await? {
            let run = runs.len() as u32;
            runs.push(memo.run);
            for entry in memo.entries {
                // The newest comes first and stays.
                index.entry(entry.key).or_insert((run, entry));
            }
        }
        Ok(Self {
            site,
            index,
            runs,
            open: HashMap::new(),
            segments: VecDeque::new(),
        })
    }

    async fn segment(&mut self, run: u32, segment: u32) -> Option<Arc<Vec<Event>>> {
        if let Some((_, events)) = self.segments.iter().find(|(at, _)| *at == (run, segment)) {
            return Some(events.clone());
        }
        if !self.open.contains_key(&run) {
            let opened = self.site.datastore.run(&self.runs[run as usize]).await;
            let opened = opened.ok()?;
            let site = Site {
                header: Arc::new(opened.header().clone()),
                ..self.site.as_ref().clone()
            };
            let site = Arc::new(site);
            self.open.insert(run, Opened { run: opened, site });
        }
        let journal = &self.open.get(&run)?.run;
        let events = Arc::new(journal.read_segment(u64::from(segment)).await.ok()?);
        if self.segments.len() >= SEGMENTS {
            self.segments.pop_front();
        }
        self.segments.push_back(((run, segment), events.clone()));
        Some(events)
    }

    /// The events of the attempt that `entry` means; none when it is gone.
    async fn look_up(&mut self, task: &TaskId, (run, entry): (u32, Entry)) -> Option<Vec<Event>> {
        let found = self.segment(run, entry.segment).await?;
        let theirs = self.open.get(&run)?.site.clone();
        let ended = found.iter().find(|event| {
            let key = event
                .ending()
                .and_then(|(task, attempt, record)| self::entry(&theirs, task, attempt, record));
            key == Some(entry.key)
        })?;
        let (of, attempt, record) = ended.ending()?;
        if !is_there(&self.site.datastore, record).await {
            return None;
        }
        // That run may have taken it over itself.
        let from = match ended {
            Event::Reused { from, .. } => from.clone(),
            _ => self.runs[run as usize].clone(),
        };
        let mut events = Vec::new();
        for segment in entry.logs_from..=entry.segment {
            for event in self.segment(run, segment).await?.iter() {
                if let Event::Log {
                    task: by,
                    attempt: which,
                    at,
                    chunks,
                } = event
                    && (by, *which) == (of, attempt)
                {
                    if chunks.is_empty() {
                        events.clear();
                        continue;
                    }
                    events.push(Event::Log {
                        task: task.clone(),
                        attempt,
                        at: *at,
                        chunks: chunks.clone(),
                    });
                }
            }
        }
        events.push(Event::Reused {
            task: task.clone(),
            attempt,
            record: Box::new(record.clone()),
            from,
        });
        Some(events)
    }
}

/// Whether every blob that a record refers to is there.
async fn is_there(datastore: &Datastore, record: &Record) -> bool {
    let artifacts = record.artifacts.iter().map(|artifact| &artifact.value);
    let logs = match &record.logs {
        Logs::Blob(value) => Some(value),
        _ => None,
    };
    for value in artifacts.chain(logs) {
        let there = match value.at {
            ValueAt::Blob => datastore.blobs().contains(&value.digest).await,
            _ => Ok(true),
        };
        if !there.unwrap_or(false) {
            return false;
        }
    }
    true
}

#[async_trait]
impl Known for Cache {
    async fn find(&mut self, assignment: &Assignment) -> Vec<Event> {
        if assignment.attempt > 0 || self.index.is_empty() {
            return Vec::new();
        }
        let site = self.site.clone();
        let node = site.graph.step(assignment.step);
        // A list that cannot be read is found out by the attempt, which says so.
        let Ok(item) = inputs::item(&site, node, assignment).await else {
            return Vec::new();
        };
        let inputs = inputs::digest(node, assignment, item.as_deref());
        let engine = site.module(site.profile(node)).engine();
        for observed in memo::combinations() {
            let who = (&assignment.task, assignment.attempt);
            let key = memo::key(&site, engine, who, &inputs, observed);
            let found = key.and_then(|key| self.index.get(&key).copied());
            if let Some(found) = found
                && let Some(events) = self.look_up(&assignment.task, found).await
            {
                return events;
            }
        }
        Vec::new()
    }
}

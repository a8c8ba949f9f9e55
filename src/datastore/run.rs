//! Runs: their headers, journals, summaries and tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Datastore;
use super::journal::{Journal, JournalError, JournalWriter};
use super::layout as keys;
use super::object::{Created, Key, ObjectStore, Replaced, StoreError};
use super::sealed::{self, MAX_SEALED, Nonce, SealError};
use crate::failpoint;
use crate::model::event::{Event, RunStatus};
use crate::model::failure::Failure;
use crate::model::header::RunHeader;
use crate::model::id::{RunId, TaskId};
use crate::model::name::{FlowName, StepName, Tag};
use crate::model::time::Timestamp;

const HEADER: [u8; 4] = *b"head";
const SUMMARY: [u8; 4] = *b"summ";
const TAGS: [u8; 4] = *b"tags";

/// How often a change of tags is tried again when others change them too.
const TAG_TRIES: usize = 100;

/// Why a run, or something that belongs to it, could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such run.
    #[error("run `{run}` is not in the datastore")]
    Missing {
        /// The run.
        run: RunId,
    },
    /// An object of it is not what was written.
    #[error("`{key}` of run `{run}` is damaged: {what}")]
    Damaged {
        /// The run.
        run: RunId,
        /// The object.
        key: Key,
        /// What was found.
        what: String,
    },
    /// A newer wrun wrote it.
    #[error(
        "`{key}` of run `{run}` has version {version}, which this wrun does not know; use a newer one"
    )]
    Newer {
        /// The run.
        run: RunId,
        /// The object.
        key: Key,
        /// Its version.
        version: u8,
    },
    /// Others changed it each time that this one tried.
    #[error("the tags of run `{run}` are being changed by too many at once; try again")]
    Busy {
        /// The run.
        run: RunId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many tasks there were, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// Tasks that succeeded.
    pub succeeded: u64,
    /// Tasks that failed for good, caught or not.
    pub failed: u64,
    /// Those of them whose failure was caught.
    pub caught: u64,
    /// Tasks taken over from another run.
    pub reused: u64,
    /// Attempts, of all tasks together.
    pub attempts: u64,
}

/// A task that failed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTask {
    /// The task.
    pub task: TaskId,
    /// Why it failed.
    pub failure: Failure,
}

/// What became of an ended run: all that a list of runs shows, without its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// How it ended.
    pub status: RunStatus,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// All its tasks.
    pub tasks: TaskCounts,
    /// The tasks of each step.
    pub steps: BTreeMap<StepName, TaskCounts>,
    /// The failure that ended it, if one did.
    pub failure: Option<FailedTask>,
    /// How many segments its journal had.
    pub segments: u64,
}

/// A run in a datastore. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Run {
    store: Arc<dyn ObjectStore>,
    header: Arc<RunHeader>,
}

impl Datastore {
    /// Starts a run of `flow`: gives it the next number, and stores the header.
    ///
    /// The run is there with its header or not at all. `header` is called once; when somebody else
    /// takes the number meanwhile, only `run` in it is changed, and `known_as` when it was the same.
    pub async fn create_run(
        &self,
        flow: &FlowName,
        header: impl FnOnce(RunId) -> RunHeader,
    ) -> Result<Run, RunError> {
        let newest = self
            .runs(flow, 1)
            .await?
            .first()
            .map_or(0, |run| run.number);
        let mut id = RunId {
            flow: flow.clone(),
            number: newest + 1,
        };
        let mut header = header(id.clone());
        let nonce = Nonce::new();
        let is_first = header.known_as == id.number;
        loop {
            header.run = id.clone();
            if is_first {
                header.known_as = id.number;
            }
            let key = keys::header(&id);
            let bytes = sealed::seal(&key, HEADER, nonce, &encode(&header));
            failpoint::reach("run.allot", &id);
            let mine = match self.store().create(&key, bytes.clone()).await? {
                Created::New => true,
                Created::Exists => {
                    let found = self.store().get(&key, MAX_SEALED).await?;
                    found.is_some_and(|object| object.bytes == bytes)
                }
            };
            if mine {
                failpoint::reach("run.allotted", &id);
                return Ok(Run {
                    store: self.store().clone(),
                    header: Arc::new(header),
                });
            }
            id.number += 1;
        }
    }

    /// Opens a run.
    pub async fn run(&self, id: &RunId) -> Result<Run, RunError> {
        let header = read::<RunHeader>(&**self.store(), id, &keys::header(id), HEADER).await?;
        let header = header.ok_or_else(|| RunError::Missing { run: id.clone() })?;
        Ok(Run {
            store: self.store().clone(),
            header: Arc::new(header),
        })
    }

    /// The flows that have runs, in the order of their names.
    pub async fn flows(&self) -> Result<Vec<FlowName>, StoreError> {
        let mut flows = Vec::new();
        let mut after = None;
        // Each listing skips all that belongs to the flow before.
        loop {
            let found = self.store().list(&keys::flows(), after.as_ref(), 1).await?;
            let Some(key) = found.into_iter().next() else {
                break;
            };
            after = match keys::flow_of(&key) {
                Some(flow) => {
                    let next = keys::after_flow(&flow);
                    flows.push(flow);
                    Some(next)
                }
                None => Some(key),
            };
        }
        flows.sort_unstable();
        Ok(flows)
    }

    /// The newest `limit` runs of a flow, newest first.
    pub async fn runs(&self, flow: &FlowName, limit: usize) -> Result<Vec<RunId>, StoreError> {
        let found = self.store().list(&keys::index(flow), None, limit).await?;
        let numbers = found.iter().filter_map(keys::number_of);
        Ok(numbers
            .map(|number| RunId {
                flow: flow.clone(),
                number,
            })
            .collect())
    }

    /// The run that was started last: of `flow`, or of all flows.
    pub async fn latest(&self, flow: Option<&FlowName>) -> Result<Option<RunId>, RunError> {
        if let Some(flow) = flow {
            return Ok(self.runs(flow, 1).await?.pop());
        }
        let mut latest: Option<(Timestamp, RunId)> = None;
        for flow in self.flows().await? {
            let Some(id) = self.runs(&flow, 1).await?.pop() else {
                continue;
            };
            let at = self.run(&id).await?.header.created_at;
            if latest.as_ref().is_none_or(|(newest, _)| at >= *newest) {
                latest = Some((at, id));
            }
        }
        Ok(latest.map(|(_, id)| id))
    }
}

impl Run {
    /// Which run it is.
    pub fn id(&self) -> &RunId {
        &self.header.run
    }

    /// What was fixed when it started.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    fn journal(&self) -> Journal {
        Journal::new(self.store.clone(), self.id().clone())
    }

    /// All events of its journal, in order.
    pub async fn events(&self) -> Result<Vec<Event>, JournalError> {
        Ok(self.journal().events_from(0).await?.0)
    }

    /// The events from segment `segment` on, and the segment to ask for next time.
    pub async fn events_from(&self, segment: u64) -> Result<(Vec<Event>, u64), JournalError> {
        self.journal().events_from(segment).await
    }

    /// The events of one segment.
    pub async fn read_segment(&self, segment: u64) -> Result<Vec<Event>, JournalError> {
        self.journal().read(segment).await
    }

    /// How many segments its journal has.
    pub async fn segments(&self) -> Result<u64, JournalError> {
        self.journal().next().await
    }

    /// Opens its journal for appending, at the next free number.
    pub async fn writer(&self) -> Result<JournalWriter, JournalError> {
        self.journal().writer().await
    }

    /// Opens its journal for appending at `segment`, which is the next that whoever asks knows of.
    ///
    /// When another driver has written that number meanwhile, the first append is refused: whoever
    /// goes on from what it has read must not go on from something else.
    pub fn writer_at(&self, segment: u64) -> JournalWriter {
        self.journal().writer_at(segment)
    }

    /// What became of it; none while it is going on, or when its driver was killed.
    pub async fn summary(&self) -> Result<Option<RunSummary>, RunError> {
        read(&*self.store, self.id(), &keys::summary(self.id()), SUMMARY).await
    }

    /// Stores what became of it, whatever was stored before.
    pub async fn put_summary(&self, summary: &RunSummary) -> Result<(), RunError> {
        let key = keys::summary(self.id());
        let bytes = sealed::seal(&key, SUMMARY, Nonce::new(), &encode(summary));
        failpoint::reach("summary.put", &key);
        self.store.put(&key, bytes).await?;
        failpoint::reach("summary.stored", &key);
        Ok(())
    }

    /// Its tags as they are now, in order: those given at the start, as changed since.
    pub async fn tags(&self) -> Result<Vec<Tag>, RunError> {
        let key = keys::tags(self.id());
        let tags = read::<Vec<Tag>>(&*self.store, self.id(), &key, TAGS).await?;
        Ok(tags.unwrap_or_else(|| self.first_tags()))
    }

    fn first_tags(&self) -> Vec<Tag> {
        let mut tags = self.header.tags.clone();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// Adds a tag; false when it was there.
    pub async fn add_tag(&self, tag: &Tag) -> Result<bool, RunError> {
        let add = |tags: &mut Vec<Tag>| match tags.binary_search(tag) {
            Ok(_) => false,
            Err(at) => {
                tags.insert(at, tag.clone());
                true
            }
        };
        self.change_tags(add).await
    }

    /// Removes a tag; false when it was not there.
    pub async fn remove_tag(&self, tag: &Tag) -> Result<bool, RunError> {
        let remove = |tags: &mut Vec<Tag>| {
            tags.binary_search(tag).is_ok_and(|at| {
                tags.remove(at);
                true
            })
        };
        self.change_tags(remove).await
    }

    /// Changes the tags so that no change of others is lost.
    async fn change_tags(&self, change: impl Fn(&mut Vec<Tag>) -> bool) -> Result<bool, RunError> {
        let key = keys::tags(self.id());
        for _ in 0..TAG_TRIES {
            let found = self.store.get(&key, MAX_SEALED).await?;
            let mut tags = match &found {
                Some(object) => decode(self.id(), &key, TAGS, &object.bytes)?,
                None => self.first_tags(),
            };
            if !change(&mut tags) {
                return Ok(false);
            }
            let bytes = sealed::seal(&key, TAGS, Nonce::new(), &encode(&tags));
            failpoint::reach("tags.change", &key);
            let done = match found {
                Some(old) => self.store.replace(&key, &old.version, bytes).await? == Replaced::Done,
                None => self.store.create(&key, bytes).await? == Created::New,
            };
            if done {
                failpoint::reach("tags.changed", &key);
                return Ok(true);
            }
        }
        Err(RunError::Busy {
            run: self.id().clone(),
        })
    }
}

pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("plain data, and a vector takes all bytes");
    out
}

async fn read<T: DeserializeOwned>(
    store: &dyn ObjectStore,
    run: &RunId,
    key: &Key,
    kind: [u8; 4],
) -> Result<Option<T>, RunError> {
    match store.get(key, MAX_SEALED).await? {
        Some(object) => decode(run, key, kind, &object.bytes).map(Some),
        None => Ok(None),
    }
}

pub(super) fn decode<T: DeserializeOwned>(
    run: &RunId,
    key: &Key,
    kind: [u8; 4],
    stored: &[u8],
) -> Result<T, RunError> {
    let (run, key) = (run.clone(), key.clone());
    match sealed::open(&key, kind, stored) {
        Ok(content) => ciborium::from_reader(&content[..]).map_err(|e| RunError::Damaged {
            run,
            key,
            what: e.to_string(),
        }),
        Err(SealError::Newer(version)) => Err(RunError::Newer { run, key, version }),
        Err(SealError::Damaged(what)) => Err(RunError::Damaged { run, key, what }),
    }
}

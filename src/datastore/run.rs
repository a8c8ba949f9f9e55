//! Runs: their headers, journals and summaries.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Datastore;
use super::journal::{Journal, JournalError, JournalWriter};
use super::layout as keys;
use super::object::{Created, Key, Object, ObjectStore, StoreError};
use super::removed;
use super::sealed::{self, Kind, Nonce, SealError};
use crate::failpoint;
use crate::model::event::{Event, RunStatus};
use crate::model::failure::Failure;
use crate::model::header::RunHeader;
use crate::model::id::{RunId, RunNumber, TaskId};
use crate::model::name::{FlowName, StepName};
use crate::model::time::Timestamp;

/// The largest header: parameters of 256 KiB, and what is said about steps and grants.
pub(super) const MAX_HEADER: u64 = 16 << 20;
const HEADER: Kind = Kind::new(*b"head", "a header", MAX_HEADER);
const SUMMARY: Kind = Kind::new(*b"summ", "a summary", 16 << 20);

/// Why a run, or something that belongs to it, could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such run.
    #[error("run `{run}` is not in the datastore")]
    Missing {
        /// The run.
        run: RunId,
    },
    /// There was such a run.
    #[error("run `{run}` was removed at {}", at.rfc3339())]
    Removed {
        /// The run.
        run: RunId,
        /// When.
        at: Timestamp,
    },
    /// Its header is lost.
    #[error("the header of run `{run}` is missing, though its journal is there")]
    Headless {
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
    /// What is to be written is larger than what would be read again.
    #[error("`{key}` of run `{run}` cannot be written: {what}")]
    TooLarge {
        /// The run.
        run: RunId,
        /// The object.
        key: Key,
        /// How large it is, and how large it may be.
        what: String,
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
    /// The header as it is stored; empty for a run that was removed.
    sealed: Bytes,
}

impl Datastore {
    /// Starts a run of `flow`: gives it the next number, and stores the header.
    ///
    /// The run is there with its header or not at all. A number of which there is a journal or a
    /// tombstone is not given again, even when headers are lost. `header` is called once; when somebody else
    /// takes the number meanwhile, only `run` in it is changed, and `known_as` when it was the same.
    pub async fn create_run(
        &self,
        flow: &FlowName,
        header: impl FnOnce(RunId) -> RunHeader,
    ) -> Result<Run, RunError> {
        let mut id = RunId {
            flow: flow.clone(),
            number: self.newest(flow).await? + 1,
        };
        let mut header = header(id.clone());
        let nonce = Nonce::new();
        let is_first = header.known_as == id.number;
        loop {
            while self.has_begun(&id).await? {
                id.number += 1;
            }
            header.run = id.clone();
            if is_first {
                header.known_as = id.number;
            }
            let key = keys::header(&id);
            let bytes = sealed_as((&id, &key), &HEADER, nonce, &header)?;
            failpoint::reach("run.allot", &id);
            let mine = match self.store().create(&key, bytes.clone()).await? {
                Created::New => true,
                Created::Exists => {
                    let found = self.store().get(&key, HEADER.stored()).await?;
                    found.is_some_and(|object| object.bytes == bytes)
                }
            };
            if mine {
                failpoint::reach("run.allotted", &id);
                return Ok(Run {
                    store: self.store().clone(),
                    header: Arc::new(header),
                    sealed: bytes,
                });
            }
            id.number += 1;
        }
    }

    /// The newest number that was given, as far as headers and tombstones tell; 0 when none was.
    ///
    /// The newest run is never removed. But it may have lost its header, and then the newest numbers
    /// are those of tombstones, which whoever removes would take for those of new runs.
    async fn newest(&self, flow: &FlowName) -> Result<RunNumber, StoreError> {
        let (index, removals) = (keys::index(flow), keys::removals(flow));
        let (headers, tombstones) = tokio::try_join!(
            self.store().list(&index, None, 1),
            self.store().list(&removals, None, 1),
        )?;
        let numbers = headers.iter().chain(&tombstones);
        Ok(numbers.filter_map(keys::number_of).max().unwrap_or(0))
    }

    /// Opens a run.
    pub async fn run(&self, id: &RunId) -> Result<Run, RunError> {
        let found = get(&**self.store(), id, &keys::header(id), &HEADER).await?;
        if let Some(object) = found {
            return opened(self.store(), id, object.bytes);
        }
        removed::refuse(&**self.store(), id).await?;
        let run = id.clone();
        Err(match self.has_begun(id).await? {
            true => RunError::Headless { run },
            false => RunError::Missing { run },
        })
    }

    /// Where the header of a run is, for messages.
    pub fn header_key(&self, id: &RunId) -> String {
        keys::header(id).to_string()
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
    /// A run that was removed, which had this header.
    pub(super) fn of(store: Arc<dyn ObjectStore>, header: RunHeader) -> Self {
        Self {
            store,
            header: Arc::new(header),
            sealed: Bytes::new(),
        }
    }

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

    /// The header as it is stored.
    pub(super) fn sealed(&self) -> &Bytes {
        &self.sealed
    }

    pub(super) fn journal_of(store: &Arc<dyn ObjectStore>, id: &RunId) -> Journal {
        Journal::new(store.clone(), id.clone())
    }

    fn journal(&self) -> Journal {
        Self::journal_of(&self.store, self.id())
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

    /// The numbers of the segments that are there, whether others are missing between them or not.
    pub async fn segment_numbers(&self) -> Result<Vec<u64>, StoreError> {
        self.journal().numbers().await
    }

    /// Where a segment of its journal is, for messages.
    pub fn segment_key(&self, segment: u64) -> String {
        keys::segment(self.id(), segment).to_string()
    }

    /// Where its summary is, for messages.
    pub fn summary_key(&self) -> String {
        keys::summary(self.id()).to_string()
    }

    /// Where its noted results are, for messages.
    pub fn memo_key(&self) -> String {
        let header = self.header();
        keys::memo(&header.module, header.created_at, self.id()).to_string()
    }

    /// Opens its journal for appending, at the next free number.
    pub async fn writer(&self) -> Result<JournalWriter, JournalError> {
        self.journal().writer(&self.sealed).await
    }

    /// Opens its journal for appending at `segment`, which is the next that whoever asks knows of.
    ///
    /// When another driver has written that number meanwhile, the first append is refused: whoever
    /// goes on from what it has read must not go on from something else.
    pub fn writer_at(&self, segment: u64) -> JournalWriter {
        self.journal().writer_at(segment, &self.sealed)
    }

    /// What became of it; none while it is going on, or when its driver was killed.
    pub async fn summary(&self) -> Result<Option<RunSummary>, RunError> {
        read(&*self.store, self.id(), &keys::summary(self.id()), &SUMMARY).await
    }

    /// Stores what became of it, whatever was stored before.
    pub async fn put_summary(&self, summary: &RunSummary) -> Result<(), RunError> {
        let key = keys::summary(self.id());
        let bytes = sealed_as((self.id(), &key), &SUMMARY, Nonce::new(), summary)?;
        failpoint::reach("summary.put", &key);
        self.store.put(&key, bytes).await?;
        failpoint::reach("summary.stored", &key);
        Ok(())
    }

    /// Removes what is kept of its end: for a run that has none.
    pub async fn forget_end(&self) -> Result<(), RunError> {
        let header = self.header();
        let memo = keys::memo(&header.module, header.created_at, self.id());
        for key in [keys::summary(self.id()), memo] {
            failpoint::reach("end.forget", &key);
            self.store.delete(&key).await?;
        }
        Ok(())
    }
}

/// The run of which `sealed` is the header as it is stored.
pub(super) fn opened(
    store: &Arc<dyn ObjectStore>,
    id: &RunId,
    sealed: Bytes,
) -> Result<Run, RunError> {
    let header = decode(id, &keys::header(id), &HEADER, &sealed)?;
    Ok(Run {
        store: store.clone(),
        header: Arc::new(header),
        sealed,
    })
}

/// Seals `value` as an object of `run`, unless it is larger than what would be read again.
pub(super) fn sealed_as<T: Serialize>(
    (run, key): (&RunId, &Key),
    kind: &Kind,
    nonce: Nonce,
    value: &T,
) -> Result<Bytes, RunError> {
    let content = encode(value);
    let size = content.len() as u64;
    if size > kind.most {
        return Err(RunError::TooLarge {
            run: run.clone(),
            key: key.clone(),
            what: kind.too_large("it would have", size, kind.most),
        });
    }
    Ok(sealed::seal(key, kind, nonce, &content))
}

pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("plain data, and a vector takes all bytes");
    out
}

pub(super) async fn read<T: DeserializeOwned>(
    store: &dyn ObjectStore,
    run: &RunId,
    key: &Key,
    kind: &Kind,
) -> Result<Option<T>, RunError> {
    match get(store, run, key, kind).await? {
        Some(object) => decode(run, key, kind, &object.bytes).map(Some),
        None => Ok(None),
    }
}

/// Reads an object that belongs to `run`; one that is too large for its kind is damaged.
pub(super) async fn get(
    store: &dyn ObjectStore,
    run: &RunId,
    key: &Key,
    kind: &Kind,
) -> Result<Option<Object>, RunError> {
    match store.get(key, kind.stored()).await {
        Err(StoreError::TooLarge { size, limit, .. }) => Err(RunError::Damaged {
            run: run.clone(),
            key: key.clone(),
            what: kind.too_large("it has", size, limit),
        }),
        found => Ok(found?),
    }
}

pub(super) fn decode<T: DeserializeOwned>(
    run: &RunId,
    key: &Key,
    kind: &Kind,
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

//! The journal of a run: numbered segments of events, the truth of the run.
//!
//! A segment is created and never changed. Whoever creates number *n* owns what happened at *n*:
//! that is how two drivers of one run notice each other. A segment is sealed, so that damage is
//! found; a segment missing between others is damage too. Segments missing at the end cannot be
//! told from a run that ended there.
//!
//! A segment is a list of events in CBOR. Behind that of the first one stands the run's header, as it
//! is stored, as one string of bytes: a second copy of what nothing else could tell, for no object of its own.

use std::sync::Arc;

use bytes::Bytes;
use ciborium::Value as Cbor;
use tokio::task::JoinSet;

use super::layout as keys;
use super::object::{Created, Key, ObjectStore, StoreError, each_key};
use super::removed::{self, Removed};
use super::sealed::{self, Kind, Nonce, SealError};
use crate::failpoint;
use crate::model::event::Event;
use crate::model::id::RunId;
use crate::model::time::Timestamp;

const KIND: Kind = Kind::new(*b"jrnl", "a segment", sealed::MAX_CONTENT);
/// How many keys are listed at once.
const PAGE: usize = 1000;
/// How many segments are read at once.
const READ_AHEAD: usize = 16;

/// Why a journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody else wrote this segment: another driver has the run.
    #[error(
        "segment {segment} of `{run}` was written by another driver of this run; this one must stop"
    )]
    Taken {
        /// The run.
        run: RunId,
        /// The segment.
        segment: u64,
    },
    /// The run was removed.
    #[error("run `{run}` was removed at {} while this driver had it; this one must stop", at.rfc3339())]
    Removed {
        /// The run.
        run: RunId,
        /// When.
        at: Timestamp,
    },
    /// A segment is not what was written.
    #[error(
        "segment {segment} of the journal of `{run}` is damaged: {what}; the events in it are lost, those before it can be read; run the flow again for what is lost"
    )]
    Damaged {
        /// The run.
        run: RunId,
        /// The segment.
        segment: u64,
        /// What was found.
        what: String,
    },
    /// A segment is gone though later ones are there.
    #[error(
        "segment {segment} of the journal of `{run}` is missing though later ones are there; the events in it are lost, those before it can be read; restore `{key}` from a copy, or run the flow again"
    )]
    Missing {
        /// The run.
        run: RunId,
        /// The segment.
        segment: u64,
        /// Where it was.
        key: Key,
    },
    /// A newer wrun wrote it.
    #[error(
        "segment {segment} of the journal of `{run}` has version {version}, which this wrun does not know; use a newer one"
    )]
    Newer {
        /// The run.
        run: RunId,
        /// The segment.
        segment: u64,
        /// Its version.
        version: u8,
    },
    /// The events take more room than a segment has.
    #[error("events of {size} bytes do not fit into a segment of `{run}`; write fewer at once")]
    TooLarge {
        /// The run.
        run: RunId,
        /// How many bytes they take.
        size: u64,
    },
    /// An append failed before, so what is in the journal is not known.
    #[error("the journal of `{run}` was given up after an error; open it again")]
    GivenUp {
        /// The run.
        run: RunId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The journal of one run, for reading.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    store: Arc<dyn ObjectStore>,
    run: RunId,
}

impl Journal {
    pub(super) fn new(store: Arc<dyn ObjectStore>, run: RunId) -> Self {
        Self { store, run }
    }

    /// How many segments there are from `first` on, none missing between them.
    async fn count_from(&self, first: u64) -> Result<u64, JournalError> {
        let mut next = first;
        let mut after = first
            .checked_sub(1)
            .map(|before| keys::segment(&self.run, before));
        loop {
            let page = self
                .store
                .list(&keys::journal(&self.run), after.as_ref(), PAGE)
                .await?;
            for key in page.iter().filter(|key| keys::segment_of(key).is_some()) {
                let number = keys::segment_of(key).unwrap_or(next);
                while next < number {
                    self.confirm(next).await?;
                    next += 1;
                }
                next = number + 1;
            }
            if page.len() < PAGE {
                return Ok(next - first);
            }
            after = page.last().cloned();
        }
    }

    /// Makes sure that a segment that a listing did not show is there.
    ///
    /// A listing that runs beside a writer may show a new segment and not the one before it.
    async fn confirm(&self, segment: u64) -> Result<(), JournalError> {
        let key = keys::segment(&self.run, segment);
        if self.store.get_range(&key, 0, 0).await?.is_some() {
            return Ok(());
        }
        Err(JournalError::Missing {
            run: self.run.clone(),
            segment,
            key,
        })
    }

    /// The numbers of all segments that are there.
    pub(super) async fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let mut numbers = Vec::new();
        let see = |key: &Key| numbers.extend(keys::segment_of(key));
        each_key(&*self.store, &keys::journal(&self.run), PAGE, see).await?;
        Ok(numbers)
    }

    /// The number that follows the last segment.
    pub(super) async fn next(&self) -> Result<u64, JournalError> {
        self.count_from(0).await
    }

    /// All events from `segment` on, and the number that follows the last segment.
    pub(super) async fn events_from(
        &self,
        segment: u64,
    ) -> Result<(Vec<Event>, u64), JournalError> {
        let end = segment + self.count_from(segment).await?;
        let mut events = Vec::new();
        let mut first = segment;
        while first < end {
            let until = end.min(first + READ_AHEAD as u64);
            let mut reading = JoinSet::new();
            for number in first..until {
                let journal = self.clone();
                reading.spawn(async move { (number, journal.read(number).await) });
            }
            let mut batch = reading.join_all().await;
            batch.sort_unstable_by_key(|(number, _)| *number);
            for (_, segment) in batch {
                events.extend(segment?);
            }
            first = until;
        }
        Ok((events, end))
    }

    /// The events of one segment.
    pub(super) async fn read(&self, segment: u64) -> Result<Vec<Event>, JournalError> {
        let content = self.content(segment).await?;
        ciborium::from_reader(&content[..]).map_err(|e| self.damaged(segment, &e))
    }

    /// The header that stands in the first segment; none when that is gone, or has none.
    pub(super) async fn kept_header(&self) -> Result<Option<Bytes>, JournalError> {
        let content = match self.content(0).await {
            Err(JournalError::Missing { .. }) => return Ok(None),
            content => content?,
        };
        let mut rest = &content[..];
        let read = ciborium::from_reader::<Vec<Event>, _>(&mut rest);
        read.map_err(|e| self.damaged(0, &e))?;
        if rest.is_empty() {
            return Ok(None);
        }
        match ciborium::from_reader(rest) {
            Ok(Cbor::Bytes(header)) => Ok(Some(header.into())),
            Ok(_) => Err(self.damaged(0, &"no header stands behind its events")),
            Err(e) => Err(self.damaged(0, &e)),
        }
    }

    fn damaged(&self, segment: u64, what: &dyn std::fmt::Display) -> JournalError {
        JournalError::Damaged {
            run: self.run.clone(),
            segment,
            what: what.to_string(),
        }
    }

    /// What one segment says, with a seal that holds.
    async fn content(&self, segment: u64) -> Result<Vec<u8>, JournalError> {
        let run = self.run.clone();
        let key = keys::segment(&run, segment);
        let Some(object) = self.store.get(&key, KIND.stored()).await? else {
            return Err(JournalError::Missing { run, segment, key });
        };
        sealed::open(&key, &KIND, &object.bytes).map_err(|error| match error {
            SealError::Newer(version) => JournalError::Newer {
                run,
                segment,
                version,
            },
            SealError::Damaged(what) => JournalError::Damaged { run, segment, what },
        })
    }

    /// A writer that goes on after the last segment of the run that has this header.
    pub(super) async fn writer(self, header: &Bytes) -> Result<JournalWriter, JournalError> {
        let next = self.next().await?;
        Ok(self.writer_at(next, header))
    }

    /// A writer whose first segment has this number.
    pub(super) fn writer_at(self, next: u64, header: &Bytes) -> JournalWriter {
        JournalWriter {
            journal: self,
            header: header.clone(),
            next,
            nonce: Nonce::new(),
            given_up: false,
        }
    }
}

/// Appends to the journal of a run.
#[derive(Debug)]
pub struct JournalWriter {
    journal: Journal,
    /// The header of the run as it is stored.
    header: Bytes,
    next: u64,
    nonce: Nonce,
    given_up: bool,
}

impl JournalWriter {
    /// The number that the next segment will have.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// How long events should gather before they are appended.
    pub fn gather(&self) -> std::time::Duration {
        self.journal.store.pace().gather
    }

    /// Appends `events` as one segment and returns its number. Durable when it returns.
    ///
    /// Only events that are stored belong here; the others are left out.
    ///
    /// # Errors
    /// [`JournalError::Taken`] when another driver wrote this number. After any error, and after a
    /// call that was dropped before it ended, the writer refuses to go on
    /// ([`JournalError::GivenUp`]): the events may be in the journal or not.
    pub async fn append(&mut self, events: &[Event]) -> Result<u64, JournalError> {
        let run = self.journal.run.clone();
        if self.given_up {
            return Err(JournalError::GivenUp { run });
        }
        let stored: Vec<&Event> = events.iter().filter(|event| event.is_stored()).collect();
        let mut content = Vec::with_capacity(256 * stored.len());
        ciborium::into_writer(&stored, &mut content)
            .expect("events are plain data, and a vector takes all bytes");
        if self.next == 0 {
            ciborium::into_writer(&Cbor::Bytes(self.header.to_vec()), &mut content)
                .expect("a vector takes all bytes");
        }
        if content.len() as u64 > sealed::MAX_CONTENT {
            return Err(JournalError::TooLarge {
                run,
                size: content.len() as u64,
            });
        }
        let segment = self.next;
        let key = keys::segment(&run, segment);
        let bytes = sealed::seal(&key, &KIND, self.nonce, &content);
        self.given_up = true;
        failpoint::reach("journal.append", &key);
        let mine = match self.journal.store.create(&key, bytes.clone()).await? {
            Created::New => true,
            Created::Exists => self.is_mine(&key, &bytes).await?,
        };
        if !mine {
            // A tombstone that cannot be read is no reason to say something else.
            if let Ok(Some(Removed { at, .. })) = removed::read(&*self.journal.store, &run).await {
                return Err(JournalError::Removed { run, at });
            }
            return Err(JournalError::Taken { run, segment });
        }
        failpoint::reach("journal.appended", &key);
        self.given_up = false;
        self.next += 1;
        Ok(segment)
    }

    /// Whether what lies under `key` is what was just sent: then an answer was lost on the way.
    ///
    /// The nonce in it makes equal events of another driver different bytes.
    async fn is_mine(&self, key: &Key, bytes: &Bytes) -> Result<bool, StoreError> {
        let found = self.journal.store.get(key, KIND.stored()).await?;
        Ok(found.is_some_and(|object| object.bytes == *bytes))
    }
}

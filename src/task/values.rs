//! The small values of a run: where their bytes are while the run is driven.
//!
//! The scheduler keeps values without their bytes. A small value lives in the journal record that
//! wrote it; here its bytes are kept at hand until the record is durable, and afterwards as long
//! as there is room. What was let go is read back from its journal segment.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;

use crate::datastore::Datastore;
use crate::datastore::artifact::has_size;
use crate::datastore::blob::BlobError;
use crate::datastore::journal::JournalError;
use crate::datastore::run::Run;
use crate::model::artifact::{Artifact, Value, ValueAt};
use crate::model::digest::Digest;
use crate::model::event::Event;

/// How many bytes of durable values are kept at hand.
const AT_HAND: usize = 32 * 1024 * 1024;
/// What keeping a value costs beside its bytes: its digest twice, a pointer, a table slot.
const OVERHEAD: usize = 128;

/// Why a value could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// Its blob could not be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The journal segment that holds it could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Neither the journal nor memory holds it.
    #[error("value `{0}` is in no record of this run")]
    Unknown(Digest),
}

/// The values of one run, shared by all who gather inputs for it.
#[derive(Debug)]
pub struct Values {
    datastore: Datastore,
    run: Run,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Values whose record is not durable yet, with the number of such records.
    pending: HashMap<Digest, (Bytes, u32)>,
    /// Values at hand that can be let go.
    held: HashMap<Digest, Bytes>,
    /// The order in which `held` came to hand.
    order: VecDeque<Digest>,
    /// Bytes in `held`, with the overhead.
    size: usize,
    /// The journal segment of every durable small value.
    segments: HashMap<Digest, u32>,
}

impl State {
    fn hold(&mut self, digest: Digest, bytes: Bytes) {
        let cost = bytes.len() + OVERHEAD;
        if self.held.insert(digest, bytes).is_some() {
            return;
        }
        self.order.push_back(digest);
        self.size += cost;
        while self.size > AT_HAND {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(bytes) = self.held.remove(&oldest) {
                self.size -= bytes.len() + OVERHEAD;
            }
        }
    }

    fn find(&self, digest: &Digest) -> Option<Bytes> {
        let pending = self.pending.get(digest).map(|(bytes, _)| bytes);
        pending.or_else(|| self.held.get(digest)).cloned()
    }
}

impl Values {
    /// The values of `run`, which so far are its parameters.
    pub fn new(datastore: Datastore, run: Run) -> Self {
        let mut state = State::default();
        // Parameters are in the header and in no segment: they are never let go.
        for artifact in &run.header().parameters {
            if let ValueAt::Inline(bytes) = &artifact.value.at {
                state
                    .pending
                    .insert(artifact.value.digest, (bytes.clone(), 1));
            }
        }
        Self {
            datastore,
            run,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Keeps the small values of an event at hand until [`Values::stored`].
    pub fn add(&self, event: &Event) {
        let mut state = self.state();
        for (digest, bytes) in inline_values(event) {
            state.pending.entry(digest).or_insert((bytes, 0)).1 += 1;
        }
    }

    /// Notes that `events` are durable in journal segment `segment`.
    pub fn stored(&self, events: &[Event], segment: u64) {
        let segment = u32::try_from(segment).expect("a journal has fewer than 2^32 segments");
        let mut state = self.state();
        for (digest, bytes) in events.iter().flat_map(inline_values) {
            state.segments.entry(digest).or_insert(segment);
            if let Some((_, waiting)) = state.pending.get_mut(&digest) {
                *waiting -= 1;
                if *waiting == 0 {
                    state.pending.remove(&digest);
                    state.hold(digest, bytes);
                }
            }
        }
    }

    /// The bytes of `value`, verified.
    ///
    /// # Errors
    /// [`ValueError`] when the blob or segment is missing or damaged.
    pub async fn load(&self, value: &Value) -> Result<Bytes, ValueError> {
        let bytes = match &value.at {
            ValueAt::Inline(bytes) => bytes.clone(),
            ValueAt::Blob => return Ok(self.datastore.load(value).await?),
            ValueAt::Record => self.load_from_record(value.digest).await?,
        };
        has_size(value, bytes.len() as u64)?;
        Ok(bytes)
    }

    async fn load_from_record(&self, digest: Digest) -> Result<Bytes, ValueError> {
        let segment = {
            let state = self.state();
            if let Some(bytes) = state.find(&digest) {
                return Ok(bytes);
            }
            *state
                .segments
                .get(&digest)
                .ok_or(ValueError::Unknown(digest))?
        };
        let events = self.run.read_segment(u64::from(segment)).await?;
        let mut state = self.state();
        let mut found = None;
        // Neighbours in a segment are read together: a join asks for them one after another.
        for (other, bytes) in events.iter().flat_map(inline_values) {
            if other == digest {
                found = Some(bytes.clone());
            }
            state.hold(other, bytes);
        }
        found.ok_or(ValueError::Unknown(digest))
    }
}

/// The small values that `event` carries.
fn inline_values(event: &Event) -> impl Iterator<Item = (Digest, Bytes)> + '_ {
    let artifacts: &[Artifact] = match event {
        Event::Finished { record, .. } | Event::Reused { record, .. } => &record.artifacts,
        Event::Caught { artifact, .. } => std::slice::from_ref(artifact),
        _ => &[],
    };
    artifacts
        .iter()
        .filter_map(|artifact| match &artifact.value.at {
            ValueAt::Inline(bytes) => Some((artifact.value.digest, bytes.clone())),
            _ => None,
        })
}

//! Copies runs from one datastore to another, with all that they refer to.
//!
//! A copied run is as good as the one that it was copied from: it is shown, resumed and replayed. Blobs
//! are copied once, whoever refers to them, and not at all where they are; so a copying that was
//! interrupted goes on where it was when it is started again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ciborium::Value as Cbor;
use tokio::task::JoinSet;

use super::past::{self, PastError};
use crate::datastore::copy::CopyError;
use crate::datastore::object::join;
use crate::datastore::{BlobError, Datastore, Run};
use crate::failpoint;
use crate::model::artifact::{Artifact, Value, ValueAt};
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::id::RunId;
use crate::model::record::{Logs, Record};

/// How many blobs are copied at once.
const SIDE_BY_SIDE: usize = 8;

/// Why a run could not be copied with what it refers to.
#[derive(Debug, thiserror::Error)]
pub enum CopyRunError {
    /// Its code or its journal cannot be read.
    #[error(transparent)]
    Past(#[from] PastError),
    /// Something that it refers to cannot be copied.
    #[error("could not copy what run `{run}` refers to")]
    Blob {
        /// The run.
        run: RunId,
        /// Why not.
        source: BlobError,
    },
    /// The run itself cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

/// What copying came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs that are new there.
    pub runs: u64,
    /// Runs that were there.
    pub there: u64,
    /// Blobs that are new there.
    pub blobs: u64,
    /// Bytes that were written.
    pub bytes: u64,
}

/// Copies runs, each blob once.
pub struct Copier {
    from: Datastore,
    to: Datastore,
    /// Blobs that are there, as far as is known.
    known: BTreeSet<Digest>,
    /// What was done so far.
    pub tally: Tally,
}

impl Copier {
    /// A copier that has copied nothing.
    pub fn new(from: Datastore, to: Datastore) -> Self {
        Self {
            from,
            to,
            known: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    /// Copies a run with all that it refers to.
    ///
    /// # Errors
    /// [`CopyError::Unended`] when it has no end yet; otherwise [`CopyRunError`] names what is gone,
    /// damaged, or something else there.
    pub async fn run(&mut self, run: &Run) -> Result<(), CopyRunError> {
        let id = run.id().clone();
        let blob = |source| CopyRunError::Blob {
            run: id.clone(),
            source,
        };
        if !has_ended(run).await? {
            return Err(CopyError::Unended { run: id }.into());
        }
        let header = run.header();
        let mut wanted = past::code(&self.from, header).await?;
        wanted.insert(header.module);
        values(&mut wanted, header.parameters.iter());
        let mut traces = BTreeSet::new();
        // Segment by segment: a journal may be longer than the memory.
        let segments = run.segments().await.map_err(CopyError::from)?;
        for segment in 0..segments {
            let events = run.read_segment(segment).await.map_err(CopyError::from)?;
            for event in &events {
                referred(&mut wanted, &mut traces, event);
            }
        }
        for trace in &traces {
            let found = self.traced(trace).await.map_err(blob)?;
            wanted.extend(found);
        }
        wanted.extend(traces);
        self.blobs(wanted).await.map_err(blob)?;
        failpoint::reach("copy.blobs", run.id());
        let manifest = self.from.get_snapshot(&header.snapshot).await;
        let manifest = manifest.map_err(blob)?;
        let stored = self.to.put_snapshot(&manifest).await;
        stored.map_err(|error| blob(error.into()))?;
        failpoint::reach("copy.snapshot", run.id());
        match self.from.copy_run(run, &self.to).await? {
            Some(bytes) => {
                self.tally.runs += 1;
                self.tally.bytes += bytes;
            }
            None => self.tally.there += 1,
        }
        Ok(())
    }

    /// Copies blobs, several at once.
    async fn blobs(&mut self, wanted: BTreeSet<Digest>) -> Result<(), BlobError> {
        let (blobs, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut copying = JoinSet::new();
        for digest in wanted {
            if !self.known.insert(digest) {
                continue;
            }
            if copying.len() >= SIDE_BY_SIDE {
                join(copying.join_next().await.expect("there are some"))?;
            }
            let (from, to) = (self.from.clone(), self.to.clone());
            let (blobs, bytes) = (blobs.clone(), bytes.clone());
            copying.spawn(async move {
                if let Some(written) = from.blobs().copy(&digest, to.blobs()).await? {
                    blobs.fetch_add(1, Ordering::Relaxed);
                    bytes.fetch_add(written, Ordering::Relaxed);
                }
                Ok::<_, BlobError>(())
            });
        }
        while let Some(done) = copying.join_next().await {
            join(done)?;
        }
        self.tally.blobs += blobs.load(Ordering::Relaxed);
        self.tally.bytes += bytes.load(Ordering::Relaxed);
        Ok(())
    }

    /// The blobs to which a trace refers: whatever in it is the name of a blob that there is.
    ///
    /// A trace is a matter of the task that made it; that blobs are named by 32 bytes is all that is
    /// known of it here.
    async fn traced(&self, trace: &Digest) -> Result<Vec<Digest>, BlobError> {
        let bytes = self.from.blobs().get(trace).await?;
        let mut named = BTreeSet::new();
        if let Ok(value) = ciborium::from_reader::<Cbor, _>(bytes.as_ref()) {
            digests(&value, &mut named);
        }
        let mut found = Vec::new();
        for digest in named {
            if self.from.blobs().contains(&digest).await? {
                found.push(digest);
            }
        }
        Ok(found)
    }
}

/// Whether the run has an end: by its summary, or by its journal where that was not written any more.
async fn has_ended(run: &Run) -> Result<bool, CopyError> {
    if run.summary().await?.is_some() {
        return Ok(true);
    }
    let Some(last) = run.segments().await?.checked_sub(1) else {
        return Ok(false);
    };
    let events = run.read_segment(last).await?;
    Ok(matches!(events.last(), Some(Event::RunEnded { .. })))
}

/// Every byte string of 32 bytes, and every text that is a digest.
fn digests(value: &Cbor, found: &mut BTreeSet<Digest>) {
    match value {
        Cbor::Bytes(bytes) => {
            if let Ok(bytes) = <[u8; 32]>::try_from(bytes.as_slice()) {
                found.insert(blake3::Hash::from_bytes(bytes).into());
            }
        }
        Cbor::Text(text) => found.extend(text.parse::<Digest>()),
        Cbor::Array(all) => all.iter().for_each(|value| digests(value, found)),
        Cbor::Map(all) => all.iter().for_each(|(key, value)| {
            digests(key, found);
            digests(value, found);
        }),
        Cbor::Tag(_, value) => digests(value, found),
        _ => {}
    }
}

fn values<'a>(wanted: &mut BTreeSet<Digest>, artifacts: impl Iterator<Item = &'a Artifact>) {
    artifacts.for_each(|artifact| value(wanted, &artifact.value));
}

fn value(wanted: &mut BTreeSet<Digest>, value: &Value) {
    if value.at == ValueAt::Blob {
        wanted.insert(value.digest);
    }
}

/// What an event refers to: blobs, and traces, which refer to more.
fn referred(wanted: &mut BTreeSet<Digest>, traces: &mut BTreeSet<Digest>, event: &Event) {
    if let Event::Caught { artifact, .. } = event {
        value(wanted, &artifact.value);
    }
    if let Some((_, _, record)) = event.ending() {
        let Record {
            artifacts,
            logs,
            trace,
            ..
        } = record;
        values(wanted, artifacts.iter());
        traces.extend(trace);
        if let Logs::Blob(logs) = logs {
            value(wanted, logs);
        }
    }
}

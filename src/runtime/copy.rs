//! Copies runs from one datastore to another, with all that they refer to.
//!
//! A copied run is as good as the one that it was copied from: it is shown, resumed and replayed. Blobs
//! are copied once, whoever refers to them, and not at all where they are; so a copying that was
//! interrupted goes on where it was when it is started again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;

use super::past::{self, PastError};
use crate::datastore::copy::CopyError;
use crate::datastore::object::join;
use crate::datastore::refs::Refs;
use crate::datastore::{BlobError, Datastore, Run};
use crate::failpoint;
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::id::RunId;

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
        let mut refs = Refs::of_header(header);
        // Segment by segment: a journal may be longer than the memory.
        let segments = run.segments().await.map_err(CopyError::from)?;
        for segment in 0..segments {
            let events = run.read_segment(segment).await.map_err(CopyError::from)?;
            for event in &events {
                refs.event(event);
            }
        }
        for trace in &refs.traces {
            wanted.extend(self.from.found_in(trace).await.map_err(blob)?);
        }
        wanted.extend(refs.all());
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

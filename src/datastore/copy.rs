//! Copies what belongs to a run from one datastore to another.
//!
//! Objects keep their keys and their bytes, because a seal is over both. The header is copied last:
//! until then the run is not there, and whoever copies it again goes on where it was left.

use tokio::task::JoinSet;

use super::object::{Created, Key, StoreError, join};
use super::run::{Run, RunError};
use super::sealed::MAX_SEALED;
use super::{Datastore, layout as keys};
use crate::failpoint;
use crate::model::id::RunId;

/// How many objects are copied at once.
const SIDE_BY_SIDE: usize = 16;

/// Why a run could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is another run of this name.
    #[error("`{there}` has another run `{run}`: `{key}` is not the same there")]
    Another {
        /// The run.
        run: RunId,
        /// Where it was to be copied to.
        there: String,
        /// The object that differs.
        key: Key,
    },
    /// The run has no end, so what is copied of it would be out of date at once.
    #[error("run `{run}` has not ended")]
    Unended {
        /// The run.
        run: RunId,
    },
    /// The run cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] super::JournalError),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Datastore {
    /// Copies all that is kept of `run` itself: journal, summary, tags, results, and its header last.
    ///
    /// What it refers to, code and blobs, must be there before. Gives how many bytes were written; none when
    /// the run was there.
    ///
    /// # Errors
    /// [`CopyError::Another`] when `to` has something else under one of the names; what was copied
    /// before stays, and is not seen.
    pub async fn copy_run(&self, run: &Run, to: &Self) -> Result<Option<u64>, CopyError> {
        let id = run.id();
        let segments = run.segments().await?;
        let header = run.header();
        let mut written = 0;
        // The first one before all others: it says whose they are.
        if segments > 0 {
            written += self.copy_fixed(&keys::segment(id, 0), to, id).await?;
        }
        let journal = (1..segments).map(|segment| keys::segment(id, segment));
        let mut copying = JoinSet::new();
        for key in journal {
            if copying.len() >= SIDE_BY_SIDE
                && let Some(done) = copying.join_next().await
            {
                written += join(done)?;
            }
            let (from, to, id) = (self.clone(), to.clone(), id.clone());
            copying.spawn(async move { from.copy_fixed(&key, &to, &id).await });
        }
        while let Some(done) = copying.join_next().await {
            written += join(done)?;
        }
        let memo = keys::memo(&header.module, header.created_at, id);
        for key in [keys::summary(id), keys::tags(id), memo] {
            if let Some(object) = self.store().get(&key, MAX_SEALED).await? {
                written += object.bytes.len() as u64;
                failpoint::reach("copy.beside", &key);
                to.store().put(&key, object.bytes).await?;
            }
        }
        // Numbers are not used again, and what is left of the removed one may be going right now.
        to.refuse_removed(id).await?;
        let header = self.copy_fixed(&keys::header(id), to, id).await?;
        failpoint::reach("copy.whole", id);
        Ok((header > 0).then_some(written + header))
    }

    /// Copies an object that never changes; how many bytes were written.
    async fn copy_fixed(&self, key: &Key, to: &Self, run: &RunId) -> Result<u64, CopyError> {
        let Some(object) = self.store().get(key, MAX_SEALED).await? else {
            return Err(RunError::Missing { run: run.clone() }.into());
        };
        let bytes = object.bytes;
        failpoint::reach("copy.fixed", key);
        if to.store().create(key, bytes.clone()).await? == Created::New {
            return Ok(bytes.len() as u64);
        }
        let there = to.store().get(key, MAX_SEALED).await?;
        if there.is_some_and(|there| there.bytes == bytes) {
            return Ok(0);
        }
        Err(CopyError::Another {
            run: run.clone(),
            there: to.place(),
            key: key.clone(),
        })
    }

    /// What a datastore tells of itself: its format and its id.
    ///
    /// # Errors
    /// As those of opening it.
    pub async fn id(&self) -> Result<(u32, String), super::DatastoreError> {
        super::format::read(&**self.store()).await
    }
}

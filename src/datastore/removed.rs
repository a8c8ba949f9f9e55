//! Runs that were removed: what stays of them for good is that they were.
//!
//! A run is removed by its tombstone, an object that holds what its header held. First the tombstone
//! is written; then whoever removes looks once more whether the run may go; then nobody can go on
//! with its journal, because the next segment is there and empty; then the header goes, and with it
//! the run. What it has left is swept when nobody can be reading it any more. Killed anywhere in
//! between, removing goes on where it was, or is taken back.

use serde::{Deserialize, Serialize};

use super::Datastore;
use super::journal::JournalError;
use super::layout as keys;
use super::object::{Created, ObjectStore, StoreError};
use super::run::{MAX_HEADER, Run, RunError, decode, encode, get};
use super::sealed::{self, Kind, Nonce};
use crate::failpoint;
use crate::model::header::RunHeader;
use crate::model::id::RunId;
use crate::model::time::Timestamp;

const KIND: Kind = Kind::new(*b"gone", "a tombstone", MAX_HEADER + (64 << 10));

/// What stays of a run that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// When it was removed, by the clock of whoever did.
    pub at: Timestamp,
    /// What was fixed when it started.
    pub header: RunHeader,
}

/// When `run` was removed; none when it was not.
///
/// # Errors
/// When the store fails, or the tombstone is damaged.
pub(super) async fn read(
    store: &dyn ObjectStore,
    run: &RunId,
) -> Result<Option<Removed>, RunError> {
    let key = keys::removed(run);
    match get(store, run, &key, &KIND).await? {
        Some(object) => decode(run, &key, &KIND, &object.bytes).map(Some),
        None => Ok(None),
    }
}

/// Fails when `run` was removed.
pub(super) async fn refuse(store: &dyn ObjectStore, run: &RunId) -> Result<(), RunError> {
    match read(store, run).await? {
        None => Ok(()),
        Some(Removed { at, .. }) => Err(RunError::Removed {
            run: run.clone(),
            at,
        }),
    }
}

impl Datastore {
    /// What stays of a run that was removed; none when it was not.
    ///
    /// # Errors
    /// When the store fails, or what stays is damaged.
    pub async fn removed(&self, run: &RunId) -> Result<Option<Removed>, RunError> {
        read(&**self.store(), run).await
    }

    /// Fails when `run` was removed.
    ///
    /// For whoever has just written that it builds on that run: removing looks after it has written,
    /// too, so one of the two sees the other.
    ///
    /// # Errors
    /// [`RunError::Removed`] says when.
    pub async fn refuse_removed(&self, run: &RunId) -> Result<(), RunError> {
        refuse(&**self.store(), run).await
    }

    /// Writes the tombstone of a run. The run is still there.
    pub(super) async fn bury(&self, run: &Run, at: Timestamp) -> Result<(), StoreError> {
        let key = keys::removed(run.id());
        let header = run.header().clone();
        let bytes = encode(&Removed { at, header });
        let bytes = sealed::seal(&key, &KIND, Nonce::new(), &bytes);
        failpoint::reach("gc.bury", &key);
        // One that is there is of somebody who removes the same run.
        let _: Created = self.store().create(&key, bytes).await?;
        failpoint::reach("gc.buried", &key);
        Ok(())
    }

    /// Takes the tombstone of a run away that stays after all.
    ///
    /// Somebody else may be removing the same run. When its header goes meanwhile the tombstone is there
    /// in the end, because a run with neither would be one that has lost its header.
    pub(super) async fn unbury(&self, run: &Run, at: Timestamp) -> Result<(), StoreError> {
        let (key, header) = (keys::removed(run.id()), keys::header(run.id()));
        let is_there = async || {
            let found = self.store().get_range(&header, 0, 0).await?;
            Ok::<_, StoreError>(found.is_some())
        };
        if !is_there().await? {
            return Ok(());
        }
        failpoint::reach("gc.unbury", &key);
        self.store().delete(&key).await?;
        failpoint::reach("gc.unburied", &key);
        match is_there().await? {
            true => Ok(()),
            false => self.bury(run, at).await,
        }
    }

    /// Removes a run that has its tombstone: nobody can go on with it, and nobody finds it.
    pub(super) async fn close(&self, run: &Run, ended: bool) -> Result<(), JournalError> {
        if !ended {
            self.fence(run).await?;
        }
        let key = keys::header(run.id());
        failpoint::reach("gc.close", &key);
        self.store().delete(&key).await?;
        failpoint::reach("gc.closed", &key);
        Ok(())
    }

    /// Takes the next segment of a journal, so that nobody else does.
    async fn fence(&self, run: &Run) -> Result<(), JournalError> {
        failpoint::reach("gc.fence", run.id());
        loop {
            let appended = match run.writer().await {
                Ok(mut writer) => writer.append(&[]).await,
                Err(error) => Err(error),
            };
            match appended {
                Ok(_) => return Ok(()),
                // Somebody has written it meanwhile, and will be refused the one after it.
                Err(JournalError::Taken { .. } | JournalError::Removed { .. }) => {}
                // With a journal that cannot be read nobody can go on.
                Err(JournalError::Missing { .. } | JournalError::Damaged { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

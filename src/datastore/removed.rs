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
use super::run::{Run, RunError, decode, encode};
use super::sealed::{self, MAX_SEALED, Nonce};
use crate::model::header::RunHeader;
use crate::model::id::RunId;
use crate::model::time::Timestamp;

const KIND: [u8; 4] = *b"gone";

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
    match store.get(&key, MAX_SEALED).await? {
        Some(object) => decode(run, &key, KIND, &object.bytes).map(Some),
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
        let bytes = sealed::seal(&key, KIND, Nonce::new(), &bytes);
        // One that is there is of somebody who removes the same run.
        self.store().create(&key, bytes).await.map(|_: Created| ())
    }

    /// Takes the tombstone of a run away, which is there still.
    pub(super) async fn unbury(&self, run: &RunId) -> Result<(), StoreError> {
        self.store().delete(&keys::removed(run)).await
    }

    /// Removes a run that has its tombstone: nobody can go on with it, and nobody finds it.
    pub(super) async fn close(&self, run: &Run, ended: bool) -> Result<(), JournalError> {
        if !ended {
            self.fence(run).await?;
        }
        Ok(self.store().delete(&keys::header(run.id())).await?)
    }

    /// Takes the next segment of a journal, so that nobody else does.
    async fn fence(&self, run: &Run) -> Result<(), JournalError> {
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

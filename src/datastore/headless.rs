//! Runs whose header is lost or damaged, and how it is had back.
//!
//! The first segment of a journal ends with the header as it was stored, byte for byte: see
//! [`super::journal`]. So a header can be put back as it was, and two copies of it can be compared.
//! What lies below a run that has neither header nor tombstone is such a run, or one that is just being
//! copied here, whose header comes last.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::layout as keys;
use super::object::{Created, Key, StoreError, each_key};
use super::run::{self, Run, RunError};
use super::{Datastore, JournalError};
use crate::failpoint;
use crate::model::id::{RunId, RunNumber};
use crate::model::name::FlowName;

/// How many keys are listed at once.
const PAGE: usize = 20_000;

impl Datastore {
    /// The runs of a flow that have left something of what they did, and have neither header nor tombstone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn headless(&self, flow: &FlowName) -> Result<Vec<RunId>, StoreError> {
        // In this order: a header is there before all else, and goes when there is a tombstone.
        let mut numbers = self.working(flow).await?;
        for prefix in [keys::index(flow), keys::removals(flow)] {
            let forget = |key: &Key| {
                if let Some(number) = keys::number_of(key) {
                    numbers.remove(&number);
                }
            };
            each_key(&**self.store(), &prefix, PAGE, forget).await?;
        }
        let run = |number| RunId {
            flow: flow.clone(),
            number,
        };
        Ok(numbers.into_iter().map(run).collect())
    }

    /// The numbers of which there is a segment, a job, or what a worker has made.
    pub(super) async fn working(&self, flow: &FlowName) -> Result<BTreeSet<RunNumber>, StoreError> {
        let mut numbers = BTreeSet::new();
        let keep = |key: &Key| {
            let work = ["journal/", "jobs/", "tasks/"];
            if let Some((run, rest)) = keys::in_run(key)
                && work.iter().any(|it| rest.starts_with(it))
            {
                numbers.insert(run.number);
            }
        };
        each_key(&**self.store(), &keys::all_runs(flow), PAGE, keep).await?;
        Ok(numbers)
    }

    /// Whether the first segment of a run's journal is there.
    pub(super) async fn has_begun(&self, id: &RunId) -> Result<bool, StoreError> {
        let first = self.store().get_range(&keys::segment(id, 0), 0, 0).await?;
        Ok(first.is_some())
    }

    /// The run as its journal knows it, with the header that this begins with; none when the first
    /// segment is gone, or was written before headers were kept there.
    ///
    /// # Errors
    /// When the store fails, or what is there is damaged.
    pub async fn run_of_journal(&self, id: &RunId) -> Result<Option<Run>, JournalError> {
        let kept = Run::journal_of(self.store(), id).kept_header().await?;
        Ok(match kept {
            Some(bytes) => run::opened(self.store(), id, bytes).ok(),
            None => None,
        })
    }

    /// Puts back the header of a run that was opened by [`Datastore::run_of_journal`].
    ///
    /// # Errors
    /// [`RunError::Removed`] when it was removed meanwhile; or the store fails.
    pub async fn restore_header(&self, run: &Run) -> Result<(), RunError> {
        let (id, key) = (run.id(), keys::header(run.id()));
        self.refuse_removed(id).await?;
        let bytes: Bytes = run.sealed().clone();
        failpoint::reach("header.restore", &key);
        // A damaged one is replaced at once; one that came back meanwhile is the same.
        if self.store().create(&key, bytes.clone()).await? == Created::Exists {
            self.store().put(&key, bytes).await?;
        }
        failpoint::reach("header.restored", &key);
        // Whoever removes the run looks for its header after the tombstone is there.
        self.refuse_removed(id).await
    }
}

impl Run {
    /// Whether the header with which the journal begins is not the one of this run; never where none
    /// is kept there.
    ///
    /// # Errors
    /// When the store fails, or the first segment is damaged.
    pub async fn is_another(&self) -> Result<bool, JournalError> {
        let kept = Run::journal_of(self.store(), self.id())
            .kept_header()
            .await?;
        Ok(kept.is_some_and(|kept| kept != *self.sealed()))
    }
}

//! What is known of results: for each run of a module, under which keys its tasks can be found.
//!
//! An index and not a truth: whatever it says is looked up in the journal of the run, and a run
//! without one is only not found.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::Datastore;
use super::layout as keys;
use super::object::{Created, StoreError};
use super::run::{Run, RunError, decode, encode, get};
use super::sealed::{self, Kind, MAX_CONTENT, Nonce};
use crate::failpoint;
use crate::model::digest::Digest;
use crate::model::id::RunId;

/// Nearly half of it are digests that differ, which do not shrink.
const KIND: Kind = Kind::new(*b"memo", "an index of results", MAX_CONTENT).shrinking(16);
/// How many runs of a module are looked at, newest first.
const RUNS: usize = 200;

/// A result and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The digest of all that the result depends on.
    pub key: Digest,
    /// The segment of the journal that has its record.
    pub segment: u32,
    /// The first segment that has something that the task printed, or `segment`.
    pub logs_from: u32,
}

/// The results of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memo {
    /// The run.
    pub run: RunId,
    /// Its results.
    pub entries: Vec<Entry>,
}

impl Run {
    /// Which results are known of the run; none when it has not ended.
    ///
    /// # Errors
    /// [`RunError::Damaged`] when what is there is not what was written.
    pub async fn memo(&self) -> Result<Option<Memo>, RunError> {
        let header = self.header();
        let key = keys::memo(&header.module, header.created_at, self.id());
        match get(&**self.store(), self.id(), &key, &KIND).await? {
            Some(object) => decode(self.id(), &key, &KIND, &object.bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Stores which results the run has, whatever was stored before.
    pub async fn put_memo(&self, entries: Vec<Entry>) -> Result<(), RunError> {
        let header = self.header();
        let key = keys::memo(&header.module, header.created_at, self.id());
        let run = self.id().clone();
        let entries = distinct(entries);
        let bytes = encode(&Memo { run, entries });
        let bytes = sealed::seal(&key, &KIND, Nonce::new(), &bytes);
        failpoint::reach("memo.put", &key);
        // Attached to, a run has one already, which knows less.
        if self.store().create(&key, bytes.clone()).await? == Created::Exists {
            self.store().put(&key, bytes).await?;
        }
        failpoint::reach("memo.stored", &key);
        Ok(())
    }
}

/// The first entry of each key, which is the one that is found, and the last of all, which tells
/// how long the journal is.
///
/// So most of an index are digests that differ, and how much a few bytes of it can hold is bounded.
fn distinct(mut entries: Vec<Entry>) -> Vec<Entry> {
    let (mut known, mut left) = (HashSet::with_capacity(entries.len()), entries.len());
    entries.retain(|entry| {
        left -= 1;
        known.insert(entry.key) || left == 0
    });
    entries
}

impl Datastore {
    /// The results of the newest runs of `module`, newest first. What is damaged is left out.
    ///
    /// # Errors
    /// When the datastore cannot be read.
    pub async fn memos(&self, module: &Digest) -> Result<Vec<Memo>, StoreError> {
        let found = self.store().list(&keys::memos(module), None, RUNS).await?;
        let mut memos = Vec::with_capacity(found.len());
        for key in found {
            let Some(object) = self.store().get(&key, KIND.stored()).await? else {
                continue;
            };
            let run = RunId {
                flow: "memo".parse().expect("a word is a name"),
                number: 0,
            };
            memos.extend(decode::<Memo>(&run, &key, &KIND, &object.bytes));
        }
        Ok(memos)
    }
}

//! Removes what nothing refers to, and runs that nobody wants any more.
//!
//! First a [`Plan`], then its execution. [`choose`] decides which runs go, purely; [`remove`] removes
//! them; [`list`] lists all others, [`read`] reads what one of them refers to and [`mark`] several at once;
//! [`sweep`] lists what is there and has nothing that refers to it, and removes that.
//!
//! A run that has lost its header is read by what its journal begins with, keeps all that it refers to,
//! and is named. Where that is lost too, nobody can tell what it refers to, and no blob goes.
//!
//! It is safe beside writers because of three things:
//! - only what is older than a grace period goes, by the store's own clock, and as it was when the
//!   collecting began: what is referred to since then is found by reading the journals after that;
//! - whoever refers to a blob that is there makes it young before, and is told when it is gone
//!   ([`ObjectStore::refresh`](super::object::ObjectStore::refresh)), and a removal has no effect on
//!   what became younger;
//! - while a run is driven, nothing goes that is younger than the run, however long its tasks take.
//!
//! What a removed run refers to stays for the grace period: whoever was just reading it may take
//! something over.

pub mod choose;
mod list;
mod mark;
mod read;
mod remove;
mod sweep;

use std::collections::BTreeSet;

use super::Datastore;
use super::journal::JournalError;
use super::lease::Lease;
use super::object::{Leftovers, Listed, StoreError};
use super::run::RunError;
use crate::model::digest::Digest;
use crate::model::id::RunId;
use crate::model::time::Timestamp;

use choose::{Rules, Stays};

/// The shortest grace period beside runs that are driven, in microseconds: twice as long as what
/// somebody else has written may lie before whoever wants to refer to it has made it young and
/// refers to it.
pub const FLOOR_US: u64 = 60 * 60 * 1_000_000;

/// What is to be collected, and how.
pub struct Request<'a> {
    /// Which runs go.
    pub rules: Rules,
    /// How old something is at least that goes, in microseconds.
    pub grace_us: u64,
    /// The time, by the clock of whoever asks.
    pub now: Timestamp,
    /// Whether whoever holds a lease is there.
    pub is_alive: &'a (dyn Fn(&Lease) -> bool + Sync),
    /// Is called for every object that was removed.
    pub removed: &'a (dyn Fn() + Sync),
}

/// Why nothing, or no more, was collected.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// The grace period is too short beside a run that is driven.
    #[error(
        "run `{run}` is being driven, and a grace period of less than an hour could take from it what it is about to use"
    )]
    Driven {
        /// The run.
        run: RunId,
    },
    /// A run could not be read or removed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A journal could not be read or closed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an object that goes was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A blob.
    Blob,
    /// The manifest of a code snapshot.
    Snapshot,
    /// The noted results of a run that is gone.
    Results,
    /// What workers were told and have left of a run that has ended.
    Attempts,
    /// Something of a run that was removed, or never was whole.
    Run,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Blob,
        Self::Snapshot,
        Self::Results,
        Self::Attempts,
        Self::Run,
    ];

    /// Its name, in machines' words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blob => "blobs",
            Self::Snapshot => "snapshots",
            Self::Results => "results",
            Self::Attempts => "attempts",
            Self::Run => "run_objects",
        }
    }
}

/// How many objects, and how many bytes they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Objects.
    pub count: u64,
    /// Bytes as they are stored.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// A blob that goes. There may be many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OldBlob {
    digest: Digest,
    size: u64,
    modified: Timestamp,
}

/// What goes, and what stays though it was asked for.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Runs that go.
    pub runs: Vec<RunId>,
    /// Runs that the rules mean and that stay, and why.
    pub stays: Vec<(RunId, Stays)>,
    /// Runs of which it cannot be told what they refer to, and why. As long as there are some, no blob
    /// and no snapshot goes.
    pub unreadable: Vec<(RunId, String)>,
    /// Runs that have lost their headers. They stay, and all that they refer to.
    pub headless: Vec<RunId>,
    /// What killed writers have left.
    pub leftovers: Leftovers,
    /// What nothing refers to and is too young to go.
    pub young: Amount,
    /// How many blobs something refers to.
    pub referred: u64,
    blobs: Vec<OldBlob>,
    others: Vec<(Class, Listed)>,
    /// Before when what goes was written.
    cutoff: Timestamp,
    left_before: Timestamp,
}

impl Plan {
    /// How much goes of a class.
    pub fn amount(&self, class: Class) -> Amount {
        let mut amount = Amount::default();
        if class == Class::Blob {
            self.blobs.iter().for_each(|blob| amount.add(blob.size));
        }
        for (_, listed) in self.others.iter().filter(|(of, _)| *of == class) {
            amount.add(listed.size);
        }
        amount
    }

    /// How much goes in all, what killed writers have left included.
    pub fn total(&self) -> Amount {
        let mut total = Amount {
            count: self.leftovers.count,
            bytes: self.leftovers.bytes,
        };
        for class in Class::ALL {
            let amount = self.amount(class);
            total.count += amount.count;
            total.bytes += amount.bytes;
        }
        total
    }
}

impl Datastore {
    /// What [`Datastore::collect`] would do, which is not done.
    ///
    /// # Errors
    /// [`GcError`] when the datastore cannot be read.
    pub async fn plan(&self, request: &Request<'_>) -> Result<Plan, GcError> {
        let chosen = self.chosen(request, request.now).await?;
        self.sweepable(request, request.now, chosen, Going::Planned)
            .await
    }

    /// Removes the runs that the rules mean, and then whatever nothing refers to and is old enough.
    ///
    /// Killed anywhere, it is gone on with by the next one. Gives what went.
    ///
    /// # Errors
    /// [`GcError`] when the datastore cannot be read or written; what was removed before stays so.
    pub async fn collect(&self, request: &Request<'_>) -> Result<Plan, GcError> {
        let start = self.stamp().await?;
        let mut chosen = self.chosen(request, start).await?;
        let stays = self.remove_runs(&chosen, request).await?;
        let stayed: BTreeSet<_> = stays.iter().map(|(run, _)| run.clone()).collect();
        chosen.goes.retain(|marked| !stayed.contains(&marked.run));
        chosen.stays.extend(stays);
        let plan = self.sweepable(request, start, chosen, Going::Gone).await?;
        self.sweep(plan, request).await
    }
}

/// Whether the runs that go have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    Planned,
    Gone,
}

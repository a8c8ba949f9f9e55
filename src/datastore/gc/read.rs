//! Reads one run, and what it refers to.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::choose::Facts;
use super::list::{Seen, each};
use super::mark::{Known, Marked};
use crate::datastore::layout as keys;
use crate::datastore::lease::Lease;
use crate::datastore::object::StoreError;
use crate::datastore::refs::{Names, Refs, names};
use crate::datastore::removed::Removed;
use crate::datastore::run::{Run, RunError};
use crate::datastore::{BlobError, Datastore, JournalError};
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::id::RunId;
use crate::model::time::Timestamp;

/// A run without a lease that is younger than this, in microseconds, may be about to be driven.
const BEGINNING_US: u64 = 60 * 1_000_000;
/// So long after a job of it was last heard of, in microseconds, a run may have attempts elsewhere.
const ELSEWHERE_US: u64 = 24 * 60 * 60 * 1_000_000;

/// Why a run was not read.
pub(super) enum Unread {
    Gone,
    Damaged(String),
    Failed(StoreError),
}

impl From<RunError> for Unread {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Store(error) => Self::Failed(error),
            RunError::Missing { .. } | RunError::Removed { .. } => Self::Gone,
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<JournalError> for Unread {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Store(error) => Self::Failed(error),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<BlobError> for Unread {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Store(error) => Self::Failed(error),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Reads a run, or what is left of one that was removed or has lost its header.
pub(super) async fn read(
    datastore: &Datastore,
    seen: &Seen,
    known: &Known,
    start: Timestamp,
) -> Result<(Marked, Option<Lease>), Unread> {
    let run = open(datastore, seen).await?;
    let mut marking = Marking {
        datastore,
        known,
        names: Names::default(),
        runs: BTreeSet::new(),
    };
    let is_there = seen.is_there();
    let read = match marking.run(&run, is_there).await {
        Err(Unread::Damaged(why)) => Read {
            damage: Some(why),
            ..Read::default()
        },
        read => read?,
    };
    let since = seen.since.or(seen.removed);
    let since = since.unwrap_or(start.min(run.header().created_at));
    let (mut is_driven, mut lease, mut tags) = (false, None, Vec::new());
    if is_there {
        tags = run.tags().await?;
    }
    if read.end.is_none() && is_there {
        lease = run.lease().await?.map(|(lease, _)| lease);
        is_driven = may_be_driven(lease.is_none(), read.heard, since, start);
    }
    let marked = Marked {
        run: seen.run.clone(),
        since,
        facts: Facts {
            run: seen.run.clone(),
            at: read.end.unwrap_or(run.header().created_at),
            tags,
            is_driven,
            is_headless: seen.is_headless(),
            refers: marking.runs,
        },
        has_ended: read.end.is_some(),
        snapshot: run.header().snapshot,
        names: marking.names,
        damage: read.damage,
    };
    Ok((marked, lease))
}

/// Opens a run by its header, by what stays of that when it was removed, or by its journal.
async fn open(datastore: &Datastore, seen: &Seen) -> Result<Run, Unread> {
    if seen.since.is_some() {
        return Ok(datastore.run(&seen.run).await?);
    }
    if seen.removed.is_some() {
        return match datastore.removed(&seen.run).await? {
            Some(Removed { header, .. }) => Ok(Run::of(datastore.store().clone(), header)),
            None => Err(Unread::Gone),
        };
    }
    let lost = "its header is missing, and its journal does not begin with it";
    let found = datastore.run_of_journal(&seen.run).await?;
    found.ok_or_else(|| Unread::Damaged(lost.to_owned()))
}

/// Whether somebody may be driving a run that has no end, when no lease tells.
fn may_be_driven(
    is_free: bool,
    heard: Option<Timestamp>,
    since: Timestamp,
    start: Timestamp,
) -> bool {
    let is_beginning = is_free && start.micros_since(since) < BEGINNING_US;
    let is_elsewhere = heard.is_some_and(|at| start.micros_since(at) < ELSEWHERE_US);
    is_beginning || is_elsewhere
}

/// What a journal told.
#[derive(Default)]
struct Read {
    /// When the run ended.
    end: Option<Timestamp>,
    /// When something of it that is done elsewhere was last heard of.
    heard: Option<Timestamp>,
    /// Why not all could be read.
    damage: Option<String>,
}

/// What one run refers to, as far as it was read.
struct Marking<'a> {
    datastore: &'a Datastore,
    known: &'a Known,
    names: Names,
    runs: BTreeSet<RunId>,
}

impl Marking<'_> {
    /// Whether something is seen for the first time, by whatever run.
    fn is_new(&self, digest: &Digest) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(*digest)
    }

    /// Reads all that a run refers to.
    async fn run(&mut self, run: &Run, is_there: bool) -> Result<Read, Unread> {
        let header = run.header();
        self.take(Refs::of_header(header)).await?;
        self.snapshot(&header.snapshot).await?;
        let mut end = None;
        // Segment by segment: a journal may be longer than the memory.
        let mut segments = run.read_ahead((0..run.segments().await?).collect());
        while let Some((_, events)) = segments.next().await {
            let mut refs = Refs::default();
            for event in events? {
                refs.event(&event);
                if let Event::RunEnded { at, .. } = event {
                    end = Some(at);
                }
            }
            self.take(refs).await?;
        }
        let heard = match end.is_none() && is_there {
            true => self.elsewhere(run).await?,
            false => None,
        };
        let damage = None;
        Ok(Read { end, heard, damage })
    }

    async fn take(&mut self, refs: Refs) -> Result<(), Unread> {
        refs.all().for_each(|digest| self.names.add(&digest));
        for trace in &refs.traces {
            if self.is_new(trace) {
                let named = self.datastore.named_in(trace).await?;
                named.iter().for_each(|digest| self.names.add(digest));
            }
        }
        self.runs.extend(refs.runs);
        Ok(())
    }

    async fn snapshot(&mut self, snapshot: &Digest) -> Result<(), Unread> {
        if self.is_new(snapshot) {
            let manifest = self.datastore.get_snapshot(snapshot).await?;
            let named = names(&manifest);
            named.iter().for_each(|digest| self.names.add(digest));
        }
        Ok(())
    }

    /// What jobs and workers of a run without an end refer to; when one of them was last heard of, by
    /// the clock of the store.
    async fn elsewhere(&mut self, run: &Run) -> Result<Option<Timestamp>, Unread> {
        let mut found = Vec::new();
        each(self.datastore, keys::jobs(run.id()), |it| found.push(it)).await?;
        each(self.datastore, keys::all_tasks(run.id()), |it| {
            found.push(it);
        })
        .await?;
        let mut refs = Refs::default();
        for listed in &found {
            if let Some(token) = keys::job_of(&listed.key)
                && let Some(job) = run.job(&token).await?
            {
                refs.job(&job);
            } else if let Some((task, attempt)) = keys::attempt_of(run.id(), &listed.key)
                && let Some(made) = run.attempt(&task, attempt).await?
            {
                refs.record(&made.record);
            }
        }
        self.take(refs).await?;
        Ok(found.iter().map(|listed| listed.modified).max())
    }
}

//! Reads which runs there are and what they refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::choose::{self, Facts};
use super::remove::Chosen;
use super::{GcError, Request};
use crate::datastore::layout as keys;
use crate::datastore::lease::Lease;
use crate::datastore::object::{Key, Listed, Prefix, StoreError, join};
use crate::datastore::refs::{Names, Refs, names};
use crate::datastore::removed::Removed;
use crate::datastore::run::{Run, RunError};
use crate::datastore::{BlobError, Datastore, JournalError};
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::id::RunId;
use crate::model::time::Timestamp;

/// How many runs are read at once.
const SIDE_BY_SIDE: usize = 16;
/// How many objects are listed at once.
const PAGE: usize = 20_000;
/// A run without a lease that is younger than this, in microseconds, may be about to be driven.
const BEGINNING_US: u64 = 60 * 1_000_000;
/// So long after a job of it was last heard of, in microseconds, a run may have attempts elsewhere.
const ELSEWHERE_US: u64 = 24 * 60 * 60 * 1_000_000;

/// Every object below `prefix`, page by page.
pub(super) async fn each(
    datastore: &Datastore,
    prefix: Prefix,
    mut see: impl FnMut(Listed),
) -> Result<(), StoreError> {
    let mut after: Option<Key> = None;
    loop {
        let page = datastore
            .store()
            .survey(&prefix, after.as_ref(), PAGE)
            .await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|listed| listed.key.clone());
        page.into_iter().for_each(&mut see);
        if is_last {
            return Ok(());
        }
    }
}

/// A run that there is, or was.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) run: RunId,
    /// When its header was written, by the clock of the store.
    pub(super) since: Option<Timestamp>,
    /// When its tombstone was written, by the clock of the store.
    pub(super) removed: Option<Timestamp>,
}

/// A run that was read.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) run: RunId,
    pub(super) since: Timestamp,
    pub(super) facts: Facts,
    pub(super) has_ended: bool,
    pub(super) snapshot: Digest,
    pub(super) names: Names,
    /// Why not all was read that it refers to.
    pub(super) damage: Option<String>,
}

/// What could be read of all runs, and why others could not.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) runs: Vec<Marked>,
    pub(super) unreadable: Vec<(RunId, String)>,
}

/// What is read once, whoever refers to it.
type Known = Arc<Mutex<BTreeSet<Digest>>>;

impl Datastore {
    /// The runs that the rules mean, as far as they may go.
    pub(super) async fn chosen(
        &self,
        request: &Request<'_>,
        start: Timestamp,
    ) -> Result<Chosen, GcError> {
        if !request.rules.mean_some() && !self.has_tombstones().await? {
            return Ok(Chosen::default());
        }
        let seen = self.seen().await?;
        let there = seen.into_iter().filter(|seen| seen.since.is_some());
        let there: Vec<_> = there.collect();
        let half_gone = there.iter().filter(|it| it.removed.is_some());
        let half_gone: BTreeSet<RunId> = half_gone.map(|it| it.run.clone()).collect();
        let marks = self.mark(there, request, start).await?;
        let facts: Vec<_> = marks.runs.iter().map(|it| it.facts.clone()).collect();
        let (mut goes, stays) = choose::choose(&facts, &request.rules, request.now);
        goes.extend(going_on(&facts, &half_gone));
        let mut chosen = Chosen {
            stays,
            taken_back: half_gone.difference(&goes).cloned().collect(),
            ..Chosen::default()
        };
        for mut marked in marks.runs {
            let newest = chosen.newest.entry(marked.run.flow.clone()).or_default();
            *newest = (*newest).max(marked.run.number);
            if goes.contains(&marked.run) {
                marked.names = Names::default();
                chosen.goes.push(marked);
            }
        }
        Ok(chosen)
    }

    async fn has_tombstones(&self) -> Result<bool, StoreError> {
        for flow in self.flows().await? {
            let found = self.store().list(&keys::removals(&flow), None, 1).await?;
            if !found.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All runs that there are or were.
    pub(super) async fn seen(&self) -> Result<Vec<Seen>, StoreError> {
        let mut all = Vec::new();
        for flow in self.flows().await? {
            let mut runs: BTreeMap<u64, Seen> = BTreeMap::new();
            let seen = |number| Seen {
                run: RunId {
                    flow: flow.clone(),
                    number,
                },
                since: None,
                removed: None,
            };
            each(self, keys::index(&flow), |listed| {
                if let Some(number) = keys::number_of(&listed.key) {
                    runs.entry(number).or_insert_with(|| seen(number)).since =
                        Some(listed.modified);
                }
            })
            .await?;
            each(self, keys::removals(&flow), |listed| {
                if let Some(number) = keys::number_of(&listed.key) {
                    runs.entry(number).or_insert_with(|| seen(number)).removed =
                        Some(listed.modified);
                }
            })
            .await?;
            all.extend(runs.into_values());
        }
        Ok(all)
    }

    /// Reads what `runs` refer to, several at once.
    pub(super) async fn mark(
        &self,
        runs: Vec<Seen>,
        request: &Request<'_>,
        start: Timestamp,
    ) -> Result<Marks, GcError> {
        let mut marks = Marks::default();
        let known = Known::default();
        let mut reading = JoinSet::new();
        let mut waiting = runs.into_iter();
        loop {
            while reading.len() < SIDE_BY_SIDE
                && let Some(seen) = waiting.next()
            {
                let (datastore, known) = (self.clone(), known.clone());
                reading.spawn(async move {
                    let read = read(&datastore, &seen, &known, start).await;
                    (seen, read)
                });
            }
            let Some(done) = reading.join_next().await else {
                return Ok(marks);
            };
            let (seen, read) = join(done);
            match read {
                Ok((mut marked, lease)) => {
                    let alive = lease
                        .as_ref()
                        .is_some_and(|lease| (request.is_alive)(lease));
                    marked.facts.is_driven |= alive && !marked.has_ended;
                    if let Some(why) = marked.damage.clone() {
                        marks.unreadable.push((seen.run, why));
                    }
                    marks.runs.push(marked);
                }
                // Removed since it was listed.
                Err(Unread::Gone) => {}
                Err(Unread::Damaged(why)) => marks.unreadable.push((seen.run, why)),
                Err(Unread::Failed(error)) => return Err(error.into()),
            }
        }
    }
}

/// The runs that somebody has begun to remove, but for those that something speaks for by now.
fn going_on(facts: &[Facts], half_gone: &BTreeSet<RunId>) -> BTreeSet<RunId> {
    let stays = facts.iter().filter(|it| !half_gone.contains(&it.run));
    let needed: BTreeSet<&RunId> = stays.flat_map(|it| &it.refers).collect();
    let goes = facts.iter().filter(|it| {
        let is_wanted = it.is_driven || !it.tags.is_empty() || needed.contains(&it.run);
        half_gone.contains(&it.run) && !is_wanted
    });
    goes.map(|it| it.run.clone()).collect()
}

/// Why a run was not read.
enum Unread {
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

/// Reads a run, or what is left of one that was removed.
async fn read(
    datastore: &Datastore,
    seen: &Seen,
    known: &Known,
    start: Timestamp,
) -> Result<(Marked, Option<Lease>), Unread> {
    let run = match seen.since {
        Some(_) => datastore.run(&seen.run).await?,
        None => match datastore.removed(&seen.run).await? {
            Some(Removed { header, .. }) => Run::of(datastore.store().clone(), header),
            None => return Err(Unread::Gone),
        },
    };
    let mut marking = Marking {
        datastore,
        known,
        names: Names::default(),
        runs: BTreeSet::new(),
    };
    let read = marking.run(&run, seen.since.is_some()).await;
    let (end, heard, damage) = match read {
        Ok((end, heard)) => (end, heard, None),
        Err(Unread::Damaged(why)) => (None, None, Some(why)),
        Err(error) => return Err(error),
    };
    let since = seen.since.or(seen.removed).unwrap_or(start);
    let (mut is_driven, mut lease, mut tags) = (false, None, Vec::new());
    if seen.since.is_some() {
        tags = run.tags().await?;
    }
    if end.is_none() && seen.since.is_some() {
        lease = run.lease().await?.map(|(lease, _)| lease);
        let is_beginning = lease.is_none() && start.micros_since(since) < BEGINNING_US;
        let is_elsewhere = heard.is_some_and(|at| start.micros_since(at) < ELSEWHERE_US);
        is_driven = is_beginning || is_elsewhere;
    }
    let facts = Facts {
        run: seen.run.clone(),
        at: end.unwrap_or(run.header().created_at),
        tags,
        is_driven,
        refers: marking.runs,
    };
    let marked = Marked {
        run: seen.run.clone(),
        since,
        facts,
        has_ended: end.is_some(),
        snapshot: run.header().snapshot,
        names: marking.names,
        damage,
    };
    Ok((marked, lease))
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

    /// Reads all that a run refers to. Gives when it ended, and when something of it that is done
    /// elsewhere was last heard of.
    async fn run(
        &mut self,
        run: &Run,
        is_there: bool,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), Unread> {
        let header = run.header();
        self.take(Refs::of_header(header)).await?;
        self.snapshot(&header.snapshot).await?;
        let mut end = None;
        // Segment by segment: a journal may be longer than the memory.
        for segment in 0..run.segments().await? {
            let mut refs = Refs::default();
            for event in run.read_segment(segment).await? {
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
        Ok((end, heard))
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

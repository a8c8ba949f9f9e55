//! Finds what nothing refers to, and removes it.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinSet;

use super::list::{Seen, each};
use super::mark::Marks;
use super::remove::Chosen;
use super::{Class, FLOOR_US, GcError, Going, OldBlob, Plan, Request};
use crate::datastore::Datastore;
use crate::datastore::layout as keys;
use crate::datastore::object::{Cleaning, Key, Leftovers, Listed, StoreError, join};
use crate::datastore::refs::Names;
use crate::datastore::sealed::{self, Kind, Nonce};
use crate::failpoint;
use crate::model::digest::Digest;
use crate::model::id::RunId;
use crate::model::time::Timestamp;

/// How many objects are removed at once.
const SIDE_BY_SIDE: usize = 32;
const KIND: Kind = Kind::new(*b"coll", "the note of a collection", 0);

/// How a run stands for whoever sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is there, and goes on.
    Going,
    /// It is there, and has an end.
    Ended,
    /// It is there and cannot be read or has lost its header, or was removed not long ago.
    Untouched,
    /// It was removed, and nobody reads it any more.
    Gone,
}

/// What is referred to.
struct Needed {
    runs: BTreeMap<RunId, State>,
    snapshots: BTreeSet<Digest>,
    blobs: Names,
}

impl Datastore {
    /// The time, by the clock of the store: that of an object that is written for it.
    pub(super) async fn stamp(&self) -> Result<Timestamp, StoreError> {
        let key = keys::collected();
        let bytes = sealed::seal(&key, &KIND, Nonce::new(), &[]);
        failpoint::reach("gc.stamp", &key);
        self.store().put(&key, bytes).await?;
        failpoint::reach("gc.stamped", &key);
        let mut now = Timestamp::default();
        each(self, keys::collections(), |listed| now = listed.modified).await?;
        Ok(now)
    }

    /// What goes when `chosen` runs go, or have gone.
    pub(super) async fn sweepable(
        &self,
        request: &Request<'_>,
        start: Timestamp,
        chosen: Chosen,
        going: Going,
    ) -> Result<Plan, GcError> {
        let at_once = request.grace_us < FLOOR_US;
        let before = Timestamp(start.0.saturating_sub(request.grace_us));
        let goes: BTreeSet<RunId> = chosen.goes.iter().map(|it| it.run.clone()).collect();
        let stand = Standing::of(self.seen().await?, &goes, (going, at_once), before);
        let marks = self.mark(stand.there.clone(), request, start).await?;
        let cutoff = cutoff(&marks, before, at_once)?;
        let headless = stand.there.iter().filter(|it| it.is_headless());
        let mut plan = Plan {
            runs: goes.into_iter().collect(),
            stays: chosen.stays,
            unreadable: marks.unreadable.clone(),
            headless: headless.map(|it| it.run.clone()).collect(),
            cutoff,
            left_before: Timestamp(cutoff.0.min(start.0.saturating_sub(FLOOR_US))),
            ..Plan::default()
        };
        let needed = needed(&stand, marks);
        plan.referred = needed.blobs.len() as u64;
        self.of_runs(&mut plan, &needed).await?;
        if plan.unreadable.is_empty() {
            self.of_snapshots(&mut plan, &needed).await?;
            self.of_blobs(&mut plan, &needed).await?;
        }
        let look = self.store().leftovers(plan.left_before, Cleaning::Look);
        plan.leftovers = look.await?;
        Ok(plan)
    }

    /// What lies below runs, and their noted results.
    async fn of_runs(&self, plan: &mut Plan, needed: &Needed) -> Result<(), StoreError> {
        let state = |run: &RunId| needed.runs.get(run).copied();
        for flow in self.flows().await? {
            each(self, keys::all_runs(&flow), |listed| {
                let Some((run, rest)) = keys::in_run(&listed.key) else {
                    return;
                };
                let is_made = rest.starts_with("jobs/") || rest.starts_with("tasks/");
                match state(&run) {
                    Some(State::Gone) => plan.others.push((Class::Run, listed)),
                    Some(State::Ended) if is_made => plan.take(Class::Attempts, listed),
                    None => plan.take(Class::Run, listed),
                    _ => {}
                }
            })
            .await?;
        }
        each(self, keys::all_memos(), |listed| {
            match keys::run_of_memo(&listed.key).map(|run| state(&run)) {
                Some(Some(State::Gone)) => plan.others.push((Class::Results, listed)),
                Some(None) => plan.take(Class::Results, listed),
                _ => {}
            }
        })
        .await
    }

    async fn of_snapshots(&self, plan: &mut Plan, needed: &Needed) -> Result<(), StoreError> {
        each(self, keys::all_snapshots(), |listed| {
            if keys::digest_of(&listed.key).is_some_and(|it| !needed.snapshots.contains(&it)) {
                plan.take(Class::Snapshot, listed);
            }
        })
        .await
    }

    async fn of_blobs(&self, plan: &mut Plan, needed: &Needed) -> Result<(), StoreError> {
        each(self, keys::all_blobs(), |listed| {
            let Some(digest) = keys::digest_of(&listed.key) else {
                return;
            };
            if needed.blobs.contains(&digest) {
                return;
            }
            let Listed { size, modified, .. } = listed;
            if modified < plan.cutoff {
                plan.blobs.push(OldBlob {
                    digest,
                    size,
                    modified,
                });
            } else {
                plan.young.add(size);
            }
        })
        .await
    }

    /// Removes what goes, and leaves in the plan what has gone.
    pub(super) async fn sweep(
        &self,
        mut plan: Plan,
        request: &Request<'_>,
    ) -> Result<Plan, GcError> {
        let kept = self.remove_all(&plan, request).await?;
        plan.blobs
            .retain(|blob| kept.is_empty() || !kept.contains(&keys::blob(&blob.digest)));
        plan.others
            .retain(|(_, listed)| !kept.contains(&listed.key));
        plan.leftovers = match plan.leftovers.count {
            0 => Leftovers::default(),
            _ => {
                let clean = self.store().leftovers(plan.left_before, Cleaning::Remove);
                clean.await?
            }
        };
        Ok(plan)
    }

    /// Removes the objects that go, several at once. Gives those to which somebody refers by now.
    async fn remove_all(
        &self,
        plan: &Plan,
        request: &Request<'_>,
    ) -> Result<BTreeSet<Key>, GcError> {
        let mut kept = BTreeSet::new();
        let mut waiting = plan.objects();
        let mut removing = JoinSet::new();
        loop {
            while removing.len() < SIDE_BY_SIDE
                && let Some(listed) = waiting.next()
            {
                let store = self.store().clone();
                removing.spawn(async move {
                    failpoint::reach("gc.remove", &listed.key);
                    (store.remove(&listed).await, listed)
                });
            }
            let Some(done) = removing.join_next().await else {
                return Ok(kept);
            };
            let (removed, listed) = join(done);
            match removed? {
                true => (request.removed)(),
                false => drop(kept.insert(listed.key)),
            }
        }
    }
}

impl Plan {
    /// All objects that go.
    fn objects(&self) -> impl Iterator<Item = Listed> + '_ {
        let blobs = self.blobs.iter().map(|blob| Listed {
            key: keys::blob(&blob.digest),
            size: blob.size,
            modified: blob.modified,
        });
        blobs.chain(self.others.iter().map(|(_, listed)| listed.clone()))
    }

    /// Lets an object go when it is old enough.
    fn take(&mut self, class: Class, listed: Listed) {
        match listed.modified < self.cutoff {
            true => self.others.push((class, listed)),
            false => self.young.add(listed.size),
        }
    }
}

/// Before when what goes was written.
fn cutoff(marks: &Marks, before: Timestamp, at_once: bool) -> Result<Timestamp, GcError> {
    let mut cutoff = before;
    for marked in marks.runs.iter().filter(|it| it.facts.is_driven) {
        if at_once {
            let run = marked.run.clone();
            return Err(GcError::Driven { run });
        }
        // What it found when it started may lie there for a while before that.
        cutoff = cutoff.min(Timestamp(marked.since.0.saturating_sub(FLOOR_US)));
    }
    Ok(cutoff)
}

/// How all runs stand that there are or were.
struct Standing {
    /// They were removed, and nobody reads them any more.
    gone: Vec<Seen>,
    /// The others; some may have been removed not long ago.
    there: Vec<Seen>,
    /// Those of the others of which it is only planned that they go.
    left: BTreeSet<RunId>,
}

impl Standing {
    fn of(
        seen: Vec<Seen>,
        goes: &BTreeSet<RunId>,
        (going, at_once): (Going, bool),
        before: Timestamp,
    ) -> Self {
        let is_gone = |seen: &Seen| match seen.removed {
            _ if goes.contains(&seen.run) => at_once,
            Some(removed) => seen.since.is_none() && removed < before,
            None => false,
        };
        let (gone, there): (Vec<_>, Vec<_>) = seen.into_iter().partition(is_gone);
        let left = there
            .iter()
            .filter(|seen| going == Going::Planned && goes.contains(&seen.run));
        let left = left.map(|it| it.run.clone()).collect();
        Self { gone, there, left }
    }
}

/// What is referred to by runs that are there, and by those that were removed not long ago.
fn needed(stand: &Standing, marks: Marks) -> Needed {
    let mut needed = Needed {
        runs: BTreeMap::new(),
        snapshots: BTreeSet::new(),
        blobs: Names::default(),
    };
    for seen in &stand.gone {
        needed.runs.insert(seen.run.clone(), State::Gone);
    }
    for seen in &stand.there {
        needed.runs.insert(seen.run.clone(), State::Untouched);
    }
    let is_there = stand.there.iter().filter(|it| it.since.is_some());
    let is_there: BTreeSet<&RunId> = is_there.map(|it| &it.run).collect();
    for marked in marks.runs {
        let is_left = stand.left.contains(&marked.run);
        let state = match marked.has_ended {
            _ if is_left || !is_there.contains(&marked.run) => State::Untouched,
            true => State::Ended,
            false => State::Going,
        };
        needed.runs.insert(marked.run, state);
        needed.snapshots.insert(marked.snapshot);
        needed.blobs.append(marked.names);
    }
    needed.blobs.sort();
    needed
}

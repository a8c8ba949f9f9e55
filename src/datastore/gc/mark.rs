//! Reads what runs refer to, several at once, and so which go.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use super::choose::{self, Facts};
use super::list::Seen;
use super::read::{Unread, read};
use super::remove::Chosen;
use super::{GcError, Request};
use crate::datastore::Datastore;
use crate::datastore::lease::Lease;
use crate::datastore::object::join;
use crate::datastore::refs::Names;
use crate::model::digest::Digest;
use crate::model::id::RunId;
use crate::model::time::Timestamp;

/// How many runs are read at once.
const SIDE_BY_SIDE: usize = 16;

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
pub(super) type Known = Arc<Mutex<BTreeSet<Digest>>>;

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
        let there = seen.into_iter().filter(Seen::is_there);
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
            marks.take(seen.run, read, request)?;
        }
    }
}

impl Marks {
    /// Takes in what was read of a run, or why it was not.
    fn take(
        &mut self,
        run: RunId,
        read: Result<(Marked, Option<Lease>), Unread>,
        request: &Request<'_>,
    ) -> Result<(), GcError> {
        match read {
            Ok((mut marked, lease)) => {
                let alive = lease
                    .as_ref()
                    .is_some_and(|lease| (request.is_alive)(lease));
                marked.facts.is_driven |= alive && !marked.has_ended;
                if let Some(why) = marked.damage.clone() {
                    self.unreadable.push((run, why));
                }
                self.runs.push(marked);
            }
            // Removed since it was listed.
            Err(Unread::Gone) => {}
            Err(Unread::Damaged(why)) => self.unreadable.push((run, why)),
            Err(Unread::Failed(error)) => return Err(error.into()),
        }
        Ok(())
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

//! Removes runs, one after another: see [`crate::datastore::removed`].

use std::collections::BTreeMap;

use super::choose::Stays;
use super::mark::Marked;
use super::{GcError, Request};
use crate::datastore::run::RunError;
use crate::datastore::{Datastore, Run};
use crate::model::id::{RunId, RunNumber};
use crate::model::name::FlowName;

/// The runs that go, and those that the rules mean and that stay.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) goes: Vec<Marked>,
    pub(super) stays: Vec<(RunId, Stays)>,
    /// Runs that somebody has begun to remove and that stay.
    pub(super) taken_back: Vec<RunId>,
    /// The newest run of each flow when this was decided.
    pub(super) newest: BTreeMap<FlowName, RunNumber>,
}

impl Datastore {
    /// Removes the runs that were chosen. Gives those that stay after all.
    pub(super) async fn remove_runs(
        &self,
        chosen: &Chosen,
        request: &Request<'_>,
    ) -> Result<Vec<(RunId, Stays)>, GcError> {
        for run in &chosen.taken_back {
            match self.run(run).await {
                Ok(run) => self.unbury(&run, request.now).await?,
                // Somebody else has gone on with removing it.
                Err(RunError::Removed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (mut buried, mut lost) = (Vec::new(), Vec::new());
        for marked in &chosen.goes {
            match self.run(&marked.run).await {
                Ok(run) => {
                    self.bury(&run, request.now).await?;
                    buried.push((run, marked.has_ended));
                }
                Err(RunError::Headless { run }) => lost.push((run, Stays::Headless)),
                // Somebody else has removed it.
                Err(RunError::Missing { .. } | RunError::Removed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Whoever builds on one of them from now on sees its tombstone. Whoever has done so before is
        // seen here.
        let mut stays = self.newly_needed(&buried, chosen).await?;
        stays.extend(lost);
        for (run, ended) in &buried {
            let id = run.id();
            if !stays.contains_key(id)
                && let Some(why) = self.speaks_against(run, *ended, request).await?
            {
                stays.insert(id.clone(), why);
            }
            match stays.contains_key(id) {
                true => self.unbury(run, request.now).await?,
                false => self.close(run, *ended).await?,
            }
        }
        Ok(stays.into_iter().collect())
    }

    /// Runs that others which have started meanwhile continue.
    async fn newly_needed(
        &self,
        buried: &[(Run, bool)],
        chosen: &Chosen,
    ) -> Result<BTreeMap<RunId, Stays>, GcError> {
        let mut needed = BTreeMap::new();
        if buried.is_empty() {
            return Ok(needed);
        }
        for flow in self.flows().await? {
            let known = chosen.newest.get(&flow).copied().unwrap_or(0);
            let mut wanted = 16;
            let new = loop {
                let runs = self.runs(&flow, wanted).await?;
                let all = runs.len() < wanted;
                let new: Vec<_> = runs.into_iter().filter(|it| it.number > known).collect();
                if all || new.len() < wanted {
                    break new;
                }
                wanted *= 4;
            };
            for id in new {
                let run = self.run(&id).await?;
                if let Some(origin) = run.header().origin.clone()
                    && buried.iter().any(|(run, _)| *run.id() == origin)
                {
                    needed.insert(origin, Stays::Origin(id));
                }
            }
        }
        Ok(needed)
    }

    /// What has become of a run since it was decided that it goes.
    async fn speaks_against(
        &self,
        run: &Run,
        has_ended: bool,
        request: &Request<'_>,
    ) -> Result<Option<Stays>, GcError> {
        if let Some(tag) = run.tags().await?.into_iter().next() {
            return Ok(Some(Stays::Tagged(tag)));
        }
        let lease = match has_ended {
            true => None,
            false => run.lease().await?,
        };
        let is_driven = lease.is_some_and(|(lease, _)| (request.is_alive)(&lease));
        Ok(is_driven.then_some(Stays::Driven))
    }
}

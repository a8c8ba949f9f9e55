//! Where tasks are executed again.
//!
//! Works in the order of journals, where a task stands behind those that it read from; so what it needs
//! was made before. Tasks wait until one comes that needs what they make; then all that wait are
//! executed side by side. What came out is compared and put back in the order in which they waited, so
//! that the report is the same however many workers there are.

mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::{How, RepairError, Repaired, said};
use crate::datastore::{Datastore, Run, RunError};
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::id::{RunId, TaskId};
use crate::model::record::{Logs, Record};
use crate::runtime::past::{self, PastError, Program};
use crate::runtime::replay::Machine;
use crate::runtime::start;
use crate::scheduler::Assignment;
use crate::task::site::Site;

use workers::{Job, Workers};

/// The most tasks that wait.
const MOST: usize = 1024;

/// Where tasks are executed again.
pub(super) struct Bench<'a> {
    datastore: &'a Datastore,
    /// The datastore without what is lost, over which lies what was made.
    pub(super) scratch: Datastore,
    machine: &'a Machine<'a>,
    pub(super) lost: BTreeSet<Digest>,
    repaired: Repaired,
    workers: Workers,
    /// Tasks that can be executed side by side.
    waiting: Vec<Job>,
    /// What they will make, if all goes well.
    promised: BTreeSet<Digest>,
}

impl<'a> Bench<'a> {
    /// A bench on which nothing was done; what is made lies in `directory`.
    pub(super) fn new(
        datastore: &'a Datastore,
        directory: &Path,
        lost: BTreeSet<Digest>,
        machine: &'a Machine<'a>,
    ) -> Self {
        Self {
            datastore,
            scratch: datastore.scratch_without(directory, &lost),
            machine,
            lost,
            repaired: Repaired::default(),
            workers: Workers::new(machine.workers),
            waiting: Vec::new(),
            promised: BTreeSet::new(),
        }
    }

    /// What was had back.
    pub(super) fn end(self) -> Repaired {
        self.repaired
    }

    /// Executes what can be executed, until nothing more comes back.
    pub(super) async fn all(&mut self, runs: &[RunId]) -> Result<(), RepairError> {
        loop {
            // What failed for want of something may succeed when another run has given that.
            let before = self.lost.len();
            self.repaired.vain.clear();
            self.repaired.closed.clear();
            for id in runs {
                if !self.lost.is_empty() {
                    self.run(id).await?;
                }
            }
            if self.lost.is_empty() || self.lost.len() == before {
                return Ok(());
            }
        }
    }

    pub(super) async fn put_back(&mut self, digest: &Digest, how: How) -> Result<(), RepairError> {
        let put = self
            .datastore
            .blobs()
            .put_back(digest, self.scratch.blobs());
        put.await.map_err(|source| RepairError::PutBack {
            digest: *digest,
            source,
        })?;
        self.lost.remove(digest);
        let hex = digest.to_string();
        let key = format!("blobs/{}/{hex}", &hex[..2]);
        self.repaired.done.insert(key, how);
        Ok(())
    }

    /// What a record has that is lost.
    fn lost_of(&self, record: &Record) -> Vec<Digest> {
        let artifacts = record.artifacts.iter().map(|it| it.value.digest);
        let logs = match &record.logs {
            Logs::Blob(logs) => Some(logs.digest),
            _ => None,
        };
        let all = artifacts.chain(logs);
        all.filter(|digest| self.lost.contains(digest)).collect()
    }

    /// Executes the tasks of a run that made something that is lost.
    async fn run(&mut self, id: &RunId) -> Result<(), RepairError> {
        let run = match self.datastore.run(id).await {
            Ok(run) => run,
            Err(RunError::Store(error)) => return Err(error.into()),
            Err(error) => {
                self.repaired.closed.push((id.clone(), error.to_string()));
                return Ok(());
            }
        };
        if !self.concerns(&run).await? {
            return Ok(());
        }
        let opened = self.site(&run).await;
        let site = match opened {
            Ok(site) => site,
            Err(error) => {
                self.repaired.closed.push((id.clone(), said(&error)));
                return Ok(());
            }
        };
        let scheduler = past::scheduler(run.header(), &site.graph);
        let mut sites = BTreeMap::from([(id.clone(), site.clone())]);
        let mut failed = None;
        let folded = past::fold(&run, scheduler, async |event, answer, segment| {
            site.values.add(event);
            site.values.stored(std::slice::from_ref(event), segment);
            if failed.is_none()
                && let Err(error) = self.event(id, &mut sites, event, answer.assignment).await
            {
                failed = Some(error);
            }
        });
        if let Err(error) = folded.await {
            // What stands before the damage was repaired as far as it can be.
            self.repaired.closed.push((id.clone(), said(&error)));
        }
        match failed {
            Some(error) => Err(error),
            None => self.execute().await,
        }
    }

    /// Whether a task of the run made something that is lost.
    async fn concerns(&self, run: &Run) -> Result<bool, RepairError> {
        let mut segments = run.read_ahead(run.segment_numbers().await?);
        while let Some((_, events)) = segments.next().await {
            // What cannot be read cannot be executed either.
            for event in events.unwrap_or_default() {
                let ending = event.ending();
                if ending.is_some_and(|(_, _, record)| !self.lost_of(record).is_empty()) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn site(&self, run: &Run) -> Result<Arc<Site>, PastError> {
        let program = Program::of(&self.scratch, self.machine.modules, run.header()).await?;
        let launcher = &self.machine.launcher;
        let secrets = self.machine.secrets(run, None).await;
        let site = start::site(&self.scratch, run, program, launcher, secrets);
        Ok(Arc::new(site))
    }

    /// Lets the task wait that an event is the end of, when something that it made is lost.
    async fn event(
        &mut self,
        id: &RunId,
        sites: &mut BTreeMap<RunId, Arc<Site>>,
        event: &Event,
        assignment: Option<Assignment>,
    ) -> Result<(), RepairError> {
        let (Some((task, attempt, record, by)), Some(mut assignment)) =
            (event.ending_of(id), assignment)
        else {
            return Ok(());
        };
        if self.lost_of(record).is_empty() {
            return Ok(());
        }
        if self.waiting.len() >= MOST || self.is_promised(&assignment, record) {
            self.execute().await?;
        }
        let lost = self.lost_of(record);
        if lost.is_empty() {
            return Ok(());
        }
        let site = match self.site_of(id, by, sites).await {
            Ok(site) => site,
            Err(error) => {
                let why = said(&error);
                self.repaired.vain.push((id.clone(), task.clone(), why));
                return Ok(());
            }
        };
        // In the flow of a run that is continued the step may stand at another position.
        let Some(step) = site.graph.find(task.step.as_str()) else {
            return Ok(());
        };
        (assignment.step, assignment.attempt) = (step, attempt);
        self.promised.extend(&lost);
        self.waiting.push(Job {
            run: id.clone(),
            site,
            assignment,
            trace: record.trace,
            lost,
        });
        Ok(())
    }

    /// Whether tasks that wait make something that this one can see, or makes too.
    fn is_promised(&self, assignment: &Assignment, record: &Record) -> bool {
        if self.promised.is_empty() {
            return false;
        }
        let is = |digest: &Digest| self.promised.contains(digest);
        let branches = assignment.branches.iter().flat_map(|all| all.iter());
        let mut envs = branches.map(|branch| &branch.env).chain([&assignment.env]);
        self.lost_of(record).iter().any(is)
            || assignment.item.iter().any(|item| is(&item.list.digest))
            || envs.any(|env| env.iter().any(|(_, value)| is(&value.digest)))
    }

    /// Executes all tasks that wait, and puts back what they made.
    async fn execute(&mut self) -> Result<(), RepairError> {
        self.promised.clear();
        let waiting = std::mem::take(&mut self.waiting);
        for (job, made) in self.workers.execute(waiting, self.machine).await {
            let task = &job.assignment.task;
            self.compare((&job.run, task), job.lost, &made).await?;
        }
        Ok(())
    }

    /// Puts back what was lost and was made again.
    async fn compare(
        &mut self,
        (id, task): (&RunId, &TaskId),
        lost: Vec<Digest>,
        made: &Record,
    ) -> Result<(), RepairError> {
        let artifacts = made.artifacts.iter().map(|it| it.value.digest);
        let logs = match &made.logs {
            Logs::Blob(logs) => Some(logs.digest),
            _ => None,
        };
        let made_again: BTreeSet<_> = artifacts.chain(logs).collect();
        let mut missed = 0;
        for digest in lost {
            if made_again.contains(&digest) && self.scratch.blobs().contains(&digest).await? {
                let how = How::Executed(id.clone(), task.clone());
                self.put_back(&digest, how).await?;
            } else {
                missed += 1;
            }
        }
        if missed > 0 {
            let why = match &made.result {
                Err(failure) => {
                    format!("it ended otherwise: {}: {}", failure.kind, failure.message)
                }
                Ok(_) => "what it made has another digest than what was recorded".to_owned(),
            };
            self.repaired.vain.push((id.clone(), task.clone(), why));
        }
        Ok(())
    }

    /// The site of the run that executed a task of run `id`: its code, its seed, its limits.
    async fn site_of(
        &self,
        id: &RunId,
        by: &RunId,
        sites: &mut BTreeMap<RunId, Arc<Site>>,
    ) -> Result<Arc<Site>, PastError> {
        if let Some(site) = sites.get(by) {
            return Ok(site.clone());
        }
        let site = self.site(&self.datastore.run(by).await?).await?;
        // The values that it read are in the records of the run that took it over.
        let site = Arc::new(Site {
            values: sites[id].values.clone(),
            ..Site::clone(&site)
        });
        sites.insert(by.clone(), site.clone());
        Ok(site)
    }
}

//! Executes tasks that need nothing of each other, side by side.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::datastore::object::join;
use crate::model::digest::Digest;
use crate::model::id::RunId;
use crate::model::record::Record;
use crate::runtime::replay::{Machine, again};
use crate::scheduler::Assignment;
use crate::task::attempt::Clock;
use crate::task::site::{Site, Slot};

/// A task to be executed again.
pub(super) struct Job {
    /// The run in whose journal it stands.
    pub(super) run: RunId,
    /// The site of the run that executed it.
    pub(super) site: Arc<Site>,
    pub(super) assignment: Assignment,
    /// What it saw of the world.
    pub(super) trace: Option<Digest>,
    /// What it made that is lost.
    pub(super) lost: Vec<Digest>,
}

/// Jobs, each with its position.
type Queue = Arc<Mutex<VecDeque<(usize, Job)>>>;

/// A job that was done: its position, and what came out.
type Done = (usize, Job, Record);

/// As many workers as may be at work at once. They keep their cells from one time to the next.
pub(super) struct Workers(Vec<Worker>);

impl Workers {
    pub(super) fn new(many: usize) -> Self {
        Self((0..many.max(1)).map(|_| Worker::default()).collect())
    }

    /// Executes `jobs`. Gives what came out, in their order.
    pub(super) async fn execute(
        &mut self,
        jobs: Vec<Job>,
        machine: &Machine<'_>,
    ) -> Vec<(Job, Record)> {
        let (mut done, mut working) = (Vec::with_capacity(jobs.len()), JoinSet::new());
        let idle = self.0.split_off(self.0.len().saturating_sub(jobs.len()));
        let queue: Queue = Arc::new(Mutex::new(jobs.into_iter().enumerate().collect()));
        for worker in idle {
            let compared = machine.compared.clone();
            working.spawn(worker.work(queue.clone(), machine.clock.clone(), compared));
        }
        while let Some(worked) = working.join_next().await {
            let (worker, its) = join(worked);
            self.0.push(worker);
            done.extend(its);
        }
        done.sort_by_key(|(at, ..): &Done| *at);
        done.into_iter().map(|(_, job, made)| (job, made)).collect()
    }
}

/// Somebody who executes one task at a time.
#[derive(Default)]
struct Worker {
    slot: Slot,
    /// The run whose code the cells have.
    loaded: Option<RunId>,
}

impl Worker {
    /// Does jobs as long as there are some.
    async fn work(
        mut self,
        queue: Queue,
        clock: Arc<dyn Clock>,
        executed: Arc<dyn Fn() + Send + Sync>,
    ) -> (Self, Vec<Done>) {
        let mut done = Vec::new();
        loop {
            let next = queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some((at, job)) = next else {
                return (self, done);
            };
            let by = &job.site.header.run;
            if self.loaded.as_ref() != Some(by) {
                // Cells have the module of another run.
                self.slot.kill();
                self.loaded = Some(by.clone());
            }
            let trace = job.trace.as_ref();
            let again = again(&job.site, &job.assignment, trace, &mut self.slot, &*clock);
            let (made, _) = again.await;
            executed();
            done.push((at, job, made));
        }
    }
}

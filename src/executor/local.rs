//! Runs attempts in cells on this machine.
//!
//! Each worker owns one cell and takes assignments from its own queue. The queues are a little
//! longer than one, so that a worker need not wait for the driver between two short tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};

use super::{Executor, Update};
use crate::model::failure::{Failure, FailureKind};
use crate::model::id::TaskId;
use crate::model::record::LogChunk;
use crate::scheduler::Assignment;
use crate::task::attempt::{Clock, failed, run_attempt};
use crate::task::host::Listener;
use crate::task::site::{Site, Slot};

/// How many assignments a worker has at most: the one that runs, and those that wait behind it.
const QUEUE: usize = 4;

struct Worker {
    queue: mpsc::UnboundedSender<Assignment>,
    waiting: usize,
}

/// What the workers share with the executor.
struct Shared {
    site: Arc<Site>,
    clock: Arc<dyn Clock>,
    updates: mpsc::UnboundedSender<(usize, Update)>,
    cancelled: AtomicBool,
    cancel: Notify,
}

/// Runs attempts in cells on this machine.
pub struct LocalExecutor {
    workers: Vec<Worker>,
    updates: mpsc::UnboundedReceiver<(usize, Update)>,
    shared: Arc<Shared>,
}

impl LocalExecutor {
    /// An executor with `workers` cells, at least one, each started with its first assignment.
    ///
    /// Must be called inside a tokio runtime.
    pub fn new(site: Arc<Site>, workers: usize, clock: Arc<dyn Clock>) -> Self {
        let (sender, updates) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            site,
            clock,
            updates: sender,
            cancelled: AtomicBool::new(false),
            cancel: Notify::new(),
        });
        let workers = (0..workers.max(1))
            .map(|index| {
                let (queue, assignments) = mpsc::unbounded_channel();
                tokio::spawn(work(index, assignments, shared.clone()));
                Worker { queue, waiting: 0 }
            })
            .collect();
        Self {
            workers,
            updates,
            shared,
        }
    }

    fn note(&mut self, worker: usize, update: Update, into: &mut Vec<Update>) {
        if matches!(update, Update::Finished { .. }) {
            self.workers[worker].waiting -= 1;
        }
        into.push(update);
    }
}

#[async_trait]
impl Executor for LocalExecutor {
    fn room(&self) -> usize {
        self.workers
            .iter()
            .map(|w| QUEUE.saturating_sub(w.waiting))
            .sum()
    }

    fn start(&mut self, assignment: Assignment) {
        let least = self.workers.iter_mut().min_by_key(|worker| worker.waiting);
        let worker = least.expect("there is at least one worker");
        worker.waiting += 1;
        worker
            .queue
            .send(assignment)
            .expect("a worker lives as long as its executor");
    }

    async fn updates(&mut self) -> Vec<Update> {
        let mut all = Vec::new();
        let (worker, update) = self
            .updates
            .recv()
            .await
            .expect("the executor holds a sender");
        self.note(worker, update, &mut all);
        while let Ok((worker, update)) = self.updates.try_recv() {
            self.note(worker, update, &mut all);
        }
        all
    }

    fn cancel(&mut self) {
        self.shared.cancelled.store(true, Ordering::Release);
        self.shared.cancel.notify_waiters();
    }
}

/// Executes one assignment after the other until the executor is gone.
async fn work(
    index: usize,
    mut assignments: mpsc::UnboundedReceiver<Assignment>,
    shared: Arc<Shared>,
) {
    let mut slot = Slot::default();
    while let Some(assignment) = assignments.recv().await {
        let (task, attempt) = (assignment.task.clone(), assignment.attempt);
        let record = attempt_or_cancel(index, &mut slot, &assignment, &shared).await;
        let update = Update::Finished {
            task,
            attempt,
            record: Box::new(record),
        };
        if shared.updates.send((index, update)).is_err() {
            return;
        }
    }
}

async fn attempt_or_cancel(
    index: usize,
    slot: &mut Slot,
    assignment: &Assignment,
    shared: &Shared,
) -> crate::model::record::Record {
    let cancelled = shared.cancel.notified();
    tokio::pin!(cancelled);
    // Enabled before the flag is looked at, so that a cancel between the two is not missed.
    cancelled.as_mut().enable();
    if shared.cancelled.load(Ordering::Acquire) {
        return cancelled_record();
    }
    let (task, attempt) = (assignment.task.clone(), assignment.attempt);
    let at = shared.clock.now();
    let started = Update::Started {
        task: task.clone(),
        attempt,
        at,
    };
    // A closed channel means that the executor is gone, which the caller notices.
    let _ = shared.updates.send((index, started));
    let voice = Voice {
        index,
        task,
        attempt,
        shared,
    };
    let record = tokio::select! {
        record = run_attempt(&shared.site, slot, assignment, &*shared.clock, &voice) => Some(record),
        () = &mut cancelled => None,
    };
    record.unwrap_or_else(|| {
        slot.kill();
        cancelled_record()
    })
}

fn cancelled_record() -> crate::model::record::Record {
    failed(Failure::new(
        FailureKind::Cancelled,
        "the run was cancelled while this task was running",
    ))
}

/// Passes on what a running attempt shows.
struct Voice<'a> {
    index: usize,
    task: TaskId,
    attempt: u32,
    shared: &'a Shared,
}

impl Voice<'_> {
    fn say(&self, update: Update) {
        // Nobody listens any more only when the executor is gone.
        let _ = self.shared.updates.send((self.index, update));
    }
}

impl Listener for Voice<'_> {
    fn progress(&self, done: u64, total: u64, message: String) {
        self.say(Update::Progress {
            task: self.task.clone(),
            done,
            total,
            message,
        });
    }

    fn logs(&self, chunks: Vec<LogChunk>) {
        let at = self.shared.clock.now();
        self.say(Update::Log {
            task: self.task.clone(),
            attempt: self.attempt,
            at,
            chunks,
        });
    }
}

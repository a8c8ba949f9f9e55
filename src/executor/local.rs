//! Runs attempts in cells on this machine.
//!
//! Each worker owns its cells, and all take assignments from one queue. The queue is a little longer
//! than there are workers, so that none waits for the driver between two short tasks; and because it
//! is one queue, no task waits behind a long one while another worker is free.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};

use super::{Executor, Update, gather};
use crate::model::failure::{Failure, FailureKind};
use crate::model::id::TaskId;
use crate::model::record::LogChunk;
use crate::scheduler::Assignment;
use crate::task::attempt::{Clock, failed, run_attempt};
use crate::task::host::Listener;
use crate::task::site::{Site, Slot};

/// How many assignments there are for each worker at most: the one that runs, and those that wait.
const QUEUE: usize = 4;

/// What the workers share with the executor.
struct Shared {
    site: Arc<Site>,
    clock: Arc<dyn Clock>,
    updates: mpsc::UnboundedSender<Update>,
    queue: Mutex<Queue>,
    /// One for each worker: something is in the queue, or nothing will be any more.
    wake: Vec<Notify>,
    cancelled: AtomicBool,
    cancel: Notify,
}

/// What waits for a worker, and which workers wait.
#[derive(Default)]
struct Queue {
    assignments: VecDeque<Assignment>,
    /// The one that became idle last is woken first: its cell is there already.
    idle: Vec<usize>,
    closed: bool,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next assignment for `worker`; none when the executor is gone.
    async fn next(&self, worker: usize) -> Option<Assignment> {
        loop {
            {
                let mut queue = self.queue();
                if queue.closed {
                    return None;
                }
                if let Some(assignment) = queue.assignments.pop_front() {
                    return Some(assignment);
                }
                queue.idle.push(worker);
            }
            self.wake[worker].notified().await;
        }
    }
}

/// Runs attempts in cells on this machine.
pub struct LocalExecutor {
    room: usize,
    updates: mpsc::UnboundedReceiver<Update>,
    shared: Arc<Shared>,
}

impl LocalExecutor {
    /// An executor with `workers` cells, at least one, each started with its first assignment.
    ///
    /// Must be called inside a tokio runtime.
    pub fn new(site: Arc<Site>, workers: usize, clock: Arc<dyn Clock>) -> Self {
        let workers = workers.max(1);
        let (sender, updates) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            site,
            clock,
            updates: sender,
            queue: Mutex::default(),
            wake: (0..workers).map(|_| Notify::new()).collect(),
            cancelled: AtomicBool::new(false),
            cancel: Notify::new(),
        });
        for worker in 0..workers {
            tokio::spawn(work(worker, shared.clone()));
        }
        let room = workers * QUEUE;
        Self {
            room,
            updates,
            shared,
        }
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        // Workers that wait for an assignment end, and with them their cells.
        self.shared.queue().closed = true;
        self.shared.wake.iter().for_each(Notify::notify_one);
    }
}

#[async_trait]
impl Executor for LocalExecutor {
    fn room(&self) -> usize {
        self.room
    }

    fn start(&mut self, assignment: Assignment) {
        self.room -= 1;
        let mut queue = self.shared.queue();
        queue.assignments.push_back(assignment);
        let worker = queue.idle.pop();
        drop(queue);
        if let Some(worker) = worker {
            self.shared.wake[worker].notify_one();
        }
    }

    fn withdraw(&mut self) -> usize {
        let withdrawn = std::mem::take(&mut self.shared.queue().assignments).len();
        self.room += withdrawn;
        withdrawn
    }

    async fn updates(&mut self) -> Vec<Update> {
        let (all, ended) = gather(&mut self.updates).await;
        self.room += ended;
        all
    }

    fn cancel(&mut self) {
        self.shared.cancelled.store(true, Ordering::Release);
        self.shared.cancel.notify_waiters();
    }

    fn leave(&mut self) {
        self.cancel();
    }
}

/// Executes one assignment after the other until the executor is gone.
async fn work(worker: usize, shared: Arc<Shared>) {
    let mut slot = Slot::default();
    while let Some(assignment) = shared.next(worker).await {
        let (task, attempt) = (assignment.task.clone(), assignment.attempt);
        let record = attempt_or_cancel(&mut slot, &assignment, &shared).await;
        let record = Box::new(record);
        let update = Update::Finished {
            task,
            attempt,
            record,
        };
        if shared.updates.send(update).is_err() {
            return;
        }
    }
}

async fn attempt_or_cancel(
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
    let _ = shared.updates.send(started);
    let voice = Voice {
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
    task: TaskId,
    attempt: u32,
    shared: &'a Shared,
}

impl Voice<'_> {
    fn say(&self, update: Update) {
        // Nobody listens any more only when the executor is gone.
        let _ = self.shared.updates.send(update);
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

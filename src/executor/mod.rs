//! Takes assignments and gives back what becomes of them.
//!
//! An executor decides *where* an attempt runs, never *how*: all of them call
//! [`crate::task::attempt::run_attempt`]. [`local`] has cells on this machine, [`batch`] containers of
//! AWS Batch, and [`router`] sends each step's attempts to its own.
//!
//! Uses `model`, `scheduler` (its assignments) and `task`; what makes attempts elsewhere also uses
//! `datastore`, through which it hears of them, `config` and `aws`.

pub mod batch;
pub mod local;
pub mod router;

use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::model::id::TaskId;
use crate::model::name::StepName;
use crate::model::record::{LogChunk, Record};
use crate::model::time::Timestamp;
use crate::scheduler::Assignment;

/// Something that an executor says about an attempt it was given.
#[derive(Debug)]
pub enum Update {
    /// The attempt began.
    Started {
        /// The task.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// The attempt said how far it is.
    Progress {
        /// The task.
        task: TaskId,
        /// Units done.
        done: u64,
        /// Units in all; 0 when not known.
        total: u64,
        /// What it is doing.
        message: String,
    },
    /// A long attempt printed something.
    Log {
        /// The task.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
        /// When it was received.
        at: Timestamp,
        /// What was printed.
        chunks: Vec<LogChunk>,
    },
    /// The attempt began anew, because the machine was lost on which it was made: what it has printed
    /// so far is void.
    Anew {
        /// The task.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
        /// When that was seen.
        at: Timestamp,
    },
    /// Attempts of a step were handed on some time ago, and none of them has a machine.
    Waiting {
        /// The step.
        step: StepName,
        /// How many.
        attempts: u64,
        /// For how long, in milliseconds.
        for_ms: u64,
        /// Where.
        queue: String,
    },
    /// The attempt ended. Everything that the record refers to is durable.
    Finished {
        /// The task.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
        /// What is kept of it.
        record: Box<Record>,
    },
}

/// Waits for an update, and takes those with it that are there already. Says how many attempts have ended.
async fn gather(updates: &mut UnboundedReceiver<Update>) -> (Vec<Update>, usize) {
    let first = updates.recv().await;
    let mut all = vec![first.expect("the executor holds a sender")];
    while let Ok(update) = updates.try_recv() {
        all.push(update);
    }
    let ended = |update: &&Update| matches!(update, Update::Finished { .. });
    let ended = all.iter().filter(ended).count();
    (all, ended)
}

/// Runs attempts somewhere.
#[async_trait]
pub trait Executor: Send {
    /// How many more assignments it wants now.
    fn room(&self) -> usize;

    /// Takes an assignment. Exactly one [`Update::Finished`] follows for it, whatever
    /// happens, unless it is withdrawn.
    fn start(&mut self, assignment: Assignment);

    /// Takes back what was given and has not begun, and says how much: nothing follows for it.
    fn withdraw(&mut self) -> usize;

    /// The next updates, at least one; all that are there already come together.
    ///
    /// Waits for ever while nothing was started. Safe to drop and call again.
    async fn updates(&mut self) -> Vec<Update>;

    /// Ends everything that is running, at once. Their records say that they were cancelled.
    fn cancel(&mut self);

    /// Leaves everything to another driver: what runs on this machine ends with this process, what
    /// runs elsewhere goes on. Nothing is heard any more.
    fn leave(&mut self);
}

//! What happens in a run.
//!
//! One type for the journal, the `--json` lines, the terminal and whoever else listens.

use serde::{Deserialize, Serialize};

use super::artifact::Artifact;
use super::failure::Failure;
use super::header::RunHeader;
use super::id::{RunId, TaskId};
use super::name::StepName;
use super::record::{LogChunk, Record};
use super::time::Timestamp;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Its last step succeeded.
    Succeeded,
    /// A task failed for good.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

/// Something that happened in a run.
///
/// Attempts are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run began. Shown, not stored: the header is an object of its own.
    RunStarted {
        /// All that is fixed.
        header: Box<RunHeader>,
    },
    /// An attempt began. Shown, not stored.
    Started {
        /// The task.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// An attempt said how far it is. Shown, not stored.
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
    /// A long attempt printed something. Stored, so that others can follow it.
    ///
    /// Without any chunk it says that the attempt is made anew, by a driver that has taken the run
    /// over: what it has printed so far is void, and will be printed again.
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
    /// An attempt ended, well or badly. Stored.
    Finished {
        /// The task.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
        /// What is kept of it.
        record: Box<Record>,
    },
    /// A task was not executed: its result was taken over from another run. Stored.
    Reused {
        /// The task.
        task: TaskId,
        /// The attempt that succeeded there.
        attempt: u32,
        /// What was kept of it.
        record: Box<Record>,
        /// The run that executed it.
        from: RunId,
    },
    /// A failed attempt will be followed by another. Shown, not stored: it follows from the failure.
    Retrying {
        /// The task.
        task: TaskId,
        /// The attempt that will be made.
        attempt: u32,
        /// The pause before it in milliseconds.
        after_ms: u64,
        /// Why.
        failure: Failure,
    },
    /// A task failed for good and its step catches failures: the flow goes on. Stored.
    Caught {
        /// The task.
        task: TaskId,
        /// The attempt that was the last.
        attempt: u32,
        /// The artifact that holds the failure.
        artifact: Artifact,
    },
    /// What a task asked for cannot be followed, and the run ends: a loop turned once too often, a
    /// foreach has too many elements, branches do not agree on what a join passes on. Stored.
    Rejected {
        /// The task.
        task: TaskId,
        /// Its last attempt.
        attempt: u32,
        /// Whether that attempt was made; a join whose branches do not agree is not executed.
        ran: bool,
        /// Why.
        failure: Failure,
    },
    /// Attempts of a step have been with a service for some time, and none of them has a machine. Shown,
    /// not stored.
    Waiting {
        /// The step.
        step: StepName,
        /// How many attempts wait.
        attempts: u64,
        /// For how long, in milliseconds.
        for_ms: u64,
        /// Where they wait.
        queue: String,
    },
    /// Somebody asked the run to stop. Stored.
    CancelRequested {
        /// When.
        at: Timestamp,
    },
    /// The run ended. Stored, and the last.
    RunEnded {
        /// How.
        status: RunStatus,
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// The task that it is about, if it is about one.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Event::Started { task, .. }
            | Event::Progress { task, .. }
            | Event::Log { task, .. }
            | Event::Finished { task, .. }
            | Event::Reused { task, .. }
            | Event::Retrying { task, .. }
            | Event::Caught { task, .. }
            | Event::Rejected { task, .. } => Some(task),
            Event::RunStarted { .. }
            | Event::Waiting { .. }
            | Event::CancelRequested { .. }
            | Event::RunEnded { .. } => None,
        }
    }

    /// The end of an attempt, made in this run or in the one that its result was taken from.
    pub fn ending(&self) -> Option<(&TaskId, u32, &Record)> {
        match self {
            Event::Finished {
                task,
                attempt,
                record,
            }
            | Event::Reused {
                task,
                attempt,
                record,
                ..
            } => Some((task, *attempt, record)),
            _ => None,
        }
    }

    /// The end of an attempt in the journal of `run`, with the run that made the attempt.
    pub fn ending_of<'a, 'b>(
        &'a self,
        run: &'b RunId,
    ) -> Option<(&'a TaskId, u32, &'a Record, &'b RunId)>
    where
        'a: 'b,
    {
        let by = match self {
            Event::Reused { from, .. } => from,
            _ => run,
        };
        let (task, attempt, record) = self.ending()?;
        Some((task, attempt, record, by))
    }

    /// Whether the journal keeps it.
    pub fn is_stored(&self) -> bool {
        match self {
            Event::Log { .. }
            | Event::Finished { .. }
            | Event::Reused { .. }
            | Event::Caught { .. }
            | Event::Rejected { .. }
            | Event::CancelRequested { .. }
            | Event::RunEnded { .. } => true,
            Event::RunStarted { .. }
            | Event::Started { .. }
            | Event::Progress { .. }
            | Event::Waiting { .. }
            | Event::Retrying { .. } => false,
        }
    }
}

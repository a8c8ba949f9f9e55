//! Events that cannot have happened.

use crate::model::event::RunStatus;
use crate::model::id::TaskId;
use crate::model::name::ArtifactName;

/// An event that does not fit what happened before. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEvent {
    /// The flow has no such step.
    #[error("task `{0}` cannot be: the flow has no step `{step}`", step = .0.step)]
    UnknownStep(TaskId),
    /// The task was never to be started, or has ended already.
    #[error("task `{0}` is not running: it has ended already, or was never to be started")]
    NotRunning(TaskId),
    /// The task is running, in another attempt.
    #[error("attempt {attempt} of task `{task}` is not running: attempt {current} is")]
    WrongAttempt {
        /// The task.
        task: TaskId,
        /// The attempt of the event.
        attempt: u32,
        /// The attempt that is running.
        current: u32,
    },
    /// The task has failed for good, and its failure is about to be caught.
    #[error(
        "attempt {attempt} of task `{task}` has failed already, and its failure is being caught"
    )]
    BeingCaught {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
    },
    /// A failure was caught that nobody asked to catch.
    #[error("task `{0}` has no failure to catch")]
    NothingToCatch(TaskId),
    /// A failure was caught under another name than the step's.
    #[error("the failure of task `{task}` is kept in `{expected}`, not in `{actual}`")]
    WrongCatch {
        /// The task.
        task: TaskId,
        /// The artifact that the step declares.
        expected: ArtifactName,
        /// The artifact of the event.
        actual: ArtifactName,
    },
    /// The run ended before anything ended it.
    #[error(
        "the run cannot have ended: its tasks are not done, none failed, and nobody stopped it"
    )]
    NotEnding,
    /// The run ended in another way than it should have.
    #[error("the run ended as {expected:?}, not as {actual:?}")]
    WrongEnd {
        /// How it ended.
        expected: RunStatus,
        /// How the event says it did.
        actual: RunStatus,
    },
    /// Something happened after the last event.
    #[error("the run has ended, and nothing can happen in it any more")]
    Over,
}

//! What the scheduler asks for.

use std::sync::Arc;

use super::env::Env;
use crate::model::artifact::Value;
use crate::model::event::RunStatus;
use crate::model::failure::Failure;
use crate::model::graph::StepIx;
use crate::model::id::TaskId;
use crate::model::name::ArtifactName;

/// What is decided for a whole run and not by its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The most elements of one foreach.
    pub max_items: u32,
    /// How often a task is tried again after failures of the infrastructure, at no charge to the
    /// step's own retries.
    pub infrastructure_retries: u32,
    /// How often a task is made again because its machine was taken away, apart from those.
    pub reclaims: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_items: 1_000_000,
            infrastructure_retries: 3,
            reclaims: 100,
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Make this attempt as soon as its pause is over and a slot is free.
    Run(Assignment),
    /// Keep this failure as a value, and answer with [`Event::Caught`](crate::model::event::Event).
    Catch {
        /// The task that failed for good.
        task: TaskId,
        /// Its last attempt.
        attempt: u32,
        /// The artifact that will hold the failure.
        artifact: ArtifactName,
        /// The failure.
        failure: Failure,
    },
    /// Start nothing more. Once nothing is running any more the run has ended so. Given once.
    End(RunStatus),
}

/// One attempt to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The task.
    pub task: TaskId,
    /// Its step.
    pub step: StepIx,
    /// Which attempt, from 0.
    pub attempt: u32,
    /// The pause before it in milliseconds.
    pub after_ms: u64,
    /// What the task can see.
    pub env: Arc<Env>,
    /// The element, when the step declares to read it.
    pub item: Option<Item>,
    /// What a join brings together, in order.
    pub branches: Option<Arc<[Branch]>>,
}

/// The element of a foreach that a task stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The list.
    pub list: Value,
    /// The position of the element in it, from 0.
    pub index: u32,
}

/// The end of one branch.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// The last task of the branch.
    pub task: TaskId,
    /// What can be seen at the end of the branch.
    pub env: Arc<Env>,
}

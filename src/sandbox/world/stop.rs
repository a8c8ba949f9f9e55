//! How a host function ends a task.

use std::fmt;

use crate::model::failure::{Failure, FailureKind, Limit};

/// Ends the running task with a failure. Travels through wasmtime as an error.
#[derive(Clone, Debug)]
pub struct Stop(pub Box<Failure>);

impl Stop {
    /// Ends the task with a failure of `kind`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self(Box::new(Failure::new(kind, message)))
    }

    /// The step broke the contract.
    pub fn contract(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Contract, message)
    }

    /// The step reached a limit.
    pub fn limit(limit: Limit, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Limit(limit), message)
    }

    /// The agent could not be asked: the end of the cell.
    pub fn agent_gone(error: std::io::Error) -> Self {
        Self::new(
            FailureKind::Infrastructure,
            format!("the cell lost its agent: {error}"),
        )
    }

    /// The same with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Stop {}

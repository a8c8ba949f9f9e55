//! The failure of an earlier step, as a later step reads it.

use serde::{Deserialize, Serialize};

/// A limit of the sandbox that an attempt reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// The bytes of all its memories.
    Memory,
    /// Wall time: the step's timeout.
    Time,
    /// The depth of calls.
    Stack,
    /// The elements of all its tables.
    Tables,
    /// Open readers, writers and other handles.
    Handles,
    /// Bytes of what it printed.
    Log,
    /// Bytes of the artifacts that it wrote.
    Output,
    /// Turns of a loop.
    Turns,
    /// The elements of a foreach.
    Items,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The step returned an error.
    Error,
    /// The step returned a fatal error.
    Fatal,
    /// The step panicked.
    Panic,
    /// The step executed something that WebAssembly refuses, e.g. a division by zero.
    Trap,
    /// A limit was reached.
    Limit(Limit),
    /// The step asked for something that it was not granted.
    Denied,
    /// The step broke the contract with its host.
    Contract,
    /// The machinery failed and not the step.
    Infrastructure,
    /// The run was cancelled.
    Cancelled,
}

/// Why an earlier step did not succeed.
///
/// A step with `catch = "failure"` that fails for good leaves one under that name, and the flow
/// goes on. Steps after it read it as `failure: Option<Failure>`: `None` means that all went well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// One sentence: what happened.
    pub message: String,
    /// Why, from the outermost to the first cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// Where in the source it happened, e.g. `src/lib.rs:41:9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The functions of the step that were running, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<String>,
    /// What can be done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with nothing but its kind and message, for tests of steps that read one.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            kind,
            message,
            causes: Vec::new(),
            source: None,
            backtrace: Vec::new(),
            hint: None,
        }
    }
}

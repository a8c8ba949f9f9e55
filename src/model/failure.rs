//! Why an attempt did not succeed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A limit of the sandbox that an attempt reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The bytes of all memories of the instance together.
    Memory,
    /// Wall time: the step's timeout.
    Time,
    /// The depth of calls.
    Stack,
    /// The elements of all tables together.
    Tables,
    /// Open readers, writers, streams and other handles.
    Handles,
    /// Bytes of standard output, standard error and log lines.
    Log,
    /// Bytes of the artifacts it wrote.
    Output,
    /// Turns of a loop.
    Turns,
    /// The elements of a foreach.
    Items,
}

/// What kind of failure it is, which decides whether it is tried again and at whose expense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The step returned an error.
    Error,
    /// The step returned an error that it called final.
    Fatal,
    /// The step panicked.
    Panic,
    /// The step executed something that WebAssembly refuses, e.g. a division by zero.
    Trap,
    /// A limit was reached.
    Limit(Limit),
    /// The step asked for something that it was not granted.
    Denied,
    /// The step broke the contract: it wrote what it does not declare, chose a case that does not exist, …
    Contract,
    /// The machinery failed and not the step: a cell was lost, a host was reclaimed, a disk was full.
    Infrastructure,
    /// The machine that made the attempt was taken away, as the provider of spot machines may at any time.
    Reclaimed,
    /// What the attempt needs around it is not as it must be, and trying again will not mend it: the worker is
    /// another wrun, the image is not there, a secret is not at hand.
    Misconfigured,
    /// What the step reads is not what was stored: a blob or a part of the journal is damaged or gone.
    Damaged,
    /// The run was cancelled while the attempt was running.
    Cancelled,
}

impl FailureKind {
    /// Whether another attempt is made when the step's retries allow it.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Error | Self::Panic | Self::Trap => true,
            Self::Limit(limit) => !matches!(limit, Limit::Turns | Limit::Items),
            Self::Fatal | Self::Denied | Self::Contract | Self::Cancelled => false,
            Self::Infrastructure | Self::Reclaimed => false,
            Self::Misconfigured | Self::Damaged => false,
        }
    }

    /// Whether the step is not to blame, so that trying again is not charged to its retries.
    pub fn is_infrastructure(self) -> bool {
        matches!(self, Self::Infrastructure | Self::Reclaimed)
    }

    /// Whether it says something about the step, and not about the machine, its settings, the datastore
    /// or the one who cancelled.
    pub fn is_of_the_step(self) -> bool {
        !matches!(
            self,
            Self::Infrastructure
                | Self::Reclaimed
                | Self::Misconfigured
                | Self::Damaged
                | Self::Cancelled
        )
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Fatal => "fatal error",
            Self::Panic => "panic",
            Self::Trap => "trap",
            Self::Limit(Limit::Memory) => "memory limit",
            Self::Limit(Limit::Time) => "timeout",
            Self::Limit(Limit::Stack) => "stack limit",
            Self::Limit(Limit::Tables) => "table limit",
            Self::Limit(Limit::Handles) => "handle limit",
            Self::Limit(Limit::Log) => "log limit",
            Self::Limit(Limit::Output) => "output limit",
            Self::Limit(Limit::Turns) => "loop bound",
            Self::Limit(Limit::Items) => "foreach limit",
            Self::Denied => "denied",
            Self::Contract => "broken contract",
            Self::Infrastructure => "infrastructure",
            Self::Reclaimed => "reclaimed",
            Self::Misconfigured => "misconfigured",
            Self::Damaged => "damaged data",
            Self::Cancelled => "cancelled",
        })
    }
}

/// Why an attempt did not succeed, in the form in which it is recorded and caught.
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
    /// The functions of the guest that were running, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<String>,
    /// What the author or operator can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with nothing but its kind and message.
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

    /// The same failure with advice.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

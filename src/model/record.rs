//! What is kept of one attempt.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::artifact::{Artifact, Value};
use super::digest::Digest;
use super::failure::Failure;
use super::name::CaseName;
use super::time::Timestamp;

/// How an attempt succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The flow goes on along the step's edge.
    Done,
    /// The decision of a switch.
    Case(CaseName),
    /// How many elements the foreach has.
    Items(u32),
}

/// One stream of what an attempt printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Log lines, each led by its level.
    Log,
}

/// A piece of what an attempt printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// Where it was printed.
    pub stream: Stream,
    /// What was printed; not always whole lines, not always UTF-8.
    pub bytes: Bytes,
}

impl LogChunk {
    /// Adds what came after `printed`, or forgets that when the attempt is made anew: see
    /// [`Event::Log`](super::event::Event::Log).
    pub fn follow(printed: &mut Vec<LogChunk>, chunks: &[LogChunk]) {
        match chunks {
            [] => printed.clear(),
            more => printed.extend_from_slice(more),
        }
    }
}

/// What an attempt printed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logs {
    /// Nothing, or nothing that earlier [`super::event::Event::Log`]s do not hold.
    #[default]
    None,
    /// The pieces themselves.
    Inline(Vec<LogChunk>),
    /// A blob with the CBOR of the pieces.
    Blob(Value),
}

impl Logs {
    /// Whether nothing was printed.
    pub fn is_none(&self) -> bool {
        matches!(self, Logs::None)
    }
}

/// What an attempt cost. Never compared, never part of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// When the attempt started.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub wall_us: u64,
    /// Processor time that the guest used, in microseconds.
    pub cpu_us: u64,
    /// The most memory that the instance had, in bytes.
    pub peak_memory: u64,
    /// The job of a service that executed it, as that service calls it; none where the driver is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

/// What an attempt asked about itself and its surroundings, and so what its result may depend on
/// besides its inputs.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Observed(u8);

impl Observed {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// The time.
    pub const TIME: Self = Self(1);
    /// Random numbers.
    pub const CHANCE: Self = Self(2);
    /// Which task of which run it is.
    pub const IDENTITY: Self = Self(4);
    /// With which tasks its branches ended.
    pub const BRANCHES: Self = Self(8);

    /// Whether it asked for nothing.
    pub fn is_nothing(&self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` was asked for.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// This, and `other` where `asked`.
    #[must_use]
    pub fn with(self, other: Self, asked: bool) -> Self {
        if asked { Self(self.0 | other.0) } else { self }
    }

    /// What was asked for, in words.
    pub fn words(self) -> Vec<&'static str> {
        let all = [
            (Self::TIME, "the time"),
            (Self::CHANCE, "random numbers"),
            (Self::IDENTITY, "its own name"),
            (Self::BRANCHES, "the names of its branches"),
        ];
        let asked = all.into_iter().filter(|(what, _)| self.contains(*what));
        asked.map(|(_, word)| word).collect()
    }
}

/// What is kept of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How it ended.
    pub result: Result<Outcome, Failure>,
    /// What it wrote; empty when it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// What it printed.
    #[serde(default, skip_serializing_if = "Logs::is_none")]
    pub logs: Logs,
    /// The engine that executed it.
    pub engine: Digest,
    /// A digest of all that it could read: artifacts, parameters, element and branches. All zeros
    /// when it was not made ready.
    pub inputs: Digest,
    /// What it asked about itself and its surroundings.
    #[serde(default, skip_serializing_if = "Observed::is_nothing")]
    pub observed: Observed,
    /// Recorded answers of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Digest>,
    /// What it cost.
    pub usage: Usage,
}

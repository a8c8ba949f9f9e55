//! What is said about one task: the request to a cell, and the cell's reply.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::artifact::MediaType;
use crate::model::failure::Failure;
use crate::model::graph::{FlowGraph, StepNode};
use crate::model::header::Limits;
use crate::model::name::{ArtifactName, FlowName, StepName};
use crate::model::origin::Origin;
use crate::model::record::{LogChunk, Observed, Outcome};
use crate::model::time::Timestamp;

/// The longest path that a step may name, in bytes.
pub const MAX_PATH: usize = 4096;

/// What turns a module into something that executes.
///
/// Runs use [`Backend::Native`]; the others are there to prove that a result does not depend on it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Backend {
    /// Optimised code of this processor family.
    #[default]
    Native,
    /// Code of this processor family without optimisation, for processors of a generation before.
    Plain,
    /// Wasmtime's interpreter, Pulley: a processor of its own, the same on every machine.
    Pulley,
}

/// How code is compiled. Part of the engine id.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Profile {
    /// Every float operation gives the same bits on every processor family, also for NaN.
    pub portable_floats: bool,
    /// By what it is executed.
    pub backend: Backend,
}

impl Profile {
    /// The profile of steps that ask for nothing.
    pub fn with(backend: Backend) -> Self {
        Self {
            backend,
            ..Self::default()
        }
    }

    /// The profile of a step.
    pub fn of(step: &StepNode, backend: Backend) -> Self {
        Self {
            portable_floats: step.portable_floats,
            backend,
        }
    }

    /// Every profile that a step of `graph` asks for, once.
    pub fn all_of(graph: &FlowGraph, backend: Backend) -> Vec<Self> {
        let of = |step| Self::of(step, backend);
        let mut all: Vec<Self> = graph.steps().iter().map(of).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// Who the task is, as it may learn it itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The flow.
    pub flow: FlowName,
    /// The number of the run.
    pub run: u64,
    /// The place of the task in its step, e.g. `3.1`.
    pub place: String,
    /// The positions in the foreaches around it, outermost first.
    pub indices: Vec<u32>,
    /// The turns of the loops around it, outermost first, from 1.
    pub turns: Vec<u32>,
    /// The attempt, from 0.
    pub attempt: u32,
}

/// An artifact that the step declares to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readable {
    /// Its name.
    pub name: ArtifactName,
    /// Its value; none when it was never written.
    pub value: Option<Given>,
}

/// A value that is given to a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// What the bytes are.
    pub media: MediaType,
    /// How many they are.
    pub size: u64,
    /// The bytes, when they are few; otherwise the task asks for them in pieces.
    pub bytes: Option<Bytes>,
}

/// What a join brings together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branches {
    /// How many there are.
    pub count: u32,
    /// The artifacts that the step declares to read of each.
    pub names: Vec<ArtifactName>,
}

/// What the operator lets a step touch, as the step sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The size of its scratch directory in MiB; 0 when it has none.
    pub scratch_mib: u32,
    /// The names of the directories that it may read, sorted.
    pub directories: Vec<String>,
    /// Its environment, sorted by name.
    pub environment: Vec<(String, String)>,
    /// The names of its secrets. Their values are given to it when it asks for its environment.
    pub secrets: Vec<String>,
    /// Whom it may ask over HTTP, sorted.
    pub origins: Vec<Origin>,
}

/// Something that a step wants to know about a directory that it may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The position in [`Granted::directories`].
    pub directory: u32,
    /// Where in it: names joined by `/`, none of them `.` or `..`; empty for the directory itself.
    pub path: String,
    /// What it wants to know.
    pub look: Look,
}

/// What can be asked about a place in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// What is there, and how large.
    Stat,
    /// The names in a directory.
    List,
    /// The bytes of a file.
    Open,
}

/// What is at a place in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file.
    File,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// To [`Look::Stat`]: what is there, and the bytes of a file.
    Stat(Kind, u64),
    /// To [`Look::List`]: the names, sorted by their bytes.
    List(Vec<(String, Kind)>),
    /// To [`Look::Open`]: its number as [`Source::File`], and how many bytes it has.
    Open(u32, u64),
    /// Why it cannot be answered.
    Not(Not),
}

/// Why there is no answer to a [`Question`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Not {
    /// There is nothing.
    There,
    /// It, or something before it, is no directory.
    Directory,
    /// It is a directory, and a file was wanted.
    File,
    /// The machine does not let wrun read it.
    Allowed,
}

/// All that a cell needs to execute one attempt.
///
/// Only what decides about the result: nothing of the host, of time or of who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The engine to use.
    pub profile: Profile,
    /// The step to execute.
    pub step: StepName,
    /// Who the task is.
    pub context: Context,
    /// The artifacts that the step declares to read, in the order of its declaration.
    pub reads: Vec<Readable>,
    /// The foreach element, when the step declares to read it.
    pub item: Option<Bytes>,
    /// The branches, when the step is a join.
    pub branches: Option<Branches>,
    /// The artifacts that the step may write.
    pub writes: Vec<ArtifactName>,
    /// What the step may touch besides.
    pub granted: Granted,
    /// The limits of the sandbox. `memory_mib` and `timeout_ms` are already the step's own.
    pub limits: Limits,
    /// Where the virtual clocks start.
    pub clock: Timestamp,
    /// Where all chance comes from: one key per task, the same for every attempt.
    pub entropy: [u8; 32],
}

/// The bytes of an artifact that a task wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// The bytes themselves.
    Bytes(Bytes),
    /// What the task wrote to the writer of this number.
    Written(u32),
    /// The value of something that the task read.
    Passed(Source),
}

/// Something that a task reads in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// The artifact at this position of [`Request::reads`].
    Read(u32),
    /// An artifact of a branch.
    Branch {
        /// Which branch, from 0.
        branch: u32,
        /// The position in [`Branches::names`].
        name: u32,
    },
    /// A file of a granted directory or the body of an answer over HTTP, counted from 0 in the order
    /// in which they were taken in.
    File(u32),
}

/// An artifact that a task wrote. Not yet checked by the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// Its name: one of [`Request::writes`].
    pub name: ArtifactName,
    /// What the task says the bytes are.
    pub media: MediaType,
    /// The bytes.
    pub body: Body,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// How it ended.
    #[serde(with = "super::plain::result")]
    pub result: Result<Outcome, Failure>,
    /// What it wrote; empty when it failed. No name twice.
    pub puts: Vec<Put>,
    /// What it printed and was not sent before.
    pub logs: Vec<LogChunk>,
    /// What it asked about itself and its surroundings.
    pub observed: Observed,
    /// Processor time of the guest, in microseconds.
    pub cpu_us: u64,
    /// The most memory that the instance had, in bytes.
    pub peak_memory: u64,
}

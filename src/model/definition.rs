//! What a module says about itself, as plain data.
//!
//! Mirrors the records of `guest-sdk/wit/flow.wit`. Nothing in here has been checked: names are
//! whatever the module answered. [`super::validate`] checks them.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A whole flow, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The flow's name.
    pub name: String,
    /// What it does, from its doc comment.
    pub docs: String,
    /// Which SDK built the module, e.g. `wrun-sdk 0.1.0`.
    pub sdk: String,
    /// The values that whoever starts a run may choose.
    pub parameters: Vec<Parameter>,
    /// The steps in the order in which they are written; the first is where a run starts.
    pub steps: Vec<Step>,
}

/// The kinds of value that a parameter can be given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// `true` or `false`.
    Boolean,
    /// A whole number with a sign.
    Signed,
    /// A whole number without a sign.
    Unsigned,
    /// A floating-point number.
    Float,
    /// Text.
    Text,
    /// Any JSON value.
    Json,
    /// A file, given by its path, which the step reads in pieces; of a parameter that takes many, the files
    /// of directories as one archive.
    Blob,
    /// A text file, given by its path, whose contents are the value.
    TextFile,
}

/// A value that whoever starts a run may choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The name of the parameter and of the artifact that it becomes.
    pub name: String,
    /// What it is for, from its doc comment.
    pub docs: String,
    /// What it is given as.
    pub kind: ParamKind,
    /// The width of a number; 0 for all other kinds.
    pub bits: u8,
    /// Whether it takes any number of values; the artifact is then a list.
    pub many: bool,
    /// The type of the artifact, without module paths, e.g. `Vec<u32>`.
    pub ty: String,
    /// The value without which the parameter must be given, in CBOR.
    pub default: Option<ByteBuf>,
    /// The only texts that may be given; empty when all may.
    pub choices: Vec<String>,
}

/// An artifact that a step reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The artifact.
    pub name: String,
    /// The name of its type without module paths.
    pub ty: String,
    /// Whether the step goes on without it.
    pub optional: bool,
}

/// An artifact that a step writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The artifact.
    pub name: String,
    /// The name of its type without module paths.
    pub ty: String,
}

/// One way on from a step that decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// What the artifact holds for this way to be taken.
    pub name: String,
    /// The step that follows.
    pub next: String,
}

/// What follows a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// Nothing: this is the last step.
    #[default]
    End,
    /// One step.
    Next(String),
    /// All of these, side by side.
    Split(Vec<String>),
    /// One task of `next` for each element of the list `artifact`.
    Foreach {
        /// The list, written by this step.
        artifact: String,
        /// The step that is executed for each element.
        next: String,
    },
    /// One of the cases.
    Switch {
        /// The artifact, written by this step, that names the case.
        artifact: String,
        /// The ways on.
        cases: Vec<Case>,
        /// How often a loop closed by this step may turn.
        max_turns: Option<u32>,
    },
}

/// How often and after what pause a failed task is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How many times after the first attempt.
    pub times: u32,
    /// The pause before the first retry in milliseconds; it doubles with each.
    pub backoff_ms: u64,
}

/// What a step needs of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Thousandths of a processor.
    pub cpu_millis: Option<u32>,
    /// The limit of its memory in MiB.
    pub memory_mib: Option<u32>,
    /// Graphics processors.
    pub gpus: Option<u32>,
    /// Disk space in MiB.
    pub disk_mib: Option<u32>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The step's name.
    pub name: String,
    /// What it does, from its doc comment.
    pub docs: String,
    /// Where it is written, e.g. `src/lib.rs:12`; empty when not known.
    pub source: String,
    /// The artifacts it reads.
    pub reads: Vec<Read>,
    /// The type of the foreach element that it reads, if it does.
    pub item: Option<String>,
    /// Whether it brings branches together.
    pub join: bool,
    /// What a join reads of each branch.
    pub inputs: Vec<Read>,
    /// Artifacts of the branches that pass through a join because all agree on them.
    pub merge: Vec<String>,
    /// The artifacts it writes.
    pub writes: Vec<Write>,
    /// What follows.
    pub edge: Edge,
    /// Retries; none when the step asks for none.
    pub retry: Option<Retry>,
    /// The longest time that one attempt may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// The artifact that holds the failure, after which the flow goes on.
    pub catch: Option<String>,
    /// What it needs of the machine.
    pub resources: Resources,
    /// Whether float results must agree in every bit across processor families.
    pub portable_floats: bool,
}

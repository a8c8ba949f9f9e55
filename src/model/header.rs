//! What is fixed when a run starts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::artifact::Artifact;
use super::definition::{Resources, Retry, Step};
use super::digest::Digest;
use super::grant::{Class, Grants};
use super::id::{RunId, RunNumber};
use super::name::{StepName, Tag};
use super::time::Timestamp;

/// The limits of a sandbox. Every one is on by default, and recorded with the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// The bytes of all memories of an instance together, in MiB. A step's own `resources(memory)` comes before it.
    pub memory_mib: u32,
    /// The longest time that one attempt may take, in milliseconds. A step's own `timeout` comes before it.
    pub timeout_ms: u64,
    /// The depth of calls, in KiB of stack.
    pub stack_kib: u32,
    /// The elements of all tables together.
    pub table_elements: u32,
    /// Open readers, writers, streams and other handles.
    pub handles: u32,
    /// Bytes of standard output, standard error and log lines, in KiB.
    pub log_kib: u32,
    /// Bytes of the artifacts that one attempt writes, in MiB.
    pub output_mib: u64,
    /// The elements of one foreach.
    pub items: u32,
    /// Bytes of the body of one answer over HTTP, in MiB.
    pub answer_mib: u64,
    /// The longest time from a request over HTTP to the end of its answer, in milliseconds.
    pub answer_ms: u64,
    /// How often one task is made again because its machine was taken away.
    pub reclaims: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mib: 512,
            timeout_ms: 24 * 60 * 60 * 1000,
            stack_kib: 1024,
            table_elements: 1_000_000,
            handles: 10_000,
            log_kib: 16 * 1024,
            output_mib: 64 * 1024,
            items: 1_000_000,
            answer_mib: 1024,
            answer_ms: 5 * 60 * 1000,
            reclaims: 100,
        }
    }
}

/// What the operator says about one step, before what the step itself asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSettings {
    /// What it gets of the machine, where said.
    pub resources: Resources,
    /// The longest time of an attempt in milliseconds, where said.
    pub timeout_ms: Option<u64>,
    /// How often a failed task is tried again, where said.
    pub retry: Option<Retry>,
    /// Where its attempts are made; on the driver's machine when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<ExecutorKind>,
}

/// Where attempts are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutorKind {
    /// On the driver's machine.
    Local,
    /// In containers of AWS Batch.
    Batch,
}

impl fmt::Display for ExecutorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local",
            Self::Batch => "batch",
        })
    }
}

impl FromStr for ExecutorKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "local" => Ok(Self::Local),
            "batch" => Ok(Self::Batch),
            _ => Err(format!("`{text}` is no executor; `local` and `batch` are")),
        }
    }
}

impl StepSettings {
    /// Puts what is said here before what `step` asks for.
    pub fn apply(&self, step: &mut Step) {
        let (to, from) = (&mut step.resources, &self.resources);
        to.cpu_millis = from.cpu_millis.or(to.cpu_millis);
        to.memory_mib = from.memory_mib.or(to.memory_mib);
        to.gpus = from.gpus.or(to.gpus);
        to.disk_mib = from.disk_mib.or(to.disk_mib);
        step.timeout_ms = self.timeout_ms.or(step.timeout_ms);
        step.retry = self.retry.or(step.retry);
    }
}

/// What a run that continues another does not take over from it, beside what did not succeed.
///
/// Kept so that whoever attaches to the run goes on as its first driver would have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anew {
    /// This step and those behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StepName>,
    /// What other code than that of the run made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_code: bool,
}

impl Anew {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What is fixed when a run starts. Written once, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Which run it is.
    pub run: RunId,
    /// When it started.
    pub created_at: Timestamp,
    /// Where the virtual clock of its tasks starts: when it started, or where that of the run that
    /// it continues does.
    pub clock: Timestamp,
    /// The number that its tasks see as that of their run: its own, or that of the first run that
    /// it continues. So a task gives the same when it is executed in a later run.
    pub known_as: RunNumber,
    /// The parameters as artifacts, sorted by name.
    pub parameters: Vec<Artifact>,
    /// The manifest of the code snapshot.
    pub snapshot: Digest,
    /// The module.
    pub module: Digest,
    /// The seed from which the chance of every task follows.
    pub seed: u64,
    /// The limits of every sandbox.
    pub limits: Limits,
    /// What the operator said about single steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<StepName, StepSettings>,
    /// What its steps may touch.
    #[serde(default, skip_serializing_if = "Grants::is_empty")]
    pub grants: Grants,
    /// The interfaces that the module imports, without their versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// The engine that the driver had.
    pub engine: Digest,
    /// The run that this one continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RunId>,
    /// What it was not to take over from there.
    #[serde(default, skip_serializing_if = "Anew::is_nothing")]
    pub anew: Anew,
    /// Whether it takes results of earlier runs where nothing that they depend on has changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cache: bool,
    /// Who started it: the name of the user at the machine.
    pub user: String,
    /// Tags given when it started. Later ones are kept beside the header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// The version of wrun that started it.
    pub wrun: String,
}

impl RunHeader {
    /// Where the attempts of `step` are made.
    pub fn executor(&self, step: &StepName) -> ExecutorKind {
        let said = self.steps.get(step).and_then(|it| it.executor);
        said.unwrap_or(ExecutorKind::Local)
    }

    /// The class of the step that can see the most; none when it is not recorded what the module imports.
    pub fn class(&self) -> Option<Class> {
        if self.imports.is_empty() {
            return None;
        }
        let granted = self.grants.steps.values().flatten();
        let grants = self.grants.all.iter().chain(granted);
        Some(Class::of(&self.imports, grants))
    }
}

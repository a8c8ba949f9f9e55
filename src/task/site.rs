//! What all attempts of one run share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::grants::Secrets;
use super::list::Lists;
use super::values::Values;
use crate::datastore::Datastore;
use crate::model::graph::{FlowGraph, StepNode};
use crate::model::header::{Limits, RunHeader};
use crate::model::id::TaskId;
use crate::sandbox::CompiledModule;
use crate::sandbox::call::{Backend, Profile};
use crate::sandbox::{Cell, CellError, Launcher};

/// What all attempts of one run share: its header, its graph, its values and its compiled code.
#[derive(Clone)]
pub struct Site {
    /// Where blobs go.
    pub datastore: Datastore,
    /// What was fixed when the run started.
    pub header: Arc<RunHeader>,
    /// The flow.
    pub graph: Arc<FlowGraph>,
    /// The small values of the run.
    pub values: Arc<Values>,
    /// The lists of the foreaches that are running.
    pub lists: Arc<Lists>,
    /// By what modules are executed.
    pub backend: Backend,
    /// The compiled module, once for each profile that a step asks for.
    pub modules: Vec<CompiledModule>,
    /// The values of the secrets that its steps were granted.
    pub secrets: Secrets,
    /// How cells are started.
    pub launcher: Launcher,
}

impl Site {
    /// The key from which all chance of a task follows: the same for every attempt and replay.
    ///
    /// BLAKE3 in its key-derivation mode over the run's seed and the task's name.
    pub fn entropy(&self, task: &TaskId) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("wrun 2026-11 entropy of a task");
        hasher.update(&self.header.seed.to_le_bytes());
        hasher.update(task.to_string().as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// How the code of a step is compiled here.
    pub fn profile(&self, step: &StepNode) -> Profile {
        Profile::of(step, self.backend)
    }

    /// The compiled module for `profile`.
    pub fn module(&self, profile: Profile) -> &CompiledModule {
        let module = self
            .modules
            .iter()
            .find(|module| module.profile() == profile);
        module.expect("the module was compiled for every profile that a step asks for")
    }

    /// The limits of a step: its own where it has some, else the run's.
    pub fn limits(&self, task: &TaskId) -> Limits {
        let mut limits = self.header.limits.clone();
        if let Some(ix) = self.graph.find(task.step.as_str()) {
            let node = self.graph.step(ix);
            limits.memory_mib = node.resources.memory_mib.unwrap_or(limits.memory_mib);
            limits.timeout_ms = node.timeout_ms.unwrap_or(limits.timeout_ms);
        }
        limits
    }
}

/// A worker's cells: started when first needed, replaced when they died.
///
/// There is one for each profile, so that steps of two profiles do not load their code anew each
/// time they take turns.
#[derive(Default)]
pub struct Slot {
    cells: BTreeMap<Profile, Cell>,
}

impl Slot {
    /// A cell that is alive and has the module of `profile` loaded.
    ///
    /// # Errors
    /// Says why no child process could be started or why it refused the module.
    pub async fn cell(&mut self, site: &Site, profile: Profile) -> Result<&mut Cell, CellError> {
        if !self.cells.get(&profile).is_some_and(Cell::is_alive) {
            let mut cell = Cell::spawn(&site.launcher).await?;
            cell.load(site.module(profile)).await?;
            self.cells.insert(profile, cell);
        }
        Ok(self.cells.get_mut(&profile).expect("it was just put there"))
    }

    /// Ends the cells and whatever runs in them.
    pub fn kill(&mut self) {
        for (_, mut cell) in std::mem::take(&mut self.cells) {
            cell.kill();
        }
    }
}

//! Opens a run that was: its code from its snapshot, its journal piece by piece.
//!
//! Needs the datastore and nothing else: no sources, no toolchain, no network.

use std::sync::Arc;

use crate::datastore::journal::JournalError;
use crate::datastore::run::{Run, RunError};
use crate::datastore::{BlobError, Datastore};
use crate::model::definition::Definition;
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::graph::FlowGraph;
use crate::model::header::RunHeader;
use crate::model::id::RunId;
use crate::model::validate::Problems;
use crate::sandbox::call::{Backend, Profile};
use crate::sandbox::{CompiledModule, ModuleError, Modules};
use crate::scheduler::{IllegalEvent, Scheduler};
use crate::snapshot::manifest::{Manifest, ManifestError};

use super::fold::{Answer, Fold};
use super::start;

/// Why a run that was cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// Its header cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What was in its journal cannot have happened.
    #[error("the journal of `{run}` contradicts itself")]
    Illegal {
        /// The run.
        run: RunId,
        /// What contradicts what came before.
        source: IllegalEvent,
    },
    /// The manifest of its code cannot be read.
    #[error("the code of `{run}` cannot be read")]
    Snapshot {
        /// The run.
        run: RunId,
        /// Why.
        source: ManifestError,
    },
    /// A file of its code, or its module, cannot be read.
    #[error("`{what}` in the code of `{run}` cannot be read")]
    Code {
        /// The run.
        run: RunId,
        /// The file, or `module`.
        what: String,
        /// Why.
        source: BlobError,
    },
    /// What belongs to the run says different things about its code.
    #[error("the code of `{run}` is not what its header says: {what}")]
    Mixed {
        /// The run.
        run: RunId,
        /// What contradicts what.
        what: String,
    },
    /// Its module cannot be compiled or described.
    #[error("the module of `{run}` cannot be used")]
    Module {
        /// The run.
        run: RunId,
        /// Why.
        source: ModuleError,
    },
    /// Its module describes no flow that this wrun accepts.
    #[error("the module of `{run}` describes a flow that this wrun does not accept")]
    Flow {
        /// The run.
        run: RunId,
        /// What is wrong with it.
        source: Problems,
    },
}

/// What is executed: a module, what it says it is, and where its sources are kept.
#[derive(Clone, Debug)]
pub struct Program {
    /// The module.
    pub module: Digest,
    /// The manifest of the code snapshot.
    pub snapshot: Digest,
    /// The flow, with what the operator says about its steps.
    pub graph: Arc<FlowGraph>,
    /// By what it is executed.
    pub backend: Backend,
    /// The compiled module, once for each profile that a step asks for.
    pub compiled: Vec<CompiledModule>,
}

impl Program {
    /// The program that `run` executed.
    ///
    /// # Errors
    /// [`PastError`] says what of it is gone or damaged.
    pub async fn of(
        datastore: &Datastore,
        modules: &Modules,
        header: &RunHeader,
    ) -> Result<Self, PastError> {
        let (run, backend) = (&header.run, modules.backend());
        let refused = |source| PastError::Module {
            run: run.clone(),
            source,
        };
        let bytes = async || {
            let bytes = datastore.blobs().get(&header.module).await;
            bytes.map_err(std::io::Error::other)
        };
        let plain = modules
            .prepare(&header.module, Profile::with(backend), bytes)
            .await;
        let plain = plain.map_err(refused)?;
        let definition = modules.describe(&plain).await.map_err(refused)?;
        let graph = Arc::new(graph(header, definition)?);
        let mut compiled = Vec::new();
        for profile in Profile::all_of(&graph, backend) {
            let module = modules.prepare(&header.module, profile, bytes).await;
            compiled.push(module.map_err(refused)?);
        }
        Ok(Self {
            module: header.module,
            snapshot: header.snapshot,
            graph,
            backend,
            compiled,
        })
    }
}

/// The flow as it was run: what the module says, and what the operator said about its steps.
fn graph(header: &RunHeader, mut definition: Definition) -> Result<FlowGraph, PastError> {
    for step in &mut definition.steps {
        let settings = header
            .steps
            .iter()
            .find(|(name, _)| step.name == name.as_str());
        if let Some((_, settings)) = settings {
            settings.apply(step);
        }
    }
    FlowGraph::new(&definition).map_err(|source| PastError::Flow {
        run: header.run.clone(),
        source,
    })
}

/// The flow as the manifest of a run's code tells it, without asking the module.
///
/// # Errors
/// [`PastError`] when the manifest is gone or damaged.
pub async fn told(datastore: &Datastore, header: &RunHeader) -> Result<FlowGraph, PastError> {
    graph(header, manifest(datastore, header).await?.definition)
}

async fn manifest(datastore: &Datastore, header: &RunHeader) -> Result<Manifest, PastError> {
    let manifest = Manifest::load(datastore, &header.snapshot).await;
    manifest.map_err(|source| PastError::Snapshot {
        run: header.run.clone(),
        source,
    })
}

/// The blobs of the code of a run.
///
/// # Errors
/// [`PastError`] when the manifest is gone or damaged.
pub async fn code(
    datastore: &Datastore,
    header: &RunHeader,
) -> Result<std::collections::BTreeSet<Digest>, PastError> {
    let manifest = manifest(datastore, header).await?;
    let files = manifest.files.iter().map(|file| file.digest);
    Ok(files.chain([manifest.module.digest]).collect())
}

/// Reads all that is kept of the code of a run, and so proves that it is as it was.
///
/// # Errors
/// [`PastError`] names what is gone or damaged.
pub async fn verify_code(datastore: &Datastore, header: &RunHeader) -> Result<(), PastError> {
    let run = &header.run;
    let manifest = manifest(datastore, header).await?;
    if manifest.module.digest != header.module {
        let (kept, named) = (manifest.module.digest.short(), header.module.short());
        let what = format!("the snapshot has module `{kept}`, the header names `{named}`");
        return Err(PastError::Mixed {
            run: run.clone(),
            what,
        });
    }
    let files = manifest
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.digest));
    for (what, digest) in files.chain([("module", header.module)]) {
        let read = datastore.verify(&digest).await;
        read.map_err(|source| PastError::Code {
            run: run.clone(),
            what: what.to_owned(),
            source,
        })?;
    }
    Ok(())
}

/// Folds the whole journal of `run`; `each` sees every event with what it answers and its segment.
/// Gives the state at the end, and how many segments there are.
///
/// # Errors
/// [`PastError`] when the journal cannot be read or contradicts itself.
pub async fn fold(
    run: &Run,
    scheduler: Scheduler,
    mut each: impl AsyncFnMut(&Event, Answer, u64),
) -> Result<(Fold, u64), PastError> {
    let mut fold = Fold::new(scheduler);
    let segments = run.segments().await?;
    let mut reading = run.read_ahead((0..segments).collect());
    while let Some((segment, events)) = reading.next().await {
        for event in events? {
            let answer = fold.apply(&event).map_err(|source| PastError::Illegal {
                run: run.id().clone(),
                source,
            })?;
            each(&event, answer, segment).await;
        }
    }
    Ok((fold, segments))
}

/// The scheduler of a run before anything has happened in it.
pub fn scheduler(header: &RunHeader, graph: &Arc<FlowGraph>) -> Scheduler {
    Scheduler::new(
        graph.clone(),
        &header.parameters,
        start::policy(&header.limits),
    )
}

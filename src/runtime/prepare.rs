//! Turns a flow's directory, or a module, into something that can be run.
//!
//! Nothing is started when nothing changed: the stamp of the last build says what the module is,
//! and the cache has its compiled code.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::datastore::Datastore;
use crate::model::definition::Definition;
use crate::model::digest::Digest;
use crate::model::graph::FlowGraph;
use crate::model::header::StepSettings;
use crate::model::name::StepName;
use crate::model::validate::Problems;
use crate::sandbox::call::Profile;
use crate::sandbox::{CompiledModule, ModuleError, Modules};
use crate::snapshot::{self, BuildError, Built, FlowPackage, Options, SnapshotError, Source, Warm};

/// Where a flow's code is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// A cargo package: its directory, its manifest, or a directory in it.
    Package(PathBuf),
    /// A module that was built elsewhere.
    Module(PathBuf),
}

/// Why a flow cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// It could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The module's file could not be read.
    #[error("could not read the module `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its code cannot be frozen.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The module cannot be compiled or does not say what it is.
    #[error("the module `{}` cannot be used", file.display())]
    Module {
        /// Its file.
        file: PathBuf,
        /// Why.
        source: ModuleError,
    },
    /// The operator has settings for a step that the flow does not have.
    #[error("the settings name step `{0}`, which the flow does not have")]
    NoStep(StepName),
    /// The flow has errors.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

/// A flow that is built, described and found to be sound.
#[derive(Debug)]
pub struct Prepared {
    /// The digest of the module.
    pub module: Digest,
    /// The module's file.
    pub file: PathBuf,
    /// What the module says about itself.
    pub definition: Definition,
    /// The checked graph.
    pub graph: Arc<FlowGraph>,
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    /// Nothing changed since the snapshot was stored.
    Warm(Box<Warm>),
    Built(Box<FlowPackage>, Box<Built>),
    Module,
}

/// A module, and what it says of itself before anybody has checked it.
#[derive(Debug)]
pub struct Described {
    /// The digest of the module.
    pub module: Digest,
    /// The module's file.
    pub file: PathBuf,
    /// What the module says about itself.
    pub definition: Definition,
    origin: Origin,
}

/// Builds the flow when something changed, and asks the module what it is.
///
/// # Errors
/// [`PrepareError`], all but `Invalid`.
pub async fn describe(
    modules: &Modules,
    code: &Code,
    options: Options,
) -> Result<Described, PrepareError> {
    match code {
        Code::Module(file) => ask(modules, file.clone(), Origin::Module).await,
        Code::Package(path) => {
            if let Some(warm) = snapshot::warm(path) {
                let (module, file) = (warm.module_digest, warm.module.clone());
                let definition = warm.definition.clone();
                return Ok(Described {
                    module,
                    file,
                    definition,
                    origin: Origin::Warm(Box::new(warm)),
                });
            }
            let package = snapshot::locate(path)?;
            let built = snapshot::build(&package, options)?;
            let file = built.module.clone();
            let origin = Origin::Built(Box::new(package), Box::new(built));
            ask(modules, file, origin).await
        }
    }
}

async fn ask(modules: &Modules, file: PathBuf, origin: Origin) -> Result<Described, PrepareError> {
    let bytes = read(&file)?;
    let module = Digest::of(&bytes);
    let refused = |source| PrepareError::Module {
        file: file.clone(),
        source,
    };
    let compiled = modules
        .prepare(&module, Profile::with(modules.backend()), async || {
            Ok(bytes.clone())
        })
        .await;
    let definition = modules.describe(&compiled.map_err(refused)?).await;
    let definition = definition.map_err(refused)?;
    Ok(Described {
        module,
        file,
        definition,
        origin,
    })
}

fn read(file: &PathBuf) -> Result<Bytes, PrepareError> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(bytes.into()),
        Err(source) => Err(PrepareError::Read {
            path: file.clone(),
            source,
        }),
    }
}

/// Builds, describes and checks a flow. `overrides` is what the operator says about its steps.
///
/// # Errors
/// [`PrepareError`] says what stands in the way.
pub async fn prepare(
    modules: &Modules,
    code: &Code,
    options: Options,
    overrides: &BTreeMap<StepName, StepSettings>,
) -> Result<Prepared, PrepareError> {
    let Described {
        module,
        file,
        definition,
        origin,
    } = describe(modules, code, options).await?;
    let mut effective = definition.clone();
    for (name, settings) in overrides {
        let step = effective
            .steps
            .iter_mut()
            .find(|step| step.name == name.as_str());
        let step = step.ok_or_else(|| PrepareError::NoStep(name.clone()))?;
        settings.apply(step);
    }
    let graph = Arc::new(FlowGraph::new(&effective)?);
    Ok(Prepared {
        module,
        file,
        definition,
        graph,
        origin,
    })
}

impl Prepared {
    /// The module's compiled code, once for each profile that a step asks for.
    ///
    /// # Errors
    /// [`PrepareError`] when it cannot be compiled.
    pub async fn compiled(&self, modules: &Modules) -> Result<Vec<CompiledModule>, PrepareError> {
        let mut compiled = Vec::new();
        for profile in Profile::all_of(&self.graph, modules.backend()) {
            let bytes = async || std::fs::read(&self.file).map(Bytes::from);
            let prepared = modules.prepare(&self.module, profile, bytes).await;
            compiled.push(prepared.map_err(|source| PrepareError::Module {
                file: self.file.clone(),
                source,
            })?);
        }
        Ok(compiled)
    }

    /// Stores the code in the datastore, unless it is known to be there, and gives the manifest's digest.
    ///
    /// `name` is how the datastore is remembered beside the build.
    ///
    /// # Errors
    /// [`PrepareError`] when a file cannot be kept.
    pub async fn snapshot(
        &self,
        datastore: &Datastore,
        name: &str,
    ) -> Result<Digest, PrepareError> {
        match &self.origin {
            Origin::Warm(warm) => {
                let here = warm.datastore == name;
                if here && datastore.get_snapshot(&warm.snapshot).await.is_ok() {
                    return Ok(warm.snapshot);
                }
                // The module is known, but its sources are not in this datastore: cargo says once
                // more what belongs to it.
                let package = snapshot::locate(&warm.dir)?;
                let built = snapshot::build(&package, Options { quiet: true })?;
                self.collect(datastore, name, &package, &built).await
            }
            Origin::Built(package, built) => self.collect(datastore, name, package, built).await,
            Origin::Module => {
                let source = Source::Module(&self.file);
                Ok(
                    snapshot::collect::collect(datastore, source, &self.definition)
                        .await?
                        .digest,
                )
            }
        }
    }

    async fn collect(
        &self,
        datastore: &Datastore,
        name: &str,
        package: &FlowPackage,
        built: &Built,
    ) -> Result<Digest, PrepareError> {
        let source = Source::Package { package, built };
        let snapshot = snapshot::collect::collect(datastore, source, &self.definition).await?;
        snapshot::remember(package, built, &snapshot, name);
        Ok(snapshot.digest)
    }
}

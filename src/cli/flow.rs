//! From a path to a checked flow: its settings, its code, its compiled modules.

use std::path::PathBuf;

use bytes::Bytes;

use super::context::Context;
use super::error::{CliError, Kind};
use crate::config::{Environment, Flags, Settings};
use crate::datastore::Datastore;
use crate::model::confinement::Confinement;
use crate::model::definition::Definition;
use crate::model::digest::Digest;
use crate::model::grant::Grants;
use crate::model::graph::FlowGraph;
use crate::model::validate::Problems;
use crate::runtime::past::Program;
use crate::runtime::prepare::{self, Code, Prepared};
use crate::sandbox::call::Profile;
use crate::sandbox::{Launcher, Modules};
use crate::snapshot::Options;

/// Where a flow is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct FlowAt {
    /// The flow's directory, or its `Cargo.toml`
    ///
    /// The directory that you are in when left out.
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::DirPath, conflicts_with = "module")]
    pub(crate) path: Option<PathBuf>,
    /// Use this module instead of building one
    #[arg(long, value_name = "FILE.wasm", value_hint = clap::ValueHint::FilePath)]
    pub(crate) module: Option<PathBuf>,
}

/// A flow's code, its settings, and where its compiled modules are.
pub(crate) struct Workshop {
    /// The settings for this flow.
    pub(crate) settings: Settings,
    /// The compiled modules.
    pub(crate) modules: Modules,
    /// Where the code is.
    code: Code,
    options: Options,
}

impl FlowAt {
    /// The workshop for this flow.
    ///
    /// # Errors
    /// When a setting is wrong.
    pub(crate) fn workshop(&self, cx: &Context, flags: Flags) -> Result<Workshop, CliError> {
        let (directory, code) = match &self.module {
            Some(file) => (cx.directory.clone(), Code::Module(cx.directory.join(file))),
            None => {
                let path = self.path.as_ref().map(|path| cx.directory.join(path));
                let path = path.unwrap_or_else(|| cx.directory.clone());
                let manifest = path.file_name().is_some_and(|name| name == "Cargo.toml");
                let directory = if manifest { path.parent() } else { None };
                (directory.unwrap_or(&path).to_owned(), Code::Package(path))
            }
        };
        let flags = flags.with("datastore", cx.datastore_flag.as_ref());
        let settings = Settings::load(&directory, &flags, &Environment::of_process())?;
        let modules = modules(&settings)?;
        let options = Options {
            quiet: cx.out.is_quiet(),
        };
        Ok(Workshop {
            settings,
            modules,
            code,
            options,
        })
    }

    /// The module and what it says about itself, checked.
    pub(crate) fn load(&self, cx: &Context) -> Result<Loaded, CliError> {
        let workshop = self.workshop(cx, Flags::default())?;
        let describe = prepare::describe(&workshop.modules, &workshop.code, workshop.options);
        let runtime = cx.runtime()?;
        let described = runtime.block_on(describe)?;
        let (module, file) = (described.module, described.file.clone());
        let bytes = async || std::fs::read(&file).map(Bytes::from);
        let compiled = workshop.modules.prepare(&module, Profile::default(), bytes);
        let imports = runtime.block_on(compiled)?.imports().to_vec();
        let graph = FlowGraph::new(&described.definition);
        Ok(Loaded {
            module: described.module,
            definition: described.definition,
            graph,
            imports,
            grants: workshop.settings.grants,
        })
    }
}

/// How cells are started.
///
/// # Errors
/// When the system does not say where the running program is.
pub(crate) fn launcher(settings: &Settings) -> Result<Launcher, CliError> {
    let launcher = Launcher::current().map(|launcher| launcher.confined(settings.confinement));
    launcher.map_err(|error| {
        CliError::new(Kind::Unavailable, "could not find the running program").caused_by(&error)
    })
}

impl Workshop {
    /// Builds, describes and checks the flow.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub(crate) async fn prepare(&self) -> Result<Prepared, CliError> {
        let overrides = &self.settings.steps;
        Ok(prepare::prepare(&self.modules, &self.code, self.options, overrides).await?)
    }
}

impl Workshop {
    /// The flow as it can be run: built, checked, compiled, and frozen in `datastore`.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub(crate) async fn program(
        &self,
        datastore: &Datastore,
        prepared: &Prepared,
    ) -> Result<Program, CliError> {
        let snapshot = prepared.snapshot(datastore, &self.settings.datastore);
        self.executable(prepared, snapshot.await?).await
    }

    /// The flow as it can be run, with the snapshot that is said to be its own.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub(crate) async fn executable(
        &self,
        prepared: &Prepared,
        snapshot: Digest,
    ) -> Result<Program, CliError> {
        Ok(Program {
            module: prepared.module,
            snapshot,
            graph: prepared.graph.clone(),
            backend: self.modules.backend(),
            compiled: prepared.compiled(&self.modules).await?,
        })
    }
}

/// The compiled modules of this machine, for runs whose code comes from a datastore.
///
/// # Errors
/// When the system does not say where the running program is.
pub(crate) fn modules(settings: &Settings) -> Result<Modules, CliError> {
    let modules = Modules::new(settings.code_cache.clone(), launcher(settings)?);
    Ok(match settings.confinement {
        Confinement::Require => modules.trying_a_cell(),
        Confinement::Best | Confinement::Off => modules,
    })
}

/// A flow that may still have problems.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The module.
    pub(crate) module: Digest,
    /// What it says about itself.
    pub(crate) definition: Definition,
    /// What follows from that.
    pub(crate) graph: Result<FlowGraph, Problems>,
    /// The interfaces that the module imports.
    pub(crate) imports: Vec<String>,
    /// What its steps may touch by the settings.
    pub(crate) grants: Grants,
}

//! From a path to a checked flow: build, compile, ask the module what it is, check what it says.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::context::Context;
use super::error::{CliError, Kind};
use crate::model::definition::Definition;
use crate::model::digest::Digest;
use crate::model::graph::FlowGraph;
use crate::model::validate::Problems;
use crate::sandbox::call::Profile;
use crate::sandbox::{Launcher, Modules};
use crate::snapshot;

/// Where a flow is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FlowAt {
    /// The flow's directory, or its `Cargo.toml`
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::DirPath, conflicts_with = "module")]
    path: Option<PathBuf>,
    /// Use this module instead of building one
    #[arg(long, value_name = "FILE.wasm", value_hint = clap::ValueHint::FilePath)]
    module: Option<PathBuf>,
}

impl FlowAt {
    /// The flow of a directory.
    pub(crate) fn path(path: &Path) -> Self {
        Self { path: Some(path.to_owned()), module: None }
    }

    /// The module's file: the one named, or the one that cargo builds.
    fn module(&self, cx: &Context) -> Result<PathBuf, CliError> {
        if let Some(module) = &self.module {
            return Ok(cx.directory.join(module));
        }
        let path = self.path.as_deref().unwrap_or(Path::new("."));
        let package = snapshot::locate(&cx.directory.join(path))?;
        let options = snapshot::Options { quiet: cx.out.is_quiet() };
        Ok(snapshot::build(&package, options)?.module)
    }

    /// The module and what it says about itself, checked.
    pub(crate) fn load(&self, cx: &Context) -> Result<Loaded, CliError> {
        let path = self.module(cx)?;
        let bytes = std::fs::read(&path).map_err(|error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => Kind::NotFound,
                _ => Kind::Unavailable,
            };
            CliError::new(kind, format!("could not read the module `{}`", path.display()))
                .caused_by(&error)
        })?;
        let module = Digest::of(&bytes);
        let launcher = Launcher::current().map_err(|error| {
            CliError::new(Kind::Unavailable, "could not find the running program").caused_by(&error)
        })?;
        let modules = Modules::new(cx.settings()?.code_cache, launcher);
        let definition = cx.runtime()?.block_on(async {
            let bytes = async || Ok(Bytes::from(bytes));
            let compiled = modules.prepare(&module, Profile::default(), bytes).await?;
            modules.describe(&compiled).await
        })?;
        let graph = FlowGraph::new(&definition);
        Ok(Loaded { module, definition, graph })
    }
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
}

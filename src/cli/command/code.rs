//! `wrun code`.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::select;
use crate::datastore::Datastore;
use crate::model::id::RunId;
use crate::model::pathspec::PathSpec;
use crate::report::clean;
use crate::report::human;
use crate::report::table::{Align, Cell, Table};
use crate::snapshot::{self, Manifest};

/// List the code of a run, or write it to a directory
///
/// The code is the module and the sources it was built from. What is written builds to the same
/// module with the same compiler.
#[derive(Debug, clap::Args)]
pub(crate) struct CodeArgs {
    /// The run: `flow/number`, `flow` or `latest`
    #[arg(value_name = "RUN", default_value = "latest", value_parser = PathSpec::typed, add = complete::runs())]
    run: PathSpec,
    /// Write module and sources to this directory, which must be empty or not there
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    to: Option<PathBuf>,
}

/// Lists or writes the code of the run.
pub(crate) fn run(cx: &Context, args: &CodeArgs) -> Result<u8, CliError> {
    let store = cx.store()?;
    let id = select::run(&store, &args.run.run())?;
    let digest = store.header(&id)?.snapshot;
    let (ds, runtime) = store.parts();
    runtime.block_on(async {
        let manifest = Manifest::load(ds, &digest).await?;
        match &args.to {
            None => list(cx, &id, &digest.to_string(), &manifest),
            Some(to) => write(cx, ds, &id, &manifest, to).await,
        }
    })
}

/// Lists what is in the snapshot.
fn list(cx: &Context, run: &RunId, digest: &str, manifest: &Manifest) -> Result<u8, CliError> {
    if cx.out.json {
        cx.out.json(&as_json(run, digest, manifest))?;
        return Ok(exit::OK);
    }
    let style = &cx.out.style;
    let mut text = format!("{} {digest}\n", style.heading("snapshot"));
    if let Some(origin) = &manifest.origin {
        let compiler = origin.toolchain.lines().next().unwrap_or("");
        text += &format!(
            "package  {} {}\n",
            clean::line(&origin.package),
            clean::line(&origin.package_version)
        );
        text += &format!("compiler {}\n", clean::line(compiler));
        text += &format!("command  {}\n", clean::line(&origin.command.join(" ")));
    }
    text += &format!("sdk      {}\n\n", clean::line(&manifest.definition.sdk));
    let mut table = Table::new(&[
        ("digest", Align::Left),
        ("size", Align::Right),
        ("file", Align::Left),
    ]);
    let module = &manifest.module;
    let mut row = |digest: String, size: u64, path: &str| {
        let digest = Cell::painted(&digest, style.faint(&digest));
        table.row([
            digest,
            human::bytes(size).into(),
            clean::line(path).into_owned().into(),
        ]);
    };
    row(module.digest.short(), module.size, "(the module)");
    for file in &manifest.files {
        row(file.digest.short(), file.size, &file.path);
    }
    text += &table.render(style, 0);
    for left in &manifest.left_out {
        let line = format!(
            "not here: {} ({})",
            clean::line(&left.path),
            clean::line(&left.reason)
        );
        text += &format!("{}\n", style.warning(line));
    }
    cx.out.text(&text)?;
    Ok(exit::OK)
}

fn as_json(run: &RunId, digest: &str, manifest: &Manifest) -> serde_json::Value {
    json!({
        "version": 1,
        "run": run,
        "snapshot": digest,
        "module": manifest.module,
        "sdk": manifest.definition.sdk,
        "origin": manifest.origin,
        "files": manifest.files,
        "left_out": manifest.left_out,
    })
}

/// Writes the snapshot to a directory and says how to build it.
async fn write(
    cx: &Context,
    ds: &Datastore,
    run: &RunId,
    manifest: &Manifest,
    to: &Path,
) -> Result<u8, CliError> {
    let directory = cx.directory.join(to);
    let module = snapshot::restore(ds, manifest, &directory).await?;
    let flow = manifest
        .origin
        .as_ref()
        .map(|origin| directory.join(&origin.directory));
    if cx.out.json {
        cx.out.json(&json!({
            "version": 1,
            "run": run,
            "directory": directory,
            "flow": flow,
            "module": module,
            "files": manifest.files.len(),
        }))?;
        return Ok(exit::OK);
    }
    let files = human::count(manifest.files.len() as u64, "source file");
    cx.out.say(&format!(
        "wrote the module and {files} of run {run} to {}",
        to.display()
    ));
    for left in &manifest.left_out {
        let (path, reason) = (clean::line(&left.path), clean::line(&left.reason));
        cx.out.say(&format!("not there: {path} ({reason})"));
    }
    if let Some(origin) = &manifest.origin {
        let place = to.join(&origin.directory);
        cx.out
            .say(&format!("build it with: wrun build {}", place.display()));
    }
    Ok(exit::OK)
}

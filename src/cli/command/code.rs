//! `wrun code`.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::config::{Environment, Flags, Settings};
use crate::datastore::{Datastore, DatastoreUrl, RunError};
use crate::model::id::RunId;
use crate::model::pathspec::{RunSelector, WhichRun};
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
    /// The run: `latest`, `wordcount/latest` or `wordcount/42`
    #[arg(value_name = "RUN", default_value = "latest")]
    run: RunSelector,
    /// Write module and sources to this directory, which must be empty or not there
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    to: Option<PathBuf>,
}

/// Lists or writes the code of the run.
pub(crate) fn run(cx: &Context, args: &CodeArgs) -> Result<u8, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| {
        CliError::new(Kind::Unavailable, "the system gives no event loop").caused_by(&error)
    })?;
    runtime.block_on(async {
        let ds = open(cx).await?;
        let id = select(&ds, &args.run).await?;
        let run = ds
            .run(&id)
            .await
            .map_err(|error| no_run(&args.run, &error))?;
        let manifest = Manifest::load(&ds, &run.header().snapshot).await?;
        match &args.to {
            None => list(cx, &id, &run.header().snapshot.to_string(), &manifest),
            Some(to) => write(cx, &ds, &id, &manifest, to).await,
        }
    })
}

async fn open(cx: &Context) -> Result<Datastore, CliError> {
    let flags = Flags::default().with("datastore", cx.datastore_flag.as_ref());
    let settings = Settings::load(&cx.directory, &flags, &Environment::of_process())?;
    let url: DatastoreUrl = settings
        .datastore
        .parse()
        .map_err(|error| CliError::from_error(Kind::Usage, &error))?;
    Datastore::open(&url).await.map_err(|error| {
        CliError::from_error(Kind::NotFound, &error)
            .hint("`wrun run` makes a datastore beside the flow")
            .hint("`wrun doctor` says which datastore is used, and why")
    })
}

/// The run that is meant: the newest where no number is given.
async fn select(ds: &Datastore, selector: &RunSelector) -> Result<RunId, CliError> {
    let flow = match (&selector.flow, selector.run) {
        (Some(flow), WhichRun::Number(number)) => {
            return Ok(RunId {
                flow: flow.clone(),
                number,
            });
        }
        (flow, _) => flow.as_ref(),
    };
    let failed = |error: &RunError| no_run(selector, error);
    let latest = ds.latest(flow).await.map_err(|error| failed(&error))?;
    let latest = latest.ok_or_else(|| {
        CliError::new(Kind::NotFound, format!("there is no run `{selector}`"))
            .hint("`wrun runs` lists the runs")
    })?;
    Ok(match selector.run {
        WhichRun::Number(number) => RunId {
            flow: latest.flow,
            number,
        },
        WhichRun::Latest => latest,
    })
}

fn no_run(selector: &RunSelector, error: &RunError) -> CliError {
    CliError::new(Kind::NotFound, format!("run `{selector}` cannot be read"))
        .caused_by(error)
        .hint("`wrun runs` lists the runs")
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

//! `wrun build`.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::model::digest::Digest;
use crate::report::human;
use crate::snapshot::{self, Options};

/// Build a flow to a WebAssembly module
///
/// Runs `cargo build --release --target wasm32-wasip2` for the package and says where the module is.
/// `wrun run` does this by itself.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The flow: its directory, its `Cargo.toml`, or a directory below
    #[arg(value_name = "PATH", default_value = ".", value_hint = clap::ValueHint::AnyPath)]
    path: PathBuf,
}

/// Builds the flow and says what came of it.
pub(crate) fn run(cx: &Context, args: &BuildArgs) -> Result<u8, CliError> {
    let started = Instant::now();
    let package = snapshot::locate(&cx.directory.join(&args.path))?;
    let built = snapshot::build(
        &package,
        Options {
            quiet: cx.out.is_quiet(),
        },
    )?;
    let took = started.elapsed().as_micros() as u64;
    let module = std::fs::read(&built.module).map_err(|error| {
        let message = format!("could not read the module `{}`", built.module.display());
        CliError::new(Kind::Unavailable, message).caused_by(&error)
    })?;
    let (size, digest) = (module.len() as u64, Digest::of(&module));
    if cx.out.json {
        cx.out.json(&json!({
            "version": 1,
            "package": package.name,
            "module": built.module,
            "size": size,
            "digest": digest,
            "fresh": built.fresh,
            "wall_us": took,
            "toolchain": built.toolchain.lines().next().unwrap_or(""),
            "command": built.command,
        }))?;
        return Ok(exit::OK);
    }
    let path = built
        .module
        .strip_prefix(&cx.directory)
        .unwrap_or(&built.module);
    let style = &cx.out.style;
    let state = if built.fresh {
        " (nothing had changed)"
    } else {
        ""
    };
    cx.out.text(&format!(
        "{} {}\n{}   {}\n{} {digest}\n{}   {}{state}",
        style.faint("module"),
        style.name(path.display()),
        style.faint("size"),
        human::bytes(size),
        style.faint("digest"),
        style.faint("time"),
        human::duration(took),
    ))?;
    Ok(exit::OK)
}

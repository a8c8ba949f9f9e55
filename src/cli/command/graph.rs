//! `wrun graph`.

use std::path::PathBuf;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::flow::FlowAt;
use crate::report::{check, graph};

/// Draw the steps of a flow
#[derive(Debug, clap::Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    flow: FlowAt,
    /// Write Mermaid, for Markdown
    #[arg(long, group = "form")]
    mermaid: bool,
    /// Write DOT, for Graphviz
    #[arg(long, group = "form")]
    dot: bool,
    /// Write an SVG image
    #[arg(long, group = "form")]
    svg: bool,
    /// Write to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Draws a flow.
pub(crate) fn run(cx: &Context, args: &GraphArgs) -> Result<u8, CliError> {
    let flow = args.flow.load(cx)?.graph?;
    let picture = match (args.mermaid, args.dot, args.svg) {
        (true, _, _) => graph::mermaid(&flow),
        (_, true, _) => graph::dot(&flow),
        (_, _, true) => graph::svg(&flow),
        _ if cx.out.json => return cx.out.json(&check::summary_json(&flow)).map(|()| exit::OK),
        _ => graph::text(&flow),
    };
    match &args.output {
        None => cx.out.text(&picture)?,
        Some(path) => std::fs::write(cx.directory.join(path), picture).map_err(|error| {
            CliError::new(
                Kind::Unavailable,
                format!("could not write `{}`", path.display()),
            )
            .caused_by(&error)
        })?,
    }
    Ok(exit::OK)
}

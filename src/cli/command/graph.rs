//! `wrun graph`.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::flow::FlowAt;
use crate::model::graph::FlowGraph;
use crate::report::graph;

/// Draw the steps of a flow and what follows what
///
/// As text for the terminal, or in a form that other programs draw.
#[derive(Debug, clap::Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    flow: FlowAt,
    /// Write Mermaid, which many Markdown viewers draw
    #[arg(long, group = "form")]
    mermaid: bool,
    /// Write DOT, for Graphviz
    #[arg(long, group = "form")]
    dot: bool,
    /// Write an SVG picture
    #[arg(long, group = "form")]
    svg: bool,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// Draws the graph.
pub(crate) fn run(cx: &Context, args: &GraphArgs) -> Result<u8, CliError> {
    let graph = args.flow.load(cx)?.graph?;
    let (form, picture) = draw(&graph, args);
    if let Some(file) = &args.output {
        std::fs::write(cx.directory.join(file), picture).map_err(|error| {
            let message = format!("could not write `{}`", file.display());
            CliError::new(Kind::Unavailable, message).caused_by(&error)
        })?;
        cx.out.say(&format!("wrote {}", file.display()));
    } else if cx.out.json {
        cx.out
            .json(&json!({"version": 1, "flow": graph.name(), "form": form, "graph": picture}))?;
    } else {
        cx.out.text(&picture)?;
    }
    Ok(exit::OK)
}

fn draw(flow: &FlowGraph, args: &GraphArgs) -> (&'static str, String) {
    match (args.mermaid, args.dot, args.svg) {
        (true, _, _) => ("mermaid", graph::mermaid(flow)),
        (_, true, _) => ("dot", graph::dot(flow)),
        (_, _, true) => ("svg", graph::svg(flow)),
        _ => ("text", graph::text(flow)),
    }
}

//! `wrun graph`.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::flow::FlowAt;
use crate::cli::select;
use crate::model::graph::FlowGraph;
use crate::model::id::RunId;
use crate::model::pathspec::PathSpec;
use crate::report::history::{History, StepSums};
use crate::report::{graph, human};
use crate::snapshot::manifest::Manifest;

/// Draw the steps of a flow and what follows what
///
/// As text for the terminal, or in a form that other programs draw. Of a run it draws the flow as
/// it was then, with what became of each step.
#[derive(Debug, clap::Args)]
pub(crate) struct GraphArgs {
    /// The flow's directory or its `Cargo.toml`, or a run: `flow/number` or `latest`
    ///
    /// The directory that you are in when left out. What is there as a directory is not taken for a run.
    #[arg(value_name = "PATH|RUN", add = complete::flows_at_or_runs(), conflicts_with = "module")]
    target: Option<PathBuf>,
    /// Use this module instead of building one
    #[arg(long, value_name = "FILE.wasm", value_hint = clap::ValueHint::FilePath)]
    module: Option<PathBuf>,
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
    let (graph, past) = match past(cx, args) {
        Some(spec) => {
            let (graph, past) = graph_of_run(cx, &spec)?;
            (graph, Some(past))
        }
        None => {
            let (path, module) = (args.target.clone(), args.module.clone());
            (FlowAt { path, module }.load(cx)?.graph?, None)
        }
    };
    let (form, picture) = draw(&graph, args);
    if let Some(file) = &args.output {
        std::fs::write(cx.directory.join(file), picture).map_err(|error| {
            let message = format!("could not write `{}`", file.display());
            CliError::new(Kind::Unavailable, message).caused_by(&error)
        })?;
        cx.out.say(&format!("wrote {}", file.display()));
    } else if cx.out.json {
        let mut shown = json!({"version": 1, "flow": graph.name(), "form": form, "graph": picture});
        if let Some(past) = &past {
            shown["run"] = json!(past.run);
            shown["steps"] = past.steps.clone();
        }
        cx.out.json(&shown)?;
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

/// The run that is named, unless something of that name is there to build.
fn past(cx: &Context, args: &GraphArgs) -> Option<PathSpec> {
    let target = args.target.as_ref()?;
    if cx.directory.join(target).exists() {
        return None;
    }
    let spec = PathSpec::typed(target.to_str()?).ok()?;
    matches!(spec, PathSpec::Run(..)).then_some(spec)
}

/// What became of a run.
struct Past {
    run: RunId,
    steps: Json,
}

/// The flow of a run, in which the docs of each step say what became of it.
fn graph_of_run(cx: &Context, spec: &PathSpec) -> Result<(FlowGraph, Past), CliError> {
    let store = cx.store()?;
    let run = select::run(&store, &spec.run())?;
    let header = store.header(&run)?;
    let (events, _) = store.events_from(&run, 0)?;
    let history = History::of(&events);
    let facts = store.facts_of(&header, &history, cx.now())?;
    let (datastore, runtime) = store.parts();
    let manifest = runtime.block_on(Manifest::load(datastore, &header.snapshot))?;
    let mut definition = manifest.definition;
    definition.docs = format!("run {run}: {}", facts.state.word());
    let sums = history.steps();
    let mut steps = Vec::new();
    for step in &mut definition.steps {
        let of_step = sums.iter().find(|(name, _)| name.as_str() == step.name);
        let sums = of_step.map(|(_, sums)| sums.clone()).unwrap_or_default();
        step.docs = became(&sums);
        steps.push(json!({
            "step": step.name,
            "tasks": sums.tasks,
            "succeeded": sums.succeeded,
            "failed": sums.failed,
            "caught": sums.caught,
            "retried": sums.retried,
        }));
    }
    let graph = FlowGraph::new(&definition)?;
    let steps = Json::Array(steps);
    Ok((graph, Past { run, steps }))
}

/// What became of a step, e.g. `7 succeeded, 2 failed, 3 retries, 12 ms`.
fn became(sums: &StepSums) -> String {
    let counts = [
        (sums.succeeded, "succeeded"),
        (sums.failed, "failed"),
        (sums.caught, "failed and caught"),
    ];
    let said = |(count, word): &(u64, &str)| match (sums.tasks, count) {
        (_, 0) => None,
        (1, _) => Some((*word).to_owned()),
        _ => Some(format!("{count} {word}")),
    };
    let mut parts: Vec<_> = counts.iter().filter_map(said).collect();
    match sums.retried {
        0 => {}
        1 => parts.push("1 retry".to_owned()),
        many => parts.push(format!("{many} retries")),
    }
    if parts.is_empty() {
        return "did not run".to_owned();
    }
    parts.push(human::duration(sums.took_us));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    #[test]
    fn a_step_is_told_in_a_few_words() {
        let sums = |succeeded, failed, caught, retried| StepSums {
            tasks: succeeded + failed + caught,
            succeeded,
            failed,
            caught,
            retried,
            started_at: Timestamp(1_000_000),
            ended_at: Timestamp(1_012_000),
            took_us: 12_000,
            ..StepSums::default()
        };
        assert_eq!(became(&StepSums::default()), "did not run");
        assert_eq!(became(&sums(1, 0, 0, 0)), "succeeded, 12 ms");
        assert_eq!(
            became(&sums(0, 0, 1, 1)),
            "failed and caught, 1 retry, 12 ms"
        );
        assert_eq!(
            became(&sums(7, 2, 0, 3)),
            "7 succeeded, 2 failed, 3 retries, 12 ms"
        );
    }
}

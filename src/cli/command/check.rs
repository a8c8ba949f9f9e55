//! `wrun check`.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::flow::FlowAt;
use crate::report::check;

/// Check a flow without running it
///
/// Builds the flow, asks the module what it consists of, and finds all problems at once: unknown
/// steps, artifacts that are read and nowhere written, types that differ, splits without a join.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    flow: FlowAt,
}

/// Checks a flow.
pub(crate) fn run(cx: &Context, args: &CheckArgs) -> Result<u8, CliError> {
    let loaded = args.flow.load(cx)?;
    let name = &loaded.definition.name;
    let (text, mut json, code) = match &loaded.graph {
        Ok(graph) => (
            check::summary(graph, &cx.out.style)
                + &check::touching(graph, &loaded.imports, &loaded.grants),
            check::summary_json(graph),
            exit::OK,
        ),
        Err(found) => (
            check::problems(name, found, &cx.out.style),
            check::problems_json(name, found),
            exit::INVALID_FLOW,
        ),
    };
    if cx.out.json {
        json["module"] = json!(loaded.module);
        if let Ok(graph) = &loaded.graph {
            json["classes"] = json!(check::classes(graph, &loaded.imports, &loaded.grants));
        }
        json["imports"] = json!(loaded.imports);
        json["grants"] = json!(loaded.grants.lines());
        cx.out.json(&json)?;
    } else {
        cx.out.text(&text)?;
    }
    Ok(code)
}

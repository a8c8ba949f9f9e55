//! `wrun tag`.

use std::collections::BTreeSet;

use serde_json::json;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::select;
use crate::model::name::Tag;
use crate::model::pathspec::PathSpec;
use crate::report::json;

/// List, add or remove the tags of a run
///
/// `--add` and `--remove` can be given many times. The tags that the run has then are listed.
#[derive(Debug, clap::Args)]
pub(crate) struct TagArgs {
    /// The run: `flow/number`, `flow` or `latest`
    #[arg(value_name = "RUN", default_value = "latest", value_parser = PathSpec::typed, add = complete::runs())]
    run: PathSpec,
    /// Add this tag
    #[arg(long, value_name = "TAG")]
    add: Vec<Tag>,
    /// Remove this tag
    #[arg(long, value_name = "TAG")]
    remove: Vec<Tag>,
}

/// Changes the tags when asked to, and lists them.
pub(crate) fn run(cx: &Context, args: &TagArgs) -> Result<u8, CliError> {
    let store = cx.store()?;
    let run = select::run(&store, &args.run.run())?;
    if let Some(both) = args.add.iter().find(|tag| args.remove.contains(tag)) {
        return Err(CliError::usage(format!(
            "tag `{both}` cannot be added and removed at once"
        )));
    }
    let before = store.tags(&run)?;
    for unknown in args.remove.iter().filter(|it| !before.contains(*it)) {
        cx.out.say(&format!("run {run} had no tag `{unknown}`"));
    }
    let tags: BTreeSet<Tag> = if args.add.is_empty() && args.remove.is_empty() {
        before
    } else {
        store.change_tags(&run, &args.add, &args.remove)?
    };
    if cx.out.json {
        cx.out
            .json(&json::object([("run", json!(run)), ("tags", json!(tags))]).into())?;
    } else if tags.is_empty() {
        cx.out.say(&format!("run {run} has no tags"));
    } else {
        let lines: String = tags.iter().map(|tag| format!("{tag}\n")).collect();
        cx.out.text(&lines)?;
    }
    Ok(exit::OK)
}

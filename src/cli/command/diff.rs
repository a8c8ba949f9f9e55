//! `wrun diff`.

use serde_json::{Value as Json, json};

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::select;
use crate::model::id::{RunId, TaskId};
use crate::model::pathspec::RunSelector;
use crate::report::{clean, human, json as shape};
use crate::runtime::compare::Difference;
use crate::runtime::diff::{self, Cause, Diff};

/// The most tasks of each kind that are listed without `--all`.
const SHOWN: usize = 10;

/// Explain how two runs differ
///
/// Compares what they were made of and what came out of every task. Exits with 9 when something
/// that came out differs.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The first run
    #[arg(value_name = "RUN", add = complete::runs())]
    left: RunSelector,
    /// The second run
    #[arg(value_name = "RUN", add = complete::runs())]
    right: RunSelector,
    /// List every task that differs
    #[arg(long)]
    all: bool,
}

/// Compares the runs and says how they differ.
pub(crate) fn run(cx: &Context, args: &DiffArgs) -> Result<u8, CliError> {
    let store = cx.store()?;
    let left = store.run(&select::run(&store, &args.left)?)?;
    let right = store.run(&select::run(&store, &args.right)?)?;
    let (datastore, runtime) = store.parts();
    let diff = runtime.block_on(diff::diff(datastore, &left, &right))?;
    if cx.out.json {
        cx.out.json(&to_json((left.id(), right.id()), &diff))?;
    } else {
        cx.out
            .text(&text(cx, (left.id(), right.id()), &diff, args.all))?;
    }
    Ok(match diff.is_same() {
        true => exit::OK,
        false => exit::DIFFERENT,
    })
}

fn text(cx: &Context, (left, right): (&RunId, &RunId), diff: &Diff, all: bool) -> String {
    let style = &cx.out.style;
    let equal = human::count(diff.equal, "task");
    let word = match diff.is_same() {
        true => style.succeeded("same results"),
        false => style.failed("different results"),
    };
    let (left, right) = (style.name(left), style.name(right));
    let mut text = format!("{left} and {right}: {word}, {equal} equal\n");
    let most = if all { usize::MAX } else { SHOWN };
    let line = |text: &str| clean::line(text).into_owned();
    let change = |it: &Difference| {
        format!(
            "{}: {} -> {}",
            line(&it.what),
            line(&it.before),
            line(&it.now)
        )
    };
    for it in &diff.made_of {
        text += &format!("  {}\n", change(it));
    }
    if let Some((before, now)) = &diff.ended {
        text += &format!("  ended: {before} -> {now}\n");
    }
    let mut more = 0;
    if !diff.tasks.is_empty() {
        text += &format!("\n{}\n", style.heading("tasks that differ"));
    }
    for it in diff.tasks.iter().take(most) {
        let why = match it.cause {
            Cause::Itself => "read the same",
            Cause::Inputs => "read something else",
        };
        let task = style.name(&it.task);
        text += &format!("  {task} ({why}) {}\n", change(&it.difference));
    }
    more += diff.tasks.len().saturating_sub(most);
    for (tasks, run) in [(&diff.only_left, &left), (&diff.only_right, &right)] {
        if !tasks.is_empty() {
            text += &format!("\n{}\n", style.heading(format!("only in {run}")));
        }
        for task in tasks.iter().take(most) {
            text += &format!("  {}\n", style.name(task));
        }
        more += tasks.len().saturating_sub(most);
    }
    if more > 0 {
        text += &format!("\n… {more} more: {}\n", style.hint("--all lists them"));
    }
    text
}

/// Two runs: `left`, `right`, `same`, `equal` (how many tasks), `made_of` (`what`, `before`, `now`),
/// `ended` (`before`, `now`), `tasks` (`task`, `what`, `before`, `now`, `cause`: `inputs` when the
/// task read something else, else `itself`), `only_left`, `only_right` (tasks).
fn to_json((left, right): (&RunId, &RunId), diff: &Diff) -> Json {
    let change = |it: &Difference| json!({"what": it.what, "before": it.before, "now": it.now});
    let tasks = diff.tasks.iter().map(|it| {
        let mut json = change(&it.difference);
        json["task"] = json!(it.task);
        json["cause"] = match it.cause {
            Cause::Itself => "itself".into(),
            Cause::Inputs => "inputs".into(),
        };
        json
    });
    let names = |tasks: &[TaskId]| -> Json { tasks.iter().map(|task| json!(task)).collect() };
    let mut it = shape::object([
        ("left", json!(left)),
        ("right", json!(right)),
        ("same", diff.is_same().into()),
        ("equal", diff.equal.into()),
        ("made_of", diff.made_of.iter().map(change).collect()),
        ("tasks", tasks.collect()),
        ("only_left", names(&diff.only_left)),
        ("only_right", names(&diff.only_right)),
    ]);
    if let Some((before, now)) = &diff.ended {
        it.insert("ended".into(), json!({"before": before, "now": now}));
    }
    it.into()
}

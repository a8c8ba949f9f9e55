//! `wrun why`.

use serde_json::{Value as Json, json};

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::flow;
use crate::cli::select;
use crate::cli::store::Store;
use crate::model::id::{RunId, TaskId};
use crate::model::pathspec::PathSpec;
use crate::report::json as shape;
use crate::report::table::{Align, Table};
use crate::runtime::why::{self, Facts, Part};

/// How many earlier runs are searched for the same task.
const SEARCHED: usize = 20;

/// Explain why a task was executed, or taken over
///
/// Shows all that its result depends on beside the last run before it that has the same task. A
/// result is taken from the cache, by `wrun run --cache`, when all of it is the same.
#[derive(Debug, clap::Args)]
pub(crate) struct WhyArgs {
    /// Which task
    #[arg(value_name = "RUN/STEP[/TASK]", value_parser = PathSpec::typed, add = complete::tasks())]
    target: PathSpec,
}

/// Says what the result of a task depends on.
pub(crate) fn run(cx: &Context, args: &WhyArgs) -> Result<u8, CliError> {
    let store = cx.store()?;
    let (id, task) = select::one_task(&store, &args.target)?;
    let now = facts(cx, &store, &id, &task)?
        .ok_or_else(|| CliError::new(Kind::NotFound, format!("`{id}` never executed `{task}`")))?;
    let before = earlier(cx, &store, &id, &task)?;
    if cx.out.json {
        cx.out.json(&to_json(&task, &now, before.as_ref()))?;
    } else {
        cx.out.text(&text(cx, &task, &now, before.as_ref()))?;
    }
    Ok(exit::OK)
}

fn facts(
    cx: &Context,
    store: &Store,
    run: &RunId,
    task: &TaskId,
) -> Result<Option<Facts>, CliError> {
    let run = store.run(run)?;
    let (datastore, runtime) = store.parts();
    let launcher = flow::launcher(&cx.settings()?)?;
    Ok(runtime.block_on(why::facts(datastore, &run, task, &launcher))?)
}

/// The last run before `run` that has the same task. Runs that cannot be read are passed over.
fn earlier(
    cx: &Context,
    store: &Store,
    run: &RunId,
    task: &TaskId,
) -> Result<Option<Facts>, CliError> {
    let runs = store.runs(&run.flow, usize::MAX)?;
    let earlier = runs.iter().filter(|it| it.number < run.number);
    for other in earlier.take(SEARCHED) {
        if let Ok(Some(found)) = facts(cx, store, other, task) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn text(cx: &Context, task: &TaskId, now: &Facts, before: Option<&Facts>) -> String {
    let style = &cx.out.style;
    let name = style.name(format!("{}/{task}", now.run));
    let mut text = match &now.from {
        Some(from) => format!("{name} was taken over from {}\n", style.name(from)),
        None => format!("{name} was executed{}\n", because(now, before)),
    };
    if let Some(never) = now.never {
        text += &format!("it is never taken from the cache: {never}\n");
    }
    let other = before.map_or_else(String::new, |before| before.run.to_string());
    let mut table = Table::new(&[
        ("depends on", Align::Left),
        ("here", Align::Left),
        ("before", Align::Left),
        ("", Align::Left),
    ]);
    for part in &now.parts {
        let was = before.and_then(|before| before.parts.iter().find(|it| it.name == part.name));
        let differs = match (before, was) {
            (None, _) => "",
            (Some(_), Some(was)) if was.value == part.value => "",
            _ => "differs",
        };
        let was = was.map_or_else(|| "-".to_owned(), |was| was.value.clone());
        table.row([
            part.name.as_str().into(),
            part.value.as_str().into(),
            was.as_str().into(),
            differs.into(),
        ]);
    }
    for part in before.map(|before| gone(now, before)).unwrap_or_default() {
        table.row([
            part.name.as_str().into(),
            "-".into(),
            part.value.as_str().into(),
            "differs".into(),
        ]);
    }
    text += &format!("\n{}", table.render(style, 0));
    if before.is_some() {
        text += &format!("\nbefore: {}\n", style.name(other));
    }
    text
}

/// What a result depended on before and does not now, e.g. a grant.
fn gone<'a>(now: &Facts, before: &'a Facts) -> Vec<&'a Part> {
    let is_gone = |part: &&Part| now.parts.iter().all(|it| it.name != part.name);
    before.parts.iter().filter(is_gone).collect()
}

/// Why a task was executed, as far as the run before tells.
fn because(now: &Facts, before: Option<&Facts>) -> String {
    let Some(before) = before else {
        return ": no earlier run has it".to_owned();
    };
    if !before.succeeded {
        return format!(": in {} it did not succeed", before.run);
    }
    let differs = now.parts.iter().filter(|part| !before.parts.contains(part));
    let differs = differs.chain(gone(now, before));
    let names: Vec<_> = differs.map(|part| part.name.clone()).collect();
    match names.as_slice() {
        [] => {
            ", though nothing has changed: `wrun run --cache` would have taken it over".to_owned()
        }
        [one] => format!(": {one} is not what it was"),
        [one, rest @ ..] => format!(": {one} and {} more are not what they were", rest.len()),
    }
}

/// A task: `run`, `task`, `from` (the run that it was taken over from), `succeeded`, `never` (why
/// it is never taken from the cache), `before` (the run it is compared with), and `parts` (`name`,
/// `here`, `before`).
fn to_json(task: &TaskId, now: &Facts, before: Option<&Facts>) -> Json {
    let parts = now.parts.iter().map(|part| {
        let was = before.and_then(|before| before.parts.iter().find(|it| it.name == part.name));
        let mut it = json!({"name": part.name, "here": part.value});
        if let Some(was) = was {
            it["before"] = was.value.as_str().into();
        }
        it
    });
    let mut it = shape::object([
        ("run", json!(now.run)),
        ("task", json!(task)),
        ("succeeded", now.succeeded.into()),
        ("parts", parts.collect()),
    ]);
    if let Some(from) = &now.from {
        it.insert("from".into(), json!(from));
    }
    if let Some(never) = now.never {
        it.insert("never".into(), never.into());
    }
    if let Some(before) = before {
        it.insert("before".into(), json!(before.run));
    }
    it.into()
}

//! A run as a whole, and one of its steps.

use serde_json::{Value as Json, json};

use super::Seen;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::select;
use crate::cli::store::{RunFacts, RunState};
use crate::model::header::RunHeader;
use crate::model::id::{Place, TaskId};
use crate::model::name::{StepName, Tag};
use crate::report::history::{StepSums, TaskFacts, TaskState};
use crate::report::style::Style;
use crate::report::table::{Align, Cell, Table};
use crate::report::{failure, human, json as shape};

/// The most failures that are told in full.
const MAX_FAILURES: usize = 10;
/// The most tasks of a step that are listed unless all are asked for.
const MAX_TASKS: usize = 50;

/// Shows a run.
pub(super) fn show(cx: &Context, seen: &Seen<'_>) -> Result<(), CliError> {
    let header = seen.store.header(&seen.run)?;
    let facts = seen.store.facts_of(&header, &seen.history, cx.now())?;
    if cx.out.json {
        return cx.out.json(&run_json(&header, &facts, seen));
    }
    let style = &cx.out.style;
    let mut text = head(&header, &facts, style);
    if !header.parameters.is_empty() {
        text += &format!("\n{}\n", style.heading("parameters"));
        text += &parameters(cx, seen, &header)?;
    }
    text += &format!("\n{}", steps(seen, style));
    text += &failures(seen, style);
    text += &go_on(&facts, style);
    cx.out.text(&text)
}

/// How a run without a good end can go on.
fn go_on(facts: &RunFacts, style: &Style) -> String {
    let verb = match facts.state {
        RunState::Failed | RunState::Cancelled => "resume",
        RunState::Interrupted => "attach",
        RunState::Succeeded | RunState::Running => return String::new(),
    };
    let command = style.hint(format!("wrun {verb} {}", facts.run));
    format!("\ngo on with {command}\n")
}

fn head(header: &RunHeader, facts: &RunFacts, style: &Style) -> String {
    let mut text = String::new();
    let mut line = |label: &str, rest: String| text += &format!("{label:<9} {rest}\n");
    line(
        "run",
        format!("{} {}", style.name(&header.run), facts.state.paint(style)),
    );
    line(
        "started",
        format!("{} UTC by {}", human::time(header.created_at), header.user),
    );
    line("took", human::duration(facts.took_us));
    if let Some(origin) = &header.origin {
        line("continues", origin.to_string());
    }
    if !facts.tags.is_empty() {
        let tags: Vec<_> = facts.tags.iter().map(Tag::as_str).collect();
        line("tags", tags.join(", "));
    }
    line(
        "code",
        format!(
            "snapshot {}, module {}",
            header.snapshot.short(),
            header.module.short()
        ),
    );
    if let Some(class) = header.class() {
        line("class", format!("{class}: {}", class.words()));
    }
    for grant in header.grants.lines() {
        line("granted", crate::report::clean::line(&grant).into_owned());
    }
    line(
        "made by",
        format!(
            "wrun {}, engine {}, seed {}",
            header.wrun,
            header.engine.short(),
            header.seed
        ),
    );
    text
}

fn parameters(cx: &Context, seen: &Seen<'_>, header: &RunHeader) -> Result<String, CliError> {
    let width = header
        .parameters
        .iter()
        .map(|it| it.name.as_str().len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for parameter in &header.parameters {
        let room = cx.out.width().saturating_sub(width + 4);
        let shown = seen.store.preview(&parameter.value, room)?;
        text += &format!("  {:width$}  {shown}\n", parameter.name.as_str());
    }
    Ok(text)
}

fn steps(seen: &Seen<'_>, style: &Style) -> String {
    let reused = seen.history.totals().reused > 0;
    let mut columns = vec![("step", Align::Left), ("tasks", Align::Right)];
    // Only a run that continues another has this column.
    columns.extend(reused.then_some(("reused", Align::Right)));
    columns.extend([
        ("failed", Align::Right),
        ("retried", Align::Right),
        ("took", Align::Right),
        ("cpu", Align::Right),
        ("peak memory", Align::Right),
    ]);
    let mut table = Table::new(&columns);
    for (name, sums) in seen.history.steps() {
        let failed = (sums.failed + sums.caught).to_string();
        let painted = if sums.failed > 0 {
            style.failed(&failed)
        } else {
            failed.clone()
        };
        let mut row: Vec<Cell> = vec![
            Cell::painted(name.as_str(), style.name(name)),
            sums.tasks.to_string().into(),
        ];
        row.extend(reused.then(|| sums.reused.to_string().into()));
        row.extend([
            Cell::painted(&failed, painted),
            sums.retried.to_string().into(),
            human::duration(sums.took_us).into(),
            human::duration(sums.cpu_us).into(),
            human::bytes(sums.peak_memory).into(),
        ]);
        table.row(row);
    }
    if table.is_empty() {
        "no task has ended\n".to_owned()
    } else {
        table.render(style, 0)
    }
}

fn failures(seen: &Seen<'_>, style: &Style) -> String {
    let mut text = String::new();
    for (task, facts, why) in seen.history.failures().take(MAX_FAILURES) {
        let place = style.name(format!("{}/{task}", seen.run));
        let word = match facts.state {
            TaskState::Caught(_) => style.stopped("failed and was caught"),
            _ => style.failed("failed"),
        };
        let head = failure::headline(why, style);
        text += &format!("\n{place} {word}: {head}\n{}", failure::details(why, style));
    }
    let more = seen.history.failures().count().saturating_sub(MAX_FAILURES);
    if more > 0 {
        text += &format!("\n… {more} more failed\n");
    }
    text
}

/// A run: the members of a header, `status`, `took_us`, `tags`, `steps`, `failures`.
fn run_json(header: &RunHeader, facts: &RunFacts, seen: &Seen<'_>) -> Json {
    let mut it = shape::object([]);
    if let Json::Object(members) = shape::header(header) {
        it.extend(members);
    }
    it.insert("status".into(), facts.state.word().into());
    it.insert("took_us".into(), facts.took_us.into());
    it.insert("tags".into(), json!(facts.tags));
    let steps = seen.history.steps();
    it.insert(
        "steps".into(),
        steps
            .iter()
            .map(|(name, sums)| step_json(name, sums))
            .collect(),
    );
    let failures = seen
        .history
        .failures()
        .map(|(task, facts, _)| task_json(&task, facts));
    it.insert("failures".into(), failures.collect());
    it.into()
}

fn step_json(name: &StepName, sums: &StepSums) -> Json {
    json!({
        "step": name,
        "tasks": sums.tasks,
        "succeeded": sums.succeeded,
        "reused": sums.reused,
        "failed": sums.failed,
        "caught": sums.caught,
        "retried": sums.retried,
        "started_at": sums.started_at,
        "ended_at": sums.ended_at,
        "took_us": sums.took_us,
        "wall_us": sums.wall_us,
        "cpu_us": sums.cpu_us,
        "peak_memory": sums.peak_memory,
    })
}

/// A task: `task`, `status` (`succeeded`, `failed`, `caught`), `attempts`, `started_at`, `ended_at`,
/// `wall_us`, `cpu_us`, `peak_memory`, and `failure` when it did not succeed.
pub(super) fn task_json(task: &TaskId, facts: &TaskFacts) -> Json {
    let mut it = json!({
        "task": task,
        "status": facts.state.word(),
        "attempts": facts.attempts,
        "started_at": facts.started_at,
        "ended_at": facts.ended_at,
        "wall_us": facts.wall_us,
        "cpu_us": facts.cpu_us,
        "peak_memory": facts.peak_memory,
    });
    if let Some(from) = &facts.reused {
        it["reused_from"] = json!(from);
    }
    if let Some(why) = facts.state.failure() {
        it["failure"] = shape::failure(why);
    }
    it
}

/// Shows a step: its only task, or the list of them.
pub(super) fn show_step(
    cx: &Context,
    seen: &Seen<'_>,
    step: &StepName,
    all: bool,
) -> Result<(), CliError> {
    select::check_step(&seen.run, &seen.history, step)?;
    let Some(tasks) = seen.history.tasks(step) else {
        return Ok(());
    };
    if let (1, Some(place)) = (tasks.len(), tasks.keys().next()) {
        let task = TaskId {
            step: step.clone(),
            place: place.clone(),
        };
        return super::task::show(cx, seen, &task);
    }
    if cx.out.json {
        return tasks.iter().try_for_each(|(place, facts)| {
            let task = TaskId {
                step: step.clone(),
                place: place.clone(),
            };
            let mut line = shape::object([("run", json!(seen.run))]);
            if let Json::Object(members) = task_json(&task, facts) {
                line.extend(members);
            }
            cx.out.json(&line.into())
        });
    }
    let style = &cx.out.style;
    let listed: Vec<(&Place, &TaskFacts)> = tasks
        .iter()
        .enumerate()
        .filter(|(position, (_, facts))| {
            all || *position < MAX_TASKS || facts.state.failure().is_some()
        })
        .map(|(_, entry)| entry)
        .collect();
    let mut text = task_table(&listed, style);
    if listed.len() < tasks.len() {
        let left_out = tasks.len() - listed.len();
        text += &style.faint(format!(
            "… {left_out} more that succeeded: --all lists them\n"
        ));
    }
    cx.out.text(&text)
}

fn task_table(tasks: &[(&Place, &TaskFacts)], style: &Style) -> String {
    let mut table = Table::new(&[
        ("task", Align::Left),
        ("status", Align::Left),
        ("attempts", Align::Right),
        ("took", Align::Right),
        ("cpu", Align::Right),
        ("peak memory", Align::Right),
        ("why", Align::Left),
    ]);
    for (place, facts) in tasks {
        let word = facts.state.word();
        let painted = match facts.state {
            TaskState::Succeeded => style.succeeded(word),
            TaskState::Failed(_) => style.failed(word),
            TaskState::Caught(_) => style.stopped(word),
        };
        let why = facts
            .state
            .failure()
            .map(|why| failure::headline(why, &Style::plain()));
        table.row([
            place.to_string().into(),
            Cell::painted(word, painted),
            facts.attempts.to_string().into(),
            human::duration(facts.wall_us).into(),
            human::duration(facts.cpu_us).into(),
            human::bytes(facts.peak_memory).into(),
            crate::report::clean::short(&why.unwrap_or_default(), 60).into(),
        ]);
    }
    table.render(style, 0)
}

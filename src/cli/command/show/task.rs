//! One task: its attempts and its artifacts.

use serde_json::{Value as Json, json};

use super::Seen;
use super::run::task_json;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::select;
use crate::model::artifact::Artifact;
use crate::model::event::Event;
use crate::model::id::TaskId;
use crate::model::record::{Outcome, Record};
use crate::report::history::TaskFacts;
use crate::report::style::Style;
use crate::report::table::{Align, Cell, Table};
use crate::report::{failure, human, json as shape};

/// Shows a task.
pub(super) fn show(cx: &Context, seen: &Seen<'_>, task: &TaskId) -> Result<(), CliError> {
    let artifacts = select::last_record(&seen.events, task).map(|record| record.artifacts);
    let artifacts = artifacts.unwrap_or_default();
    if cx.out.json {
        return cx.out.json(&to_json(seen, task, &artifacts));
    }
    let style = &cx.out.style;
    let mut text = format!("task      {}\n", style.name(format!("{}/{task}", seen.run)));
    let facts = facts(seen, task);
    if let Some(from) = facts.and_then(|facts| facts.reused.as_ref()) {
        text += &format!(
            "reused    executed by {}\n",
            style.name(format!("{from}/{task}"))
        );
    }
    for (attempt, record) in attempts(seen, task) {
        text += &attempt_lines(attempt, record, style);
    }
    if artifacts.is_empty() {
        text += "\nno artifacts\n";
    } else {
        text += &format!("\n{}", artifact_table(cx, seen, &artifacts)?);
    }
    cx.out.text(&text)
}

fn facts<'a>(seen: &'a Seen<'_>, task: &TaskId) -> Option<&'a TaskFacts> {
    let tasks = seen.history.tasks(&task.step)?;
    tasks.get(&task.place)
}

/// The attempts of a task that have ended.
fn attempts<'a>(
    seen: &'a Seen<'_>,
    task: &'a TaskId,
) -> impl Iterator<Item = (u32, &'a Record)> + 'a {
    let endings = seen.events.iter().filter_map(Event::ending);
    let own = endings.filter(move |(of, _, _)| *of == task);
    own.map(|(_, attempt, record)| (attempt, record))
}

fn attempt_lines(attempt: u32, record: &Record, style: &Style) -> String {
    let label = if attempt == 0 {
        "attempt".to_owned()
    } else {
        format!("attempt {}", attempt + 1)
    };
    let usage = &record.usage;
    let how = match &record.result {
        Ok(Outcome::Done) => style.succeeded("succeeded"),
        Ok(Outcome::Case(case)) => format!("{}, chose `{case}`", style.succeeded("succeeded")),
        Ok(Outcome::Items(items)) => {
            let many = human::count(u64::from(*items), "item");
            format!("{} with {many}", style.succeeded("succeeded"))
        }
        Err(why) => format!(
            "{}: {}",
            style.failed("failed"),
            failure::headline(why, style)
        ),
    };
    let mut text = format!("{label:<9} {how}\n");
    if let Err(why) = &record.result {
        text += &failure::details(why, style);
    }
    text += &format!(
        "          {} UTC, took {}, cpu {}, peak memory {}\n",
        human::time(usage.started_at),
        human::duration(usage.wall_us),
        human::duration(usage.cpu_us),
        human::bytes(usage.peak_memory)
    );
    if let Some(job) = &usage.job {
        text += &format!(
            "          in Batch, job {}\n",
            crate::report::clean::line(job)
        );
    }
    text
}

fn artifact_table(
    cx: &Context,
    seen: &Seen<'_>,
    artifacts: &[Artifact],
) -> Result<String, CliError> {
    let style = &cx.out.style;
    let mut table = Table::new(&[
        ("artifact", Align::Left),
        ("kind", Align::Left),
        ("size", Align::Right),
        ("digest", Align::Left),
        ("value", Align::Left),
    ]);
    let room = cx.out.width().saturating_sub(60).max(20);
    for artifact in artifacts {
        let value = &artifact.value;
        let kind = crate::report::clean::short(value.media.as_str(), 30);
        table.row([
            Cell::painted(artifact.name.as_str(), style.name(&artifact.name)),
            kind.into(),
            human::bytes(value.size).into(),
            value.digest.short().into(),
            seen.store.preview(value, room)?.into(),
        ]);
    }
    Ok(table.render(style, 0))
}

/// A task: `run`, the members of a task, `artifacts`, `records` (one per attempt, with `attempt`).
fn to_json(seen: &Seen<'_>, task: &TaskId, artifacts: &[Artifact]) -> Json {
    let mut it = shape::object([("run", json!(seen.run))]);
    if let Some(Json::Object(members)) = facts(seen, task).map(|facts| task_json(task, facts)) {
        it.extend(members);
    }
    it.insert(
        "artifacts".into(),
        artifacts.iter().map(shape::artifact).collect(),
    );
    let records = attempts(seen, task).map(|(attempt, record)| {
        let mut line = serde_json::Map::from_iter([("attempt".to_owned(), attempt.into())]);
        line.extend(shape::record(record));
        Json::Object(line)
    });
    it.insert("records".into(), records.collect());
    it.into()
}

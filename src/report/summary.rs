//! What is said when a run has ended: how, how long, what failed, and how to look further.

use super::failure;
use super::human;
use super::progress::Progress;
use super::style::Style;
use crate::model::event::RunStatus;
use crate::model::time::Timestamp;

/// The most failed tasks that are listed.
const MAX_FAILED: usize = 10;
/// The most reports that are listed.
const MAX_REPORTS: usize = 5;

/// How a status is called.
pub fn status(status: RunStatus, style: &Style) -> String {
    match status {
        RunStatus::Succeeded => style.succeeded("succeeded"),
        RunStatus::Failed => style.failed("failed"),
        RunStatus::Cancelled => style.stopped("cancelled"),
    }
}

/// The summary as lines; `now` counts when the run has not ended.
pub fn render(progress: &Progress, now: Timestamp, style: &Style) -> String {
    let Some(run) = progress.run() else {
        return String::new();
    };
    let word = match progress.ended() {
        Some((ended, _)) => status(ended, style),
        None => style.stopped("stopped without an end"),
    };
    let elapsed = human::duration(progress.elapsed_us(now));
    let run = run.to_string();
    let mut text = format!(
        "run {} {word} in {elapsed}: {}\n",
        style.name(&run),
        counts(progress)
    );
    text += &failed(progress, &run, style);
    text += &further(progress, &run, style);
    text
}

/// The counts in words: `12 tasks, 1 failed, 3 retried`.
pub fn counts(progress: &Progress) -> String {
    let totals = progress.totals();
    let mut text = human::count(totals.ended(), "task");
    for (number, word) in [
        (totals.reused, "reused"),
        (totals.failed, "failed"),
        (totals.caught, "caught"),
        (totals.retried, "retried"),
    ] {
        if number > 0 {
            text += &format!(", {number} {word}");
        }
    }
    text
}

fn failed(progress: &Progress, run: &str, style: &Style) -> String {
    let mut text = String::new();
    for (task, attempt, why) in progress.failures().take(MAX_FAILED) {
        let place = style.name(format!("{run}/{task}"));
        let attempts = match attempt {
            0 => String::new(),
            more => format!(" after {}", human::count(u64::from(more) + 1, "attempt")),
        };
        text += &format!(
            "  {place} failed{attempts}: {}\n",
            failure::headline(why, style)
        );
    }
    let more = progress.failures().count().saturating_sub(MAX_FAILED);
    if more > 0 {
        text += &format!("  … {more} more\n");
    }
    text
}

fn further(progress: &Progress, run: &str, style: &Style) -> String {
    let mut commands = Vec::new();
    if let Some((task, _, _)) = progress.failures().next() {
        commands.push(format!("wrun logs {run}/{task}"));
    }
    for report in progress.reports().iter().take(MAX_REPORTS) {
        commands.push(format!(
            "wrun get {run}/{}/{} --open",
            report.task, report.artifact
        ));
    }
    if matches!(
        progress.ended(),
        Some((RunStatus::Failed | RunStatus::Cancelled, _))
    ) {
        commands.push(format!("wrun resume {run}"));
    }
    commands.push(format!("wrun show {run}"));
    let mut text = String::new();
    for (position, command) in commands.iter().enumerate() {
        let label = if position == 0 {
            "look further:"
        } else {
            "             "
        };
        text += &format!("  {} {command}\n", style.hint(label));
    }
    text
}

//! The picture of a run that goes on: one line per step, a bar where there are many tasks.
//!
//! Pure text; [`super::terminal`] draws it.

use super::clean;
use super::human;
use super::progress::{Progress, StepCounts};
use super::style::Style;
use crate::model::graph::StepNode;
use crate::model::time::Timestamp;

/// The most lines of a picture.
const MAX_LINES: usize = 16;
/// The cells of a bar.
const BAR: u64 = 24;

/// The lines of the picture at the time `now`.
///
/// Steps of which nothing has happened are not shown. When there are too many, steps that are over
/// make room for those that are not.
pub fn lines(progress: &Progress, now: Timestamp, style: &Style) -> Vec<String> {
    let begun: Vec<_> = progress
        .steps()
        .filter(|(_, counts)| counts.has_begun())
        .collect();
    let width = begun
        .iter()
        .map(|(step, _)| step.name.as_str().len())
        .max()
        .unwrap_or(0);
    let mut hidden = begun.len().saturating_sub(MAX_LINES);
    let hidden_in_all = hidden;
    let mut lines = Vec::new();
    for (step, counts) in begun {
        let may_hide = counts.is_over() && counts.failed == 0;
        if hidden > 0 && may_hide {
            hidden -= 1;
            continue;
        }
        lines.push(line(progress, step, counts, width, now, style));
    }
    lines.truncate(MAX_LINES);
    if hidden_in_all > 0 {
        let note = format!("  … {} more", human::count(hidden_in_all as u64, "step"));
        lines.insert(0, style.faint(note));
    }
    lines
}

fn line(
    progress: &Progress,
    step: &StepNode,
    counts: &StepCounts,
    width: usize,
    now: Timestamp,
    style: &Style,
) -> String {
    let mark = if counts.failed > 0 {
        style.failed("✗")
    } else if counts.is_over() {
        style.succeeded("✓")
    } else if counts.running > 0 {
        style.running("●")
    } else {
        style.faint("○")
    };
    let name = format!("{:width$}", step.name);
    let mut text = format!("{mark} {}", style.name(name));
    if counts.expected > 1 {
        text += &format!(
            "  {} {}/{}",
            bar(counts, style),
            counts.ended(),
            counts.expected
        );
    }
    if counts.is_over() || counts.expected > 1 || counts.elapsed_us(now) >= 1_000_000 {
        text += &format!("  {}", style.faint(human::duration(counts.elapsed_us(now))));
    }
    for (number, word) in [
        (counts.failed, style.failed("failed")),
        (counts.caught, style.stopped("caught")),
        (counts.retried, style.stopped("retried")),
    ] {
        if number > 0 {
            text += &format!("  {number} {word}");
        }
    }
    if let Some(said) = said(progress, step) {
        text += &format!("  {said}");
    }
    text
}

fn bar(counts: &StepCounts, style: &Style) -> String {
    let all = counts.expected.max(1);
    let full = (counts.ended() * BAR / all).min(BAR) as usize;
    let rest = BAR as usize - full;
    format!(
        "{}{}",
        style.running("█".repeat(full)),
        style.faint("░".repeat(rest))
    )
}

/// What the first task of the step that says something says.
fn said(progress: &Progress, step: &StepNode) -> Option<String> {
    let mut running = progress.running_of(step.name.as_str());
    let (done, total, message) = running.find_map(|(_, task)| task.said.as_ref())?;
    let count = match (done, total) {
        (0, 0) => String::new(),
        (done, 0) => format!("{done} "),
        (done, total) => format!("{done}/{total} "),
    };
    Some(
        format!("{count}{}", clean::short(message, 60))
            .trim_end()
            .to_owned(),
    )
}

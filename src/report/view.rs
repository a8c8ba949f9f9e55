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
/// The most cells of a bar.
const BAR: usize = 24;
/// The fewest cells of a bar; where there is less room there is none.
const SHORT_BAR: usize = 8;

/// Where there is less room, nothing is shown of what a task says.
const MIN_SAID: usize = 12;

/// How a picture is made.
#[derive(Clone, Copy, Debug)]
pub struct Canvas<'a> {
    /// The time.
    pub now: Timestamp,
    /// How it is painted.
    pub style: &'a Style,
    /// The most characters of a line.
    pub width: usize,
    /// The most lines.
    pub height: usize,
}

/// The lines of the picture of a run.
///
/// Steps of which nothing has happened are not shown. When there are too many, steps that are over
/// make room for those that are not. No line is wider than the canvas: what has no room is left
/// out, from the right.
pub fn lines(progress: &Progress, canvas: &Canvas<'_>) -> Vec<String> {
    let begun: Vec<_> = progress
        .steps()
        .filter(|(_, counts)| counts.has_begun())
        .collect();
    let width = begun
        .iter()
        .map(|(step, _)| step.name.as_str().len())
        .max()
        .unwrap_or(0)
        .min(canvas.width / 2);
    let most = canvas.height.clamp(2, MAX_LINES);
    // The line that says how many are hidden takes room, too.
    let mut hidden = match begun.len() > most {
        true => begun.len() - most + 1,
        false => 0,
    };
    let hidden_in_all = hidden;
    let mut lines = Vec::new();
    for (step, counts) in begun {
        let may_hide = counts.is_over() && counts.failed == 0;
        if hidden > 0 && may_hide {
            hidden -= 1;
            continue;
        }
        lines.push(line(progress, (step, counts), width, canvas));
    }
    lines.truncate(most - usize::from(hidden_in_all > 0));
    if hidden_in_all > 0 {
        let note = format!("  … {} more", human::count(hidden_in_all as u64, "step"));
        lines.insert(0, canvas.style.faint(clean::short(&note, canvas.width)));
    }
    lines
}

/// A line that grows to the right as long as there is room.
struct Line {
    text: String,
    used: usize,
    width: usize,
}

impl Line {
    /// How many characters still fit behind a gap.
    fn room(&self) -> usize {
        self.width.saturating_sub(self.used + 2)
    }

    /// Adds `painted`, which looks as wide as `plain`, behind a gap, if there is room.
    fn add(&mut self, plain: &str, painted: &str) {
        let wide = plain.chars().count();
        if wide <= self.room() {
            self.text += "  ";
            self.text += painted;
            self.used += wide + 2;
        }
    }
}

fn line(
    progress: &Progress,
    (step, counts): (&StepNode, &StepCounts),
    name_width: usize,
    canvas: &Canvas<'_>,
) -> String {
    let style = canvas.style;
    let name = clean::short(step.name.as_str(), name_width);
    let mut line = Line {
        text: format!(
            "{} {}",
            mark(counts, style),
            style.name(format!("{name:name_width$}"))
        ),
        used: name_width + 2,
        width: canvas.width,
    };
    let notes = notes(counts, style);
    let elapsed = human::duration(counts.elapsed_us(canvas.now));
    // What went wrong matters more than a long bar.
    let after = 12 + notes.iter().map(|(note, _)| note.len() + 2).sum::<usize>();
    if counts.expected > 1 {
        let count = format!("{}/{}", counts.ended(), counts.expected);
        let cells = line.room().saturating_sub(count.len() + after).min(BAR);
        if cells >= SHORT_BAR {
            line.add(&"░".repeat(cells), &bar(counts, cells, style));
            line.text += " ";
            line.text += &count;
            line.used += count.len() + 1;
        } else {
            line.add(&count, &count);
        }
    }
    if counts.is_over() || counts.expected > 1 || counts.elapsed_us(canvas.now) >= 1_000_000 {
        line.add(&elapsed, &style.faint(&elapsed));
    }
    for (plain, painted) in &notes {
        line.add(plain, painted);
    }
    if let (true, Some(said)) = (line.room() >= MIN_SAID, said(progress, step)) {
        let said = clean::short(&said, line.room().min(60));
        line.add(&said, &said);
    }
    line.text
}

/// What did not go well, plain and painted.
fn notes(counts: &StepCounts, style: &Style) -> Vec<(String, String)> {
    [
        (counts.failed, "failed", style.failed("failed")),
        (counts.caught, "caught", style.stopped("caught")),
        (counts.retried, "retried", style.stopped("retried")),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, word, painted)| (format!("{number} {word}"), format!("{number} {painted}")))
    .collect()
}

fn mark(counts: &StepCounts, style: &Style) -> String {
    if counts.failed > 0 {
        style.failed("✗")
    } else if counts.is_over() {
        style.succeeded("✓")
    } else if counts.running > 0 {
        style.running("●")
    } else {
        style.faint("○")
    }
}

fn bar(counts: &StepCounts, cells: usize, style: &Style) -> String {
    let all = counts.expected.max(1);
    let full = (counts.ended().saturating_mul(cells as u64) / all).min(cells as u64) as usize;
    format!(
        "{}{}",
        style.running("█".repeat(full)),
        style.faint("░".repeat(cells - full))
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
    let text = format!("{count}{}", clean::line(message));
    Some(text.trim_end().to_owned()).filter(|text| !text.is_empty())
}

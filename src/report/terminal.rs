//! Shows a run as a picture that changes, with what tasks print and what fails above it.
//!
//! Events are folded as they come and drawn at most ten times a second, so that ten thousand events
//! a second cost little. A picture goes out in one piece: the way up over the one before, what is
//! printed above, and the new lines. When the run has ended, the last picture stays, with the
//! summary below.

use std::io::Write;
use std::sync::Arc;

use super::Reporter;
use super::narrate::Narrator;
use super::progress::Progress;
use super::style::Style;
use super::view::{self, Canvas};
use super::{human, summary};
use crate::model::event::Event;
use crate::model::graph::FlowGraph;
use crate::model::time::Timestamp;

/// The time between two pictures, in microseconds.
const PICTURE_US: u64 = 100_000;
/// The most lines that are printed above one picture.
const MAX_ABOVE: usize = 500;

/// What a terminal is, and what it is asked for again and again.
pub struct Surroundings {
    /// Where it is written to.
    pub out: Box<dyn Write + Send>,
    /// The time.
    pub clock: Box<dyn Fn() -> Timestamp + Send>,
    /// How many columns and lines it has now.
    pub size: Box<dyn Fn() -> (usize, usize) + Send>,
}

/// Draws on a terminal that can move its cursor up.
pub struct Terminal {
    style: Style,
    around: Surroundings,
    progress: Progress,
    narrator: Narrator,
    above: Vec<String>,
    left_out: u64,
    drawn_at: Timestamp,
    /// The picture that stands; the cursor is below it.
    standing: Vec<String>,
}

impl Terminal {
    /// A reporter of a run of `graph`.
    pub fn new(graph: Arc<FlowGraph>, style: Style, around: Surroundings) -> Self {
        Self {
            style,
            around,
            progress: Progress::new(graph),
            narrator: Narrator::new(style),
            above: Vec::new(),
            left_out: 0,
            drawn_at: Timestamp(0),
            standing: Vec::new(),
        }
    }

    fn say(&mut self, lines: Vec<String>) {
        for line in lines {
            if self.above.len() < MAX_ABOVE {
                self.above.push(line);
            } else {
                self.left_out += 1;
            }
        }
    }

    /// Draws the picture of the time `now`, with `below` under it.
    fn draw(&mut self, now: Timestamp, below: &str) {
        self.drawn_at = now;
        let (columns, rows) = (self.around.size)();
        let picture = self.picture(now, columns, rows);
        if picture == self.standing && self.above.is_empty() && below.is_empty() {
            return;
        }
        let mut text = over(&self.standing, columns);
        text += &self.take_above();
        text.extend(picture.iter().map(|line| format!("{line}\n")));
        text += below;
        self.standing = picture;
        // A terminal that has gone does not stop the run.
        let _ = self.around.out.write_all(text.as_bytes());
        let _ = self.around.out.flush();
    }

    /// What is to be printed above the picture; empty when nothing is.
    fn take_above(&mut self) -> String {
        if self.left_out > 0 {
            let run = self.progress.run();
            let run = run.map(ToString::to_string).unwrap_or_default();
            let many = human::count(self.left_out, "more line");
            let note = format!("… {many}: wrun logs {run}");
            self.above.push(self.style.faint(note));
            self.left_out = 0;
        }
        self.above.drain(..).map(|line| line + "\n").collect()
    }

    fn picture(&self, now: Timestamp, columns: usize, rows: usize) -> Vec<String> {
        let canvas = Canvas {
            now,
            style: &self.style,
            // A line that fills the last column is two lines on some terminals.
            width: columns.saturating_sub(1),
            // What has scrolled away cannot be drawn over.
            height: rows.saturating_sub(2),
        };
        view::lines(&self.progress, &canvas)
    }
}

/// Moves the cursor up over `lines` and clears what is below, whatever else was echoed there.
///
/// A terminal that has become narrower shows a line on several rows.
fn over(lines: &[String], columns: usize) -> String {
    let shown = |line: &String| {
        anstream::adapter::strip_str(line)
            .to_string()
            .chars()
            .count()
    };
    let rows = |line: &String| shown(line).div_ceil(columns.max(1)).max(1);
    match lines.iter().map(rows).sum::<usize>() {
        0 => String::new(),
        rows => format!("\r\u{1b}[{rows}A\u{1b}[J"),
    }
}

impl Reporter for Terminal {
    fn past(&mut self, event: &Event) {
        self.progress.apply(event);
    }

    fn event(&mut self, event: &Event) {
        self.progress.apply(event);
        let lines = self.narrator.lines(event);
        self.say(lines);
    }

    fn tick(&mut self) {
        let now = (self.around.clock)();
        if now.micros_since(self.drawn_at) >= PICTURE_US {
            self.draw(now, "");
        }
    }

    fn end(&mut self) {
        let now = (self.around.clock)();
        let summary = summary::render(&self.progress, now, &self.style);
        self.draw(now, &summary);
    }
}

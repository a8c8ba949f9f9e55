//! Shows a run as a picture that changes, with what tasks print and what fails above it.
//!
//! Events are folded as they come and drawn at most ten times a second, so that ten thousand events
//! a second cost little.

use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Reporter;
use super::narrate::Narrator;
use super::progress::Progress;
use super::style::Style;
use super::{human, summary, view};
use crate::model::event::Event;
use crate::model::graph::FlowGraph;
use crate::model::time::Timestamp;

/// The time between two pictures, in microseconds.
const PICTURE_US: u64 = 100_000;
/// The most lines that are printed above one picture.
const MAX_ABOVE: usize = 500;

/// Draws on standard error.
pub struct Terminal {
    style: Style,
    clock: Box<dyn Fn() -> Timestamp + Send>,
    progress: Progress,
    narrator: Narrator,
    above: Vec<String>,
    left_out: u64,
    drawn_at: Timestamp,
    multi: MultiProgress,
    bars: Vec<ProgressBar>,
}

impl Terminal {
    /// A reporter of a run of `graph` that draws on standard error and reads the time from `clock`.
    pub fn new(
        graph: Arc<FlowGraph>,
        style: Style,
        clock: Box<dyn Fn() -> Timestamp + Send>,
    ) -> Self {
        Self {
            style,
            clock,
            progress: Progress::new(graph),
            narrator: Narrator::new(style),
            above: Vec::new(),
            left_out: 0,
            drawn_at: Timestamp(0),
            multi: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)),
            bars: Vec::new(),
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

    fn draw(&mut self, now: Timestamp) {
        self.drawn_at = now;
        if self.left_out > 0 {
            let run = self
                .progress
                .run()
                .map(ToString::to_string)
                .unwrap_or_default();
            let many = human::count(self.left_out, "more line");
            self.above
                .push(self.style.faint(format!("… {many}: wrun logs {run}")));
            self.left_out = 0;
        }
        if !self.above.is_empty() {
            // A terminal that has gone does not stop the run.
            let _ = self.multi.println(self.above.join("\n"));
            self.above.clear();
        }
        self.show(&view::lines(&self.progress, now, &self.style));
    }

    fn show(&mut self, lines: &[String]) {
        while self.bars.len() < lines.len() {
            let style = ProgressStyle::with_template("{wide_msg}").expect("the template is valid");
            self.bars
                .push(self.multi.add(ProgressBar::new(1).with_style(style)));
        }
        while self.bars.len() > lines.len() {
            if let Some(bar) = self.bars.pop() {
                self.multi.remove(&bar);
            }
        }
        for (bar, line) in self.bars.iter().zip(lines) {
            if bar.message() != *line {
                bar.set_message(line.clone());
            }
        }
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
        self.tick();
    }

    fn tick(&mut self) {
        let now = (self.clock)();
        if now.micros_since(self.drawn_at) >= PICTURE_US {
            self.draw(now);
        }
    }

    fn end(&mut self) {
        let now = (self.clock)();
        self.draw(now);
        for bar in self.bars.drain(..) {
            bar.abandon();
        }
        let text = summary::render(&self.progress, now, &self.style);
        self.multi.suspend(|| {
            use std::io::Write;
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        });
    }
}

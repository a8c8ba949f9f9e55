//! Shows a run as lines that do not change, for pipes, files and continuous integration.
//!
//! A step with many tasks says a line for every tenth of them, not for every one.

use std::io::Write;
use std::sync::Arc;

use super::Reporter;
use super::narrate;
use super::progress::{Progress, StepCounts};
use super::style::Style;
use super::{human, summary};
use crate::model::event::Event;
use crate::model::graph::FlowGraph;
use crate::model::id::TaskId;
use crate::model::time::Timestamp;

/// Writes lines.
pub struct Plain<W> {
    out: W,
    style: Style,
    progress: Progress,
    narrator: narrate::Narrator,
    /// For each step, of how many tasks was told that they ended.
    told: Vec<u64>,
    last: Timestamp,
}

impl<W: Write + Send> Plain<W> {
    /// A reporter of a run of `graph` that writes to `out`.
    pub fn new(graph: Arc<FlowGraph>, style: Style, out: W) -> Self {
        let told = vec![0; graph.steps().len()];
        let progress = Progress::new(graph);
        Self {
            out,
            style,
            progress,
            narrator: narrate::Narrator::new(style),
            told,
            last: Timestamp(0),
        }
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn tell_success(&mut self, task: &TaskId, wall_us: u64) {
        let Some(ix) = self.progress.graph().find(task.step.as_str()) else {
            return;
        };
        let Some(counts) = self.progress.step(task.step.as_str()) else {
            return;
        };
        if counts.expected <= 1 {
            let line = format!(
                "{task} {} in {}",
                self.style.succeeded("done"),
                human::duration(wall_us)
            );
            return self.write(&line);
        }
        let told = &mut self.told[ix.index()];
        if !is_news(counts, *told) {
            return;
        }
        *told = counts.ended();
        let line = format!(
            "{}: {} of {} done",
            task.step,
            counts.ended(),
            counts.expected
        );
        self.write(&line);
    }

    fn write(&mut self, line: &str) {
        // A reader that has gone does not stop the run.
        let _ = writeln!(self.out, "{}", line.trim_end_matches('\n'));
    }
}

/// Whether there is enough to say after a line was written for `told` tasks.
///
/// The number of tasks may grow with those that end, and then all that are known have ended again
/// and again; a line is worth it for a twentieth more.
fn is_news(counts: &StepCounts, told: u64) -> bool {
    let more = counts.ended() - told;
    more * 10 >= counts.expected || (counts.is_over() && more * 20 >= counts.ended())
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn past(&mut self, event: &Event) {
        self.progress.apply(event);
    }

    fn event(&mut self, event: &Event) {
        self.progress.apply(event);
        for line in self.narrator.lines(event) {
            self.write(&line);
        }
        match event {
            Event::Finished { task, record, .. } => {
                self.last = Timestamp(record.usage.started_at.0 + record.usage.wall_us);
                if record.result.is_ok() {
                    self.tell_success(task, record.usage.wall_us);
                }
            }
            Event::RunEnded { at, .. } => self.last = *at,
            _ => {}
        }
    }

    fn end(&mut self) {
        let text = summary::render(&self.progress, self.last, &self.style);
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

//! Shows a run as lines that do not change, for pipes, files and continuous integration.
//!
//! A step with many tasks says one line when all of them have ended. Only one that takes long says
//! in between how far it is, every ten seconds of the run's own time.

use std::io::Write;
use std::sync::Arc;

use super::Reporter;
use super::narrate;
use super::progress::Progress;
use super::style::Style;
use super::{human, summary};
use crate::model::event::Event;
use crate::model::graph::{FlowGraph, StepIx};
use crate::model::id::TaskId;
use crate::model::time::Timestamp;

/// The time between two lines about the tasks of one step, in microseconds.
const PAUSE_US: u64 = 10_000_000;

/// What was told about a step with many tasks.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Of how many tasks that they ended.
    ended: u64,
    /// When.
    at: Option<Timestamp>,
}

/// Writes lines.
pub struct Plain<W> {
    out: W,
    style: Style,
    progress: Progress,
    narrator: narrate::Narrator,
    /// For each step, what was told about its tasks.
    told: Vec<Told>,
    /// For each step, those that must have ended before the number of its tasks is final.
    before: Vec<Vec<StepIx>>,
    last: Timestamp,
}

impl<W: Write + Send> Plain<W> {
    /// A reporter of a run of `graph` that writes to `out`.
    pub fn new(graph: Arc<FlowGraph>, style: Style, out: W) -> Self {
        let told = vec![Told::default(); graph.steps().len()];
        let before = before(&graph);
        let progress = Progress::new(graph);
        Self {
            out,
            style,
            progress,
            narrator: narrate::Narrator::new(style),
            told,
            before,
            last: Timestamp(0),
        }
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Says that a task ended well: at once when it is the only one of its step.
    fn tell_success(&mut self, task: &TaskId, wall_us: u64) {
        let Some(ix) = self.progress.graph().find(task.step.as_str()) else {
            return;
        };
        if task.place.frames().is_empty() {
            let done = self.style.succeeded("done");
            let line = format!("{task} {done} in {}", human::duration(wall_us));
            self.write(&line);
        } else {
            self.tell_how_far(ix);
        }
        // Only now can there be a step of which the last task has ended.
        if self.progress.step_at(ix).1.is_settled() {
            self.tell_complete();
        }
    }

    /// Says how far a step is that takes long.
    fn tell_how_far(&mut self, ix: StepIx) {
        let (_, counts) = self.progress.step_at(ix);
        let told = &mut self.told[ix.index()];
        let since = told.at.or(counts.started_at).unwrap_or(self.last);
        if self.last.micros_since(since) >= PAUSE_US {
            self.tell_counts(ix);
        }
    }

    /// Says of each step with many tasks that all of them have ended, once no more can come.
    fn tell_complete(&mut self) {
        for ix in (0..self.told.len()).map(|ix| StepIx(ix as u16)) {
            let is_settled = |ix: &StepIx| self.progress.step_at(*ix).1.is_settled();
            let before = &self.before[ix.index()];
            if self.is_news(ix) && is_settled(&ix) && before.iter().all(is_settled) {
                self.tell_counts(ix);
            }
        }
    }

    /// Whether tasks of a step with many have ended about which nothing was said.
    fn is_news(&self, ix: StepIx) -> bool {
        let (step, counts) = self.progress.step_at(ix);
        step.frames() > 0 && counts.ended() > self.told[ix.index()].ended
    }

    /// Says how far the steps came that did not come to their end.
    fn tell_rest(&mut self) {
        for ix in (0..self.told.len()).map(|ix| StepIx(ix as u16)) {
            if self.is_news(ix) {
                self.tell_counts(ix);
            }
        }
    }

    fn tell_counts(&mut self, ix: StepIx) {
        let (step, counts) = self.progress.step_at(ix);
        let mut line = format!(
            "{}: {} of {} {}",
            step.name,
            counts.succeeded,
            counts.expected,
            self.style.succeeded("done"),
        );
        // What waited elsewhere and was cancelled there has never begun.
        let elapsed = counts.elapsed_us(self.last);
        if elapsed > 0 {
            line += &format!(" in {}", human::duration(elapsed));
        }
        for (number, word) in [(counts.failed, "failed"), (counts.caught, "caught")] {
            if number > 0 {
                line += &format!(", {number} {}", self.style.failed(word));
            }
        }
        self.told[ix.index()] = Told {
            ended: counts.ended(),
            at: Some(self.last),
        };
        self.write(&line);
    }

    fn write(&mut self, line: &str) {
        // A reader that has gone does not stop the run.
        let _ = writeln!(self.out, "{}", line.trim_end_matches('\n'));
    }
}

/// For each step, all steps from which a way leads to it: while one of them goes on, there may
/// be more tasks.
fn before(graph: &FlowGraph) -> Vec<Vec<StepIx>> {
    let mut before = vec![Vec::new(); graph.steps().len()];
    for from in (0..graph.steps().len()).map(|ix| StepIx(ix as u16)) {
        let mut todo = graph.step(from).edge.targets();
        while let Some(to) = todo.pop() {
            let known: &mut Vec<StepIx> = &mut before[to.index()];
            // The ways from `from` are walked in one go, so it was pushed last if at all.
            if known.last() != Some(&from) {
                known.push(from);
                todo.extend(graph.step(to).edge.targets());
            }
        }
    }
    before
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn past(&mut self, event: &Event) {
        self.progress.apply(event);
        if let Event::Reused { task, .. } | Event::Finished { task, .. } = event
            && let Some(ix) = self.progress.graph().find(task.step.as_str())
        {
            // What was there before is no news.
            self.told[ix.index()].ended = self.progress.step_at(ix).1.ended();
        }
    }

    fn event(&mut self, event: &Event) {
        self.progress.apply(event);
        for line in self.narrator.lines(event) {
            self.write(&line);
        }
        match event {
            Event::Finished { task, record, .. } => {
                let end = record
                    .usage
                    .started_at
                    .0
                    .saturating_add(record.usage.wall_us);
                self.last = self.last.max(Timestamp(end));
                if record.result.is_ok() {
                    self.tell_success(task, record.usage.wall_us);
                }
            }
            Event::Caught { .. } => self.tell_complete(),
            Event::RunEnded { at, .. } => {
                self.last = *at;
                self.tell_rest();
            }
            _ => {}
        }
    }

    fn end(&mut self) {
        let text = summary::render(&self.progress, self.last, &self.style);
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

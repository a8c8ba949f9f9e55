//! Shows of a run only what went wrong, at its end.

use std::io::Write;
use std::sync::Arc;

use super::Reporter;
use super::failure;
use super::progress::Progress;
use super::style::Style;
use crate::model::event::Event;
use crate::model::graph::FlowGraph;

/// Writes failures when the run has ended.
pub struct Quiet<W> {
    out: W,
    style: Style,
    progress: Progress,
}

impl<W: Write + Send> Quiet<W> {
    /// A reporter of a run of `graph` that writes to `out`.
    pub fn new(graph: Arc<FlowGraph>, style: Style, out: W) -> Self {
        Self {
            out,
            style,
            progress: Progress::new(graph),
        }
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write + Send> Reporter for Quiet<W> {
    fn past(&mut self, event: &Event) {
        self.progress.apply(event);
    }

    fn event(&mut self, event: &Event) {
        self.progress.apply(event);
    }

    fn end(&mut self) {
        let run = self
            .progress
            .run()
            .map(ToString::to_string)
            .unwrap_or_default();
        for (task, _, why) in self.progress.failures() {
            let name = self.style.name(format!("{run}/{task}"));
            let head = failure::headline(why, &self.style);
            let details = failure::details(why, &self.style);
            // A reader that has gone does not stop the run.
            let _ = write!(self.out, "{name} failed: {head}\n{details}");
        }
        let _ = self.out.flush();
    }
}

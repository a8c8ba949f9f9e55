//! Shows a run as JSON lines, one per event, in the shape that [`super::json`] documents.

use std::io::Write;

use super::Reporter;
use super::json;
use crate::model::event::Event;

/// Writes JSON lines.
pub struct Jsonl<W> {
    out: W,
}

impl<W: Write + Send> Jsonl<W> {
    /// A reporter that writes to `out`, which had better be buffered.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write + Send> Reporter for Jsonl<W> {
    fn event(&mut self, event: &Event) {
        // A reader that has gone does not stop the run.
        let _ = writeln!(self.out, "{}", json::line(&json::event(event)));
    }

    fn tick(&mut self) {
        let _ = self.out.flush();
    }

    fn end(&mut self) {
        let _ = self.out.flush();
    }
}

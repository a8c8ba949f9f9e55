//! Events for eyes and machines.
//!
//! A [`Reporter`] is told every event of a run and shows it: [`terminal`] draws a picture that
//! changes ([`view`] is the picture), [`plain`] writes lines that do not, [`jsonl`] writes JSON,
//! [`quiet`] writes only what went wrong. [`progress`] folds events into the counts that all of them
//! show, [`narrate`] says what single events mean, [`summary`] is said at the end. [`style`],
//! [`clean`], [`human`], [`table`], [`failure`], [`loglines`] and [`json`] are how anything is
//! shown, in a run or later. [`graph`] draws a flow.
//!
//! Uses `model`. Decides nothing, stores nothing, and writes only where it is told.

pub mod base64;
pub mod check;
pub mod clean;
pub mod failure;
pub mod graph;
pub mod history;
pub mod human;
pub mod json;
pub mod jsonl;
pub mod loglines;
pub mod narrate;
pub mod plain;
pub mod progress;
pub mod quiet;
pub mod style;
pub mod summary;
pub mod table;
pub mod terminal;
pub mod view;

#[cfg(test)]
mod tests;

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::model::event::Event;

/// How long a reporter waits for an event before it may draw again.
const TICK: Duration = Duration::from_millis(100);

/// Shows the events of one run.
///
/// Events come in the order in which they happened, [`Event::RunStarted`] first. What cannot be
/// written is lost: no reporter stops a run.
pub trait Reporter: Send {
    /// Takes note of an event of a run that is taken over, and says nothing of it.
    fn past(&mut self, _event: &Event) {}

    /// Shows one event, or keeps it for later.
    fn event(&mut self, event: &Event);

    /// No event is waiting, or time has passed: shows what was kept, and how long things have been
    /// going on.
    fn tick(&mut self) {}

    /// Nothing more comes: shows what was kept, and the summary.
    fn end(&mut self) {}
}

/// Tells `reporter` every event until all senders are gone, then that nothing more comes.
pub fn follow(events: &Receiver<Vec<Event>>, reporter: &mut dyn Reporter) {
    loop {
        match events.recv_timeout(TICK) {
            Ok(events) => {
                events.iter().for_each(|event| reporter.event(event));
                reporter.tick();
            }
            Err(RecvTimeoutError::Timeout) => reporter.tick(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    reporter.end();
}

//! Hands events to whoever shows them, many at a time.
//!
//! A listener that is woken for each of ten thousand small tasks takes more time than they do.

use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::event::Event;

/// The pause between two deliveries; shorter than anybody notices.
const PAUSE: Duration = Duration::from_millis(10);

/// The end at which the driver puts events that are to be shown.
pub struct Showing {
    listener: Sender<Vec<Event>>,
    waiting: Vec<Event>,
    next: Instant,
}

impl Showing {
    /// Shows events to `listener`.
    pub fn new(listener: Sender<Vec<Event>>) -> Self {
        Self {
            listener,
            waiting: Vec::new(),
            next: Instant::now(),
        }
    }

    /// Shows an event soon, after those before it.
    pub fn show(&mut self, event: Event) {
        self.waiting.push(event);
    }

    /// When what waits is to be delivered; none when nothing waits.
    pub fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.next)
    }

    /// Delivers what waits, unless the last delivery was just before.
    pub fn flush_if_due(&mut self) {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.flush();
        }
    }

    /// Delivers what waits.
    pub fn flush(&mut self) {
        self.next = Instant::now() + PAUSE;
        if !self.waiting.is_empty() {
            // Nobody may be listening, and the run goes on all the same.
            let _ = self.listener.send(std::mem::take(&mut self.waiting));
        }
    }
}

impl Drop for Showing {
    fn drop(&mut self) {
        // Also when the run stops with an error, what happened is seen.
        self.flush();
    }
}

//! Writes the journal behind the driver's back, many events at a time.
//!
//! While one segment is being written, events gather for the next; a short pause between two
//! segments lets ten thousand small tasks share a few hundred writes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::memo::Notes;
use crate::datastore::journal::{JournalError, JournalWriter};
use crate::model::event::Event;
use crate::task::site::Site;

/// The pause between two segments. A run that ends does not wait for it.
const PAUSE: Duration = Duration::from_millis(25);
/// How many events a segment has at most.
const MOST_EVENTS: usize = 4096;
/// How many events may wait to be written before the driver waits for the journal.
const BACKLOG: usize = 16 * 1024;

/// The end at which the driver puts events.
pub struct Journal {
    sender: Option<mpsc::Sender<Event>>,
    task: JoinHandle<Result<u64, JournalError>>,
}

impl Journal {
    /// Starts writing with `writer`; tells the values of `site`, and `notes`, what has become
    /// durable.
    pub fn new(writer: JournalWriter, site: Arc<Site>, notes: Arc<Notes>) -> Self {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        Self {
            sender: Some(sender),
            task: tokio::spawn(write(writer, receiver, site, notes)),
        }
    }

    /// Puts an event into the journal; it becomes durable soon.
    ///
    /// # Errors
    /// Why the journal could not be written any more.
    pub async fn push(&mut self, event: Event) -> Result<(), JournalError> {
        let sender = self
            .sender
            .as_ref()
            .expect("nothing is pushed after the end");
        if sender.send(event).await.is_ok() {
            return Ok(());
        }
        self.end().await.map(|_| ())
    }

    /// Waits until everything that was pushed is durable, and says how many segments were written.
    ///
    /// # Errors
    /// Why the journal could not be written.
    pub async fn end(&mut self) -> Result<u64, JournalError> {
        self.sender = None;
        match (&mut self.task).await {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Completes when writing has stopped by itself, which is an error.
    pub fn is_broken(&self) -> bool {
        self.task.is_finished()
    }
}

async fn write(
    mut writer: JournalWriter,
    mut receiver: mpsc::Receiver<Event>,
    site: Arc<Site>,
    notes: Arc<Notes>,
) -> Result<u64, JournalError> {
    let mut segments = 0;
    let mut batch = Vec::new();
    while receiver.recv_many(&mut batch, MOST_EVENTS).await > 0 {
        let segment = writer.append(&batch).await?;
        site.values.stored(&batch, segment);
        notes.stored(&site, &batch, segment);
        segments += 1;
        batch.clear();
        pause(&mut receiver).await;
    }
    Ok(segments)
}

/// Lets events gather, unless the driver has finished or much is waiting already.
async fn pause(receiver: &mut mpsc::Receiver<Event>) {
    let until = tokio::time::Instant::now() + PAUSE;
    while !receiver.is_closed() && receiver.len() < MOST_EVENTS {
        let now = tokio::time::Instant::now();
        if now >= until {
            return;
        }
        tokio::time::sleep((until - now).min(Duration::from_millis(2))).await;
    }
}

//! Writes the journal behind the driver's back, many events at a time, and shows what it has written.
//!
//! Whoever sees an event may rely on it: it is shown only when it is durable.
//!
//! While one segment is being written, events gather for the next; a short pause between two
//! segments, as long as the datastore wants it, lets ten thousand small tasks share a few hundred writes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::memo::Notes;
use crate::datastore::journal::{JournalError, JournalWriter};
use crate::failpoint;
use crate::model::event::Event;
use crate::task::site::Site;

/// How many events a segment has at most.
const MOST_EVENTS: usize = 4096;
/// How many events may wait to be written before the driver waits for the journal.
const BACKLOG: usize = 16 * 1024;

/// Who sees events: in the order in which they happened, many at a time.
pub type Listener = std::sync::mpsc::Sender<Vec<Event>>;

/// An event, and one that is part of it: whoever reads the first in a journal finds the second.
struct Entry(Event, Option<Box<Event>>);

/// The end at which the driver puts events.
pub struct Journal {
    sender: Option<mpsc::Sender<Entry>>,
    task: JoinHandle<Result<u64, JournalError>>,
}

impl Journal {
    /// Starts writing with `writer`. Tells the values of `site`, and `notes`, what has become
    /// durable, and shows it to `listener`.
    pub fn new(
        writer: JournalWriter,
        listener: Listener,
        site: Arc<Site>,
        notes: Arc<Notes>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        let desk = Desk {
            writer,
            listener,
            site,
            notes,
        };
        Self {
            sender: Some(sender),
            task: tokio::spawn(desk.write(receiver)),
        }
    }

    /// Puts an event into the journal; it becomes durable, and is shown, soon.
    ///
    /// # Errors
    /// Why the journal could not be written any more.
    pub async fn push(&mut self, event: Event) -> Result<(), JournalError> {
        self.put(Entry(event, None)).await
    }

    /// Puts two events into the journal that belong together: both become durable, or none.
    ///
    /// # Errors
    /// As those of [`Journal::push`].
    pub async fn push_both(&mut self, first: Event, second: Event) -> Result<(), JournalError> {
        self.put(Entry(first, Some(Box::new(second)))).await
    }

    async fn put(&mut self, entry: Entry) -> Result<(), JournalError> {
        let sender = self
            .sender
            .as_ref()
            .expect("nothing is pushed after the end");
        if sender.send(entry).await.is_ok() {
            return Ok(());
        }
        self.end().await.map(|_| ())
    }

    /// Waits until everything that was pushed is durable, and says how many segments there are.
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
}

/// Where the journal is written.
struct Desk {
    writer: JournalWriter,
    listener: Listener,
    site: Arc<Site>,
    notes: Arc<Notes>,
}

impl Desk {
    async fn write(mut self, mut receiver: mpsc::Receiver<Entry>) -> Result<u64, JournalError> {
        let mut heard = Vec::new();
        while receiver.recv_many(&mut heard, MOST_EVENTS).await > 0 {
            let mut batch = Vec::with_capacity(heard.len() + 1);
            for Entry(event, and) in heard.drain(..) {
                batch.push(event);
                batch.extend(and.map(|it| *it));
            }
            if batch.iter().any(Event::is_stored) {
                let segment = self.writer.append(&batch).await?;
                self.site.values.stored(&batch, segment);
                self.notes.stored(&self.site, &batch, segment);
            }
            failpoint::reach("journal.show", batch.len());
            // Nobody may be listening, and the run goes on all the same.
            let _ = self.listener.send(batch);
            pause(&mut receiver, self.writer.gather()).await;
        }
        Ok(self.writer.next())
    }
}

/// Lets events gather, unless the driver has finished or much is waiting already.
async fn pause(receiver: &mut mpsc::Receiver<Entry>, long: Duration) {
    let until = tokio::time::Instant::now() + long;
    while !receiver.is_closed() && receiver.len() < MOST_EVENTS {
        let now = tokio::time::Instant::now();
        if now >= until {
            return;
        }
        tokio::time::sleep((until - now).min(Duration::from_millis(2))).await;
    }
}

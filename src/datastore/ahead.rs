//! Reads the segments of a journal one after the other, and the next ones meanwhile.
//!
//! For whoever goes through a whole journal and must not have it in memory. In a bucket a segment takes
//! some ten milliseconds to come, in which others can be on their way.

use std::collections::VecDeque;

use tokio::task::JoinHandle;

use super::journal::JournalError;
use super::object::join;
use super::run::Run;
use crate::model::event::Event;

/// How many segments are on their way, or were read and not asked for yet. A segment may be large.
const AHEAD: usize = 4;

/// The events of a segment, or why they cannot be read.
type Read = Result<Vec<Event>, JournalError>;

/// The segments of a run, in an order that was said before.
#[derive(Debug)]
pub struct Ahead {
    run: Run,
    numbers: std::vec::IntoIter<u64>,
    coming: VecDeque<(u64, JoinHandle<Read>)>,
}

impl Run {
    /// Reads these segments of its journal, in this order.
    pub fn read_ahead(&self, numbers: Vec<u64>) -> Ahead {
        Ahead {
            run: self.clone(),
            numbers: numbers.into_iter(),
            coming: VecDeque::new(),
        }
    }
}

impl Ahead {
    /// The number of the next segment and its events, or why these cannot be read; the ones behind it can
    /// be asked for all the same.
    pub async fn next(&mut self) -> Option<(u64, Read)> {
        while self.coming.len() < AHEAD
            && let Some(number) = self.numbers.next()
        {
            let run = self.run.clone();
            let reading = tokio::spawn(async move { run.read_segment(number).await });
            self.coming.push_back((number, reading));
        }
        let (number, reading) = self.coming.pop_front()?;
        Some((number, join(reading.await)))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.coming.iter().for_each(|(_, reading)| reading.abort());
    }
}

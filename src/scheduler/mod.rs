//! Decides: events in, commands out.
//!
//! The scheduler folds the events of a run and says what to start next. It is where split, foreach,
//! switch, join, loop, retry and catch live. It is a pure function: no clock, no randomness, no
//! I/O, no hash map; the same events give the same commands, on every machine and in every version
//! that calls itself compatible.
//!
//! Memory is in proportion to the tasks that are running or waiting for a join, never to those
//! that are done with: what a finished join brought together is forgotten.
//!
//! Uses `model`. Starts nothing itself: the runtime does what the commands say.

mod command;
mod complete;
mod env;
mod error;
mod fail;
mod join;
mod state;

pub use command::{Assignment, Branch, Command, Item, Policy};
pub use env::Env;
pub use error::IllegalEvent;
pub use state::{Ended, Scheduler};

#[cfg(test)]
mod tests;

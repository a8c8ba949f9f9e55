//! Starts a run and drives it: joins scheduler, executor and journal.
//!
//! [`prepare`] turns a flow's directory or a module into a checked graph and a snapshot, [`start`]
//! allots the run and writes its header, [`drive`] is the loop: events come from the executor, the
//! scheduler says what follows, the journal keeps what happened, listeners see it. [`elsewhere`] says
//! which executor makes the attempts of which step.
//!
//! Runs that were: [`past`] opens one from the datastore alone, [`fold`] reads its journal again and
//! gives for every attempt the assignment that led to it. On these two stand [`replay`], [`attach`],
//! [`spin`] and [`why`]. [`resume`] and [`memo`] answer before the executor does: [`drive`] asks
//! whatever is [`drive::Known`] about each assignment first. [`worker`] is the other end of an executor
//! that makes attempts elsewhere, [`heard`] what it leaves there. [`fsck`] looks for what is missing or
//! damaged, [`repair`] gets it back.
//!
//! Uses every room below it. Knows no terminal: whoever wants to see events gets a channel.

pub mod attach;
mod books;
pub mod clock;
pub mod compare;
pub mod copy;
pub mod diff;
pub mod drive;
pub mod driver;
pub mod elsewhere;
pub mod fold;
pub mod fsck;
pub mod heard;
pub mod journal;
pub mod memo;
mod parameters;
pub mod past;
pub mod prepare;
pub mod repair;
pub mod replay;
pub mod resume;
pub mod reuse;
pub mod spin;
pub mod start;
pub mod tally;
pub mod why;
pub mod worker;

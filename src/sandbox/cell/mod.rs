//! The cell: a child process in which guests run, and the agent's handle of it.
//!
//! A cell has an empty environment, `/` as its working directory, no standard streams but a bounded
//! pipe for diagnostics, and one socket: its standard input. It opens no file and no connection of
//! its own; compiled code comes as an open file over the socket, and so does the memory in which
//! pieces of artifacts lie on their way ([`shelf`]). What a guest could get hold of by
//! breaking out is a process that has nothing.
//!
//! [`agent`] is the side of the agent, [`child`] the side of the cell.

pub mod agent;
pub mod child;

mod input;
mod line;
pub mod shelf;

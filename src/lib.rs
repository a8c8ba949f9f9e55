//! `wrun` runs data and ML flows whose steps are compiled to WebAssembly.
//!
//! The house, from the cellar up. A room uses only rooms below it; `tests/layering.rs` proves it.
//!
//! - [`failpoint`]: points at which a test may have this process fail or end; nothing in a release.
//! - [`model`]: what a flow, a run, a task, an artifact and an event are. Pure data.
//! - [`aws`]: how AWS is reached, and what its errors mean.
//! - [`image`]: the container image in which workers run.
//! - [`scheduler`]: events in, commands out. Pure: it decides, and does nothing.
//! - [`datastore`]: everything at rest: blobs, artifacts, journals, runs, and the object stores below them.
//! - [`snapshot`]: builds a flow and freezes its code.
//! - [`sandbox`]: the only room that knows wasmtime: the engine, the closed world of a guest, and
//!   the cell, the child process in which guests run.
//! - [`task`]: one attempt of one task, the one path that every executor takes.
//! - [`executor`]: takes assignments and gives back records: in cells on this machine, or in containers
//!   of AWS Batch.
//! - [`runtime`]: starts a run and drives it: joins scheduler, executor and journal; and goes back to
//!   runs that were: replay, resume, attach, spin, diff, check and repair.
//! - [`report`]: events for eyes and machines: terminal, progress, JSON lines, tables, graphs.
//! - [`config`]: settings, each knowing where it came from.
//! - [`cli`]: one file per command, errors with hints, exit codes.
//!
//! Two flows of data run through the house. *Down* go commands: the command line starts a run, the
//! runtime asks the scheduler, the executor takes an assignment, the task room gathers its inputs,
//! a cell executes it. *Up* come events: a record leaves the cell, is checked and stored by the
//! task room, enters the journal, is folded into the scheduler's state, and reaches the terminal.
//!
//! To start reading: [`model::event::Event`], then `runtime/drive.rs`, then `task/attempt.rs`.

pub mod aws;
pub mod cli;
pub mod config;
pub mod datastore;
pub mod executor;
pub mod failpoint;
#[doc(hidden)]
pub mod fuzz;
pub mod image;
pub mod model;
pub mod report;
pub mod runtime;
pub mod sandbox;
pub mod scheduler;
pub mod snapshot;
pub mod task;

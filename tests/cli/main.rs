//! The command line as its users see it: arguments in, text and exit codes out.
//!
//! Every test has a home, a directory and a datastore of its own. Runs are made by hand, so that
//! nothing is built and every time is the same.

#![allow(clippy::unwrap_used)]

mod bench;
mod broken;
mod errors;
mod image;
mod reading;

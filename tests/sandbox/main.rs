//! The sandbox, from outside: real cells, real guests.
//!
//! `behaviours` holds one test for each step of `tests/guests`, and fails if one is missing.
//! `hostile` has modules that are no flows or mean harm, `confinement` what
//! a cell cannot do from inside, `cells` and `cache` the rest.

#![allow(clippy::unwrap_used)]

mod behaviours;
mod cache;
mod cells;
#[cfg(target_os = "linux")]
mod confinement;
mod harness;
mod hostile;
#[cfg(target_os = "linux")]
#[path = "../flows/no_landlock.rs"]
mod no_landlock;

//! A datastore stays small and whole: what nothing refers to goes, and nothing else.
//!
//! - [`schedules`]: writers, resumers, copiers and collectors in every order that chance gives, over a
//!   store whose clock the test has. `WRUN_GC_SEEDS` says how many orders (60 by default, 150 under
//!   `CI=true`);
//! - [`commands`]: `wrun gc` and `wrun fsck` beside runs, and killed;
//! - [`speed`]: how long collecting and checking take, and how much memory, for as many blobs as
//!   `WRUN_KEEPING_BLOBS` says; nothing when it says nothing.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]

mod commands;
mod jitter;
#[path = "../flows/running.rs"]
mod running;
mod schedules;
mod speed;
#[path = "../flows/world.rs"]
mod world;

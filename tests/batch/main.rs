//! Batch: attempts made by workers, through the real `wrun`, the real SDK, and a Batch in this process.
//!
//! - [`jobs`]: what is submitted, and that the results are those of this machine;
//! - [`copies`]: what is left of such a run in another datastore;
//! - [`faults`]: throttling, lost answers, lost hosts, images that are not there;
//! - [`drivers`]: runs that are cancelled, and runs whose driver is gone;
//! - [`refused`]: what is said before anything is spent;
//! - [`versions`]: drivers, workers, images and modules that are not of one version;
//! - [`commands`]: `wrun batch` and `wrun logs`;
//! - [`many`]: ten thousand attempts.
//!
//! That records are those of this machine, of every example, is what `tests/same_path.rs` shows.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]
#![allow(
    clippy::disallowed_methods,
    reason = "a Batch waits for processes, and a test for it"
)]

#[path = "../flows/another.rs"]
mod another;
mod cloud;
mod commands;
mod copies;
mod drivers;
mod fake;
mod faults;
mod jobs;
mod many;
mod refused;
#[path = "../flows/running.rs"]
mod running;
mod versions;
#[path = "../flows/world.rs"]
mod world;

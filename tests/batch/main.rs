//! Batch: attempts made by workers, through the real `wrun`, the real SDK, and a Batch in this process.
//!
//! - [`jobs`]: what is submitted, and that the results are those of this machine;
//! - [`same_path`]: every example through both executors, equal records;
//! - [`faults`]: throttling, lost answers, lost hosts, images that are not there;
//! - [`drivers`]: runs that are cancelled, and runs whose driver is gone;
//! - [`refused`]: what is said before anything is spent;
//! - [`commands`]: `wrun batch` and `wrun logs`;
//! - [`many`]: ten thousand attempts.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]
#![allow(
    clippy::disallowed_methods,
    reason = "a Batch waits for processes, and a test for it"
)]

mod cloud;
mod commands;
mod drivers;
mod fake;
mod faults;
mod jobs;
mod many;
mod refused;
#[path = "../exact/results.rs"]
#[allow(dead_code, reason = "each test target uses a part of it")]
mod results;
#[path = "../flows/running.rs"]
mod running;
mod same_path;
#[path = "../flows/world.rs"]
mod world;

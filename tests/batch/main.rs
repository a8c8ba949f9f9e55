//! Batch: attempts made by workers, through the real `wrun`, the real SDK, and a Batch in this process.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]

mod cloud;
mod fake;
#[path = "../flows/running.rs"]
mod running;
mod thread;
#[path = "../flows/world.rs"]
mod world;

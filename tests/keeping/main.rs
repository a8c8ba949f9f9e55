//! A datastore stays small and whole: what nothing refers to goes, and nothing else.
//!
//! - [`schedules`]: writers, resumers, copiers, collectors and lost headers in every order that chance gives, over a
//!   store whose clock the test has. `WRUN_GC_SEEDS` says how many orders (60 by default, 150 under
//!   `CI=true`);
//! - [`commands`]: `wrun gc` and `wrun fsck` beside runs, and killed;
//! - [`headless`]: runs that have lost their headers;
//! - [`repairs`]: tasks that are executed again side by side.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]

mod commands;
mod headless;
mod jitter;
mod repairs;
#[path = "../flows/running.rs"]
mod running;
mod schedules;
#[path = "../flows/world.rs"]
mod world;

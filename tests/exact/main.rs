//! Exactness: what is executed again gives the same, and what succeeded is not executed again.
//!
//! - [`replay`], [`resume`], [`attach`], [`cache`], [`refused`]: the real `wrun`, over flows of every
//!   shape;
//! - [`tamper`]: whatever is altered in a datastore is found;
//! - [`fsck`]: so does `wrun fsck`, and computes again what can be;
//! - [`random`]: thousands of runs of flows that nobody thought of.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]

mod attach;
mod cache;
mod faults;
mod flowgen;
mod fsck;
mod lab;
mod random;
mod refused;
mod replay;
mod results;
mod resume;
#[path = "../flows/running.rs"]
mod running;
mod tamper;
#[path = "../flows/world.rs"]
mod world;

use self::world::{World, module};

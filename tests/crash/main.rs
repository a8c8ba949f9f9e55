//! Crashes: processes that end at any point, systems that refuse any write, and what is left then.
//!
//! - [`kills`]: `kill -9` at every point of `src/failpoint.rs`;
//! - [`elsewhere`]: the same for workers of Batch, and over a bucket;
//! - [`keeping`]: collections and repairs, which are killed and refused like all else;
//! - [`random`]: kills after random events, of drivers and cells; several drivers over one run;
//! - [`errors`]: every write refused, with every error that a disk has;
//! - [`real`]: the same from the system itself: a small disk, a read-only one, limits of the shell;
//! - [`order`]: what is flushed before what, from a trace of system calls;
//! - [`release`]: a release build has no points.
//!
//! What is checked each time ([`check`]): nothing that was shown is lost, nothing is there twice, results are
//! those of an undisturbed run, every object is whole, and leftovers lie in `tmp/` alone.
//!
//! How many cases there are: `WRUN_CRASH_CASES` (at each point and kind of object; 1 by default),
//! `WRUN_CRASH_SEEDS` (random kills; 8 by default).

#![allow(clippy::unwrap_used, reason = "a test may end at once")]
#![allow(
    clippy::disallowed_methods,
    reason = "a watch over processes that must not hang"
)]

mod check;
#[path = "../batch/cloud.rs"]
#[allow(dead_code, reason = "each test target uses a part of it")]
mod cloud;
mod elsewhere;
mod errors;
#[path = "../batch/fake/mod.rs"]
#[allow(dead_code, reason = "each test target uses a part of it")]
mod fake;
mod keeping;
mod kills;
#[path = "../cloud/moto.rs"]
mod moto;
mod order;
mod plan;
mod points;
mod random;
mod real;
mod release;
#[path = "../exact/results.rs"]
#[allow(dead_code, reason = "each test target uses a part of it")]
mod results;
#[path = "../flows/running.rs"]
mod running;
mod scenario;
#[path = "../flows/world.rs"]
mod world;

/// How many cases there are, unless a variable says otherwise.
fn cases(variable: &str, by_default: usize) -> usize {
    let asked = std::env::var(variable).ok();
    asked.map_or(by_default, |text| text.parse().unwrap())
}

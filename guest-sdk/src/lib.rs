//! Write the steps of a wrun flow in Rust.
//!
//! A flow is a module, its steps are ordinary functions. Arguments are the artifacts that a step
//! reads, by name; the fields of the struct that it returns are the artifacts that it writes:
//!
//! ```
//! use wrun_sdk::prelude::*;
//!
//! /// Counts words over the lines of a text.
//! #[flow]
//! mod wordcount {
//!     use super::*;
//!
//!     #[derive(Artifacts)]
//!     pub struct Start {
//!         pub shards: Vec<String>,
//!     }
//!
//!     #[derive(Artifacts)]
//!     pub struct Counted {
//!         pub words: u64,
//!     }
//!
//!     /// Cuts the text into shards.
//!     #[step(foreach = "shards", next = "count")]
//!     pub fn start(
//!         /// The text whose words are counted.
//!         #[param]
//!         text: Text,
//!         /// How many lines make a shard.
//!         #[param(default = 100)]
//!         lines: usize,
//!     ) -> Result<Start> {
//!         ensure!(lines > 0, "a shard has at least one line");
//!         let all: Vec<&str> = text.lines().collect();
//!         Ok(Start { shards: all.chunks(lines).map(|chunk| chunk.join("\n")).collect() })
//!     }
//!
//!     /// Counts one shard.
//!     #[step(next = "total")]
//!     pub fn count(#[item] shard: String) -> Counted {
//!         Counted { words: shard.split_whitespace().count() as u64 }
//!     }
//!
//!     /// Adds the counts up.
//!     #[step(join)]
//!     pub fn total(counted: Inputs<Counted>) -> Result<Counted> {
//!         let mut words = 0;
//!         for branch in &counted {
//!             words += branch?.words;
//!         }
//!         Ok(Counted { words })
//!     }
//! }
//!
//! # fn main() {
//! // Steps are tested like any other function.
//! let start = wordcount::start(Text::new("a b\nc"), 1).unwrap();
//! assert_eq!(start.shards, ["a b", "c"]);
//! let counted = start.shards.into_iter().map(wordcount::count).collect::<Vec<_>>();
//! assert_eq!(wordcount::total(Inputs::from(counted)).unwrap().words, 3);
//! # }
//! ```
//!
//! A package has one flow and is a `cdylib`; it is compiled by
//! `cargo build --release --target wasm32-wasip2`. It depends on `serde` as well, whose derives
//! make a type of your own an artifact.
//!
//! - [`flow`] and [`step`](macro@step) say what the attributes take, [`Artifacts`](derive@Artifacts)
//!   what a step may return.
//! - [`Blob`] is an artifact larger than memory, [`Files`] a directory, [`Text`] a text file, [`Report`] a page for
//!   people, [`Bytes`] a byte string inside a value, [`Json`] anything.
//! - [`Inputs`] are the branches of a join, [`Task`] is who the task is, [`Failure`] is what `catch`
//!   leaves.
//! - [`Error`] is made by `?`, [`bail!`] and [`ensure!`]; [`Context`] says more about it,
//!   [`Fatal`] makes it final.
//! - [`http`] asks others, where that was granted.
//! - [`progress`] and [`debug!`], [`info!`], [`warn!`], [`error!`] show what a step is doing.
//!   `println!` works as well.
//!
//! # Numbers are not those of your machine
//!
//! Steps run as 32-bit WebAssembly:
//!
//! - **`usize` has 32 bits.** A product of two `usize` that is right in a native test may overflow
//!   in a step. Without overflow checks it then gives a wrong number in silence, so turn them on
//!   (`wrun new` does):
//!
//!   ```toml
//!   [profile.release]
//!   overflow-checks = true
//!   ```
//!
//!   Compute with `u64` what may exceed four thousand millions: counts over a large data set, offsets in
//!   a [`Blob`], products of sizes. A `usize` artifact or parameter that exceeds 32 bits cannot be read.
//! - **A step's memory ends at 4 GiB, and one `Vec` at 2 GiB**; its limit is 512 MiB unless the step asks
//!   for more with `resources(memory = "2GiB")`. [`Blob`] and [`BlobWriter`] never need more than a piece.
//! - Floats give the same bits on every machine, except for the bits of a NaN. Steps that look at
//!   those say `float = "portable"`.
//! - Clocks and random numbers are those of the run, the same at every replay. Derive your own
//!   chance from [`Task::seed`].
//!
//! # Files and variables are there where they are granted
//!
//! `std::fs` and `std::env` work with what whoever runs the flow has granted, and with nothing else:
//! `--allow scratch=64MiB` is an empty directory `/tmp` in memory, `--allow read:corpus=PATH` a
//! directory to be read as `/corpus`, `--allow env:MODE=fast` a variable. Names in a directory come
//! sorted, and all times are the beginning of 1970. Whom a step may ask over HTTP is granted as well, see
//! [`http`]; there is no other network.

extern crate self as wrun_sdk;

mod abi;
mod artifact;
// Generated, and compared with the generator's output by `tests/bindings.rs`.
#[allow(missing_docs, unsafe_op_in_unsafe_fn, clippy::all, clippy::unwrap_used)]
#[doc(hidden)]
#[rustfmt::skip]
pub mod bindings;
mod blob;
mod cbor;
mod error;
mod failure;
mod feedback;
mod files;
#[doc(hidden)]
pub mod glue;
mod host;
pub mod http;
mod inputs;
mod memory;
mod panic;
mod parameter;
mod report;
mod task;
mod type_name;
mod value;

pub use artifact::{Artifacts, FromArtifact, FromBranch, ToArtifact};
pub use blob::{Blob, BlobWriter};
pub use error::{Context, Error, Fatal, Result};
pub use failure::{Failure, FailureKind, Limit};
pub use feedback::progress;
pub use files::{FileRef, Files};
pub use inputs::{Inputs, Iter};
pub use parameter::{Parameter, Scalar};
pub use report::Report;
pub use serde_json::json;
pub use task::Task;
pub use value::{Bytes, Json, Text};

/// Makes the fields of a struct artifacts.
///
/// For structs with named fields. Each field is an artifact of its name: of any type with serde's
/// `Serialize` and `Deserialize`, or [`Blob`], [`Text`] or [`Report`]. A field of type `Option<T>` may
/// be missing: `None` writes nothing.
///
/// A step returns such a struct; a join reads one of each branch, as `Inputs<ThatStruct>`. It need not
/// be the one that the branches return: the fields that it has are read, by name, and nothing else.
///
/// Inside a [`flow`] the struct has `Debug` too, so that a test can `unwrap_err` what a step returns; a
/// `Debug` of your own takes its place.
///
/// ```
/// use wrun_sdk::prelude::*;
///
/// #[derive(Artifacts)]
/// struct Fitted {
///     /// Any type of yours with `#[derive(Serialize, Deserialize)]`.
///     weights: Vec<f64>,
///     /// Missing when the fit did not converge.
///     error: Option<f64>,
///     /// Larger than memory.
///     residuals: Blob,
///     /// For people.
///     plot: Report,
/// }
/// # let _ = Fitted { weights: vec![], error: None, residuals: Blob::from_bytes([]), plot: report!("x") };
/// ```
pub use wrun_sdk_macros::Artifacts;
/// Makes a module a flow.
///
/// Put on a module whose functions with [`#[step]`](macro@step) are the steps. The first is where a run
/// starts; a step without `next` is the last. Doc comments become the docs of flow, steps and
/// parameters. The flow has the module's name, or another:
///
/// ```
/// # use wrun_sdk::prelude::*;
/// #[flow(name = "grid-search")]
/// mod grid_search {
///     use super::*;
///
///     #[step]
///     fn start() {
///         println!("a flow of one step");
///     }
/// }
/// ```
///
/// The attribute writes a definition and an entry beside the functions and changes none of them. It
/// refuses what can be seen to be wrong; `wrun check` finds the rest, e.g. an artifact that no step writes.
/// A package has one flow.
pub use wrun_sdk_macros::flow;
/// Makes a function in a [`flow`] a step.
///
/// # What follows
///
/// | written | meaning |
/// |---|---|
/// | nothing | the last step |
/// | `next = "fit"` | one step |
/// | `next = ["left", "right"]` | a split: all of these, side by side, until a join |
/// | `foreach = "shards", next = "count"` | one task of `count` for each element of the field `shards`, until a join |
/// | `switch = "route", cases(small = "fit", "too-big" = "cut")` | the case that the field `route` names: a text, or an enum without data |
/// | `max_turns = 10` | with `switch`: how often a case that leads back may be taken |
/// | `join` | this step brings the branches of a split or foreach together |
/// | `merge = ["model"]` | with `join`: artifacts on which all branches agree and that go on |
///
/// # What it asks for
///
/// | written | meaning |
/// |---|---|
/// | `retry(times = 3, backoff = "2s")` | after an error, tried again three times, after 2, 4 and 8 seconds |
/// | `timeout = "30s"` | an attempt is ended after this time: `500ms`, `5m`, `1h30m` |
/// | `catch = "failure"` | when all attempts failed, the [`Failure`] becomes this artifact and the flow goes on |
/// | `resources(cpu = 0.5, memory = "2GiB", gpu = 1, disk = "10GiB")` | what it needs of the machine; `memory` is also its limit |
/// | `float = "portable"` | the bits of a NaN agree on all processors, at a price in speed |
///
/// # Its arguments
///
/// | written | meaning |
/// |---|---|
/// | `model: Model` | the artifact `model`, written by a step before it |
/// | `model: Option<Model>` | the same, if it was written |
/// | `#[param] parts: u32` | a parameter, that whoever starts the run gives: see [`Parameter`] for its types. Steps after it read it as `parts: u32` |
/// | `#[param(default = 8, help = "…", choices = ["a", "b"])]` | its default, its docs (or a doc comment on the argument), the texts that may be given |
/// | `#[param] limit: Option<u32>` | a parameter that may be left out |
/// | `#[item] shard: Shard` | the element of the foreach around it, the innermost if there are several |
/// | `branches: Inputs<Counted>` | the branches of a join, see [`Inputs`] |
/// | `task: &Task` | who the task is, see [`Task`] |
///
/// # Its result
///
/// A struct with [`#[derive(Artifacts)]`](derive@Artifacts), `()`, or a `Result` of either.
pub use wrun_sdk_macros::step;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// All that a flow needs: `use wrun_sdk::prelude::*;`.
pub mod prelude {
    pub use serde::{Deserialize, Serialize};

    pub use crate::{
        Artifacts, Blob, BlobWriter, Bytes, Context, Error, Failure, FailureKind, Fatal, FileRef,
        Files, Inputs, Json, Report, Result, Task, Text, bail, debug, ensure, error, flow, info,
        json, progress, report, step, warn,
    };
}

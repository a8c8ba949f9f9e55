//! Builds a flow and freezes its code.
//!
//! In the order of a run: [`locate`] finds the package and everything local that it is made of,
//! [`build`] compiles it with plain cargo, [`collect`] stores module and sources as a [`Manifest`],
//! and [`stamp`] remembers all of it, so that the next run of unchanged code starts no process and
//! reads no source. [`restore`] writes the sources of a snapshot back to a directory.
//!
//! # What is in a snapshot
//! The module; the sources of the flow's package and of every package that it reaches by a path
//! (what `.gitignore` excludes is left out, unless the compiler read it); the workspace's
//! `Cargo.toml`, `Cargo.lock`, `.cargo/config.toml` and `rust-toolchain.toml`; the version of the
//! compiler and the command. Restored sources build to the same module with the same compiler.
//!
//! When the workspace has members that the flow does not need, its `Cargo.toml` is replaced by one
//! that names only what is there (see [`reduce`]); the original lies beside it as `Cargo.toml.orig`.
//!
//! # Limits
//! Packages from registries are not in it: `Cargo.lock` names them. Configuration of cargo above
//! the workspace (`~/.cargo/config.toml`) is not in it either, because it may hold credentials. A path
//! package outside the workspace is in the snapshot, but cargo mixes its directory into the names
//! of symbols, so such a flow builds to the same module only at the same place.
//!
//! Uses `model` and `datastore`. Knows no sandbox: whoever collects says what the module describes.

pub mod build;
pub mod collect;
mod config_files;
pub mod depinfo;
pub mod gather;
pub mod locate;
pub mod manifest;
pub mod reduce;
pub mod restore;
pub mod stamp;
pub mod toolchain;

pub use build::{BuildError, Built, Options, build};
pub use collect::{Snapshot, SnapshotError, Source};
pub use locate::{FlowPackage, locate};
pub use manifest::Manifest;
pub use restore::RestoreError;
pub use stamp::{Warm, remember, warm};

/// The target that flows are compiled to.
pub const TARGET: &str = "wasm32-wasip2";

/// The directory beside a workspace that holds its datastore and what builds leave behind.
pub const HOME: &str = ".wrun";

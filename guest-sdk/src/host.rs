//! What a step may ask of whoever runs it.
//!
//! Inside a module the host answers, in unit tests [`crate::memory`] does.

use crate::abi::{Context, Reader, Writer};
use crate::blob::Blob;

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For whoever looks for a fault in the step.
    Debug,
    /// What the step is doing.
    Info,
    /// Something that may be wrong.
    Warn,
    /// Something that is wrong.
    Error,
}

/// What a step may ask of whoever runs it.
///
/// A host ends the task itself when a step reads or writes what it does not declare, so none of
/// these can fail.
pub trait Host {
    /// Who the task is.
    fn task(&self) -> Context;
    /// The whole value of an artifact; none when it was never written.
    fn get(&self, name: &str) -> Option<Vec<u8>>;
    /// An artifact to be read in pieces; none when it was never written.
    fn open(&self, name: &str) -> Option<Blob>;
    /// The foreach element of the task, in CBOR.
    fn item(&self) -> Option<Vec<u8>>;
    /// How many branches a join brings together.
    fn branches(&self) -> u32;
    /// The task at the end of a branch, e.g. `count/7`.
    fn branch_task(&self, branch: u32) -> String;
    /// The whole value of an artifact of a branch; none when that branch has none.
    fn branch_get(&self, branch: u32, name: &str) -> Option<Vec<u8>>;
    /// The same, to be read in pieces.
    fn branch_open(&self, branch: u32, name: &str) -> Option<Blob>;
    /// Writes a whole value.
    fn put(&self, name: &str, media_type: &str, bytes: &[u8]);
    /// Ends a writer and gives what it wrote a name.
    fn save(&self, name: &str, writer: Writer);
    /// Gives a value that was read another name, without copying it.
    fn pass(&self, name: &str, reader: &Reader);
}

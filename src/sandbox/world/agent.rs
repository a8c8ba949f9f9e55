//! What the world asks of the agent while a guest is running.

use std::io;

use zeroize::Zeroizing;

use crate::model::artifact::MediaType;
use crate::model::record::Stream;
use crate::sandbox::call::{Given, Question, Seen, Source};
use crate::sandbox::fetch::{Fetch, Fetched};

/// The agent as seen from inside. Every error means that there is no agent any more.
pub trait Agent {
    /// Bytes of `source` from `offset`, exactly `len`. The caller knows the size and asks for nothing beyond it.
    fn read(&mut self, source: Source, offset: u64, len: u32, size: u64) -> io::Result<Vec<u8>>;

    /// The artifact at position `name` of the branches from `first` on: at least one, as many as
    /// fit into about a mebibyte.
    fn branches(&mut self, name: u32, first: u32) -> io::Result<Vec<Option<Given>>>;

    /// The task at the end of a branch.
    fn branch_task(&mut self, branch: u32) -> io::Result<String>;

    /// Looks at a granted directory.
    fn look(&mut self, question: Question) -> io::Result<Seen>;

    /// Makes a request over HTTP.
    fn fetch(&mut self, fetch: Fetch) -> io::Result<Fetched>;

    /// The secrets that the task was granted, each a name and a value. Asked for once.
    fn secrets(&mut self) -> io::Result<Vec<(String, Zeroizing<String>)>> {
        nobody()
    }

    /// Opens the writer of this number.
    fn create(&mut self, writer: u32, media: MediaType) -> io::Result<()>;

    /// Appends to a writer, without waiting for an answer.
    fn write(&mut self, writer: u32, bytes: &[u8]) -> io::Result<()>;

    /// Tells how far the task is.
    fn progress(&mut self, done: u64, total: u64, message: String) -> io::Result<()>;

    /// Keeps what was printed, or sends it.
    fn print(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()>;
}

/// Nobody: for describing a module, and for measuring. What is printed is dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

fn nobody<T>() -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "there is no agent to ask",
    ))
}

impl Agent for Nobody {
    fn read(&mut self, _: Source, _: u64, _: u32, _: u64) -> io::Result<Vec<u8>> {
        nobody()
    }

    fn branches(&mut self, _: u32, _: u32) -> io::Result<Vec<Option<Given>>> {
        nobody()
    }

    fn branch_task(&mut self, _: u32) -> io::Result<String> {
        nobody()
    }

    fn look(&mut self, _: Question) -> io::Result<Seen> {
        nobody()
    }

    fn fetch(&mut self, _: Fetch) -> io::Result<Fetched> {
        nobody()
    }

    fn create(&mut self, _: u32, _: MediaType) -> io::Result<()> {
        nobody()
    }

    fn write(&mut self, _: u32, _: &[u8]) -> io::Result<()> {
        nobody()
    }

    fn progress(&mut self, _: u64, _: u64, _: String) -> io::Result<()> {
        Ok(())
    }

    fn print(&mut self, _: Stream, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

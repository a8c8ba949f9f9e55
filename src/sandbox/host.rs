//! What a running task may ask of the agent.

use async_trait::async_trait;
use bytes::Bytes;
use zeroize::Zeroizing;

use super::call::{Given, Question, Seen, Source};
use super::fetch::{Fetch, Fetched};
use crate::model::artifact::MediaType;
use crate::model::failure::{Failure, FailureKind};
use crate::model::record::LogChunk;

/// The agent could not answer: its datastore failed, or the cell asked for what does not exist.
///
/// Ends the attempt.
/// The failure is what it ends with: as a rule one of the infrastructure and not of the guest.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub Box<Failure>);

impl From<Failure> for HostError {
    fn from(failure: Failure) -> Self {
        Self(Box::new(failure))
    }
}

/// What a running task may ask of the agent.
///
/// The cell has checked that the step declares what it asks for; an implementation checks again,
/// because a cell that was taken over by a guest may ask for anything.
#[async_trait]
pub trait Host: Send {
    /// Up to `len` bytes of `source` from `offset`; fewer only at its end.
    async fn read_at(&mut self, source: Source, offset: u64, len: u32) -> Result<Bytes, HostError>;

    /// The artifact `name` (a position in `Branches::names`) of the branches from `first` on, as
    /// many as fit into about `budget` bytes, at least one.
    ///
    /// Values that are too large to be given whole come without bytes.
    async fn branches(
        &mut self,
        name: u32,
        first: u32,
        budget: u32,
    ) -> Result<Vec<Option<Given>>, HostError>;

    /// The task at the end of branch `branch`, e.g. `count/7`.
    async fn branch_task(&mut self, branch: u32) -> Result<String, HostError>;

    /// Looks at a granted directory. The files that are opened are counted from 0 and are read as
    /// [`Source::File`].
    async fn look(&mut self, question: Question) -> Result<Seen, HostError>;

    /// Makes a request over HTTP, to an origin that was granted. Bodies of answers are counted with
    /// the files that are opened, and are read as these.
    async fn fetch(&mut self, fetch: Fetch) -> Result<Fetched, HostError>;

    /// The secrets that the task was granted, each a name and a value.
    ///
    /// Refused where nobody has any.
    async fn secrets(&mut self) -> Result<Vec<(String, Zeroizing<String>)>, HostError> {
        let message = "it asked for secrets that it was not granted";
        Err(Failure::new(FailureKind::Infrastructure, message).into())
    }

    /// Opens the writer `writer`, a number that this task has not used before.
    async fn create(&mut self, writer: u32, media: MediaType) -> Result<(), HostError>;

    /// Appends to an open writer. What a task does not save in the end is thrown away.
    async fn write(&mut self, writer: u32, bytes: Bytes) -> Result<(), HostError>;

    /// The task said how far it is. `total` is 0 when not known.
    fn progress(&mut self, done: u64, total: u64, message: String);

    /// A task that takes long printed something.
    fn logs(&mut self, chunks: Vec<LogChunk>);
}

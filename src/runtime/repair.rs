//! Gets back what is missing or damaged: a task that is executed again makes what it made.
//!
//! First headers, without which nothing can be told of a run; then what was given again ([`given`]); then
//! tasks are executed ([`bench`](mod@bench)), with what they saw of the world taken from their traces; last what
//! follows from journals ([`rebuild`]). What is made lies in a directory of its own, over a datastore in
//! which what is damaged is not seen; only what has the digest that was recorded is put back, whole and
//! under its final name at once.

mod bench;
mod given;
mod rebuild;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::fsck::{FsckError, Kind, Remedy, Report};
use super::replay::Machine;
use crate::datastore::{BlobError, Datastore};
use crate::model::digest::Digest;
use crate::model::id::{RunId, TaskId};

use bench::Bench;

/// Why nothing, or no more, was repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// A run could not be read.
    #[error(transparent)]
    Fsck(FsckError),
    /// There is no room for what is made meanwhile.
    #[error("there is no temporary directory for the repair")]
    Scratch(#[source] std::io::Error),
    /// A file that was given could not be read.
    #[error("could not read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was made could not be put back.
    #[error("could not put blob `{digest}` back")]
    PutBack {
        /// The blob.
        digest: Digest,
        /// Why not.
        source: BlobError,
    },
}

impl<E: Into<FsckError>> From<E> for RepairError {
    fn from(error: E) -> Self {
        Self::Fsck(error.into())
    }
}

/// How something was had back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// This task was executed again.
    Executed(RunId, TaskId),
    /// It was in this file.
    Given(PathBuf),
    /// It was written anew from the journal.
    Rebuilt,
    /// It was removed: it is about the end of a run that has none.
    Removed,
    /// It stood in the journal as it was.
    Restored,
}

/// What was had back, and what was tried in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What was had back, by its key in the datastore.
    pub done: BTreeMap<String, How>,
    /// Tasks that were executed again in vain, or could not be, and why.
    pub vain: Vec<(RunId, TaskId, String)>,
    /// Runs of which nothing could be executed, or written anew, and why.
    pub closed: Vec<(RunId, String)>,
}

/// Gets back what `report` says is missing or damaged of `runs`: out of the files at `given`, by
/// executing tasks, and from journals.
///
/// # Errors
/// [`RepairError`] when the datastore cannot be read or written; what was put back before stays.
pub async fn repair(
    datastore: &Datastore,
    runs: &[RunId],
    report: &Report,
    given: &[PathBuf],
    machine: &Machine<'_>,
) -> Result<Repaired, RepairError> {
    let mut repaired = Repaired::default();
    for fault in &report.faults {
        if (fault.kind, &fault.remedy) == (Kind::Header, &Remedy::Rebuild)
            && rebuild::header(datastore, &fault.run).await?
        {
            repaired.done.insert(fault.key.clone(), How::Restored);
        }
    }
    let directory = tempfile::tempdir().map_err(RepairError::Scratch)?;
    let mut bench = Bench::new(datastore, directory.path(), report.lost(), machine);
    for path in given {
        bench.take(path).await?;
    }
    bench.all(runs).await?;
    let made = bench.end();
    repaired.done.extend(made.done);
    (repaired.vain, repaired.closed) = (made.vain, made.closed);
    for fault in &report.faults {
        if fault.remedy == Remedy::Rebuild && fault.kind != Kind::Header {
            match rebuild::books(datastore, &fault.run, machine).await {
                Ok(how) => drop(repaired.done.insert(fault.key.clone(), how)),
                Err(error) => repaired.closed.push((fault.run.clone(), said(&error))),
            }
        }
    }
    Ok(repaired)
}

/// What an error says, with all that it came from.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

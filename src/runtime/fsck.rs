//! Checks that runs are whole: everything that one refers to is there, and says what it should.
//!
//! First what lies in the datastore is read: headers, journals, code, the heads of blobs or all of
//! their bytes. Then, for what was found to be wrong, the runs are read once more to tell what
//! is affected: so memory holds the names of blobs, and not who refers to each of them.

mod blobs;
mod run;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::past::PastError;
use crate::datastore::object::StoreError;
use crate::datastore::{Datastore, JournalError, Run, RunError};
use crate::model::digest::Digest;
use crate::model::id::{RunId, TaskId};

/// The most places that are named of those that one fault affects; more are counted.
const NAMED: usize = 20;

/// Why runs could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// The datastore cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run cannot be read for another reason than damage.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A journal cannot be read for another reason than damage.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What belongs to a run cannot be read for another reason than damage.
    #[error(transparent)]
    Past(#[from] PastError),
}

/// How closely it is looked.
#[derive(Clone)]
pub struct Closely {
    /// Of how many of a million blobs every byte is read; of the others the head.
    pub sample: u32,
    /// Which these are.
    pub seed: u64,
    /// How many blobs are read at once.
    pub workers: usize,
    /// Is called for every blob that was looked at.
    pub checked: Arc<dyn Fn() + Send + Sync>,
}

/// All of a million: see [`Closely::sample`].
pub const ALL: u32 = 1_000_000;

impl Closely {
    /// Whether every byte of a blob is read.
    fn reads(&self, digest: &Digest) -> bool {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(digest.as_bytes());
        let mut drawn = [0; 8];
        drawn.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(drawn) % u64::from(ALL) < u64::from(self.sample)
    }
}

/// How something can be had back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// This task of this run, executed again, makes it.
    Execute(RunId, TaskId),
    /// It follows from the journal, or stands in it.
    Rebuild,
    /// It was given, and may be given again: the name of the parameter, or of a file of the code.
    Give(String),
    /// It is nowhere else: only a copy of the datastore has it.
    Lost,
}

/// What an object is for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A blob.
    Blob,
    /// The manifest of its code.
    Snapshot,
    /// Its header.
    Header,
    /// A segment of its journal.
    Segment,
    /// Its summary.
    Summary,
    /// Its noted results.
    Results,
    /// Its tags.
    Tags,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Blob => "blob",
            Self::Snapshot => "code snapshot",
            Self::Header => "header",
            Self::Segment => "segment of the journal",
            Self::Summary => "summary",
            Self::Results => "index of results",
            Self::Tags => "tags",
        })
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it is.
    pub kind: Kind,
    /// Where it is in the datastore.
    pub key: String,
    /// Its name, where that is a digest.
    pub digest: Option<Digest>,
    /// What is wrong with it.
    pub what: String,
    /// What needs it: `flow/run`, `flow/run/step/task/artifact`; twenty at most.
    pub affected: Vec<String>,
    /// How many need it.
    pub many: u64,
    /// How it can be had back.
    pub remedy: Remedy,
    /// The run that was being checked.
    pub run: RunId,
}

impl Fault {
    fn of_run(run: &RunId, kind: Kind, key: String, what: String) -> Self {
        let remedy = match kind {
            Kind::Summary | Kind::Results => Remedy::Rebuild,
            _ => Remedy::Lost,
        };
        Self {
            kind,
            key,
            digest: None,
            what,
            affected: vec![run.to_string()],
            many: 1,
            remedy,
            run: run.clone(),
        }
    }
}

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Runs that were checked.
    pub runs: u64,
    /// Segments of journals that were read.
    pub segments: u64,
    /// Blobs that were looked at.
    pub blobs: u64,
    /// Those of them of which every byte was read.
    pub read: u64,
    /// How many bytes these have, unpacked.
    pub bytes: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Report {
    /// The blobs that are missing or damaged.
    pub fn lost(&self) -> BTreeSet<Digest> {
        let blobs = self.faults.iter().filter(|it| it.kind == Kind::Blob);
        blobs.filter_map(|fault| fault.digest).collect()
    }
}

/// The runs of all flows that have lost their headers; nobody else names them.
///
/// # Errors
/// When the datastore cannot be read.
pub async fn headless(datastore: &Datastore) -> Result<Vec<RunId>, FsckError> {
    let mut runs = Vec::new();
    for flow in datastore.flows().await? {
        runs.extend(datastore.headless(&flow).await?);
    }
    Ok(runs)
}

/// A run by its header, or by its journal where that is lost; and what is wrong with the header.
async fn open(
    datastore: &Datastore,
    id: &RunId,
) -> Result<(Option<Run>, Option<RunError>), FsckError> {
    let error = match datastore.run(id).await {
        Ok(run) => return Ok((Some(run), None)),
        Err(
            error @ (RunError::Damaged { .. }
            | RunError::Newer { .. }
            | RunError::Missing { .. }
            | RunError::Headless { .. }),
        ) => error,
        Err(error) => return Err(error.into()),
    };
    // Of a newer one it is not for us to say what it was.
    if matches!(error, RunError::Newer { .. }) {
        return Ok((None, Some(error)));
    }
    let run = match datastore.run_of_journal(id).await {
        Err(JournalError::Store(error)) => return Err(error.into()),
        // What is wrong with the journal is told when that is read.
        run => run.unwrap_or_default(),
    };
    Ok((run, Some(error)))
}

/// Checks `runs` and all that they refer to.
///
/// # Errors
/// [`FsckError`] when the datastore cannot be read; what is damaged is no error but a fault.
pub async fn check(
    datastore: &Datastore,
    runs: &[RunId],
    closely: &Closely,
) -> Result<Report, FsckError> {
    let mut report = Report::default();
    let mut wanted: BTreeMap<Digest, (Option<u64>, u32)> = BTreeMap::new();
    for (number, id) in runs.iter().enumerate() {
        let referred = run::check(datastore, id, &mut report).await?;
        for (digest, size) in referred {
            let entry = wanted.entry(digest).or_insert((None, number as u32));
            entry.0 = entry.0.or(size);
        }
        report.runs += 1;
    }
    let found = blobs::check(datastore, wanted, closely, &mut report).await?;
    let first = report.faults.len();
    for (digest, (number, what)) in found {
        let run = runs[number as usize].clone();
        let mut fault = Fault::of_run(&run, Kind::Blob, blobs::key(&digest), what);
        fault.affected.clear();
        fault.many = 0;
        fault.digest = Some(digest);
        report.faults.push(fault);
    }
    if report.faults.len() > first {
        uses::find(datastore, runs, &mut report.faults[first..]).await?;
    }
    report
        .faults
        .sort_by(|one, two| (&one.run, one.kind, &one.key).cmp(&(&two.run, two.kind, &two.key)));
    Ok(report)
}

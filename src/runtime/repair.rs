//! Gets back what is missing or damaged: a task that is executed again makes what it made.
//!
//! Works in the order of journals, where a task stands behind those that it read from; so what it
//! needs was made before. What is made lies in a directory of its own, over a datastore in which
//! what is damaged is not seen; only what has the digest that was recorded is put back, whole and
//! under its final name at once. What a task saw of the world is taken from its trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fsck::{FsckError, Remedy, Report};
use super::memo::Notes;
use super::past::{self, PastError, Program};
use super::replay::{Machine, again};
use super::start;
use super::tally::Tally;
use crate::datastore::{BlobError, Datastore, Run, RunError};
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::id::{RunId, TaskId};
use crate::model::record::{Logs, Record};
use crate::scheduler::Assignment;
use crate::task::grants::Secrets;
use crate::task::site::{Site, Slot};

/// How much of a file is read at once.
const PIECE: usize = 1 << 20;

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
}

/// What was had back, and what was tried in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What was had back, by its key in the datastore.
    pub done: BTreeMap<String, How>,
    /// Tasks that were executed again in vain, or could not be, and why.
    pub vain: Vec<(RunId, TaskId, String)>,
    /// Runs of which nothing could be executed, and why.
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
    let directory = tempfile::tempdir().map_err(RepairError::Scratch)?;
    let lost = report.lost();
    let mut bench = Bench {
        datastore,
        scratch: datastore.scratch_without(directory.path(), &lost),
        machine,
        lost,
        repaired: Repaired::default(),
        slot: Slot::default(),
        loaded: None,
    };
    for path in given {
        bench.take(path).await?;
    }
    bench.all(runs).await?;
    let mut repaired = bench.repaired;
    for fault in &report.faults {
        if fault.remedy == Remedy::Rebuild {
            match rebuild(datastore, &fault.run, machine).await {
                Ok(()) => drop(repaired.done.insert(fault.key.clone(), How::Rebuilt)),
                Err(error) => {
                    let failed = error.to_string();
                    repaired.closed.push((fault.run.clone(), failed));
                }
            }
        }
    }
    Ok(repaired)
}

/// Where tasks are executed again.
struct Bench<'a> {
    datastore: &'a Datastore,
    /// The datastore without what is lost, over which lies what was made.
    scratch: Datastore,
    machine: &'a Machine<'a>,
    lost: BTreeSet<Digest>,
    repaired: Repaired,
    slot: Slot,
    /// The run whose code the cells have.
    loaded: Option<RunId>,
}

impl Bench<'_> {
    /// Executes what can be executed, until nothing more comes back.
    async fn all(&mut self, runs: &[RunId]) -> Result<(), RepairError> {
        loop {
            // What failed for want of something may succeed when another run has given that.
            let before = self.lost.len();
            self.repaired.vain.clear();
            self.repaired.closed.clear();
            for id in runs {
                if !self.lost.is_empty() {
                    self.run(id).await?;
                }
            }
            if self.lost.is_empty() || self.lost.len() == before {
                return Ok(());
            }
        }
    }

    /// Looks into a file, or all files below a directory, for what is lost.
    async fn take(&mut self, path: &Path) -> Result<(), RepairError> {
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            let failed = |source| RepairError::File {
                path: path.clone(),
                source,
            };
            if path.is_dir() {
                for entry in std::fs::read_dir(&path).map_err(failed)? {
                    let entry = entry.map_err(failed)?;
                    // What a link leads to is found where it is, or was not given.
                    if !entry.file_type().map_err(failed)?.is_symlink() {
                        waiting.push(entry.path());
                    }
                }
                continue;
            }
            if !std::fs::metadata(&path).map_err(failed)?.is_file() {
                continue;
            }
            let digest = digest_of(&path).map_err(failed)?;
            if self.lost.contains(&digest) {
                self.give(&path, &digest).await?;
            }
        }
        Ok(())
    }

    /// Stores a file that is what is lost, unless it changes meanwhile.
    async fn give(&mut self, path: &Path, digest: &Digest) -> Result<(), RepairError> {
        let failed = |source| RepairError::File {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(failed)?;
        let mut writer = self.scratch.blobs().writer();
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece);
            if read.map_err(failed)? == 0 {
                break;
            }
            writer.write(piece.into()).await?;
        }
        if writer.finish().await?.0 == *digest {
            self.put_back(digest, How::Given(path.to_owned())).await?;
        }
        Ok(())
    }

    async fn put_back(&mut self, digest: &Digest, how: How) -> Result<(), RepairError> {
        let put = self
            .datastore
            .blobs()
            .put_back(digest, self.scratch.blobs());
        put.await.map_err(|source| RepairError::PutBack {
            digest: *digest,
            source,
        })?;
        self.lost.remove(digest);
        let hex = digest.to_string();
        let key = format!("blobs/{}/{hex}", &hex[..2]);
        self.repaired.done.insert(key, how);
        Ok(())
    }

    /// What a record has that is lost.
    fn lost_of(&self, record: &Record) -> Vec<Digest> {
        let artifacts = record.artifacts.iter().map(|it| it.value.digest);
        let logs = match &record.logs {
            Logs::Blob(logs) => Some(logs.digest),
            _ => None,
        };
        let all = artifacts.chain(logs);
        all.filter(|digest| self.lost.contains(digest)).collect()
    }

    /// Executes the tasks of a run that made something that is lost.
    async fn run(&mut self, id: &RunId) -> Result<(), RepairError> {
        let run = match self.datastore.run(id).await {
            Ok(run) => run,
            Err(RunError::Store(error)) => return Err(error.into()),
            Err(error) => {
                self.repaired.closed.push((id.clone(), error.to_string()));
                return Ok(());
            }
        };
        if !self.concerns(&run).await? {
            return Ok(());
        }
        let opened = self.site(&run).await;
        let site = match opened {
            Ok(site) => site,
            Err(error) => {
                self.repaired.closed.push((id.clone(), said(&error)));
                return Ok(());
            }
        };
        let scheduler = past::scheduler(run.header(), &site.graph);
        let mut sites = BTreeMap::from([(id.clone(), site.clone())]);
        let mut failed = None;
        let folded = past::fold(&run, scheduler, async |event, answer, segment| {
            site.values.add(event);
            site.values.stored(std::slice::from_ref(event), segment);
            if failed.is_none()
                && let Err(error) = self.event(id, &mut sites, event, answer.assignment).await
            {
                failed = Some(error);
            }
        });
        if let Err(error) = folded.await {
            // What stands before the damage was repaired as far as it can be.
            self.repaired.closed.push((id.clone(), said(&error)));
        }
        failed.map_or(Ok(()), Err)
    }

    /// Whether a task of the run made something that is lost.
    async fn concerns(&self, run: &Run) -> Result<bool, RepairError> {
        for segment in run.segment_numbers().await? {
            // What cannot be read cannot be executed either.
            for event in run.read_segment(segment).await.unwrap_or_default() {
                let ending = event.ending();
                if ending.is_some_and(|(_, _, record)| !self.lost_of(record).is_empty()) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn site(&self, run: &Run) -> Result<Arc<Site>, PastError> {
        let program = Program::of(&self.scratch, self.machine.modules, run.header()).await?;
        let launcher = &self.machine.launcher;
        let secrets = start::secrets(run, None, &*self.machine.clock).await;
        let site = start::site(&self.scratch, run, program, launcher, secrets);
        Ok(Arc::new(site))
    }

    async fn event(
        &mut self,
        id: &RunId,
        sites: &mut BTreeMap<RunId, Arc<Site>>,
        event: &Event,
        assignment: Option<Assignment>,
    ) -> Result<(), RepairError> {
        let (Some((task, attempt, record, by)), Some(mut assignment)) =
            (event.ending_of(id), assignment)
        else {
            return Ok(());
        };
        let lost = self.lost_of(record);
        if lost.is_empty() {
            return Ok(());
        }
        let site = match self.site_of(id, by, sites).await {
            Ok(site) => site,
            Err(error) => {
                let why = said(&error);
                self.repaired.vain.push((id.clone(), task.clone(), why));
                return Ok(());
            }
        };
        // In the flow of a run that is continued the step may stand at another position.
        let Some(step) = site.graph.find(task.step.as_str()) else {
            return Ok(());
        };
        (assignment.step, assignment.attempt) = (step, attempt);
        if self.loaded.as_ref() != Some(by) {
            // Cells have the module of another run.
            self.slot.kill();
            self.loaded = Some(by.clone());
        }
        let trace = record.trace.as_ref();
        let clock = &*self.machine.clock;
        let (made, _) = again(&site, &assignment, trace, &mut self.slot, clock).await;
        (self.machine.compared)();
        self.compare((id, task), lost, &made).await
    }

    /// Puts back what was lost and was made again.
    async fn compare(
        &mut self,
        (id, task): (&RunId, &TaskId),
        lost: Vec<Digest>,
        made: &Record,
    ) -> Result<(), RepairError> {
        let artifacts = made.artifacts.iter().map(|it| it.value.digest);
        let logs = match &made.logs {
            Logs::Blob(logs) => Some(logs.digest),
            _ => None,
        };
        let made_again: BTreeSet<_> = artifacts.chain(logs).collect();
        let mut missed = 0;
        for digest in lost {
            if made_again.contains(&digest) && self.scratch.blobs().contains(&digest).await? {
                let how = How::Executed(id.clone(), task.clone());
                self.put_back(&digest, how).await?;
            } else {
                missed += 1;
            }
        }
        if missed > 0 {
            let why = match &made.result {
                Err(failure) => {
                    format!("it ended otherwise: {}: {}", failure.kind, failure.message)
                }
                Ok(_) => "what it made has another digest than what was recorded".to_owned(),
            };
            self.repaired.vain.push((id.clone(), task.clone(), why));
        }
        Ok(())
    }

    /// The site of the run that executed a task of run `id`: its code, its seed, its limits.
    async fn site_of(
        &self,
        id: &RunId,
        by: &RunId,
        sites: &mut BTreeMap<RunId, Arc<Site>>,
    ) -> Result<Arc<Site>, PastError> {
        if let Some(site) = sites.get(by) {
            return Ok(site.clone());
        }
        let site = self.site(&self.datastore.run(by).await?).await?;
        // The values that it read are in the records of the run that took it over.
        let site = Arc::new(Site {
            values: sites[id].values.clone(),
            ..Site::clone(&site)
        });
        sites.insert(by.clone(), site.clone());
        Ok(site)
    }
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

/// The digest of a file's bytes, which need not fit into memory.
fn digest_of(path: &Path) -> std::io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().into())
}

/// Writes the summary and the noted results of an ended run anew, from its journal.
async fn rebuild(
    datastore: &Datastore,
    id: &RunId,
    machine: &Machine<'_>,
) -> Result<(), FsckError> {
    let run = datastore.run(id).await?;
    let program = Program::of(datastore, machine.modules, run.header()).await?;
    let secrets = Secrets::default();
    let site = start::site(datastore, &run, program, &machine.launcher, secrets);
    let (notes, mut tally, mut ended) = (Notes::default(), Tally::default(), None);
    let scheduler = past::scheduler(run.header(), &site.graph);
    let folded = past::fold(&run, scheduler, async |event, answer, segment| {
        notes.stored(&site, std::slice::from_ref(event), segment);
        tally.count(event);
        answer.retrying.iter().for_each(|event| tally.count(event));
        if let Event::RunEnded { status, at } = event {
            ended = Some((*status, *at));
        }
    });
    let (_, segments) = folded.await?;
    match ended {
        Some(ended) => {
            let summary = tally.summary(&run, ended, segments);
            run.put_summary(&summary).await?;
            run.put_memo(notes.take()).await?;
        }
        // A run without an end has neither; attaching to it writes both.
        None => run.forget_end().await?,
    }
    Ok(())
}

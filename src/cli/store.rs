//! The datastore as commands read it: one question, one answer.
//!
//! Questions wait for their answers on this thread; nothing else goes on in a command that reads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use bytes::Bytes;
use tokio::runtime::Runtime;

use super::context::Context;
use super::error::{CliError, Kind};
use super::value;
use crate::config::Settings;
use crate::datastore::object::cache::Shelf;
use crate::datastore::{Access, Datastore, DatastoreUrl, Run, RunError};
use crate::model::artifact::{Value, ValueAt};
use crate::model::event::{Event, RunStatus};
use crate::model::header::RunHeader;
use crate::model::id::RunId;
use crate::model::name::{FlowName, Tag};
use crate::model::record::LogChunk;
use crate::model::time::Timestamp;
use crate::report::history::History;
use crate::report::human;
use crate::report::style::Style;
use crate::runtime::driver;

/// A blob is read in pieces of this many bytes.
const PIECE: usize = 1024 * 1024;
/// The largest value, in bytes, that is loaded to be shown on one line.
const MAX_PREVIEW: u64 = 64 * 1024;
/// A run without a lease that is younger than this, in microseconds, may be about to be driven.
const BEGINNING_US: u64 = 5_000_000;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RunState {
    /// Its last step succeeded
    Succeeded,
    /// A task failed for good
    Failed,
    /// Somebody stopped it
    Cancelled,
    /// It has no end, and a process drives it
    Running,
    /// It has no end, and whoever drove it is gone: `wrun attach` goes on
    Interrupted,
}

impl RunState {
    /// The state in a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
        }
    }

    /// The word, painted.
    pub(crate) fn paint(self, style: &Style) -> String {
        match self {
            Self::Succeeded => style.succeeded(self.word()),
            Self::Failed => style.failed(self.word()),
            Self::Cancelled | Self::Interrupted => style.stopped(self.word()),
            Self::Running => style.running(self.word()),
        }
    }
}

impl From<RunStatus> for RunState {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Succeeded => Self::Succeeded,
            RunStatus::Failed => Self::Failed,
            RunStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// What a list of runs shows of one.
#[derive(Clone, Debug)]
pub(crate) struct RunFacts {
    /// Which run it is.
    pub(crate) run: RunId,
    /// How it stands.
    pub(crate) state: RunState,
    /// When it started.
    pub(crate) created_at: Timestamp,
    /// How long it took, or takes so far, in microseconds.
    pub(crate) took_us: u64,
    /// Tasks that have ended.
    pub(crate) tasks: u64,
    /// Tasks that failed, caught or not.
    pub(crate) failed: u64,
    /// Its tags.
    pub(crate) tags: Vec<Tag>,
}

/// How datastores are reached, as the settings say.
pub(crate) fn access(settings: &Settings) -> Access {
    Access {
        cache: Some(Shelf {
            directory: settings.blob_cache.clone(),
            bytes: settings.blob_cache_mib << 20,
        }),
        path_style: settings.path_style,
    }
}

/// An open datastore.
pub(crate) struct Store {
    datastore: Datastore,
    runtime: Runtime,
    /// Runs that were looked at: a header never changes.
    runs: RefCell<BTreeMap<RunId, Run>>,
}

impl Context {
    /// Opens the datastore of the settings.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub(crate) fn store(&self) -> Result<Store, CliError> {
        self.store_of(&self.settings()?)
    }

    /// Opens the datastore that `settings` name.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub(crate) fn store_of(&self, settings: &Settings) -> Result<Store, CliError> {
        let url: DatastoreUrl = settings.datastore.parse()?;
        let runtime = self.runtime()?;
        let datastore = runtime.block_on(Datastore::open_with(&url, &access(settings)))?;
        Ok(Store {
            datastore,
            runtime,
            runs: RefCell::default(),
        })
    }
}

impl Store {
    /// The datastore itself, and what waits for its answers.
    pub(crate) fn parts(&self) -> (&Datastore, &Runtime) {
        (&self.datastore, &self.runtime)
    }

    /// Where it is, for messages.
    pub(crate) fn url(&self) -> String {
        self.datastore.place()
    }

    /// The flows that have runs, by name.
    pub(crate) fn flows(&self) -> Result<Vec<FlowName>, CliError> {
        Ok(self.runtime.block_on(self.datastore.flows())?)
    }

    /// The newest `limit` runs of a flow, newest first.
    pub(crate) fn runs(&self, flow: &FlowName, limit: usize) -> Result<Vec<RunId>, CliError> {
        Ok(self.runtime.block_on(self.datastore.runs(flow, limit))?)
    }

    /// The newest run of a flow, or of all.
    pub(crate) fn latest(&self, flow: Option<&FlowName>) -> Result<Option<RunId>, CliError> {
        Ok(self.runtime.block_on(self.datastore.latest(flow))?)
    }

    /// Whether there is such a run.
    pub(crate) fn exists(&self, run: &RunId) -> Result<bool, CliError> {
        match self.run(run) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A run.
    pub(crate) fn run(&self, id: &RunId) -> Result<Run, CliError> {
        if let Some(run) = self.runs.borrow().get(id) {
            return Ok(run.clone());
        }
        let run = self.runtime.block_on(self.datastore.run(id))?;
        self.runs.borrow_mut().insert(id.clone(), run.clone());
        Ok(run)
    }

    /// What was fixed when the run started.
    pub(crate) fn header(&self, run: &RunId) -> Result<RunHeader, CliError> {
        Ok(self.run(run)?.header().clone())
    }

    /// The events of a run from a segment on, and the segment from which to go on later.
    pub(crate) fn events_from(
        &self,
        run: &RunId,
        segment: u64,
    ) -> Result<(Vec<Event>, u64), CliError> {
        let run = self.run(run)?;
        Ok(self.runtime.block_on(run.events_from(segment))?)
    }

    /// What a list shows of a run: from its summary, or from its journal when there is none.
    pub(crate) fn facts(&self, id: &RunId, now: Timestamp) -> Result<RunFacts, CliError> {
        let run = self.run(id)?;
        let summary = match self.runtime.block_on(run.summary()) {
            // The journal has all that the summary should have said.
            Err(RunError::Damaged { .. }) => None,
            summary => summary?,
        };
        let Some(summary) = summary else {
            let (events, _) = self.events_from(id, 0)?;
            return self.facts_of(run.header(), &History::of(&events), now);
        };
        let header = run.header();
        Ok(RunFacts {
            run: id.clone(),
            state: summary.status.into(),
            created_at: header.created_at,
            took_us: summary.ended_at.micros_since(header.created_at),
            tasks: summary.tasks.succeeded + summary.tasks.failed,
            failed: summary.tasks.failed,
            tags: self.tags(id)?.into_iter().collect(),
        })
    }

    /// What a list shows of a run whose journal was read.
    pub(crate) fn facts_of(
        &self,
        header: &RunHeader,
        history: &History,
        now: Timestamp,
    ) -> Result<RunFacts, CliError> {
        let totals = history.totals();
        let heard = history.last_at.max(header.created_at);
        let (state, end) = match history.ended {
            Some((status, at)) => (status.into(), at),
            None if self.is_driven(header, now)? => (RunState::Running, now),
            None => (RunState::Interrupted, heard),
        };
        Ok(RunFacts {
            run: header.run.clone(),
            state,
            created_at: header.created_at,
            took_us: end.micros_since(header.created_at),
            tasks: totals.tasks,
            failed: totals.failed + totals.caught,
            tags: self.tags(&header.run)?.into_iter().collect(),
        })
    }

    /// Whether a process drives the run, as far as its lease tells.
    fn is_driven(&self, header: &RunHeader, now: Timestamp) -> Result<bool, CliError> {
        let run = self.run(&header.run)?;
        Ok(match self.runtime.block_on(run.lease())? {
            Some((lease, _)) => driver::is_alive(&lease, now),
            // A driver takes its lease just after it has made the run.
            None => now.micros_since(header.created_at) < BEGINNING_US,
        })
    }

    /// Whether the lease of the run says that a process drives it.
    pub(crate) fn is_held(&self, run: &RunId, now: Timestamp) -> Result<bool, CliError> {
        let lease = self.runtime.block_on(self.run(run)?.lease())?;
        Ok(lease.is_some_and(|(lease, _)| driver::is_alive(&lease, now)))
    }

    /// The tags of a run.
    pub(crate) fn tags(&self, run: &RunId) -> Result<BTreeSet<Tag>, CliError> {
        let run = self.run(run)?;
        Ok(self.runtime.block_on(run.tags())?.into_iter().collect())
    }

    /// Adds and removes tags, and gives those that there are then.
    pub(crate) fn change_tags(
        &self,
        run: &RunId,
        add: &[Tag],
        remove: &[Tag],
    ) -> Result<BTreeSet<Tag>, CliError> {
        let open = self.run(run)?;
        self.runtime.block_on(async {
            for tag in add {
                open.add_tag(tag).await?;
            }
            for tag in remove {
                open.remove_tag(tag).await?;
            }
            Ok::<_, CliError>(())
        })?;
        self.tags(run)
    }

    /// The bytes of a value.
    pub(crate) fn load(&self, value: &Value) -> Result<Bytes, CliError> {
        Ok(self.runtime.block_on(self.datastore.load(value))?)
    }

    /// Writes the bytes of a value to `out`, piece by piece; `failed` says what it means when `out`
    /// does not take them.
    pub(crate) fn copy(
        &self,
        value: &Value,
        out: &mut dyn Write,
        failed: &dyn Fn(&io::Error) -> CliError,
    ) -> Result<(), CliError> {
        if value.at != ValueAt::Blob {
            let bytes = self.load(value)?;
            return out
                .write_all(&bytes)
                .and_then(|()| out.flush())
                .map_err(|e| failed(&e));
        }
        let reader = self.runtime.block_on(self.datastore.open_value(value))?;
        let mut at = 0;
        while at < reader.len() {
            let piece = self.runtime.block_on(reader.read_at(at, PIECE))?;
            out.write_all(&piece).map_err(|error| failed(&error))?;
            at += piece.len() as u64;
        }
        out.flush().map_err(|error| failed(&error))
    }

    /// A value on one line; its kind and size when it is too large for that.
    pub(crate) fn preview(&self, value: &Value, width: usize) -> Result<String, CliError> {
        if value.size > MAX_PREVIEW {
            return Ok(format!(
                "{} of {}",
                human::bytes(value.size),
                value::essence(&value.media)
            ));
        }
        let bytes = self.load(value)?;
        Ok(value::preview(&value.media, &bytes, width))
    }

    /// What an attempt printed, when it was too much for its record.
    pub(crate) fn long_logs(&self, value: &Value) -> Result<Vec<LogChunk>, CliError> {
        let bytes = self.load(value)?;
        ciborium::from_reader(bytes.as_ref()).map_err(|error| {
            let what = format!("the log `{}` is not a list of pieces", value.digest.short());
            CliError::new(Kind::Damaged, what).caused_by(&error)
        })
    }
}

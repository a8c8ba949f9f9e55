//! Makes attempts of a job where no driver is: in a container.
//!
//! A worker has the datastore and the name of its job, and nothing else of the run: what was fixed is
//! in the header, what is to be done in the job. It calls [`run_attempt`] as the local executor
//! does, and keeps the record where the driver finds it. One that takes long says meanwhile how far
//! it is and what it prints; one that is short writes its record and nothing else.

mod unfit;

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::past::Program;
use super::start;
use crate::datastore::Datastore;
use crate::datastore::jobs::new_token;
use crate::datastore::run::{Run, RunError};
use crate::executor::batch::verdict;
use crate::model::failure::{Failure, FailureKind};
use crate::model::id::TaskId;
use crate::model::job::{JobId, JobSpec, Made, Said, Token};
use crate::model::record::{LogChunk, Record};
use crate::sandbox::call::Profile;
use crate::sandbox::engine::engine_id;
use crate::sandbox::{Launcher, Modules};
use crate::scheduler::Assignment;
use crate::task::at_hand::AtHand;
use crate::task::attempt::{Clock, failed, run_attempt};
use crate::task::host::Listener;
use crate::task::site::{Site, Slot};
use crate::task::spec;

/// After which time a worker begins to say what it does.
const SILENCE: Duration = Duration::from_secs(2);
/// The longest pause between two times that it says something.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why a worker could not make an attempt and keep its record.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// There is no such job.
    #[error("job `{0}` is not in the datastore")]
    NoJob(JobId),
    /// The job has fewer attempts.
    #[error("job `{job}` has {len} attempts, not one at {index}")]
    NoAttempt {
        /// The job.
        job: JobId,
        /// The attempt that was asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// The run cannot be read, or the record not be kept.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Where a worker is, and what it may use there.
pub struct Around<'a> {
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// What the service calls the job that the worker belongs to.
    pub job: Option<String>,
    /// Sees what the task prints.
    pub echo: &'a (dyn Fn(&[LogChunk]) + Send + Sync),
}

/// Makes the attempts of one job.
pub struct Worker {
    datastore: Datastore,
    modules: Modules,
    launcher: Launcher,
    job: JobId,
    run: Run,
    spec: JobSpec,
    /// What attempts share; made when the first is.
    site: OnceCell<Result<Site, Failure>>,
}

impl Worker {
    /// A worker of `job`. Nothing is compiled or executed yet.
    ///
    /// # Errors
    /// [`WorkerError`] when there is no such job.
    pub async fn new(
        datastore: &Datastore,
        job: JobId,
        modules: Modules,
        launcher: Launcher,
    ) -> Result<Self, WorkerError> {
        let run = datastore.run(&job.run).await?;
        let spec = run.job(&job.job).await?;
        let spec = spec.ok_or_else(|| WorkerError::NoJob(job.clone()))?;
        Ok(Self {
            datastore: datastore.clone(),
            modules,
            launcher,
            job,
            run,
            spec,
            site: OnceCell::new(),
        })
    }

    /// Makes attempt `index` of the job, unless its record is there already, and keeps the record.
    ///
    /// When `stop` completes before the attempt does, it is ended, and its record says so.
    ///
    /// # Errors
    /// [`WorkerError`] when the record could not be kept. Every other trouble is in the record.
    pub async fn make(
        &self,
        index: usize,
        slot: &mut Slot,
        around: &Around<'_>,
        stop: impl Future<Output = ()>,
    ) -> Result<Made, WorkerError> {
        let attempt = self.spec.attempts.get(index);
        let attempt = attempt.ok_or_else(|| WorkerError::NoAttempt {
            job: self.job.clone(),
            index,
            len: self.spec.attempts.len(),
        })?;
        let (task, number) = (&attempt.task, attempt.attempt);
        if let Some(made) = self.run.attempt(task, number).await? {
            return Ok(made);
        }
        let voice = Voice::new(&self.run, (task, number), around);
        let mut record = tokio::select! {
            record = self.record(index, slot, around, &voice) => Some(record),
            () = voice.speak() => None,
            () = stop => None,
        }
        .unwrap_or_else(|| {
            slot.kill();
            failed(stopped())
        });
        record.usage.job = around.job.clone();
        let made = Made {
            record,
            worker: voice.worker.clone(),
            said: voice.last_words().await?,
        };
        let other = self.run.create_attempt(task, number, &made).await?;
        Ok(other.unwrap_or(made))
    }

    async fn record(
        &self,
        index: usize,
        slot: &mut Slot,
        around: &Around<'_>,
        voice: &Voice<'_>,
    ) -> Record {
        let site = match self.site(index, around.clock).await {
            Ok(site) => site,
            Err(failure) => return failed(failure.clone()),
        };
        let Some(assignment) = spec::unpack(&site.graph, &self.spec, index) else {
            let message = format!("attempt {index} of job `{}` contradicts itself", self.job);
            return failed(Failure::new(FailureKind::Damaged, message));
        };
        self.attempt(site, slot, &assignment, (around.clock, voice))
            .await
    }

    async fn attempt(
        &self,
        site: &Site,
        slot: &mut Slot,
        assignment: &Assignment,
        (clock, voice): (&dyn Clock, &Voice<'_>),
    ) -> Record {
        voice.say(Said::Started { at: clock.now() });
        run_attempt(site, slot, assignment, clock, voice).await
    }

    /// What all attempts of the run share.
    async fn site(&self, index: usize, clock: &dyn Clock) -> Result<&Site, &Failure> {
        let made = self.site.get_or_init(async || {
            let header = self.run.header();
            let engine = engine_id(Profile::with(self.modules.backend()));
            if header.engine != engine {
                return Err(unfit::other_engine(&header.wrun));
            }
            let program = Program::of(&self.datastore, &self.modules, header).await;
            let program = program.map_err(|error| unfit::unusable(&error, &header.wrun))?;
            // Attempts of one job are of one step: this worker needs, and may read, no other's.
            let step = self.spec.attempts.get(index).map(|it| &it.task.step);
            let secrets = start::secrets(&self.run, step, clock, &AtHand::default()).await;
            Ok(start::site(
                &self.datastore,
                &self.run,
                program,
                &self.launcher,
                secrets,
            ))
        });
        made.await.as_ref()
    }
}

/// Why an attempt has no result whose worker was asked to end.
fn stopped() -> Failure {
    // Its driver asks Batch whether it was this; here nobody knows.
    let message = "the worker was asked to end: its host is being reclaimed";
    Failure::new(FailureKind::Reclaimed, message).with_hint(verdict::RECLAIMED)
}

/// Says what a running attempt does, from time to time.
struct Voice<'a> {
    run: &'a Run,
    of: (&'a TaskId, u32),
    worker: Token,
    around: &'a Around<'a>,
    state: Mutex<Unsaid>,
}

#[derive(Default)]
struct Unsaid {
    pending: Vec<Said>,
    /// What is being said: the same until it is known to be kept.
    piece: Vec<Said>,
    said: u32,
}

impl<'a> Voice<'a> {
    fn new(run: &'a Run, of: (&'a TaskId, u32), around: &'a Around<'a>) -> Self {
        Self {
            run,
            of,
            worker: new_token(),
            around,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Unsaid> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, said: Said) {
        let pending = &mut self.state().pending;
        // Only the latest word about progress is of use.
        if matches!(said, Said::Progress { .. }) {
            pending.retain(|it| !matches!(it, Said::Progress { .. }));
        }
        pending.push(said);
    }

    /// Speaks for ever: after some silence, then ever less often.
    async fn speak(&self) {
        let mut pause = SILENCE;
        loop {
            tokio::time::sleep(pause).await;
            // What could not be said is said the next time.
            let _ = self.flush().await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// Says what is pending; what an earlier call could not say, or was dropped saying, comes first.
    async fn flush(&self) -> Result<(), RunError> {
        let (piece, seq) = {
            let mut state = self.state();
            if state.piece.is_empty() {
                state.piece = std::mem::take(&mut state.pending);
            }
            (state.piece.clone(), state.said)
        };
        if piece.is_empty() {
            return Ok(());
        }
        self.run.say(self.of, (&self.worker, seq), &piece).await?;
        let mut state = self.state();
        state.piece.clear();
        state.said += 1;
        Ok(())
    }

    /// Says what was printed and not said yet, and gives how often something was said.
    async fn last_words(&self) -> Result<u32, RunError> {
        while self.state().has_printed() {
            self.flush().await?;
        }
        Ok(self.state().said)
    }
}

impl Unsaid {
    fn has_printed(&self) -> bool {
        let printed = |it: &Said| matches!(it, Said::Log { .. });
        !self.piece.is_empty() || self.pending.iter().any(printed)
    }
}

impl Listener for Voice<'_> {
    fn progress(&self, done: u64, total: u64, message: String) {
        self.say(Said::Progress {
            done,
            total,
            message,
        });
    }

    fn logs(&self, chunks: Vec<LogChunk>) {
        (self.around.echo)(&chunks);
        let at = self.around.clock.now();
        self.say(Said::Log { at, chunks });
    }
}

//! Makes attempts in containers of AWS Batch.
//!
//! Two tasks share the work. [`submit`] gathers assignments that come close together, packs them
//! into jobs, as few as possible, and submits those. [`watch`] looks into the datastore for what the
//! workers have left, and asks Batch only about jobs whose attempts are missing there.
//!
//! [`client`] sends requests, at the pace of [`pace`]; [`definition`] and [`shape`] say what a
//! container is, [`verdict`] what it means when it leaves no record, [`stopped`] why a worker was asked to end, [`check`] whether a queue
//! takes jobs at all. [`flight`] holds what is underway, [`wait`] says when it has no machine for
//! long, [`list`] shows the jobs of all runs.

pub mod check;
pub mod client;
pub mod definition;
pub mod flight;
pub mod list;
pub mod pace;
pub mod shape;
mod stopped;
mod submit;
pub mod verdict;
pub mod wait;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use self::client::Client;
use self::flight::{Flights, Seat};
use super::{Executor, Update, gather};
use crate::config::batch::Batch;
use crate::datastore::Run;
use crate::datastore::object::StoreError;
use crate::datastore::run::RunError;
use crate::model::failure::{Failure, FailureKind};
use crate::model::id::{RunId, TaskId};
use crate::model::job::{JobSpec, Token};
use crate::scheduler::Assignment;
use crate::task::attempt::{Clock, failed};
use crate::task::site::Site;

/// How long the end of jobs is waited for when a run is cancelled.
const ENDING: Duration = Duration::from_secs(20);

/// Where and how jobs are executed.
pub struct Setup {
    /// What all attempts of the run share.
    pub site: Arc<Site>,
    /// The run.
    pub run: Run,
    /// What Batch is told.
    pub settings: Batch,
    /// Where the datastore is, as workers reach it.
    pub datastore: String,
    /// The directory that is mounted under the same path, if one is.
    pub mounted: Option<String>,
    /// Sends requests.
    pub client: Arc<Client>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Jobs that an earlier driver of this run has left.
    pub before: Vec<(Token, JobSpec)>,
}

/// The name by which Batch and people know a job of a run.
pub fn job_name(run: &RunId, job: &Token) -> String {
    format!("wrun-{}-{}-{job}", run.flow, run.number)
}

/// The jobs that earlier drivers of `run` have left.
///
/// # Errors
/// When the datastore cannot be read.
pub async fn jobs_of(run: &Run) -> Result<Vec<(Token, JobSpec)>, RunError> {
    let mut jobs = Vec::new();
    for name in run
        .jobs()
        .await
        .map_err(<RunError as From<StoreError>>::from)?
    {
        if let Some(spec) = run.job(&name).await? {
            jobs.push((name, spec));
        }
    }
    Ok(jobs)
}

/// What the executor and its tasks share.
struct Shared {
    setup: Setup,
    updates: mpsc::UnboundedSender<Update>,
    state: Mutex<State>,
    /// Something waits to be submitted.
    submit: Notify,
    /// Something is in flight.
    watch: Notify,
}

#[derive(Default)]
struct State {
    /// What waits to be submitted.
    waiting: Vec<Assignment>,
    /// How much has been given so far: whoever gathers sees whether more comes.
    given: u64,
    /// How much was given and has not ended.
    outstanding: usize,
    flights: Flights,
    /// Nothing more is to be submitted, because the run ends.
    withdrawn: bool,
    /// Everything is to end.
    cancelled: bool,
    /// Attempts of jobs that an earlier driver has left.
    before: HashMap<(TaskId, u32), Vec<Token>>,
    /// The children of those jobs.
    seats: HashMap<Token, Vec<Seat>>,
    /// The queues that those jobs were submitted to.
    sent: HashMap<Token, String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, update: Update) {
        // Nobody listens any more only when the executor is gone.
        let _ = self.updates.send(update);
    }

    /// Says that an attempt which never flew, or was taken out, has failed.
    fn fail(&self, task: TaskId, attempt: u32, failure: Failure) {
        self.say(Update::Finished {
            task,
            attempt,
            record: Box::new(failed(failure)),
        });
    }

    /// Takes back what has not begun.
    async fn take_back(&self) {
        let jobs = self.state().flights.jobs();
        for (_, job) in jobs {
            // Whether it could be taken back is seen by whether it begins.
            let reason = format!("{}the run ends", verdict::ENDED_BY_US);
            let _ = self.setup.client.cancel(&job.id, &reason).await;
        }
    }

    /// Ends all jobs, and says of what was in flight that it was cancelled.
    async fn end_all(&self) {
        let jobs = self.state().flights.jobs();
        let reason = format!("{}the run was cancelled", verdict::ENDED_BY_US);
        let mut troubles = Vec::new();
        let ended = tokio::time::timeout(ENDING, async {
            for (_, job) in &jobs {
                if let Err(trouble) = self.setup.client.terminate(&job.id, &reason).await {
                    troubles.push(format!("job `{}` could not be ended: {trouble}", job.id));
                }
            }
        });
        if ended.await.is_err() {
            troubles.push("not all jobs could be ended in time".to_owned());
        }
        let seats = self.state().flights.seats();
        for seat in seats {
            let landed = self.state().flights.land(&seat, false);
            if let Some(flight) = landed {
                let mut failure = cancelled();
                failure.causes.clone_from(&troubles);
                self.fail(flight.task, flight.attempt, failure);
            }
        }
        let waiting = std::mem::take(&mut self.state().waiting);
        for assignment in waiting {
            self.fail(assignment.task, assignment.attempt, cancelled());
        }
    }
}

fn cancelled() -> Failure {
    let message = "the run was cancelled before this task had ended";
    Failure::new(FailureKind::Cancelled, message)
}

/// Makes attempts in containers of AWS Batch.
pub struct BatchExecutor {
    shared: Arc<Shared>,
    updates: mpsc::UnboundedReceiver<Update>,
    tasks: [JoinHandle<()>; 2],
}

impl BatchExecutor {
    /// An executor that submits what it is given. Must be called inside a tokio runtime.
    pub fn new(mut setup: Setup) -> Self {
        let (sender, updates) = mpsc::unbounded_channel();
        let mut state = State::default();
        for (job, spec) in std::mem::take(&mut setup.before) {
            let seats = spec.attempts.iter().map(|it| Seat::of(&it.task)).collect();
            state.seats.insert(job.clone(), seats);
            state
                .sent
                .extend(spec.sent.map(|sent| (job.clone(), sent.queue)));
            for it in spec.attempts {
                let jobs = state.before.entry((it.task, it.attempt)).or_default();
                jobs.push(job.clone());
            }
        }
        let shared = Arc::new(Shared {
            setup,
            updates: sender,
            state: Mutex::new(state),
            submit: Notify::new(),
            watch: Notify::new(),
        });
        let tasks = [
            tokio::spawn(submit::submit(shared.clone())),
            tokio::spawn(watch::watch(shared.clone())),
        ];
        Self {
            shared,
            updates,
            tasks,
        }
    }
}

impl Drop for BatchExecutor {
    fn drop(&mut self) {
        // Jobs go on: whoever takes the run over finds them.
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

#[async_trait]
impl Executor for BatchExecutor {
    fn room(&self) -> usize {
        let most = self.shared.setup.settings.max_jobs as usize;
        most.saturating_sub(self.shared.state().outstanding)
    }

    fn start(&mut self, assignment: Assignment) {
        let mut state = self.shared.state();
        state.outstanding += 1;
        state.given += 1;
        state.waiting.push(assignment);
        drop(state);
        self.shared.submit.notify_one();
    }

    fn withdraw(&mut self) -> usize {
        let mut state = self.shared.state();
        state.withdrawn = true;
        let withdrawn = std::mem::take(&mut state.waiting).len();
        state.outstanding -= withdrawn;
        let flying = !state.flights.is_empty();
        drop(state);
        if flying {
            let shared = self.shared.clone();
            tokio::spawn(async move { shared.take_back().await });
        }
        withdrawn
    }

    async fn updates(&mut self) -> Vec<Update> {
        let (all, ended) = gather(&mut self.updates).await;
        self.shared.state().outstanding -= ended;
        all
    }

    fn cancel(&mut self) {
        if !std::mem::replace(&mut self.shared.state().cancelled, true) {
            let shared = self.shared.clone();
            tokio::spawn(async move { shared.end_all().await });
        }
    }

    fn leave(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

//! Executes a run once more and compares every attempt with what was kept of it.
//!
//! The journal is folded again, which gives for every attempt the assignment that led to it, with
//! the recorded values as its inputs. So attempts do not wait for one another and are executed side
//! by side. Nothing is taken from anywhere but the datastore, and nothing is written to it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::books::Books;
use super::compare::{self, Difference, Side};
use super::past::{self, PastError, Program};
use super::start;
use crate::datastore::run::Run;
use crate::datastore::{BlobError, Datastore};
use crate::model::artifact::{Artifact, ValueAt};
use crate::model::digest::Digest;
use crate::model::event::{Event, RunStatus};
use crate::model::failure::Failure;
use crate::model::id::{Place, RunId, TaskId};
use crate::model::name::StepName;
use crate::model::record::{LogChunk, Record};
use crate::sandbox::{Launcher, Modules};
use crate::scheduler::Assignment;
use crate::task::at_hand::AtHand;
use crate::task::attempt::{Clock, repeat_attempt};
use crate::task::grants::Secrets;
use crate::task::host::Listener;
use crate::task::site::{Site, Slot};

/// How often an attempt is made again when the machine failed and not the task.
const TRIES: usize = 3;
/// How many attempts wait for each worker.
const QUEUE: usize = 4;
/// The most differences that are kept; more are counted.
const KEPT: usize = 1000;

/// Why a run cannot be replayed to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// What there is of it cannot be read.
    #[error(transparent)]
    Past(#[from] PastError),
    /// There is no room for what is written meanwhile.
    #[error("there is no temporary directory for the replay")]
    Scratch(#[source] std::io::Error),
    /// An attempt could not be made on this machine.
    #[error("task `{task}` could not be executed again: {}", failure.message)]
    NotExecuted {
        /// The task.
        task: TaskId,
        /// Why.
        failure: Box<Failure>,
    },
}

/// What is replayed of a run.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// One step; all when none.
    pub step: Option<StepName>,
    /// One task of it; all when none.
    pub place: Option<Place>,
}

impl Scope {
    fn has(&self, task: &TaskId) -> bool {
        self.step.as_ref().is_none_or(|step| *step == task.step)
            && self.place.as_ref().is_none_or(|place| *place == task.place)
    }

    fn is_all(&self) -> bool {
        self.step.is_none()
    }
}

/// What a replay needs of the machine.
pub struct Machine<'a> {
    /// The compiled modules.
    pub modules: &'a Modules,
    /// Starts cells.
    pub launcher: Launcher,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How many attempts are made side by side.
    pub workers: usize,
    /// Is called after every attempt that was compared.
    pub compared: Arc<dyn Fn() + Send + Sync>,
    /// Values of secrets that services were asked for.
    pub at_hand: AtHand,
}

impl Machine<'_> {
    /// The secrets of `run`, or of one of its steps: runs whose tasks were taken over have most of them too, and
    /// a service is asked once.
    pub(super) async fn secrets(&self, run: &Run, step: Option<&StepName>) -> Secrets {
        start::secrets(run, step, &*self.clock, &self.at_hand).await
    }
}

/// A difference, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: u32,
    /// What differs.
    pub difference: Difference,
    /// The engine that executed it and the one that executed it again, where they are not the same.
    pub engines: Option<(Digest, Digest)>,
}

/// What a replay found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Tasks of which an attempt was executed again and compared.
    pub tasks: u64,
    /// Attempts that were compared.
    pub attempts: u64,
    /// Artifacts that were computed again.
    pub artifacts: u64,
    /// How the run ended, as its journal says; none when that has no end, or only a part of the run
    /// was replayed.
    pub ended: Option<RunStatus>,
    /// Attempts that prove nothing, with what ended them: a timeout, a lost cell, a cancel.
    pub left_out: Vec<(TaskId, u32, String)>,
    /// How many attempts were first executed by another engine.
    pub other_engine: u64,
    /// The differences in the order of the journal, a thousand at most.
    pub differences: Vec<Found>,
    /// How many there are.
    pub different: u64,
}

/// Executes what `scope` says of `run` once more and compares.
///
/// # Errors
/// [`ReplayError`] when the run cannot be read, or an attempt not be made on this machine.
pub async fn replay(
    datastore: &Datastore,
    run: &Run,
    scope: &Scope,
    machine: &Machine<'_>,
) -> Result<Report, ReplayError> {
    past::verify_code(datastore, run.header()).await?;
    let directory = tempfile::tempdir().map_err(ReplayError::Scratch)?;
    let scratch = datastore.scratch(directory.path());
    let program = Program::of(datastore, machine.modules, run.header()).await?;
    let secrets = machine.secrets(run, scope.step.as_ref()).await;
    let site = start::site(&scratch, run, program, &machine.launcher, secrets);
    let site = Arc::new(site);
    let ledger = Arc::new(Ledger::new(datastore.clone(), machine.compared.clone()));
    if scope.is_all() {
        ledger.parameters(run).await;
    }
    let (jobs, queue) = mpsc::channel(machine.workers.max(1) * QUEUE);
    let queue = Arc::new(tokio::sync::Mutex::new(queue));
    let mut workers: JoinSet<_> = (0..machine.workers.max(1))
        .map(|_| {
            let (queue, ledger) = (queue.clone(), ledger.clone());
            work(queue, ledger, machine.clock.clone())
        })
        .collect();
    // The workers alone hold it now: when they are gone, nobody waits for a place in it.
    drop(queue);
    let mut reader = Reader {
        datastore,
        machine,
        sites: BTreeMap::from([(run.id().clone(), site.clone())]),
        run: run.id().clone(),
        scope,
        printed: BTreeMap::new(),
        next: 0,
        failed: None,
    };
    let scheduler = past::scheduler(run.header(), &site.graph);
    let mut books = Books::default();
    let folded = past::fold(run, scheduler, async |event, answer, segment| {
        site.values.add(event);
        site.values.stored(std::slice::from_ref(event), segment);
        if let (Some(found), Some(task)) = (books.enter(event, &answer), event.task())
            && scope.has(task)
        {
            ledger.note(reader.next, task, 0, found, None);
        }
        if let Some(job) = reader.job(event, answer.assignment).await {
            // Workers are gone only when one has panicked, which its handle tells.
            let _ = jobs.send(job).await;
        }
    });
    let folded = folded.await;
    drop(jobs);
    while let Some(worker) = workers.join_next().await {
        if let Err(panic) = worker {
            std::panic::resume_unwind(panic.into_panic());
        }
    }
    let (_, segments) = folded?;
    if let Some(error) = reader.failed {
        return Err(error.into());
    }
    if scope.is_all() {
        ledger.books(&books, run, segments).await?;
    }
    ledger.close()
}

/// An attempt to make once more.
struct Job {
    /// Its position in the journal.
    number: u64,
    site: Arc<Site>,
    assignment: Assignment,
    record: Box<Record>,
    printed: Vec<LogChunk>,
}

/// Turns the events of a journal into jobs.
struct Reader<'a> {
    datastore: &'a Datastore,
    machine: &'a Machine<'a>,
    /// The site of every run that executed something that is replayed.
    sites: BTreeMap<RunId, Arc<Site>>,
    run: RunId,
    scope: &'a Scope,
    printed: BTreeMap<(TaskId, u32), Vec<LogChunk>>,
    next: u64,
    failed: Option<PastError>,
}

impl Reader<'_> {
    async fn job(&mut self, event: &Event, assignment: Option<Assignment>) -> Option<Job> {
        if let Event::Log {
            task,
            attempt,
            chunks,
            ..
        } = event
            && self.scope.has(task)
        {
            let key = (task.clone(), *attempt);
            LogChunk::follow(self.printed.entry(key).or_default(), chunks);
        }
        let (task, attempt, record, by) = event.ending_of(&self.run)?;
        let by = by.clone();
        let printed = self.printed.remove(&(task.clone(), attempt));
        if !self.scope.has(task) || self.failed.is_some() {
            return None;
        }
        let site = match self.site(&by).await {
            Ok(site) => site,
            Err(error) => {
                self.failed = Some(error);
                return None;
            }
        };
        self.next += 1;
        let mut assignment = assignment?;
        // In the flow of a run that is continued the step may stand at another position.
        assignment.step = site.graph.find(task.step.as_str())?;
        assignment.attempt = attempt;
        Some(Job {
            number: self.next,
            site,
            assignment,
            record: Box::new(record.clone()),
            printed: printed.unwrap_or_default(),
        })
    }

    /// The site of the run that executed a task: its code, its seed, its limits.
    async fn site(&mut self, run: &RunId) -> Result<Arc<Site>, PastError> {
        if let Some(site) = self.sites.get(run) {
            return Ok(site.clone());
        }
        let own = self.sites[&self.run].clone();
        let origin = self.datastore.run(run).await?;
        past::verify_code(self.datastore, origin.header()).await?;
        let program = Program::of(self.datastore, self.machine.modules, origin.header()).await?;
        let secrets = self
            .machine
            .secrets(&origin, self.scope.step.as_ref())
            .await;
        let launcher = &self.machine.launcher;
        let site = start::site(&own.datastore, &origin, program, launcher, secrets);
        // The values that it read are in the records of the run that took it over.
        let site = Arc::new(Site {
            values: own.values.clone(),
            ..site
        });
        self.sites.insert(run.clone(), site.clone());
        Ok(site)
    }
}

async fn work(
    queue: Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
) {
    let mut slot = Slot::default();
    let mut loaded = None;
    loop {
        let job = queue.lock().await.recv().await;
        let Some(job) = job else { return };
        if loaded
            .as_ref()
            .is_some_and(|run| *run != job.site.header.run)
        {
            // Cells have the module of another run.
            slot.kill();
        }
        loaded = Some(job.site.header.run.clone());
        ledger.compare(job, &mut slot, &*clock).await;
    }
}

/// Takes down what was compared and what was found.
struct Ledger {
    datastore: Datastore,
    compared: Arc<dyn Fn() + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    report: Report,
    tasks: HashSet<TaskId>,
    /// Blobs that were read and found to be whole.
    whole: HashSet<Digest>,
    found: Vec<(u64, Found)>,
    not_executed: Option<(TaskId, Failure)>,
}

impl Ledger {
    fn new(datastore: Datastore, compared: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            datastore,
            compared,
            state: Mutex::default(),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Proves that the parameters are as they were given.
    async fn parameters(&self, run: &Run) {
        if let Some(difference) = self.stored(&run.header().parameters).await {
            self.note(0, &whole("parameters"), 0, difference, None);
        }
    }

    /// Compares what is kept beside the journal with it.
    async fn books(&self, books: &Books, run: &Run, segments: u64) -> Result<(), PastError> {
        for difference in books.close(run, segments).await? {
            self.note(u64::MAX, &whole("run"), 0, difference, None);
        }
        self.with(|state| state.report.ended = books.ended());
        Ok(())
    }

    async fn compare(&self, job: Job, slot: &mut Slot, clock: &dyn Clock) {
        let (task, attempt) = (job.assignment.task.clone(), job.assignment.attempt);
        if let Err(failure) = &job.record.result
            && compare::is_of_the_machine(failure)
        {
            let why = failure.kind.to_string();
            return self.with(|state| state.report.left_out.push((task, attempt, why)));
        }
        let trace = job.record.trace.as_ref();
        let (again, printed) = again(&job.site, &job.assignment, trace, slot, clock).await;
        if let Err(failure) = &again.result
            && compare::is_of_the_machine(failure)
        {
            let failure = failure.clone();
            return self.with(|state| state.not_executed = Some((task, failure)));
        }
        let before = Side {
            record: &job.record,
            printed: &job.printed,
            datastore: &self.datastore,
        };
        let now = Side {
            record: &again,
            printed: &printed,
            datastore: &job.site.datastore,
        };
        let found = match compare::attempts(before, now).await {
            Ok(None) => self.stored(&job.record.artifacts).await,
            Ok(found) => found,
            Err(error) => Some(unreadable("what was kept of it", &error)),
        };
        let profile = job.site.profile(job.site.graph.step(job.assignment.step));
        let engine = *job.site.module(profile).engine();
        let engines = (engine != job.record.engine).then_some((job.record.engine, engine));
        self.with(|state| {
            state.tasks.insert(task.clone());
            state.report.attempts += 1;
            state.report.artifacts += job.record.artifacts.len() as u64;
            state.report.other_engine += u64::from(engines.is_some());
        });
        if let Some(difference) = found {
            self.note(job.number, &task, attempt, difference, engines);
        }
        (self.compared)();
    }

    fn note(
        &self,
        number: u64,
        task: &TaskId,
        attempt: u32,
        difference: Difference,
        engines: Option<(Digest, Digest)>,
    ) {
        let found = Found {
            task: task.clone(),
            attempt,
            difference,
            engines,
        };
        self.with(|state| {
            state.report.different += 1;
            state.found.push((number, found));
            if state.found.len() > 2 * KEPT {
                state.found.sort_by_key(|(number, _)| *number);
                state.found.truncate(KEPT);
            }
        });
    }

    /// Reads what is stored of the artifacts and compares it with their digests.
    async fn stored(&self, artifacts: &[Artifact]) -> Option<Difference> {
        for Artifact { name, value } in artifacts {
            let read = match &value.at {
                ValueAt::Inline(bytes) if Digest::of(bytes) != value.digest => Err(
                    BlobError::damaged(&value.digest, "its bytes have another digest"),
                ),
                ValueAt::Blob if !self.with(|state| state.whole.contains(&value.digest)) => {
                    self.datastore.verify(&value.digest).await
                }
                _ => Ok(()),
            };
            match read {
                Ok(()) if value.at == ValueAt::Blob => {
                    self.with(|state| state.whole.insert(value.digest));
                }
                Ok(()) => {}
                Err(error) => {
                    return Some(unreadable(&format!("artifact `{name}`, as stored"), &error));
                }
            }
        }
        None
    }

    fn close(&self) -> Result<Report, ReplayError> {
        self.with(|state| {
            if let Some((task, failure)) = state.not_executed.take() {
                let failure = Box::new(failure);
                return Err(ReplayError::NotExecuted { task, failure });
            }
            let mut report = std::mem::take(&mut state.report);
            report.tasks = state.tasks.len() as u64;
            state.found.sort_by_key(|(number, _)| *number);
            let found = std::mem::take(&mut state.found).into_iter();
            report.differences = found.take(KEPT).map(|(_, found)| found).collect();
            Ok(report)
        })
    }
}

/// A name for what belongs to the whole run and to no task.
fn whole(what: &str) -> TaskId {
    TaskId {
        step: StepName::new(what).expect("a word is a name"),
        place: Place::new(&[]),
    }
}

fn unreadable(what: &str, error: &BlobError) -> Difference {
    Difference {
        what: what.to_owned(),
        before: "whole".to_owned(),
        now: error.to_string(),
    }
}

/// Makes an attempt that saw what is in its trace, and makes it again when the machine fails.
pub(super) async fn again(
    site: &Site,
    assignment: &Assignment,
    trace: Option<&Digest>,
    slot: &mut Slot,
    clock: &dyn Clock,
) -> (Record, Vec<LogChunk>) {
    let mut tries = 0;
    loop {
        let ear = Ear::default();
        let voices = (clock, &ear as &dyn Listener);
        let record = repeat_attempt(site, slot, assignment, voices, trace).await;
        tries += 1;
        let failed = record.result.as_ref().err();
        if tries < TRIES && failed.is_some_and(|failure| failure.kind.is_infrastructure()) {
            continue;
        }
        return (
            record,
            ear.0.into_inner().unwrap_or_else(PoisonError::into_inner),
        );
    }
}

/// Keeps what a long attempt prints.
#[derive(Default)]
struct Ear(Mutex<Vec<LogChunk>>);

impl Listener for Ear {
    fn progress(&self, _: u64, _: u64, _: String) {}

    fn logs(&self, chunks: Vec<LogChunk>) {
        let mut printed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        printed.extend(chunks);
    }
}

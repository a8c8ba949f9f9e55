//! What a journal says about the tasks of a run, without knowing the flow.
//!
//! Pure. Attempts that are under way are not in a journal, and so not here.

use std::collections::BTreeMap;

use crate::model::event::{Event, RunStatus};
use crate::model::failure::Failure;
use crate::model::id::{Place, RunId, TaskId};
use crate::model::name::StepName;
use crate::model::record::Record;
use crate::model::time::Timestamp;

/// How a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// An attempt succeeded.
    Succeeded,
    /// The last attempt failed.
    Failed(Failure),
    /// The last attempt failed and the flow went on with the failure as an artifact.
    Caught(Failure),
}

impl TaskState {
    /// The state in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Caught(_) => "caught",
        }
    }

    /// Why it did not succeed.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Succeeded => None,
            Self::Failed(failure) | Self::Caught(failure) => Some(failure),
        }
    }
}

/// What is known of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFacts {
    /// How it stands.
    pub state: TaskState,
    /// The run that executed it, when its result was taken over.
    pub reused: Option<RunId>,
    /// How many attempts have ended.
    pub attempts: u32,
    /// When the first attempt started.
    pub started_at: Timestamp,
    /// When the last attempt ended.
    pub ended_at: Timestamp,
    /// How long all attempts took together, in microseconds.
    pub wall_us: u64,
    /// Processor time of all attempts together, in microseconds.
    pub cpu_us: u64,
    /// The most memory that an attempt had, in bytes.
    pub peak_memory: u64,
}

impl TaskFacts {
    /// A task of which no attempt was made.
    fn never_ran() -> Self {
        Self {
            state: TaskState::Succeeded,
            reused: None,
            attempts: 0,
            started_at: Timestamp(0),
            ended_at: Timestamp(0),
            wall_us: 0,
            cpu_us: 0,
            peak_memory: 0,
        }
    }
}

/// The sums over the tasks of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepSums {
    /// Tasks of which an attempt has ended.
    pub tasks: u64,
    /// Tasks that succeeded.
    pub succeeded: u64,
    /// Those of them whose result was taken over from another run.
    pub reused: u64,
    /// Tasks whose last attempt failed.
    pub failed: u64,
    /// Tasks whose failure was caught.
    pub caught: u64,
    /// Attempts beyond the first of each task.
    pub retried: u64,
    /// When the first started; of those that were taken over, when they did in their run.
    pub started_at: Timestamp,
    /// When the last ended, likewise.
    pub ended_at: Timestamp,
    /// From the first start to the last end of those that were executed here, in microseconds.
    pub took_us: u64,
    /// How long all attempts took together, in microseconds.
    pub wall_us: u64,
    /// Processor time of all attempts together, in microseconds.
    pub cpu_us: u64,
    /// The most memory that an attempt had, in bytes.
    pub peak_memory: u64,
}

/// What a journal says about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    steps: BTreeMap<StepName, BTreeMap<Place, TaskFacts>>,
    /// How and when the run ended.
    pub ended: Option<(RunStatus, Timestamp)>,
    /// Whether somebody asked it to stop.
    pub cancelled: bool,
    /// When the last thing happened.
    pub last_at: Timestamp,
}

impl History {
    /// Folds the events of a run.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut history = Self::default();
        events.into_iter().for_each(|event| history.apply(event));
        history
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Finished {
                task,
                attempt,
                record,
            } => self.finished(task, *attempt, record),
            Event::Reused {
                task, record, from, ..
            } => self.reused(task, record, from),
            Event::Caught { task, .. } => {
                if let Some(facts) = self
                    .steps
                    .get_mut(&task.step)
                    .and_then(|it| it.get_mut(&task.place))
                    && let TaskState::Failed(failure) = &facts.state
                {
                    facts.state = TaskState::Caught(failure.clone());
                }
            }
            Event::Rejected { task, failure, .. } => {
                let tasks = self.steps.entry(task.step.clone()).or_default();
                let facts = tasks
                    .entry(task.place.clone())
                    .or_insert_with(TaskFacts::never_ran);
                facts.state = TaskState::Failed(failure.clone());
            }
            Event::CancelRequested { at } => {
                self.cancelled = true;
                self.last_at = self.last_at.max(*at);
            }
            Event::RunEnded { status, at } => {
                self.ended = Some((*status, *at));
                self.last_at = self.last_at.max(*at);
            }
            Event::Log { at, .. } => self.last_at = self.last_at.max(*at),
            Event::RunStarted { .. }
            | Event::Started { .. }
            | Event::Progress { .. }
            | Event::Waiting { .. }
            | Event::Retrying { .. } => {}
        }
    }

    fn finished(&mut self, task: &TaskId, attempt: u32, record: &Record) {
        let usage = &record.usage;
        let end = Timestamp(usage.started_at.0.saturating_add(usage.wall_us));
        let state = match &record.result {
            Ok(_) => TaskState::Succeeded,
            Err(failure) => TaskState::Failed(failure.clone()),
        };
        let tasks = self.steps.entry(task.step.clone()).or_default();
        let facts = tasks
            .entry(task.place.clone())
            .or_insert_with(|| TaskFacts {
                started_at: usage.started_at,
                ..TaskFacts::never_ran()
            });
        facts.state = state;
        facts.attempts = facts.attempts.max(attempt.saturating_add(1));
        facts.started_at = facts.started_at.min(usage.started_at);
        facts.ended_at = facts.ended_at.max(end);
        facts.wall_us = facts.wall_us.saturating_add(usage.wall_us);
        facts.cpu_us = facts.cpu_us.saturating_add(usage.cpu_us);
        facts.peak_memory = facts.peak_memory.max(usage.peak_memory);
        self.last_at = self.last_at.max(end);
    }

    /// What was taken over cost nothing here, and began when the run did.
    fn reused(&mut self, task: &TaskId, record: &Record, from: &RunId) {
        let tasks = self.steps.entry(task.step.clone()).or_default();
        let at = record.usage.started_at;
        let facts = TaskFacts {
            reused: Some(from.clone()),
            started_at: at,
            ended_at: Timestamp(at.0.saturating_add(record.usage.wall_us)),
            peak_memory: record.usage.peak_memory,
            ..TaskFacts::never_ran()
        };
        tasks.insert(task.place.clone(), facts);
    }

    /// The steps in the order in which they began, with their sums.
    pub fn steps(&self) -> Vec<(&StepName, StepSums)> {
        let mut steps: Vec<_> = self
            .steps
            .iter()
            .map(|(name, tasks)| (name, sums(tasks.values())))
            .collect();
        steps.sort_by_key(|(_, sums)| sums.started_at);
        steps
    }

    /// The sums over all steps.
    pub fn totals(&self) -> StepSums {
        sums(self.steps.values().flat_map(BTreeMap::values))
    }

    /// The tasks of a step in the order of their places; none when the step has none.
    pub fn tasks(&self, step: &StepName) -> Option<&BTreeMap<Place, TaskFacts>> {
        self.steps.get(step)
    }

    /// The tasks that did not succeed, caught or not, in the order of steps and places.
    pub fn failures(&self) -> impl Iterator<Item = (TaskId, &TaskFacts, &Failure)> {
        self.steps.iter().flat_map(|(step, tasks)| {
            tasks.iter().filter_map(move |(place, facts)| {
                let task = TaskId {
                    step: step.clone(),
                    place: place.clone(),
                };
                Some((task, facts, facts.state.failure()?))
            })
        })
    }
}

fn sums<'a>(tasks: impl Iterator<Item = &'a TaskFacts>) -> StepSums {
    let mut sums = StepSums {
        started_at: Timestamp(u64::MAX),
        ..StepSums::default()
    };
    let mut here: Option<(Timestamp, Timestamp)> = None;
    for task in tasks {
        sums.tasks += 1;
        match task.state {
            TaskState::Succeeded => sums.succeeded += 1,
            TaskState::Failed(_) => sums.failed += 1,
            TaskState::Caught(_) => sums.caught += 1,
        }
        sums.reused += u64::from(task.reused.is_some());
        sums.retried += u64::from(task.attempts.saturating_sub(1));
        if task.reused.is_none() {
            let (from, until) = here.unwrap_or((task.started_at, task.ended_at));
            here = Some((from.min(task.started_at), until.max(task.ended_at)));
        }
        sums.started_at = sums.started_at.min(task.started_at);
        sums.ended_at = sums.ended_at.max(task.ended_at);
        sums.wall_us = sums.wall_us.saturating_add(task.wall_us);
        sums.cpu_us = sums.cpu_us.saturating_add(task.cpu_us);
        sums.peak_memory = sums.peak_memory.max(task.peak_memory);
    }
    sums.took_us = here.map_or(0, |(from, until)| until.micros_since(from));
    sums
}

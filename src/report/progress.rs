//! How far a run is: events folded into counts.
//!
//! Pure: the same events give the same counts, whether they come from a running flow or from its
//! journal, which leaves out what follows from the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::artifact::MediaType;
use crate::model::event::{Event, RunStatus};
use crate::model::failure::Failure;
use crate::model::graph::{EdgeIx, FlowGraph, StepIx, StepNode};
use crate::model::id::{RunId, TaskId};
use crate::model::name::ArtifactName;
use crate::model::record::{Outcome, Record};
use crate::model::time::Timestamp;

/// The most reports that are remembered for showing.
const MAX_REPORTS: usize = 50;

/// How far a step is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepCounts {
    /// Tasks that are known to come, those that came included.
    pub expected: u64,
    /// Tasks that are being executed.
    pub running: u64,
    /// Tasks that succeeded.
    pub succeeded: u64,
    /// Those of them whose result was taken over from another run.
    pub reused: u64,
    /// Tasks that failed for good, as far as is known now.
    pub failed: u64,
    /// Tasks that failed for good and whose failure became an artifact.
    pub caught: u64,
    /// Attempts that were made again.
    pub retried: u64,
    /// When its first attempt started.
    pub started_at: Option<Timestamp>,
    /// When its last attempt ended.
    pub ended_at: Option<Timestamp>,
    /// How long all attempts took together, in microseconds.
    pub wall_us: u64,
    /// The most memory that an attempt had, in bytes.
    pub peak_memory: u64,
}

impl StepCounts {
    /// Tasks that ended for good.
    pub fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.caught
    }

    /// Whether anything of it has happened.
    pub fn has_begun(&self) -> bool {
        self.running + self.ended() + self.retried > 0
    }

    /// Whether it has begun, and all that is known to come has ended.
    pub fn is_over(&self) -> bool {
        self.ended() > 0 && self.is_settled()
    }

    /// Whether nothing of it goes on, and nothing is known to come.
    pub fn is_settled(&self) -> bool {
        self.running == 0 && self.ended() >= self.expected
    }

    /// Microseconds from its first start to its last end, or to `now` when it is not over.
    pub fn elapsed_us(&self, now: Timestamp) -> u64 {
        let end = if self.is_over() {
            self.ended_at.unwrap_or(now)
        } else {
            now
        };
        self.started_at.map_or(0, |start| end.micros_since(start))
    }
}

/// A task that is being executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Which attempt.
    pub attempt: u32,
    /// Units done, units in all (0 when not known), and what it is doing, as it said itself.
    pub said: Option<(u64, u64, String)>,
}

/// A report that a step left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportAt {
    /// The task that wrote it.
    pub task: TaskId,
    /// The artifact that holds it.
    pub artifact: ArtifactName,
}

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Progress {
    graph: Arc<FlowGraph>,
    run: Option<RunId>,
    created_at: Option<Timestamp>,
    ended: Option<(RunStatus, Timestamp)>,
    cancelling: bool,
    steps: Vec<StepCounts>,
    running: BTreeMap<TaskId, Running>,
    failures: BTreeMap<TaskId, (u32, Failure)>,
    reports: Vec<ReportAt>,
}

impl Progress {
    /// A run of `graph` of which nothing has happened.
    pub fn new(graph: Arc<FlowGraph>) -> Self {
        let steps = vec![StepCounts::default(); graph.steps().len()];
        let mut it = Self {
            run: None,
            created_at: None,
            ended: None,
            cancelling: false,
            steps,
            running: BTreeMap::new(),
            failures: BTreeMap::new(),
            reports: Vec::new(),
            graph,
        };
        it.plan(it.graph.start(), 1);
        it
    }

    /// Folds one event. One that names a step which the flow does not have changes nothing.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::RunStarted { header } => {
                self.run = Some(header.run.clone());
                self.created_at = Some(header.created_at);
            }
            Event::Started { task, attempt, at } => self.started(task, *attempt, *at),
            Event::Progress {
                task,
                done,
                total,
                message,
            } => {
                if let Some(running) = self.running.get_mut(task) {
                    running.said = Some((*done, *total, message.clone()));
                }
            }
            Event::Finished {
                task,
                attempt,
                record,
            } => self.finished(task, *attempt, record),
            Event::Reused { task, record, .. } => self.reused(task, record),
            Event::Retrying { task, .. } => self.retrying(task),
            Event::Caught { task, .. } => self.caught(task),
            Event::Rejected {
                task,
                attempt,
                ran,
                failure,
            } => self.rejected(task, (*attempt, failure), *ran),
            Event::CancelRequested { .. } => self.cancelling = true,
            Event::RunEnded { status, at } => {
                self.ended = Some((*status, *at));
                self.running.clear();
                self.steps.iter_mut().for_each(|step| step.running = 0);
            }
            Event::Log { .. } | Event::Waiting { .. } => {}
        }
    }

    fn rejected(&mut self, task: &TaskId, (attempt, failure): (u32, &Failure), ran: bool) {
        let Some(ix) = self.find(task) else { return };
        let step = &mut self.steps[ix];
        step.succeeded = step.succeeded.saturating_sub(u64::from(ran));
        step.failed += 1;
        self.failures
            .insert(task.clone(), (attempt, failure.clone()));
    }

    fn find(&self, task: &TaskId) -> Option<usize> {
        self.graph.find(task.step.as_str()).map(StepIx::index)
    }

    fn started(&mut self, task: &TaskId, attempt: u32, at: Timestamp) {
        let Some(ix) = self.find(task) else { return };
        if self
            .running
            .insert(
                task.clone(),
                Running {
                    attempt,
                    said: None,
                },
            )
            .is_none()
        {
            self.steps[ix].running += 1;
        }
        self.steps[ix].started_at.get_or_insert(at);
    }

    fn finished(&mut self, task: &TaskId, attempt: u32, record: &Record) {
        let Some(ix) = self.find(task) else { return };
        if attempt > 0 {
            // A journal does not say that an attempt was made again; that there is one says it.
            self.retrying(task);
        }
        let was_running = self.running.remove(task).is_some();
        let usage = &record.usage;
        let step = &mut self.steps[ix];
        step.running -= u64::from(was_running);
        step.wall_us = step.wall_us.saturating_add(usage.wall_us);
        step.peak_memory = step.peak_memory.max(usage.peak_memory);
        let start = step
            .started_at
            .map_or(usage.started_at, |at| at.min(usage.started_at));
        let end = Timestamp(usage.started_at.0.saturating_add(usage.wall_us));
        step.started_at = Some(start);
        step.ended_at = Some(step.ended_at.map_or(end, |at| at.max(end)));
        match &record.result {
            Ok(outcome) => {
                step.succeeded += 1;
                self.go_on(StepIx(ix as u16), outcome);
                self.remember_reports(task, record);
            }
            Err(failure) => {
                step.failed += 1;
                self.failures
                    .insert(task.clone(), (attempt, failure.clone()));
            }
        }
    }

    fn reused(&mut self, task: &TaskId, record: &Record) {
        let Some(ix) = self.find(task) else { return };
        self.steps[ix].reused += 1;
        self.steps[ix].succeeded += 1;
        if let Ok(outcome) = &record.result {
            self.go_on(StepIx(ix as u16), outcome);
        }
        self.remember_reports(task, record);
    }

    fn retrying(&mut self, task: &TaskId) {
        if self.failures.remove(task).is_some()
            && let Some(ix) = self.find(task)
        {
            self.steps[ix].failed -= 1;
            self.steps[ix].retried += 1;
        }
    }

    fn caught(&mut self, task: &TaskId) {
        if self.failures.remove(task).is_some()
            && let Some(ix) = self.find(task)
        {
            self.steps[ix].failed -= 1;
            self.steps[ix].caught += 1;
        }
    }

    fn remember_reports(&mut self, task: &TaskId, record: &Record) {
        for artifact in &record.artifacts {
            if is_report(&artifact.value.media) && self.reports.len() < MAX_REPORTS {
                let artifact = artifact.name.clone();
                self.reports.push(ReportAt {
                    task: task.clone(),
                    artifact,
                });
            }
        }
    }

    /// Counts what is known to come after a task of `ix`.
    fn go_on(&mut self, ix: StepIx, outcome: &Outcome) {
        let next = match (&self.graph.step(ix).edge, outcome) {
            (EdgeIx::Foreach { next, .. }, Outcome::Items(items)) => (*next, u64::from(*items)),
            (EdgeIx::Switch { cases, .. }, Outcome::Case(chosen)) => {
                match cases.iter().find(|(case, _)| case == chosen) {
                    Some((_, next)) => (*next, 1),
                    None => return,
                }
            }
            _ => return,
        };
        if !self.graph.step(next.0).join {
            self.plan(next.0, next.1);
        }
    }

    /// Counts `tasks` more tasks of `first` and of all that follows without a decision.
    ///
    /// A join is counted with the step that opens what it closes, so that it is counted once.
    fn plan(&mut self, first: StepIx, tasks: u64) {
        let graph = Arc::clone(&self.graph);
        let open = |ix: &StepIx| !graph.step(*ix).join;
        let mut todo = vec![first];
        while let Some(ix) = todo.pop() {
            self.steps[ix.index()].expected += tasks;
            match &graph.step(ix).edge {
                EdgeIx::End | EdgeIx::Switch { .. } => {}
                EdgeIx::Next(next) => todo.extend(Some(*next).filter(open)),
                EdgeIx::Split { branches, join } => {
                    todo.extend(branches.iter().copied().filter(open));
                    todo.push(*join);
                }
                EdgeIx::Foreach { join, .. } => todo.push(*join),
            }
        }
    }

    /// The flow.
    pub fn graph(&self) -> &FlowGraph {
        &self.graph
    }

    /// The run, once it has begun.
    pub fn run(&self) -> Option<&RunId> {
        self.run.as_ref()
    }

    /// How and when it ended.
    pub fn ended(&self) -> Option<(RunStatus, Timestamp)> {
        self.ended
    }

    /// Whether somebody asked it to stop.
    pub fn is_cancelling(&self) -> bool {
        self.cancelling
    }

    /// Microseconds from its beginning to its end, or to `now` when it goes on.
    pub fn elapsed_us(&self, now: Timestamp) -> u64 {
        let end = self.ended.map_or(now, |(_, at)| at);
        self.created_at.map_or(0, |start| end.micros_since(start))
    }

    /// The steps in the order of the flow, with their counts.
    pub fn steps(&self) -> impl Iterator<Item = (&StepNode, &StepCounts)> {
        self.graph.steps().iter().zip(&self.steps)
    }

    /// The counts of one step.
    pub fn step(&self, name: &str) -> Option<&StepCounts> {
        self.graph.find(name).map(|ix| &self.steps[ix.index()])
    }

    /// One step, with its counts.
    ///
    /// # Panics
    /// When the flow has no such step.
    pub fn step_at(&self, ix: StepIx) -> (&StepNode, &StepCounts) {
        (self.graph.step(ix), &self.steps[ix.index()])
    }

    /// The sums over all steps; the times are not summed.
    pub fn totals(&self) -> StepCounts {
        self.steps
            .iter()
            .fold(StepCounts::default(), |mut sum, step| {
                sum.expected += step.expected;
                sum.running += step.running;
                sum.succeeded += step.succeeded;
                sum.reused += step.reused;
                sum.failed += step.failed;
                sum.caught += step.caught;
                sum.retried += step.retried;
                sum.wall_us = sum.wall_us.saturating_add(step.wall_us);
                sum.peak_memory = sum.peak_memory.max(step.peak_memory);
                sum
            })
    }

    /// The tasks of `step` that are being executed.
    pub fn running_of<'a>(
        &'a self,
        step: &'a str,
    ) -> impl Iterator<Item = (&'a TaskId, &'a Running)> {
        self.running
            .iter()
            .filter(move |(task, _)| task.step.as_str() == step)
    }

    /// The tasks that failed for good and were not caught: the last attempt and why.
    pub fn failures(&self) -> impl Iterator<Item = (&TaskId, u32, &Failure)> {
        self.failures
            .iter()
            .map(|(task, (attempt, failure))| (task, *attempt, failure))
    }

    /// The reports that steps left, the first fifty of them.
    pub fn reports(&self) -> &[ReportAt] {
        &self.reports
    }
}

/// Whether an artifact of this kind is something to look at in a browser or viewer.
pub fn is_report(media: &MediaType) -> bool {
    let essence = media.as_str().split(';').next().unwrap_or_default().trim();
    matches!(
        essence,
        "text/html" | "text/markdown" | "image/svg+xml" | "image/png"
    )
}

//! What the scheduler remembers, and how it takes events in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::{Assignment, Branch, Command, Item, Policy};
use super::env::Env;
use super::error::IllegalEvent;
use crate::model::artifact::{Artifact, MediaType, Value};
use crate::model::event::{Event, RunStatus};
use crate::model::failure::Failure;
use crate::model::graph::{FlowGraph, StepIx, StepNode};
use crate::model::id::{Frame, Place, TaskId};
use crate::model::record::Record;

/// A task inside the scheduler: step and place.
pub(super) type TaskKey = (StepIx, Place);

/// A task that is running, is waiting for its next attempt, or whose failure is being caught.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Running {
    pub(super) attempt: u32,
    pub(super) spent: Spent,
    pub(super) catching: bool,
    pub(super) env: Arc<Env>,
    pub(super) branches: Option<Arc<[Branch]>>,
}

/// How many failures of a task were charged to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// To the step.
    pub(super) step: u32,
    /// To the infrastructure.
    pub(super) infrastructure: u32,
    /// To whoever took machines away.
    pub(super) reclaims: u32,
}

/// A split or foreach whose join has not started.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Open {
    /// What could be seen where it opened.
    pub(super) base: Arc<Env>,
    /// The list of a foreach.
    pub(super) list: Option<Value>,
    /// The ends of the branches, as far as they have come.
    pub(super) ends: Vec<Option<Branch>>,
    /// How many have not.
    pub(super) missing: usize,
}

/// Why a run ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How it ends.
    pub status: RunStatus,
    /// The task that failed for good, its last attempt, and why; none when none did.
    ///
    /// The failure is not always in a record: a switch that leads back once too often, a list that
    /// is too long and branches that do not agree are found out here.
    pub failure: Option<(TaskId, u32, Failure)>,
}

/// Folds the events of one run and says what to do next.
///
/// ```text
/// start() ──> commands ──> runtime ──> events ──> apply() ──> commands ──> …  ──> End
/// ```
#[derive(Clone, Debug)]
pub struct Scheduler {
    pub(super) graph: Arc<FlowGraph>,
    pub(super) policy: Policy,
    root: Arc<Env>,
    pub(super) running: BTreeMap<TaskKey, Running>,
    pub(super) open: BTreeMap<TaskKey, Open>,
    pub(super) ended: Option<Ended>,
    over: bool,
    /// The media types seen so far: thousands of values share one text.
    media: Vec<MediaType>,
}

impl Scheduler {
    /// A run that has not started. `parameters` are visible everywhere.
    pub fn new(graph: Arc<FlowGraph>, parameters: &[Artifact], policy: Policy) -> Scheduler {
        Scheduler {
            graph,
            policy,
            root: Arc::new(Env::root(parameters)),
            running: BTreeMap::new(),
            open: BTreeMap::new(),
            ended: None,
            over: false,
            media: Vec::new(),
        }
    }

    /// The first commands. To be called once, before any event.
    pub fn start(&mut self) -> Vec<Command> {
        let start = self.graph.start();
        let place = Place::new(&vec![Frame::Turn(1); self.graph.step(start).frames()]);
        let mut commands = Vec::new();
        let root = self.root.clone();
        self.spawn(start, place, root, None, &mut commands);
        commands
    }

    /// Folds `event` into the state and returns what to do next.
    ///
    /// The same events give the same commands: no clock, no randomness, no I/O, no `HashMap`.
    /// Events that are only shown (`Started`, `Progress`, …) change nothing, nor does `Rejected`,
    /// which says what this fold has found out by itself.
    ///
    /// # Errors
    /// [`IllegalEvent`] when the event cannot have happened; the state is then as before.
    pub fn apply(&mut self, event: &Event) -> Result<Vec<Command>, IllegalEvent> {
        if self.over && event.is_stored() {
            return Err(IllegalEvent::Over);
        }
        match event {
            Event::Finished {
                task,
                attempt,
                record,
            } => self.finished(task, *attempt, record),
            Event::Reused { task, record, .. } => self.finished(task, 0, record),
            Event::Caught {
                task,
                attempt,
                artifact,
            } => self.caught(task, *attempt, artifact),
            Event::CancelRequested { .. } => Ok(self.cancel()),
            Event::RunEnded { status, .. } => self.run_ended(*status),
            Event::RunStarted { .. }
            | Event::Started { .. }
            | Event::Progress { .. }
            | Event::Waiting { .. }
            | Event::Log { .. }
            | Event::Rejected { .. }
            | Event::Retrying { .. } => Ok(Vec::new()),
        }
    }

    /// How and why the run ends; none as long as it goes on.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// How many tasks are running, waiting for an attempt, or being caught.
    pub fn outstanding(&self) -> usize {
        self.running.len()
    }

    fn key(&self, task: &TaskId) -> Result<TaskKey, IllegalEvent> {
        let step = self.graph.find(task.step.as_str());
        let step = step.ok_or_else(|| IllegalEvent::UnknownStep(task.clone()))?;
        Ok((step, task.place.clone()))
    }

    fn finished(
        &mut self,
        task: &TaskId,
        attempt: u32,
        record: &Record,
    ) -> Result<Vec<Command>, IllegalEvent> {
        let key = self.key(task)?;
        let running = self.running.get(&key);
        let running = running.ok_or_else(|| IllegalEvent::NotRunning(task.clone()))?;
        let current = running.attempt;
        if attempt != current {
            return Err(IllegalEvent::WrongAttempt {
                task: task.clone(),
                attempt,
                current,
            });
        }
        if running.catching {
            return Err(IllegalEvent::BeingCaught {
                task: task.clone(),
                attempt,
            });
        }
        let mut commands = Vec::new();
        if self.ended.is_some() {
            self.running.remove(&key);
            return Ok(commands);
        }
        let result = match &record.result {
            Ok(outcome) => self.succeeded(&key, outcome, &record.artifacts, &mut commands),
            Err(failure) => Err(failure.clone()),
        };
        if let Err(failure) = result {
            self.failed(&key, failure, &mut commands);
        }
        Ok(commands)
    }

    fn caught(
        &mut self,
        task: &TaskId,
        attempt: u32,
        artifact: &Artifact,
    ) -> Result<Vec<Command>, IllegalEvent> {
        let key = self.key(task)?;
        let running = self.running.get(&key).filter(|running| running.catching);
        let running = running.ok_or_else(|| IllegalEvent::NothingToCatch(task.clone()))?;
        let current = running.attempt;
        if attempt != current {
            return Err(IllegalEvent::WrongAttempt {
                task: task.clone(),
                attempt,
                current,
            });
        }
        let expected = self.graph.step(key.0).catch.clone();
        let expected = expected.ok_or_else(|| IllegalEvent::NothingToCatch(task.clone()))?;
        if expected != artifact.name {
            let actual = artifact.name.clone();
            return Err(IllegalEvent::WrongCatch {
                task: task.clone(),
                expected,
                actual,
            });
        }
        let mut commands = Vec::new();
        if self.ended.is_some() {
            self.running.remove(&key);
            return Ok(commands);
        }
        self.go_on(&key, std::slice::from_ref(artifact), &mut commands);
        Ok(commands)
    }

    fn cancel(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        self.end(
            Ended {
                status: RunStatus::Cancelled,
                failure: None,
            },
            &mut commands,
        );
        commands
    }

    fn run_ended(&mut self, actual: RunStatus) -> Result<Vec<Command>, IllegalEvent> {
        let expected = self.ended.as_ref().ok_or(IllegalEvent::NotEnding)?.status;
        if expected != actual {
            return Err(IllegalEvent::WrongEnd { expected, actual });
        }
        self.over = true;
        Ok(Vec::new())
    }

    /// Ends the run, unless it is ending already.
    pub(super) fn end(&mut self, ended: Ended, commands: &mut Vec<Command>) {
        if self.ended.is_none() {
            commands.push(Command::End(ended.status));
            self.ended = Some(ended);
            self.open.clear();
        }
    }

    /// Starts a task that was not there before.
    pub(super) fn spawn(
        &mut self,
        step: StepIx,
        place: Place,
        env: Arc<Env>,
        branches: Option<Arc<[Branch]>>,
        commands: &mut Vec<Command>,
    ) {
        let running = Running {
            attempt: 0,
            spent: Spent::default(),
            catching: false,
            env,
            branches,
        };
        let key = (step, place);
        commands.push(Command::Run(self.assignment(&key, &running, 0)));
        self.running.insert(key, running);
    }

    pub(super) fn assignment(&self, key: &TaskKey, running: &Running, after_ms: u64) -> Assignment {
        Assignment {
            task: self.task(key),
            step: key.0,
            attempt: running.attempt,
            after_ms,
            env: running.env.clone(),
            item: self.item(key),
            branches: running.branches.clone(),
        }
    }

    pub(super) fn task(&self, key: &TaskKey) -> TaskId {
        TaskId {
            step: self.graph.step(key.0).name.clone(),
            place: key.1.clone(),
        }
    }

    /// The element of the innermost foreach, when the step declares to read it.
    fn item(&self, (step, place): &TaskKey) -> Option<Item> {
        let step = self.graph.step(*step);
        step.item.as_ref()?;
        let at = step.foreach()?;
        let depth = self.graph.step(at).frames();
        let Some(Frame::Item(index)) = place.frames().get(depth).copied() else {
            return None;
        };
        let list = self.open.get(&(at, place.prefix(depth)))?.list.clone()?;
        Some(Item { list, index })
    }

    /// What a task adds to what can be seen: names and texts shared with those seen before.
    pub(super) fn bindings(
        &mut self,
        step: &StepNode,
        artifacts: &[Artifact],
    ) -> Vec<(crate::model::name::ArtifactName, Option<Value>)> {
        let declared = |name: &str| step.writes.iter().find(|write| write.name.as_str() == name);
        artifacts
            .iter()
            .map(|artifact| {
                let name = declared(artifact.name.as_str()).map_or(&artifact.name, |w| &w.name);
                let mut value = artifact.value.slim();
                value.media = self.shared(value.media);
                (name.clone(), Some(value))
            })
            .collect()
    }

    fn shared(&mut self, media: MediaType) -> MediaType {
        const MOST: usize = 64;
        if let Some(known) = self.media.iter().find(|known| **known == media) {
            return known.clone();
        }
        if self.media.len() < MOST {
            self.media.push(media.clone());
        }
        media
    }
}

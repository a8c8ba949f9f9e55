//! What a resumed run takes over from the run that it continues.
//!
//! A task is taken over when it succeeded there, can read the same as there, and what it wrote fits
//! the flow of today. Everything else is executed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::drive::Known;
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::graph::{EdgeIx, FlowGraph, StepNode};
use crate::model::id::{RunId, TaskId};
use crate::model::name::StepName;
use crate::model::record::{Outcome, Record};
use crate::scheduler::Assignment;
use crate::task::inputs;
use crate::task::site::Site;

/// Why a task is executed and not taken over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Again {
    /// It did not succeed, or was not reached.
    NotDone,
    /// It lies at or behind the step from which everything is wanted anew.
    Asked,
    /// What it reads is not what it read.
    Inputs,
    /// Its step is not what it was: other artifacts, other types, another kind of edge.
    Changed,
    /// Other code made it, and only results of today's code are wanted.
    Code,
}

impl Again {
    /// The reason in words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::NotDone => "did not succeed before",
            Self::Asked => "asked for with `--from`",
            Self::Inputs => "reads something else than before",
            Self::Changed => "its step writes or decides something else than before",
            Self::Code => "was made by other code, and `--strict` was given",
        }
    }

    /// The reason in a word, for machines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotDone => "not_done",
            Self::Asked => "asked",
            Self::Inputs => "inputs",
            Self::Changed => "changed",
            Self::Code => "code",
        }
    }
}

/// What was taken over and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many tasks were taken over.
    pub reused: u64,
    /// How many of them were made by other code than today's.
    pub other_code: u64,
    /// How many tasks are executed, and the first of them, by reason.
    pub again: BTreeMap<Again, (u64, TaskId)>,
    /// Tasks of steps that the flow of today does not have.
    pub gone: BTreeMap<StepName, u64>,
}

/// A success of the run that is continued.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) attempt: u32,
    pub(super) record: Box<Record>,
    pub(super) from: RunId,
    /// What it printed before its record.
    pub(super) logs: Vec<Event>,
}

/// The successes of a run, by task.
#[derive(Debug, Default)]
pub(super) struct Successes {
    tasks: BTreeMap<TaskId, Kept>,
    logs: BTreeMap<(TaskId, u32), Vec<Event>>,
}

impl Successes {
    /// Takes in an event of the journal of `run`.
    pub(super) fn add(&mut self, run: &RunId, event: &Event) {
        match event {
            Event::Log {
                task,
                attempt,
                chunks,
                ..
            } => {
                let logs = self.logs.entry((task.clone(), *attempt)).or_default();
                match chunks.is_empty() {
                    true => logs.clear(),
                    false => logs.push(event.clone()),
                }
                return;
            }
            // It asked for what could not be followed: it must be asked again.
            Event::Rejected { task, .. } => {
                self.tasks.remove(task);
                return;
            }
            _ => {}
        }
        let Some((task, attempt, record, from)) = event.ending_of(run) else {
            return;
        };
        let logs = self
            .logs
            .remove(&(task.clone(), attempt))
            .unwrap_or_default();
        if record.result.is_ok() {
            let kept = Kept {
                attempt,
                record: Box::new(record.clone()),
                from: from.clone(),
                logs,
            };
            self.tasks.insert(task.clone(), kept);
        }
    }

    /// How many tasks there are of steps that `graph` does not have.
    pub(super) fn of_other_steps(&self, graph: &FlowGraph) -> BTreeMap<StepName, u64> {
        let mut gone = BTreeMap::new();
        for task in self.tasks.keys() {
            if graph.find(task.step.as_str()).is_none() {
                *gone.entry(task.step.clone()).or_default() += 1;
            }
        }
        gone
    }

    /// The runs that executed what is kept.
    pub(super) fn runs(&self) -> BTreeSet<RunId> {
        self.tasks.values().map(|kept| kept.from.clone()).collect()
    }
}

/// What is asked of a run that continues another.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Nothing of this step, and of those behind it, is taken over.
    pub from: Option<StepName>,
    /// Only what today's code made is taken over.
    pub strict: bool,
}

/// Takes results over from a run.
pub(super) struct Reuse {
    pub(super) site: Arc<Site>,
    pub(super) successes: Successes,
    /// The flow as it was.
    pub(super) before: FlowGraph,
    /// Steps of which nothing is taken over.
    pub(super) again: BTreeSet<StepName>,
    pub(super) strict: bool,
    /// The module of each run that executed something.
    pub(super) modules: BTreeMap<RunId, Digest>,
    pub(super) taken: Arc<Mutex<Taken>>,
}

impl Reuse {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn judge(&self, assignment: &Assignment, kept: Option<&Kept>) -> Result<bool, Again> {
        let node = self.site.graph.step(assignment.step);
        let kept = kept.ok_or(Again::NotDone)?;
        if self.again.contains(&node.name) {
            return Err(Again::Asked);
        }
        let before = self.before.find(node.name.as_str());
        let before = before.map(|ix| self.before.step(ix));
        if !before.is_some_and(|before| fits(node, before, &kept.record)) {
            return Err(Again::Changed);
        }
        // A list that cannot be read is found out by the attempt, which says so.
        let item = inputs::item(&self.site, node, assignment).await;
        let item = item.map_err(|_| Again::NotDone)?;
        if inputs::digest(node, assignment, item.as_deref()) != kept.record.inputs {
            return Err(Again::Inputs);
        }
        let same_code = self.modules.get(&kept.from) == Some(&self.site.header.module);
        if self.strict && !same_code {
            return Err(Again::Code);
        }
        Ok(same_code)
    }
}

#[async_trait]
impl Known for Reuse {
    async fn find(&mut self, assignment: &Assignment) -> Vec<Event> {
        // Only the first attempt is asked about; others follow a failure of today.
        if assignment.attempt > 0 {
            return Vec::new();
        }
        let kept = self.successes.tasks.remove(&assignment.task);
        let judged = self.judge(assignment, kept.as_ref()).await;
        let mut taken = self.taken();
        match (judged, kept) {
            (Ok(same_code), Some(kept)) => {
                taken.reused += 1;
                taken.other_code += u64::from(!same_code);
                let mut events = kept.logs;
                events.push(Event::Reused {
                    task: assignment.task.clone(),
                    attempt: kept.attempt,
                    record: kept.record,
                    from: kept.from,
                });
                events
            }
            (Ok(_), None) => Vec::new(),
            (Err(why), _) => {
                let first = || (0, assignment.task.clone());
                taken.again.entry(why).or_insert_with(first).0 += 1;
                Vec::new()
            }
        }
    }
}

/// Whether what was written before is what the step of today writes and decides.
fn fits(now: &StepNode, before: &StepNode, record: &Record) -> bool {
    let decides = match (&now.edge, &record.result) {
        (EdgeIx::Foreach { artifact, .. }, Ok(Outcome::Items(_))) => record
            .artifacts
            .iter()
            .any(|written| written.name == *artifact),
        (EdgeIx::Switch { cases, .. }, Ok(Outcome::Case(case))) => {
            cases.iter().any(|(name, _)| name == case)
        }
        (EdgeIx::End | EdgeIx::Next(_) | EdgeIx::Split { .. }, Ok(Outcome::Done)) => true,
        _ => false,
    };
    let same = now.writes.len() == before.writes.len()
        && now.writes.iter().all(|write| before.writes.contains(write));
    decides && same && now.portable_floats == before.portable_floats
}

/// The steps that can be reached from `from`, itself included.
pub(super) fn behind(graph: &FlowGraph, from: &StepName) -> BTreeSet<StepName> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<_> = graph.find(from.as_str()).into_iter().collect();
    while let Some(ix) = todo.pop() {
        let step = graph.step(ix);
        if found.insert(step.name.clone()) {
            todo.extend(step.edge.targets());
        }
    }
    found
}

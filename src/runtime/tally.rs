//! Counts what happens in a run, for its summary.

use std::collections::BTreeMap;

use crate::datastore::{FailedTask, Run, RunSummary, TaskCounts};
use crate::model::event::{Event, RunStatus};
use crate::model::failure::Failure;
use crate::model::id::TaskId;
use crate::model::name::StepName;
use crate::model::time::Timestamp;

/// The counts of a run that is being driven.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    steps: BTreeMap<StepName, TaskCounts>,
    failure: Option<FailedTask>,
}

impl Tally {
    /// Counts one event.
    pub fn count(&mut self, event: &Event) {
        match event {
            Event::Finished { task, record, .. } => {
                let counts = self.of(task);
                counts.attempts += 1;
                match &record.result {
                    Ok(_) => counts.succeeded += 1,
                    Err(failure) => self.failed(task, failure),
                }
            }
            Event::Reused { task, .. } => {
                let counts = self.of(task);
                counts.reused += 1;
                counts.succeeded += 1;
            }
            // What failed was not yet for good.
            Event::Retrying { task, .. } => {
                let counts = self.of(task);
                counts.failed = counts.failed.saturating_sub(1);
                self.failure = None;
            }
            Event::Caught { task, .. } => {
                self.of(task).caught += 1;
                self.failure = None;
            }
            Event::Rejected {
                task, ran, failure, ..
            } => {
                let counts = self.of(task);
                counts.succeeded = counts.succeeded.saturating_sub(u64::from(*ran));
                self.failed(task, failure);
            }
            _ => {}
        }
    }

    fn of(&mut self, task: &TaskId) -> &mut TaskCounts {
        self.steps.entry(task.step.clone()).or_default()
    }

    fn failed(&mut self, task: &TaskId, failure: &Failure) {
        self.of(task).failed += 1;
        let (task, failure) = (task.clone(), failure.clone());
        self.failure = Some(FailedTask { task, failure });
    }

    /// The summary of `run`, which ended so.
    pub fn summary(&self, run: &Run, ended: (RunStatus, Timestamp), segments: u64) -> RunSummary {
        let mut tasks = TaskCounts::default();
        for counts in self.steps.values() {
            tasks.succeeded += counts.succeeded;
            tasks.failed += counts.failed;
            tasks.caught += counts.caught;
            tasks.reused += counts.reused;
            tasks.attempts += counts.attempts;
        }
        RunSummary {
            status: ended.0,
            started_at: run.header().created_at,
            ended_at: ended.1,
            tasks,
            steps: self.steps.clone(),
            failure: self
                .failure
                .clone()
                .filter(|_| ended.0 == RunStatus::Failed),
            segments,
        }
    }
}

//! What workers elsewhere have left of a run, whether or not a driver hears them.

use std::collections::{BTreeMap, BTreeSet};

use crate::datastore::jobs::Found;
use crate::datastore::{Run, RunError};
use crate::executor::batch;
use crate::executor::batch::flight::Seat;
use crate::model::event::Event;
use crate::model::id::TaskId;
use crate::model::job::{Said, Token};
use crate::model::name::StepName;
use crate::model::time::Timestamp;

/// How often each worker of an attempt has said something.
type Workers = BTreeMap<Token, u32>;

/// What there is of each attempt that was to be made elsewhere, as a driver would put it into the
/// journal: what it printed, and its end.
///
/// # Errors
/// When the datastore cannot be read, or what is there is damaged.
pub async fn heard(run: &Run) -> Result<Vec<Event>, RunError> {
    let mut events = Vec::new();
    for (step, (first, last)) in spans(run).await? {
        let mut attempts: BTreeMap<(TaskId, u32), Found> = BTreeMap::new();
        for left in run.left(&step, (&first, &last)).await? {
            let attempt = (left.task.clone(), left.attempt);
            attempts.entry(attempt).or_default().add(left);
        }
        for ((task, attempt), found) in attempts {
            events.extend(of_attempt(run, task, attempt, found.said).await?);
        }
    }
    Ok(events)
}

/// The tasks that were to be executed elsewhere.
///
/// # Errors
/// When the datastore cannot be read.
pub async fn tasks(run: &Run) -> Result<BTreeSet<TaskId>, RunError> {
    let jobs = batch::jobs_of(run).await?;
    let attempts = jobs.into_iter().flat_map(|(_, spec)| spec.attempts);
    Ok(attempts.map(|it| it.task).collect())
}

/// The first and the last task of each step that has jobs, in the order of keys.
async fn spans(run: &Run) -> Result<BTreeMap<StepName, (TaskId, TaskId)>, RunError> {
    let mut tasks: BTreeMap<Seat, TaskId> = BTreeMap::new();
    for (_, spec) in batch::jobs_of(run).await? {
        let all = spec.attempts.into_iter();
        tasks.extend(all.map(|it| (Seat::of(&it.task), it.task)));
    }
    let mut spans: BTreeMap<StepName, (TaskId, TaskId)> = BTreeMap::new();
    for task in tasks.into_values() {
        spans
            .entry(task.step.clone())
            .and_modify(|span| span.1 = task.clone())
            .or_insert_with(|| (task.clone(), task.clone()));
    }
    Ok(spans)
}

async fn of_attempt(
    run: &Run,
    task: TaskId,
    attempt: u32,
    mut workers: Workers,
) -> Result<Vec<Event>, RunError> {
    let made = run.attempt(&task, attempt).await?;
    if let Some(made) = &made {
        workers = BTreeMap::from([(made.worker.clone(), made.said)]);
    }
    let mut events = Vec::new();
    for (worker, times) in workers {
        if !events.is_empty() {
            // Another has begun anew: what was printed before is void.
            events.push(log(&task, attempt, Timestamp(0), Vec::new()));
        }
        for seq in 0..times {
            for said in run.said((&task, attempt), (&worker, seq)).await? {
                if let Said::Log { at, chunks } = said {
                    events.push(log(&task, attempt, at, chunks));
                }
            }
        }
    }
    events.extend(made.map(|made| Event::Finished {
        task,
        attempt,
        record: Box::new(made.record),
    }));
    Ok(events)
}

fn log(
    task: &TaskId,
    attempt: u32,
    at: Timestamp,
    chunks: Vec<crate::model::record::LogChunk>,
) -> Event {
    Event::Log {
        task: task.clone(),
        attempt,
        at,
        chunks,
    }
}

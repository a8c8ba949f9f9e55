//! One task of a run once more, with today's code on the recorded inputs.

use std::sync::Arc;

use super::compare::{self, Difference, Side};
use super::past::{self, PastError, Program};
use super::start;
use crate::datastore::run::Run;
use crate::datastore::{BlobError, Datastore};
use crate::model::event::Event;
use crate::model::id::TaskId;
use crate::model::name::StepName;
use crate::model::record::{LogChunk, Record};
use crate::sandbox::Launcher;
use crate::task::at_hand::AtHand;
use crate::task::attempt::{Clock, attempt_anew};
use crate::task::host::Listener;
use crate::task::site::Slot;

/// Why a task cannot be executed with today's code.
#[derive(Debug, thiserror::Error)]
pub enum SpinError {
    /// The run cannot be read.
    #[error(transparent)]
    Past(#[from] PastError),
    /// Today's flow has no such step.
    #[error("the flow of today has no step `{0}`")]
    NoStep(StepName),
    /// The run never came to the task.
    #[error("task `{0}` was never executed in this run, so that its inputs are not known")]
    NoTask(TaskId),
    /// There is no room for what is written meanwhile.
    #[error("there is no temporary directory")]
    Scratch(#[source] std::io::Error),
    /// What was kept of the task cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// What came out.
pub struct Spun {
    /// What is kept of the attempt, in `scratch`.
    pub record: Record,
    /// The datastore that has its blobs.
    pub scratch: Datastore,
    /// Where they lie; gone when this is dropped.
    pub directory: tempfile::TempDir,
    /// How the result differs from the recorded one; none when it does not.
    pub difference: Option<Difference>,
}

/// Executes `task` as `run` did, but with the code of `program`. Writes nothing to the datastore.
///
/// # Errors
/// [`SpinError`] when the run or the flow does not have the task.
pub async fn spin(
    datastore: &Datastore,
    run: &Run,
    task: &TaskId,
    program: Program,
    machine: (&Launcher, Arc<dyn Clock>),
    listener: &dyn Listener,
) -> Result<Spun, SpinError> {
    let step = program.graph.find(task.step.as_str());
    let step = step.ok_or_else(|| SpinError::NoStep(task.step.clone()))?;
    let directory = tempfile::tempdir().map_err(SpinError::Scratch)?;
    let scratch = datastore.scratch(directory.path());
    let secrets = start::secrets(run, Some(&task.step), &*machine.1, &AtHand::default()).await;
    let site = start::site(&scratch, run, program, machine.0, secrets);
    let before = Arc::new(past::told(datastore, run.header()).await?);
    let mut found = None;
    let mut printed: Vec<LogChunk> = Vec::new();
    let scheduler = past::scheduler(run.header(), &before);
    let fold = past::fold(run, scheduler, async |event, answer, segment| {
        site.values.add(event);
        site.values.stored(std::slice::from_ref(event), segment);
        match (event, event.ending()) {
            (
                Event::Log {
                    task: of, chunks, ..
                },
                _,
            ) if of == task => {
                LogChunk::follow(&mut printed, chunks);
            }
            (_, Some((of, attempt, record))) if of == task => {
                let printed = std::mem::take(&mut printed);
                let assignment = answer.assignment;
                found = assignment.map(|it| (it, attempt, record.clone(), printed));
            }
            _ => {}
        }
    });
    fold.await?;
    let Some((mut assignment, attempt, recorded, before_it)) = found else {
        return Err(SpinError::NoTask(task.clone()));
    };
    (assignment.step, assignment.attempt) = (step, attempt);
    let mut slot = Slot::default();
    let voices = (&*machine.1, listener);
    let trace = recorded.trace.as_ref();
    let record = attempt_anew(&site, &mut slot, &assignment, voices, trace).await;
    let before = Side {
        record: &recorded,
        printed: &before_it,
        datastore,
    };
    let now = Side {
        record: &record,
        printed: &[],
        datastore: &scratch,
    };
    let difference = compare::outcomes(before, now).await?;
    Ok(Spun {
        difference,
        record,
        scratch,
        directory,
    })
}

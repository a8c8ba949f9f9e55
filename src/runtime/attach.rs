//! Takes over a run whose driver is gone, and goes on in place.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::driver;
use super::elsewhere::{self, TakeOverError};
use super::memo::Notes;
use super::past::{self, PastError, Program};
use super::resume::Taking;
use super::start::{self, Machine, Started};
use super::tally::Tally;
use crate::datastore::Datastore;
use crate::datastore::lease::Lease;
use crate::datastore::object::{StoreError, Version};
use crate::datastore::run::{Run, RunError};
use crate::executor::batch::check::CheckError;
use crate::model::event::{Event, RunStatus};
use crate::model::id::{RunId, TaskId};
use crate::model::time::Timestamp;
use crate::sandbox::Modules;

/// Why a run cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// It has ended.
    #[error("run `{run}` has ended already")]
    Ended {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
    },
    /// Somebody drives it.
    #[error("run `{run}` is being driven by process {} on `{}`", lease.process, lease.host)]
    Driven {
        /// The run.
        run: RunId,
        /// By whom.
        lease: Box<Lease>,
    },
    /// What there is of it cannot be read.
    #[error(transparent)]
    Past(#[from] PastError),
    /// Its steps cannot be executed where they are to be.
    #[error(transparent)]
    Elsewhere(#[from] CheckError),
    /// The datastore failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<TakeOverError> for AttachError {
    fn from(error: TakeOverError) -> Self {
        match error {
            TakeOverError::Run(error) => error.into(),
            TakeOverError::Check(error) => error.into(),
        }
    }
}

impl From<RunError> for AttachError {
    fn from(error: RunError) -> Self {
        Self::Past(error.into())
    }
}

/// Refuses a run that somebody drives. Gives the lease that its last driver left, if one did.
///
/// # Errors
/// [`AttachError::Driven`] says by whom.
pub async fn check_free(run: &Run, machine: &Machine) -> Result<Option<Version>, AttachError> {
    match run.lease().await? {
        Some((lease, _)) if driver::is_alive(&lease, machine.clock.now()) => {
            let (run, lease) = (run.id().clone(), Box::new(lease));
            Err(AttachError::Driven { run, lease })
        }
        left => Ok(left.map(|(_, version)| version)),
    }
}

/// Takes over `run`: what is in its journal stays, the rest is executed with its own code.
///
/// A run that has ended stays as it is; where its driver was gone before it could write the summary and
/// the results that others may take, they are written now.
///
/// # Errors
/// [`AttachError`] when it has ended, is being driven, or cannot be read.
pub async fn attach(
    datastore: &Datastore,
    modules: &Modules,
    run: Run,
    workers: usize,
    machine: &Machine,
) -> Result<Started, AttachError> {
    // What is taken over later is this one: whoever came in between has another.
    let over = check_free(&run, machine).await?;
    let program = Program::of(datastore, modules, run.header()).await?;
    let secrets = start::secrets(&run, None, &*machine.clock, &machine.at_hand).await;
    machine.at_hand.clear();
    let site = start::site(datastore, &run, program, &machine.launcher, secrets);
    let notes = Arc::new(Notes::default());
    let (mut past, mut open, mut ended) = (Vec::new(), Open::default(), BTreeSet::new());
    let scheduler = past::scheduler(run.header(), &site.graph);
    let fold = past::fold(&run, scheduler, async |event, answer, segment| {
        site.values.add(event);
        site.values.stored(std::slice::from_ref(event), segment);
        notes.stored(&site, std::slice::from_ref(event), segment);
        open.note(event);
        let end = event.ending();
        ended.extend(end.map(|(task, attempt, _)| (task.clone(), attempt)));
        past.push(event.clone());
        past.extend(answer.retrying);
    });
    let (fold, mut segments) = fold.await?;
    if let Some(Event::RunEnded { status, at }) = past.last() {
        close(&run, &past, (*status, *at), segments, &notes).await?;
        let (run, status) = (run.id().clone(), *status);
        return Err(AttachError::Ended { run, status });
    }
    let origin = origin(datastore, &run).await?;
    let header = run.header();
    let there = elsewhere::check(
        machine.elsewhere.as_ref(),
        &site.graph,
        &header.steps,
        &header.grants,
    );
    let there = match there.await? {
        Some(ready) => Some(ready.taking_over(&run, &ended).await?),
        None => None,
    };
    let mine = driver::lease(machine.clock.now());
    let Some(held) = run.take_lease(mine.clone(), over).await? else {
        let lease = run.lease().await?.map_or(mine, |(lease, _)| lease);
        let (run, lease) = (run.id().clone(), Box::new(lease));
        return Err(AttachError::Driven { run, lease });
    };
    let void = open.void(machine.clock.now());
    if !void.is_empty() {
        let mut writer = run.writer_at(segments);
        writer.append(&void).await.map_err(PastError::from)?;
        segments = writer.next();
    }
    let site = Arc::new(site);
    let mut started = Started {
        known: start::known(&site).await?,
        run,
        past,
        site,
        workers,
        elsewhere: there,
        beginning: fold.left(),
        notes,
        held: Some(held),
        segments,
    };
    if let Some(taking) = origin {
        taking.hand_to(&mut started);
    }
    Ok(started)
}

/// Writes what is kept beside the journal of an ended run, where its driver was gone before it could.
async fn close(
    run: &Run,
    past: &[Event],
    ended: (RunStatus, Timestamp),
    segments: u64,
    notes: &Notes,
) -> Result<(), RunError> {
    if run.summary().await?.is_none() {
        let mut tally = Tally::default();
        past.iter().for_each(|event| tally.count(event));
        run.put_summary(&tally.summary(run, ended, segments))
            .await?;
    }
    if run.memo().await?.is_none() {
        run.put_memo(notes.take()).await?;
    }
    Ok(())
}

/// Attempts of which something was printed and no end is known. They will be made anew.
#[derive(Default)]
struct Open(BTreeSet<(TaskId, u32)>);

impl Open {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Log {
                task,
                attempt,
                chunks,
                ..
            } if !chunks.is_empty() => {
                self.0.insert((task.clone(), *attempt));
            }
            Event::Log { task, attempt, .. } => {
                self.0.remove(&(task.clone(), *attempt));
            }
            event => {
                if let Some((task, attempt, _)) = event.ending() {
                    self.0.remove(&(task.clone(), attempt));
                }
            }
        }
    }

    /// What says of each that its log begins anew.
    fn void(self, at: Timestamp) -> Vec<Event> {
        let void = |(task, attempt)| Event::Log {
            task,
            attempt,
            at,
            chunks: Vec::new(),
        };
        self.0.into_iter().map(void).collect()
    }
}

/// What the run takes over from the one that it continues.
async fn origin(datastore: &Datastore, run: &Run) -> Result<Option<Taking>, AttachError> {
    let Some(origin) = &run.header().origin else {
        return Ok(None);
    };
    let origin = datastore.run(origin).await?;
    Ok(Some(Taking::of(datastore, &origin).await?))
}

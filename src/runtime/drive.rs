//! The loop of a run.
//!
//! ```text
//! event    <- executor | signal | scheduler's own answers
//! commands =  scheduler.apply(event)          pure
//! journal  <- event                           durable soon, many at a time, then shown
//! executor <- commands
//! ```
//!
//! Downstream work may start before the record that it reads is durable; its own record comes later
//! in the same journal and so cannot precede it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::journal::Journal;
use super::memo::Notes;
use super::tally::Tally;
use crate::datastore::Run;
use crate::datastore::journal::JournalError;
use crate::executor::{Executor, Update};
use crate::model::artifact::{Artifact, MediaType, Value};
use crate::model::event::{Event, RunStatus};
use crate::model::failure::Failure;
use crate::model::name::ArtifactName;
use crate::scheduler::{Assignment, Command, IllegalEvent, Scheduler};
use crate::task::attempt::Clock;
use crate::task::values::Values;

/// How long running tasks may go on after a run was asked to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Why a run could not be driven to its end. The run stays as its journal says, and can be continued.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal could not be written.
    #[error("the journal of the run could not be written")]
    Journal(#[from] JournalError),
    /// The scheduler was told something impossible.
    #[error("the run is in a state that should not exist")]
    Illegal(#[from] IllegalEvent),
}

/// Somebody outside asks the run to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Start nothing more, let running tasks finish for a while.
    Stop,
    /// End everything now.
    Kill,
}

/// A run and all that it takes to drive it.
pub struct Drive {
    /// Decides.
    pub scheduler: Scheduler,
    /// Executes.
    pub executor: Box<dyn Executor>,
    /// Remembers, and shows what it has remembered.
    pub journal: Journal,
    /// The small values of the run.
    pub values: Arc<Values>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Asks the run to stop.
    pub interrupts: mpsc::UnboundedReceiver<Interrupt>,
    /// The run.
    pub run: Run,
    /// Counts what happens.
    pub tally: Tally,
    /// Results that need not be computed again.
    pub known: Box<dyn Known>,
    /// The results of this run.
    pub notes: Arc<Notes>,
}

/// Knows results of tasks from other runs.
#[async_trait::async_trait]
pub trait Known: Send {
    /// What happened when this task was executed before: a [`Event::Reused`] at the end, after what
    /// it printed. Nothing when it is to be executed.
    async fn find(&mut self, assignment: &Assignment) -> Vec<Event>;
}

/// Knows nothing: every task is executed.
pub struct Nothing;

#[async_trait::async_trait]
impl Known for Nothing {
    async fn find(&mut self, _: &Assignment) -> Vec<Event> {
        Vec::new()
    }
}

/// What is underway while a run is driven.
#[derive(Default)]
struct Underway {
    ready: VecDeque<Assignment>,
    /// Retries that wait for their time; the number keeps those of one instant apart.
    delayed: BTreeMap<(Instant, u64), Assignment>,
    delays: u64,
    running: usize,
    ending: Option<RunStatus>,
    kill_at: Option<Instant>,
}

impl Drive {
    /// Drives the run to its end and says how it ended. Everything is durable then.
    ///
    /// `commands` are those with which it begins: the scheduler's first, or those that a driver
    /// before this one left undone.
    ///
    /// # Errors
    /// [`DriveError`] when the journal cannot be written; nothing that was acknowledged is lost.
    pub async fn to_end(mut self, commands: Vec<Command>) -> Result<RunStatus, DriveError> {
        let mut underway = Underway::default();
        let driven = self.turn(commands, &mut underway).await;
        if driven.is_err() {
            // Somebody else may drive the run by now.
            self.executor.leave();
        }
        driven?;
        let status = underway.ending.unwrap_or(RunStatus::Failed);
        let at = self.clock.now();
        let ended = Event::RunEnded { status, at };
        self.journal.push(ended).await?;
        let segments = self.journal.end().await?;
        // Both save reading the journal, and say nothing that is not in it.
        let summary = self.tally.summary(&self.run, (status, at), segments);
        let _ = tokio::join!(
            self.run.put_summary(&summary),
            self.run.put_memo(self.notes.take())
        );
        Ok(status)
    }

    async fn turn(
        &mut self,
        commands: Vec<Command>,
        underway: &mut Underway,
    ) -> Result<(), DriveError> {
        self.obey(commands, underway).await?;
        loop {
            self.dispatch(underway);
            if underway.ending.is_some() && underway.running == 0 {
                return Ok(());
            }
            if underway.running == 0 && underway.ready.is_empty() && underway.delayed.is_empty() {
                // The scheduler promises an end; a run that has none must not hang.
                underway.ending = Some(RunStatus::Failed);
                return Ok(());
            }
            self.wait(underway).await?;
        }
    }

    /// Waits for the next thing to happen and deals with it.
    async fn wait(&mut self, underway: &mut Underway) -> Result<(), DriveError> {
        let next_retry = underway.delayed.first_key_value().map(|((at, _), _)| *at);
        let wake = [next_retry, underway.kill_at].into_iter().flatten().min();
        tokio::select! {
            updates = self.executor.updates() => {
                for update in updates {
                    self.hear(update, underway).await?;
                }
            }
            Some(interrupt) = self.interrupts.recv() => self.interrupt(interrupt, underway).await?,
            () = sleep_until(wake) => {}
        }
        if underway.kill_at.is_some_and(|at| at <= Instant::now()) {
            underway.kill_at = None;
            self.executor.cancel();
        }
        Ok(())
    }

    async fn hear(&mut self, update: Update, underway: &mut Underway) -> Result<(), DriveError> {
        let event = match update {
            Update::Started { task, attempt, at } => Event::Started { task, attempt, at },
            Update::Progress {
                task,
                done,
                total,
                message,
            } => Event::Progress {
                task,
                done,
                total,
                message,
            },
            Update::Waiting {
                step,
                attempts,
                for_ms,
                queue,
            } => Event::Waiting {
                step,
                attempts,
                for_ms,
                queue,
            },
            // To say that an attempt is made anew is nobody's who executes one.
            Update::Log { chunks, .. } if chunks.is_empty() => return Ok(()),
            Update::Log {
                task,
                attempt,
                at,
                chunks,
            } => Event::Log {
                task,
                attempt,
                at,
                chunks,
            },
            Update::Anew { task, attempt, at } => Event::Log {
                task,
                attempt,
                at,
                chunks: Vec::new(),
            },
            Update::Finished {
                task,
                attempt,
                record,
            } => {
                underway.running -= 1;
                Event::Finished {
                    task,
                    attempt,
                    record,
                }
            }
        };
        self.happen(event, underway).await
    }

    /// Lets an event and all that follows from it at once take effect.
    async fn happen(&mut self, event: Event, underway: &mut Underway) -> Result<(), DriveError> {
        let commands = self.take(event).await?;
        self.obey(commands, underway).await
    }

    /// Lets an event take effect: in the values at hand, the journal, the scheduler, for listeners.
    async fn take(&mut self, event: Event) -> Result<Vec<Command>, DriveError> {
        self.values.add(&event);
        let stored = event.is_stored();
        let going = self.scheduler.ended().is_none();
        let commands = if stored {
            self.scheduler.apply(&event)?
        } else {
            Vec::new()
        };
        let rejected = if going {
            rejected(&self.scheduler, &event)
        } else {
            None
        };
        let failure = failure_of(&event);
        self.put(event).await?;
        self.announce_retries(&commands, failure).await?;
        if let Some(rejected) = rejected {
            self.put(rejected).await?;
        }
        Ok(commands)
    }

    /// Counts an event, and gives it to the journal, which shows it when it is durable.
    async fn put(&mut self, event: Event) -> Result<(), DriveError> {
        self.tally.count(&event);
        Ok(self.journal.push(event).await?)
    }

    async fn announce_retries(
        &mut self,
        commands: &[Command],
        failure: Option<Failure>,
    ) -> Result<(), DriveError> {
        let Some(failure) = failure else {
            return Ok(());
        };
        for command in commands {
            if let Command::Run(Assignment {
                task,
                attempt,
                after_ms,
                ..
            }) = command
                && *attempt > 0
            {
                let (task, attempt, after_ms) = (task.clone(), *attempt, *after_ms);
                let retrying = Event::Retrying {
                    task,
                    attempt,
                    after_ms,
                    failure: failure.clone(),
                };
                self.put(retrying).await?;
            }
        }
        Ok(())
    }

    /// Does what the scheduler asks for, and what it asks for then.
    async fn obey(
        &mut self,
        commands: Vec<Command>,
        underway: &mut Underway,
    ) -> Result<(), DriveError> {
        let mut todo = VecDeque::from(commands);
        while let Some(command) = todo.pop_front() {
            match command {
                Command::Run(assignment) => {
                    let known = match underway.ending {
                        None => self.known.find(&assignment).await,
                        Some(_) => Vec::new(),
                    };
                    if known.is_empty() {
                        underway.queue(assignment);
                    }
                    for event in known {
                        todo.extend(self.take(event).await?);
                    }
                }
                Command::Catch {
                    task,
                    attempt,
                    artifact,
                    failure,
                } => {
                    let artifact = caught(artifact, &failure);
                    let caught = Event::Caught {
                        task,
                        attempt,
                        artifact,
                    };
                    todo.extend(self.take(caught).await?);
                }
                Command::End(status) => {
                    underway.ending.get_or_insert(status);
                    underway.ready.clear();
                    underway.delayed.clear();
                    underway.running -= self.executor.withdraw();
                }
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, underway: &mut Underway) {
        let now = Instant::now();
        while let Some(entry) = underway.delayed.first_entry()
            && entry.key().0 <= now
        {
            underway.ready.push_back(entry.remove());
        }
        let mut room = self.executor.room();
        while room > 0
            && let Some(assignment) = underway.ready.pop_front()
        {
            self.executor.start(assignment);
            underway.running += 1;
            room -= 1;
        }
    }

    async fn interrupt(
        &mut self,
        interrupt: Interrupt,
        underway: &mut Underway,
    ) -> Result<(), DriveError> {
        let first = underway.ending.is_none();
        match interrupt {
            Interrupt::Stop => underway.kill_at = Some(Instant::now() + GRACE),
            Interrupt::Kill => self.executor.cancel(),
        }
        if first {
            let asked = Event::CancelRequested {
                at: self.clock.now(),
            };
            self.happen(asked, underway).await?;
        }
        Ok(())
    }
}

impl Underway {
    fn queue(&mut self, assignment: Assignment) {
        if self.ending.is_some() {
            return;
        }
        if assignment.after_ms == 0 {
            self.ready.push_back(assignment);
        } else {
            self.delays += 1;
            let at = Instant::now() + Duration::from_millis(assignment.after_ms);
            self.delayed.insert((at, self.delays), assignment);
        }
    }
}

/// A failure that the scheduler has just found out by itself, so that it is in no record.
fn rejected(scheduler: &Scheduler, event: &Event) -> Option<Event> {
    let (task, attempt, failure) = scheduler.ended()?.failure.clone()?;
    let ended = match event {
        Event::Finished {
            task,
            attempt,
            record,
        } => Some((task, *attempt, record.result.is_ok())),
        _ => None,
    };
    let same = ended.filter(|ended| (ended.0, ended.1) == (&task, attempt));
    match same {
        Some((_, _, false)) => None,
        Some((_, _, true)) => Some(Event::Rejected {
            task,
            attempt,
            ran: true,
            failure,
        }),
        None => Some(Event::Rejected {
            task,
            attempt,
            ran: false,
            failure,
        }),
    }
}

fn failure_of(event: &Event) -> Option<Failure> {
    match event {
        Event::Finished { record, .. } => record.result.as_ref().err().cloned(),
        _ => None,
    }
}

/// The artifact that holds a caught failure: its CBOR.
pub(super) fn caught(name: ArtifactName, failure: &Failure) -> Artifact {
    let mut bytes = Vec::new();
    ciborium::into_writer(failure, &mut bytes).expect("a vector takes every byte");
    let normal = crate::datastore::cbor::normalise(&bytes)
        .expect("it was just encoded")
        .into_owned();
    Artifact {
        name,
        value: Value::inline(MediaType::cbor(), normal.into()),
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

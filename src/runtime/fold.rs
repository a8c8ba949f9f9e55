//! A journal, folded again: what each event answered, and what is left to be done.

use std::collections::BTreeMap;

use crate::model::event::Event;
use crate::model::failure::Failure;
use crate::model::id::TaskId;
use crate::model::name::ArtifactName;
use crate::scheduler::{Assignment, Command, IllegalEvent, Scheduler};

/// What an event of a journal answers, and what follows from it.
#[derive(Debug, Default)]
pub struct Answer {
    /// What was to be done, when the event is the end of an attempt.
    pub assignment: Option<Assignment>,
    /// The failure that was to be caught and the artifact that was to hold it, when it was caught.
    pub caught: Option<(ArtifactName, Failure)>,
    /// The failure that a rejection says, as the fold has found it out; none when there is none.
    pub rejected: Option<Failure>,
    /// The retry that follows, which no journal holds.
    pub retrying: Option<Event>,
}

/// The state of a run while its journal is read once more.
///
/// The scheduler gives the same commands as when the run was driven, so that for every attempt in
/// the journal there is the assignment that led to it.
pub struct Fold {
    scheduler: Scheduler,
    /// What was asked for and has not happened yet, in the order in which it was asked for.
    todo: BTreeMap<u64, Command>,
    /// Where the command for a task is in `todo`; there is at most one.
    of_task: BTreeMap<TaskId, u64>,
    next: u64,
}

impl Fold {
    /// The beginning of a run.
    pub fn new(mut scheduler: Scheduler) -> Self {
        let commands = scheduler.start();
        let mut fold = Self {
            scheduler,
            todo: BTreeMap::new(),
            of_task: BTreeMap::new(),
            next: 0,
        };
        fold.note(commands);
        fold
    }

    fn note(&mut self, commands: Vec<Command>) {
        for command in commands {
            let task = match &command {
                Command::Run(assignment) => Some(assignment.task.clone()),
                Command::Catch { task, .. } => Some(task.clone()),
                Command::End(_) => None,
            };
            if let Some(task) = task {
                self.of_task.insert(task, self.next);
            }
            self.todo.insert(self.next, command);
            self.next += 1;
        }
    }

    /// Folds one event and says what it answers and what follows from it.
    ///
    /// # Errors
    /// [`IllegalEvent`] when the journal contradicts itself.
    pub fn apply(&mut self, event: &Event) -> Result<Answer, IllegalEvent> {
        if !event.is_stored() {
            return Ok(Answer::default());
        }
        let commands = self.scheduler.apply(event)?;
        let answered = match event {
            Event::Finished { task, .. }
            | Event::Reused { task, .. }
            | Event::Caught { task, .. } => self.of_task.remove(task),
            _ => None,
        };
        let answered = answered.and_then(|at| self.todo.remove(&at));
        let mut answer = Answer {
            rejected: self.rejected(event),
            retrying: retrying(event, &commands),
            ..Answer::default()
        };
        self.note(commands);
        match answered {
            Some(Command::Run(assignment)) => answer.assignment = Some(assignment),
            Some(Command::Catch {
                artifact, failure, ..
            }) => answer.caught = Some((artifact, failure)),
            _ => {}
        }
        Ok(answer)
    }

    /// The failure by which the run ends, when `event` rejects the task that it is of.
    fn rejected(&self, event: &Event) -> Option<Failure> {
        let Event::Rejected { task, attempt, .. } = event else {
            return None;
        };
        let (of, which, failure) = self.scheduler.ended()?.failure.as_ref()?;
        (of == task && which == attempt).then(|| failure.clone())
    }

    /// The scheduler as it is now, and the commands that nothing has answered.
    pub fn left(self) -> (Scheduler, Vec<Command>) {
        (self.scheduler, self.todo.into_values().collect())
    }
}

/// The retry that `commands` ask for after `event`.
fn retrying(event: &Event, commands: &[Command]) -> Option<Event> {
    let Event::Finished { task, record, .. } = event else {
        return None;
    };
    let failure = record.result.as_ref().err()?;
    commands.iter().find_map(|command| match command {
        Command::Run(next) if next.task == *task && next.attempt > 0 => Some(Event::Retrying {
            task: task.clone(),
            attempt: next.attempt,
            after_ms: next.after_ms,
            failure: failure.clone(),
        }),
        _ => None,
    })
}

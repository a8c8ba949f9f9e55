//! A journal, folded again: what each event answered, and what is left to be done.

use std::collections::BTreeMap;

use crate::model::event::Event;
use crate::model::id::TaskId;
use crate::scheduler::{Assignment, Command, IllegalEvent, Scheduler};

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

    /// Folds one event and gives the assignment that it answers, when it is the end of an attempt.
    ///
    /// # Errors
    /// [`IllegalEvent`] when the journal contradicts itself.
    pub fn apply(&mut self, event: &Event) -> Result<Option<Assignment>, IllegalEvent> {
        if !event.is_stored() {
            return Ok(None);
        }
        let commands = self.scheduler.apply(event)?;
        let answered = match event {
            Event::Finished { task, .. }
            | Event::Reused { task, .. }
            | Event::Caught { task, .. } => self.of_task.remove(task),
            _ => None,
        };
        let answered = answered.and_then(|at| self.todo.remove(&at));
        self.note(commands);
        Ok(match answered {
            Some(Command::Run(assignment)) => Some(assignment),
            _ => None,
        })
    }

    /// The scheduler as it is now, and the commands that nothing has answered.
    pub fn left(self) -> (Scheduler, Vec<Command>) {
        (self.scheduler, self.todo.into_values().collect())
    }
}

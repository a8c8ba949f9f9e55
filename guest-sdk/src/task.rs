//! Who the running task is.

use crate::abi::Context;

/// Who the running task is: a step reads it as `task: &Task`.
#[derive(Clone, Debug)]
pub struct Task(Context);

/// The context of the first task of a step, in the first run.
pub(crate) fn context(flow: &str, step: &str) -> Context {
    Context {
        flow: flow.to_owned(),
        run: 1,
        step: step.to_owned(),
        task: "-".to_owned(),
        indices: Vec::new(),
        turns: Vec::new(),
        attempt: 0,
        seed: 0,
    }
}

impl Task {
    pub(crate) fn new(context: Context) -> Self {
        Self(context)
    }

    /// A task for a unit test: the first attempt of `step` in run 1, seed 0.
    ///
    /// ```
    /// # use wrun_sdk::prelude::*;
    /// let task = Task::for_test("fit").with_indices(&[3, 1]).with_seed(42);
    /// assert_eq!(task.to_string(), "fit/3.1");
    /// assert_eq!((task.index(), task.seed()), (Some(1), 42));
    /// ```
    pub fn for_test(step: &str) -> Self {
        Self(context("test", step))
    }

    /// The same task at these positions of the foreaches around it, outermost first.
    #[must_use]
    pub fn with_indices(mut self, indices: &[u32]) -> Self {
        self.0.indices = indices.to_vec();
        self.rename()
    }

    /// The same task in these turns of the loops around it, outermost first, from 1.
    #[must_use]
    pub fn with_turns(mut self, turns: &[u32]) -> Self {
        self.0.turns = turns.to_vec();
        self.rename()
    }

    /// The same task in another attempt, from 0.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.0.attempt = attempt;
        self
    }

    /// The same task with another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    fn rename(mut self) -> Self {
        let items: Vec<_> = self.0.indices.iter().map(u32::to_string).collect();
        let turns: String = self.0.turns.iter().map(|turn| format!("~{turn}")).collect();
        let name = items.join(".") + &turns;
        self.0.task = if name.is_empty() {
            "-".to_owned()
        } else {
            name
        };
        self
    }

    /// The flow.
    pub fn flow(&self) -> &str {
        &self.0.flow
    }

    /// The number of the run.
    pub fn run(&self) -> u64 {
        self.0.run
    }

    /// The step.
    pub fn step(&self) -> &str {
        &self.0.step
    }

    /// The task's name within its step, e.g. `-`, `7`, `3.1`, `~2`.
    pub fn name(&self) -> &str {
        &self.0.task
    }

    /// The positions in the foreaches around it, outermost first, from 0.
    pub fn indices(&self) -> &[u32] {
        &self.0.indices
    }

    /// The position in the innermost foreach around it, from 0.
    pub fn index(&self) -> Option<u32> {
        self.0.indices.last().copied()
    }

    /// The turns of the loops around it, outermost first, from 1.
    pub fn turns(&self) -> &[u32] {
        &self.0.turns
    }

    /// The turn of the innermost loop around it, from 1.
    pub fn turn(&self) -> Option<u32> {
        self.0.turns.last().copied()
    }

    /// Which attempt it is, from 0. What a step returns should not depend on it.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// A number for this task alone, the same in every attempt and every replay: seed your random
    /// numbers with it.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }
}

/// `step/name`, e.g. `count/7`.
impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}/{}", self.0.step, self.0.task))
    }
}

//! One executor made of several: each step's attempts go to its own.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;

use super::{Executor, Update};
use crate::model::header::ExecutorKind;
use crate::model::name::StepName;
use crate::scheduler::Assignment;

/// How much is taken without asking who has room.
const ROOM: usize = 1 << 20;

/// An executor, and what waits for its room.
struct Lane {
    kind: ExecutorKind,
    executor: Box<dyn Executor>,
    waiting: VecDeque<Assignment>,
}

impl Lane {
    fn feed(&mut self) {
        let mut room = self.executor.room();
        while room > 0
            && let Some(assignment) = self.waiting.pop_front()
        {
            self.executor.start(assignment);
            room -= 1;
        }
    }
}

/// Sends the attempts of each step to where they are made.
pub struct Router {
    lanes: Vec<Lane>,
    /// The executor of each step; those that are not here have the first.
    of_steps: BTreeMap<StepName, ExecutorKind>,
    waiting: usize,
}

impl Router {
    /// A router over these executors, of which there is at least one.
    pub fn new(
        executors: Vec<(ExecutorKind, Box<dyn Executor>)>,
        of_steps: BTreeMap<StepName, ExecutorKind>,
    ) -> Self {
        let lane = |(kind, executor)| Lane {
            kind,
            executor,
            waiting: VecDeque::new(),
        };
        Self {
            lanes: executors.into_iter().map(lane).collect(),
            of_steps,
            waiting: 0,
        }
    }

    fn feed(&mut self) {
        self.lanes.iter_mut().for_each(Lane::feed);
        self.waiting = self.lanes.iter().map(|lane| lane.waiting.len()).sum();
    }
}

#[async_trait]
impl Executor for Router {
    fn room(&self) -> usize {
        // Whether a lane is full depends on the step, which nobody has named yet.
        ROOM.saturating_sub(self.waiting)
    }

    fn start(&mut self, assignment: Assignment) {
        let kind = self.of_steps.get(&assignment.task.step);
        let at = self.lanes.iter().position(|lane| Some(&lane.kind) == kind);
        let lane = &mut self.lanes[at.unwrap_or(0)];
        lane.waiting.push_back(assignment);
        lane.feed();
        self.waiting = self.lanes.iter().map(|lane| lane.waiting.len()).sum();
    }

    fn withdraw(&mut self) -> usize {
        let lanes = self.lanes.iter_mut();
        let withdrawn =
            lanes.map(|lane| std::mem::take(&mut lane.waiting).len() + lane.executor.withdraw());
        let withdrawn = withdrawn.sum();
        self.waiting = 0;
        withdrawn
    }

    async fn updates(&mut self) -> Vec<Update> {
        let waits = self.lanes.iter_mut().map(|lane| lane.executor.updates());
        let updates = first(waits.collect()).await;
        self.feed();
        updates
    }

    fn cancel(&mut self) {
        for lane in &mut self.lanes {
            lane.executor.cancel();
        }
    }

    fn leave(&mut self) {
        for lane in &mut self.lanes {
            lane.executor.leave();
        }
    }
}

/// What the first of them gives; the others are dropped, which does them no harm.
async fn first(
    mut waits: Vec<std::pin::Pin<Box<dyn Future<Output = Vec<Update>> + Send + '_>>>,
) -> Vec<Update> {
    std::future::poll_fn(move |cx| {
        let ready = waits.iter_mut().find_map(|it| match it.as_mut().poll(cx) {
            std::task::Poll::Ready(updates) => Some(updates),
            std::task::Poll::Pending => None,
        });
        ready.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

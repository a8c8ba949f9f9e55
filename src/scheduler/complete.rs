//! What follows a task that succeeded: the next step, branches, elements, a case, a join.

use std::sync::Arc;

use super::command::{Branch, Command};
use super::env::Env;
use super::state::{Ended, Open, Scheduler, TaskKey};
use crate::model::artifact::Artifact;
use crate::model::event::RunStatus;
use crate::model::failure::{Failure, FailureKind, Limit};
use crate::model::graph::{EdgeIx, Scope, StepIx};
use crate::model::id::{Frame, Place};
use crate::model::name::CaseName;
use crate::model::record::Outcome;

/// Where a step that succeeded leads to.
enum Way {
    /// Along an edge that leaves nothing to decide.
    On,
    /// To a case of a switch.
    To(StepIx),
    /// To this many elements.
    Items(u32),
}

impl Scheduler {
    /// Takes in a success. The failure that it turns out to be when it breaks the contract.
    pub(super) fn succeeded(
        &mut self,
        key: &TaskKey,
        outcome: &Outcome,
        artifacts: &[Artifact],
        commands: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        let way = self.way(key, outcome, artifacts)?;
        let env = self.leave(key, artifacts);
        match way {
            Way::On => self.follow(key, env, commands),
            Way::To(next) => self.arrive(key, key.1.clone(), next, env, commands),
            Way::Items(count) => self.each(key, count, env, commands),
        }
        Ok(())
    }

    /// Goes on after a failure that was caught: along the edge, with the failure as an artifact.
    pub(super) fn go_on(
        &mut self,
        key: &TaskKey,
        artifacts: &[Artifact],
        commands: &mut Vec<Command>,
    ) {
        let env = self.leave(key, artifacts);
        self.follow(key, env, commands);
    }

    /// Forgets a task that is done and binds what it leaves behind.
    fn leave(&mut self, key: &TaskKey, artifacts: &[Artifact]) -> Arc<Env> {
        let running = self
            .running
            .remove(key)
            .expect("only running tasks succeed or are caught");
        let graph = self.graph.clone();
        let step = graph.step(key.0);
        Env::bind(&running.env, step.level(), self.bindings(step, artifacts))
    }

    /// Whether the outcome fits the edge, and where it leads.
    fn way(
        &self,
        (at, place): &TaskKey,
        outcome: &Outcome,
        artifacts: &[Artifact],
    ) -> Result<Way, Failure> {
        let step = self.graph.step(*at);
        let wrong = |text: String| Failure::new(FailureKind::Contract, text);
        let undeclared = artifacts
            .iter()
            .find(|a| !step.writes.iter().any(|w| w.name == a.name));
        if let Some(artifact) = undeclared {
            let (step, name) = (&step.name, &artifact.name);
            return Err(wrong(format!(
                "step `{step}` wrote `{name}`, which it does not declare"
            )));
        }
        match (&step.edge, outcome) {
            (EdgeIx::End | EdgeIx::Next(_) | EdgeIx::Split { .. }, Outcome::Done) => Ok(Way::On),
            (EdgeIx::Foreach { artifact, .. }, Outcome::Items(count)) => {
                if !artifacts.iter().any(|a| a.name == *artifact) {
                    return Err(wrong(format!(
                        "step `{}` did not write `{artifact}`, the list of its foreach",
                        step.name
                    )));
                }
                self.count(*count).map(Way::Items)
            }
            (
                EdgeIx::Switch {
                    cases, max_turns, ..
                },
                Outcome::Case(case),
            ) => {
                let (_, next) = cases.iter().find(|(name, _)| name == case).ok_or_else(|| {
                    let text = format!("step `{}` chose `{case}`, which is not a case", step.name);
                    wrong(text).with_hint(format!("its cases are {}", listed(cases)))
                })?;
                self.turn(*at, place, *next, *max_turns)?;
                Ok(Way::To(*next))
            }
            (edge, outcome) => {
                let (gave, needed) = (kind_of(outcome), needed(edge));
                Err(wrong(format!(
                    "step `{}` gave {gave}, and {needed} follows",
                    step.name
                )))
            }
        }
    }

    fn count(&self, count: u32) -> Result<u32, Failure> {
        let most = self.policy.max_items;
        if count <= most {
            return Ok(count);
        }
        let text = format!("the foreach has {count} elements, and {most} are the most");
        let hint = "raise `limits.items` in `wrun.toml`, or let one task do several elements";
        Err(Failure::new(FailureKind::Limit(Limit::Items), text).with_hint(hint))
    }

    /// Whether the way to `next` turns a loop once too often.
    fn turn(
        &self,
        from: StepIx,
        place: &Place,
        next: StepIx,
        max_turns: Option<u32>,
    ) -> Result<(), Failure> {
        if !self.leads_back(from, next) {
            return Ok(());
        }
        let turn = match place.frames().get(self.graph.step(next).frames() - 1) {
            Some(Frame::Turn(turn)) => *turn,
            _ => 0,
        };
        // A valid graph has a bound wherever an edge leads back.
        let most = max_turns.unwrap_or(0);
        if turn < most {
            return Ok(());
        }
        let (from, head) = (&self.graph.step(from).name, &self.graph.step(next).name);
        let text = format!("step `{from}` led back to `{head}` after turn {turn}, the last one");
        let hint = format!("raise `max_turns` of `{from}`, or end the loop before");
        Err(Failure::new(FailureKind::Limit(Limit::Turns), text).with_hint(hint))
    }

    /// Whether an edge leads back to the head of a loop around `from`.
    fn leads_back(&self, from: StepIx, to: StepIx) -> bool {
        let depth = self.graph.step(to).scopes.len();
        let around = &self.graph.step(from).scopes;
        depth > 0 && around.get(depth - 1) == Some(&Scope::Loop { head: to })
    }

    fn follow(&mut self, key: &TaskKey, env: Arc<Env>, commands: &mut Vec<Command>) {
        let graph = self.graph.clone();
        match &graph.step(key.0).edge {
            EdgeIx::End => {
                self.end(
                    Ended {
                        status: RunStatus::Succeeded,
                        failure: None,
                    },
                    commands,
                );
            }
            EdgeIx::Next(next) => self.arrive(key, key.1.clone(), *next, env, commands),
            EdgeIx::Split { branches, .. } => {
                self.open
                    .insert(key.clone(), open(&env, None, branches.len()));
                for branch in branches {
                    self.arrive(key, key.1.clone(), *branch, env.clone(), commands);
                }
            }
            EdgeIx::Foreach { .. } | EdgeIx::Switch { .. } => {
                unreachable!("a valid graph catches no failure of a step that decides")
            }
        }
    }

    fn each(&mut self, key: &TaskKey, count: u32, env: Arc<Env>, commands: &mut Vec<Command>) {
        let graph = self.graph.clone();
        let EdgeIx::Foreach {
            artifact,
            next,
            join,
        } = &graph.step(key.0).edge
        else {
            unreachable!("`way` has matched the outcome with the edge")
        };
        let list = env.get(artifact.as_str()).cloned();
        self.open
            .insert(key.clone(), open(&env, list, count as usize));
        if count == 0 {
            return self.join(key, *join, commands);
        }
        commands.reserve(count as usize);
        for index in 0..count {
            let place = key.1.with(Frame::Item(index));
            self.arrive(key, place, *next, env.clone(), commands);
        }
    }

    /// Takes the edge to `to`. `place` is the place of the task it leaves, inside what it opens.
    fn arrive(
        &mut self,
        from: &TaskKey,
        place: Place,
        to: StepIx,
        env: Arc<Env>,
        commands: &mut Vec<Command>,
    ) {
        let graph = self.graph.clone();
        let step = graph.step(to);
        if let Some(opener) = step.closes {
            return self.branch_ended(from, opener, to, env, commands);
        }
        let frames = step.frames();
        let is_head = step.scopes.last() == Some(&Scope::Loop { head: to });
        let place = if self.leads_back(from.0, to) {
            let turn = match place.frames()[frames - 1] {
                Frame::Turn(turn) | Frame::Item(turn) => turn + 1,
            };
            place.prefix(frames - 1).with(Frame::Turn(turn))
        } else if is_head {
            place.prefix(frames - 1).with(Frame::Turn(1))
        } else {
            place.prefix(frames)
        };
        self.spawn(to, place, env, None, commands);
    }

    /// One branch has come to its join. The last one starts it.
    fn branch_ended(
        &mut self,
        from: &TaskKey,
        opener: StepIx,
        join: StepIx,
        env: Arc<Env>,
        commands: &mut Vec<Command>,
    ) {
        let depth = self.graph.step(opener).frames();
        let key = (opener, from.1.prefix(depth));
        let level = self.graph.step(opener).scopes.len();
        let index = match self.graph.step(from.0).scopes[level] {
            Scope::Split { branch, .. } => branch,
            _ => match from.1.frames()[depth] {
                Frame::Item(index) | Frame::Turn(index) => index,
            },
        };
        let task = self.task(from);
        let open = self
            .open
            .get_mut(&key)
            .expect("a branch ends before its join starts");
        let end = &mut open.ends[index as usize];
        debug_assert!(end.is_none(), "a branch ends once");
        *end = Some(Branch { task, env });
        open.missing -= 1;
        if open.missing == 0 {
            self.join(&key, join, commands);
        }
    }
}

fn open(env: &Arc<Env>, list: Option<crate::model::artifact::Value>, count: usize) -> Open {
    Open {
        base: env.clone(),
        list,
        ends: vec![None; count],
        missing: count,
    }
}

fn kind_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "no decision",
        Outcome::Case(_) => "a case",
        Outcome::Items(_) => "a number of elements",
    }
}

fn needed(edge: &EdgeIx) -> &'static str {
    match edge {
        EdgeIx::End => "the end of the flow",
        EdgeIx::Next(_) => "one step",
        EdgeIx::Split { .. } => "a split",
        EdgeIx::Foreach { .. } => "a foreach",
        EdgeIx::Switch { .. } => "a switch",
    }
}

fn listed(cases: &[(CaseName, StepIx)]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = cases
        .iter()
        .take(SHOWN)
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let more = if cases.len() > SHOWN { ", …" } else { "" };
    shown.join(", ") + more
}

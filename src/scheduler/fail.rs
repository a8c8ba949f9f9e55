//! What follows a failure: another attempt, a catch, or the end of the run.

use super::command::Command;
use super::state::{Ended, Scheduler, TaskKey};
use crate::model::event::RunStatus;
use crate::model::failure::{Failure, FailureKind};

/// The longest pause before an attempt: a day.
const LONGEST_PAUSE_MS: u64 = 24 * 60 * 60 * 1000;
/// The pause before the second retry after failures of the infrastructure. The first has none:
/// most often one cell was lost and the next is there already.
const INFRASTRUCTURE_PAUSE_MS: u64 = 1000;
/// The longest pause after failures of the infrastructure.
const LONGEST_INFRASTRUCTURE_PAUSE_MS: u64 = 60 * 1000;

impl Scheduler {
    /// Takes in a failure of the current attempt.
    pub(super) fn failed(&mut self, key: &TaskKey, failure: Failure, commands: &mut Vec<Command>) {
        match self.pause(key, failure.kind) {
            Some(after_ms) => self.retry(key, after_ms, commands),
            None => self.give_up(key, failure, commands),
        }
    }

    /// The pause before another attempt, charged to whom it belongs; none when there is no other.
    fn pause(&mut self, key: &TaskKey, kind: FailureKind) -> Option<u64> {
        let retry = self.graph.step(key.0).retry;
        let policy = self.policy;
        let spent = &mut self.running.get_mut(key)?.spent;
        match kind {
            FailureKind::Infrastructure => {
                once_more(&mut spent.infrastructure, policy.infrastructure_retries)
            }
            // A long task on cheap machines is taken away often, which says nothing about the next.
            FailureKind::Reclaimed => once_more(&mut spent.reclaims, policy.reclaims),
            _ => {
                let retry = retry.filter(|it| kind.is_retryable() && spent.step < it.times)?;
                spent.step += 1;
                Some(doubled(retry.backoff_ms, spent.step - 1).min(LONGEST_PAUSE_MS))
            }
        }
    }

    fn retry(&mut self, key: &TaskKey, after_ms: u64, commands: &mut Vec<Command>) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        running.attempt += 1;
        let running = running.clone();
        commands.push(Command::Run(self.assignment(key, &running, after_ms)));
    }

    /// No other attempt is made: the failure is caught, or ends the run.
    ///
    /// A failure that is not of the step is never caught: it says nothing about the step, and as an
    /// artifact it would make results depend on the machine. The run fails and can be resumed.
    fn give_up(&mut self, key: &TaskKey, failure: Failure, commands: &mut Vec<Command>) {
        let task = self.task(key);
        let attempt = self.running.get(key).map_or(0, |running| running.attempt);
        let is_own = failure.kind.is_of_the_step();
        if let Some(artifact) = self.graph.step(key.0).catch.clone().filter(|_| is_own) {
            if let Some(running) = self.running.get_mut(key) {
                running.catching = true;
            }
            commands.push(Command::Catch {
                task,
                attempt,
                artifact,
                failure,
            });
            return;
        }
        self.running.remove(key);
        let status = match failure.kind {
            FailureKind::Cancelled => RunStatus::Cancelled,
            _ => RunStatus::Failed,
        };
        let failure = Some((task, attempt, failure));
        self.end(Ended { status, failure }, commands);
    }
}

/// Counts one more failure that is not the step's; the pause after it, none when `allowed` is spent.
fn once_more(spent: &mut u32, allowed: u32) -> Option<u64> {
    let before = *spent;
    *spent += 1;
    let pause = match before {
        0 => 0,
        n => doubled(INFRASTRUCTURE_PAUSE_MS, n - 1).min(LONGEST_INFRASTRUCTURE_PAUSE_MS),
    };
    (before < allowed).then_some(pause)
}

/// `pause` doubled `times` times.
fn doubled(pause: u64, times: u32) -> u64 {
    1_u64
        .checked_shl(times)
        .map_or(u64::MAX, |factor| pause.saturating_mul(factor))
}

//! Says when jobs stay in their queue, because Batch has no room for them.

use std::time::{Duration, Instant};

use aws_sdk_batch::types::{JobDetail, JobStatus};

use super::Shared;
use super::flight::Job;
use crate::executor::Update;
use crate::model::job::Token;

/// After which time it is said first; then after twice the time, and so on.
const FIRST: Duration = Duration::from_secs(30);

/// For how long a job has been waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    since: Instant,
    /// After which time it is said next.
    next: Duration,
}

impl Wait {
    /// A job that waits `now`.
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            next: FIRST,
        }
    }

    /// For how long, when that is to be said `now`.
    fn tell(&mut self, now: Instant) -> Option<Duration> {
        let waited = now.duration_since(self.since);
        if waited < self.next {
            return None;
        }
        self.next = waited * 2;
        Some(waited)
    }
}

/// How many attempts of a job wait in the queue while none of it has a machine.
fn waiting(job: &JobDetail) -> usize {
    use JobStatus::{Pending, Runnable, Running, Starting, Submitted};
    let summary = job.array_properties().and_then(|it| it.status_summary());
    let Some(summary) = summary.filter(|it| !it.is_empty()) else {
        let waits = matches!(job.status(), Some(Submitted | Pending | Runnable));
        return usize::from(waits);
    };
    let count = |states: &[JobStatus]| -> usize {
        let each = states.iter().filter_map(|it| summary.get(it.as_str()));
        each.map(|count| usize::try_from(*count).unwrap_or(0)).sum()
    };
    match count(&[Starting, Running]) {
        0 => count(&[Submitted, Pending, Runnable]),
        _ => 0,
    }
}

impl Shared {
    /// Takes note of what Batch says of a job, and says when it has waited for long.
    pub(super) fn note_wait(&self, name: &Token, job: &Job, detail: &JobDetail) {
        let (attempts, now) = (waiting(detail), Instant::now());
        let waited = {
            let mut state = self.state();
            let Some(job) = state.flights.job_mut(name) else {
                return;
            };
            if attempts == 0 {
                job.wait = None;
                return;
            }
            job.wait.get_or_insert(Wait::new(now)).tell(now)
        };
        if let (Some(waited), Some(seat)) = (waited, job.seats.first()) {
            self.say(Update::Waiting {
                step: seat.step().clone(),
                attempts: attempts as u64,
                for_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
                queue: self.setup.settings.queue.clone().unwrap_or_default(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_batch::types::ArrayPropertiesDetail;

    use super::*;

    #[test]
    fn it_is_said_less_and_less_often() {
        let begin = Instant::now();
        let mut wait = Wait::new(begin);
        let told = (0..1000).filter(|s| wait.tell(begin + Duration::from_secs(*s)).is_some());
        assert_eq!(told.collect::<Vec<_>>(), [30, 60, 120, 240, 480, 960]);
    }

    fn array(states: &[(&str, i32)]) -> JobDetail {
        let summary = states
            .iter()
            .map(|(state, count)| ((*state).into(), *count));
        let array = ArrayPropertiesDetail::builder().set_status_summary(Some(summary.collect()));
        JobDetail::builder()
            .status(JobStatus::Pending)
            .array_properties(array.build())
            .build()
    }

    #[test]
    fn a_job_waits_while_none_of_it_has_a_machine() {
        let single = |status| JobDetail::builder().status(status).build();
        assert_eq!(waiting(&single(JobStatus::Runnable)), 1);
        assert_eq!(waiting(&single(JobStatus::Starting)), 0);
        assert_eq!(waiting(&single(JobStatus::Failed)), 0);
        assert_eq!(waiting(&array(&[("RUNNABLE", 7), ("PENDING", 2)])), 9);
        assert_eq!(waiting(&array(&[("RUNNABLE", 7), ("SUCCEEDED", 2)])), 7);
        assert_eq!(waiting(&array(&[("RUNNABLE", 7), ("RUNNING", 1)])), 0);
        assert_eq!(waiting(&array(&[("SUCCEEDED", 3)])), 0);
    }
}

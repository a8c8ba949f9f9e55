//! Finds out what becomes of what is in flight.
//!
//! The datastore is looked at often, because one listing shows a thousand attempts. Batch is asked
//! rarely, about a hundred jobs at once, and about single children only where attempts are missing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_batch::types::{ContainerDetail, JobDetail, JobStatus, JobSummary};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::Shared;
use super::client::DESCRIBED_AT_ONCE;
use super::flight::{Flight, Job, Seat};
use super::stopped;
use super::verdict::{self, Said as Told};
use crate::aws::Trouble;
use crate::datastore::jobs::Found;
use crate::datastore::run::RunError;
use crate::executor::Update;
use crate::model::failure::Failure;
use crate::model::id::TaskId;
use crate::model::job::{Said, Token};
use crate::model::record::Record;
use crate::task::attempt::failed;
use crate::task::trouble::infrastructure;

/// The shortest and the longest pause between two looks at the datastore.
const LOOK: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));
/// The shortest and the longest pause between two questions to Batch.
const ASK: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// How many records are read at once.
const READ_AT_ONCE: usize = 32;
/// How often in a row Batch may not know a job before it is given up.
const UNKNOWN: u32 = 3;
/// For how long the datastore may not be readable before what is in flight is given up.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// How often to look and to ask: more often while something happens.
struct Rhythm {
    look: Duration,
    ask: Duration,
    ask_at: Instant,
}

impl Rhythm {
    fn new() -> Self {
        Self {
            look: LOOK.0,
            ask: ASK.0,
            ask_at: Instant::now() + ASK.0,
        }
    }

    /// Looking `took` so long, and something was `found` or nothing.
    fn looked(&mut self, took: Duration, found: bool) {
        self.look = match found {
            // Ten thousand attempts take long to look at: half of the time is enough.
            true => took.clamp(LOOK.0, LOOK.1),
            false => (self.look * 5 / 4).min(LOOK.1),
        };
    }

    fn is_time_to_ask(&mut self) -> bool {
        let now = Instant::now();
        if now < self.ask_at {
            return false;
        }
        self.ask = (self.ask * 3 / 2).min(ASK.1);
        self.ask_at = now + self.ask;
        true
    }
}

/// What a visit found.
enum Visit {
    /// No end yet.
    Underway,
    /// An end, which was passed on.
    Ended,
    /// An end of which the worker does not know why it came.
    Stopped(Seat, Box<Record>),
}

/// Watches what is in flight, for ever.
pub(super) async fn watch(shared: Arc<Shared>) {
    loop {
        shared.watch.notified().await;
        let mut rhythm = Rhythm::new();
        let mut well = Instant::now();
        while !shared.state().flights.is_empty() {
            tokio::time::sleep(rhythm.look).await;
            let begun = Instant::now();
            match shared.look().await {
                Ok(found) => {
                    well = Instant::now();
                    rhythm.looked(begun.elapsed(), found > 0);
                }
                Err(error) if well.elapsed() > PATIENCE => shared.give_up(&error),
                Err(_) => rhythm.looked(begun.elapsed(), false),
            }
            if rhythm.is_time_to_ask() {
                // What Batch does not answer now is asked again.
                let _ = shared.ask().await;
            }
        }
    }
}

impl Shared {
    /// Looks into the datastore, and says how many attempts have ended.
    async fn look(self: &Arc<Self>) -> Result<usize, RunError> {
        let mut visits: JoinSet<Result<Visit, RunError>> = JoinSet::new();
        let (mut ended, mut stopped) = (0, Vec::new());
        let mut count = |visit| match visit {
            Visit::Ended => ended += 1,
            Visit::Stopped(seat, record) => stopped.push((seat, record)),
            Visit::Underway => {}
        };
        for (seat, found) in self.find().await? {
            if visits.len() >= READ_AT_ONCE
                && let Some(visit) = visits.join_next().await
            {
                count(joined(visit)?);
            }
            let shared = self.clone();
            visits.spawn(async move { shared.visit(&seat, &found).await });
        }
        while let Some(visit) = visits.join_next().await {
            count(joined(visit)?);
        }
        ended += stopped.len();
        self.land_stopped(stopped).await;
        Ok(ended)
    }

    /// What workers have left of what is in flight.
    async fn find(&self) -> Result<BTreeMap<Seat, Found>, RunError> {
        let spans = self.state().flights.spans();
        let mut found: BTreeMap<Seat, Found> = BTreeMap::new();
        for (step, (first, last)) in spans {
            let left = self.setup.run.left(&step, (&first, &last)).await?;
            let state = self.state();
            let flies = |task: &TaskId, attempt| {
                let seat = Seat::of(task);
                let flight = state.flights.get(&seat)?;
                (flight.attempt == attempt).then_some(seat)
            };
            for it in left {
                if let Some(seat) = flies(&it.task, it.attempt) {
                    found.entry(seat).or_default().add(it);
                }
            }
        }
        Ok(found)
    }

    /// Passes on what was found of an attempt.
    async fn visit(&self, seat: &Seat, found: &Found) -> Result<Visit, RunError> {
        let flight = self.state().flights.get(seat).cloned();
        let Some(flight) = flight else {
            return Ok(Visit::Underway);
        };
        let made = match found.made {
            true => self.setup.run.attempt(&flight.task, flight.attempt).await?,
            false => None,
        };
        match made {
            Some(made) => {
                self.hear_worker(seat, &made.worker, made.said).await?;
                if stopped::was_stopped(&made.record) {
                    return Ok(Visit::Stopped(seat.clone(), Box::new(made.record)));
                }
                self.land(seat, made.record);
                Ok(Visit::Ended)
            }
            None => {
                self.hear(seat, &flight, &found.said).await?;
                Ok(Visit::Underway)
            }
        }
    }

    /// Passes on what workers of an attempt have said since.
    async fn hear(
        &self,
        seat: &Seat,
        flight: &Flight,
        said: &BTreeMap<Token, u32>,
    ) -> Result<(), RunError> {
        // One that was not heard before has replaced the one that was.
        let current = flight.heard.as_ref().map(|(worker, _)| worker);
        let is_new = |worker: &&Token| Some(*worker) != current && !flight.silent.contains(*worker);
        let speaks = said.keys().find(is_new).or(current);
        match speaks.and_then(|worker| said.get_key_value(worker)) {
            Some((worker, times)) => self.hear_worker(seat, worker, *times).await,
            None => Ok(()),
        }
    }

    /// Passes on what `worker` has said up to the `times`th time.
    async fn hear_worker(&self, seat: &Seat, worker: &Token, times: u32) -> Result<(), RunError> {
        let flight = self.state().flights.get(seat).cloned();
        let Some(flight) = flight else {
            return Ok(());
        };
        let (task, attempt) = (&flight.task, flight.attempt);
        let first = match &flight.heard {
            Some((heard, said)) if heard == worker => *said,
            Some((_, said)) => {
                if *said > 0 {
                    let at = self.setup.clock.now();
                    let task = task.clone();
                    self.say(Update::Anew { task, attempt, at });
                }
                0
            }
            None => 0,
        };
        for seq in first..times {
            let said = self.setup.run.said((task, attempt), (worker, seq)).await?;
            for said in said {
                self.pass_on(seat, said);
            }
            if let Some(flight) = self.state().flights.get_mut(seat) {
                let before = flight.heard.replace((worker.clone(), seq + 1));
                let other = before.filter(|(before, _)| before != worker);
                flight.silent.extend(other.map(|(before, _)| before));
            }
        }
        Ok(())
    }

    fn pass_on(&self, seat: &Seat, said: Said) {
        let flight = {
            let mut state = self.state();
            let Some(flight) = state.flights.get_mut(seat) else {
                return;
            };
            let before = flight.clone();
            flight.started |= matches!(said, Said::Started { .. });
            before
        };
        let (task, attempt) = (flight.task, flight.attempt);
        match said {
            Said::Started { .. } if flight.started => {}
            Said::Started { at } => self.say(Update::Started { task, attempt, at }),
            Said::Progress {
                done,
                total,
                message,
            } => self.say(Update::Progress {
                task,
                done,
                total,
                message,
            }),
            Said::Log { at, chunks } if !chunks.is_empty() => self.say(Update::Log {
                task,
                attempt,
                at,
                chunks,
            }),
            Said::Log { .. } => {}
        }
    }

    /// Says that an attempt has ended.
    pub(super) fn land(&self, seat: &Seat, record: Record) {
        let landed = self.state().flights.land(seat, record.result.is_err());
        let Some(flight) = landed else {
            return;
        };
        let (task, attempt) = (flight.task, flight.attempt);
        if !flight.started && record.usage.wall_us > 0 {
            self.say(Update::Started {
                task: task.clone(),
                attempt,
                at: record.usage.started_at,
            });
        }
        self.say(Update::Finished {
            task,
            attempt,
            record: Box::new(record),
        });
    }

    /// Gives up what is in flight, because the datastore cannot be read.
    fn give_up(&self, error: &RunError) {
        let failure = infrastructure("the datastore cannot be read any more", error);
        let seats = self.state().flights.seats();
        for seat in seats {
            self.land(&seat, failed(failure.clone()));
        }
    }

    /// Asks Batch about the jobs of what is in flight.
    async fn ask(self: &Arc<Self>) -> Result<(), Trouble> {
        let jobs = self.state().flights.jobs();
        let mut missing = Vec::new();
        for part in jobs.chunks(DESCRIBED_AT_ONCE) {
            let ids: Vec<String> = part.iter().map(|(_, job)| job.id.clone()).collect();
            let known = self.setup.client.describe(&ids).await?;
            for (name, job) in part {
                let detail = known.iter().find(|it| it.job_id() == Some(&job.id));
                missing.extend(self.missing(name, job, detail).await?);
            }
        }
        // What has ended may have left its record since the last look, but not after this one.
        if !missing.is_empty() && self.look().await.is_ok() {
            for (seat, job, told) in missing {
                self.judge(&seat, &job, &told);
            }
        }
        Ok(())
    }

    /// The attempts of a job that have ended, as Batch says.
    async fn missing(
        &self,
        name: &Token,
        job: &Job,
        detail: Option<&JobDetail>,
    ) -> Result<Vec<(Seat, Token, Told)>, Trouble> {
        let flying = self.state().flights.of_job(name, job);
        let Some(detail) = detail else {
            return Ok(self.unknown(name, flying));
        };
        if let Some(job) = self.state().flights.job_mut(name) {
            job.unknown = 0;
        }
        self.note_wait(name, job, detail);
        let entry = |seat: Seat, told| (seat, name.clone(), told);
        if job.seats.len() == 1 {
            let seats = flying.into_iter().map(|(_, seat)| seat);
            let ended = has_ended(detail).then(|| told(detail));
            return Ok(ended.map_or_else(Vec::new, |told| {
                seats.map(|seat| entry(seat, told.clone())).collect()
            }));
        }
        let summary = detail.array_properties().and_then(|it| it.status_summary());
        let failed = summary.map(|it| it.get("FAILED").copied().unwrap_or(0));
        let all_known = failed.is_some_and(|failed| failed as usize <= job.failed);
        if !has_ended(detail) && all_known {
            return Ok(Vec::new());
        }
        if !has_ended(detail) && failed.is_some() {
            let failed = self.setup.client.failed_children(&job.id).await?;
            let of = failed.iter().filter_map(|it| {
                let index = it.array_properties()?.index()?;
                let (_, seat) = flying.iter().find(|(at, _)| *at == index as usize)?;
                Some(entry(seat.clone(), told_of(it)))
            });
            return Ok(of.collect());
        }
        let mut missing = Vec::new();
        for part in flying.chunks(DESCRIBED_AT_ONCE) {
            let id = |index: &usize| format!("{}:{index}", job.id);
            let ids: Vec<String> = part.iter().map(|(index, _)| id(index)).collect();
            let known = self.setup.client.describe(&ids).await?;
            for (index, seat) in part {
                let child = known.iter().find(|it| it.job_id() == Some(&id(index)));
                if let Some(child) = child.filter(|it| has_ended(it)) {
                    missing.push(entry(seat.clone(), told(child)));
                }
            }
        }
        Ok(missing)
    }

    /// A job that Batch does not know: submitted a moment ago, or forgotten.
    fn unknown(&self, name: &Token, flying: Vec<(usize, Seat)>) -> Vec<(Seat, Token, Told)> {
        let mut state = self.state();
        let Some(job) = state.flights.job_mut(name) else {
            return Vec::new();
        };
        job.unknown += 1;
        if job.unknown < UNKNOWN {
            return Vec::new();
        }
        let told = Told {
            job: job.id.clone(),
            status_reason: Some("Batch does not know the job".to_owned()),
            ..Told::default()
        };
        let entry = |(_, seat)| (seat, name.clone(), told.clone());
        flying.into_iter().map(entry).collect()
    }

    /// Ends an attempt that has left no record, unless another has taken its seat.
    fn judge(&self, seat: &Seat, job: &Token, told: &Told) {
        let flight = self.state().flights.get(seat).cloned();
        if flight.is_some_and(|flight| flight.job == *job) {
            let mut told = told.clone();
            if told.image.is_empty() {
                told.image = self.setup.settings.image.clone().unwrap_or_default();
            }
            let failure: Failure = verdict::failure(&told);
            let mut record = failed(failure);
            record.usage.job = Some(told.job);
            self.land(seat, record);
        }
    }
}

/// What a visit gave; its panic goes on here.
fn joined<T>(visit: Result<T, JoinError>) -> T {
    match visit {
        Ok(given) => given,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn has_ended(job: &JobDetail) -> bool {
    matches!(job.status(), Some(JobStatus::Succeeded | JobStatus::Failed))
}

/// What Batch says of a job.
pub(super) fn told(job: &JobDetail) -> Told {
    let last = job.attempts().last();
    let of_last = last.and_then(|it| it.container());
    let container = job.container();
    let exit_code = container.and_then(ContainerDetail::exit_code);
    let reason = container.and_then(ContainerDetail::reason);
    let status = job.status_reason();
    Told {
        job: job.job_id().unwrap_or_default().to_owned(),
        succeeded: job.status() == Some(&JobStatus::Succeeded),
        ended: job.is_terminated() == Some(true) || job.is_cancelled() == Some(true),
        status_reason: status.or_else(|| last?.status_reason()).map(str::to_owned),
        reason: reason.or_else(|| of_last?.reason()).map(str::to_owned),
        exit_code: exit_code.or_else(|| of_last?.exit_code()),
        image: container
            .and_then(ContainerDetail::image)
            .unwrap_or_default()
            .to_owned(),
        log_stream: container
            .and_then(ContainerDetail::log_stream_name)
            .map(str::to_owned),
    }
}

/// What Batch says of a child in a list.
fn told_of(job: &JobSummary) -> Told {
    let container = job.container();
    Told {
        job: job.job_id().unwrap_or_default().to_owned(),
        succeeded: job.status() == Some(&JobStatus::Succeeded),
        status_reason: job.status_reason().map(str::to_owned),
        reason: container.and_then(|it| it.reason()).map(str::to_owned),
        exit_code: container.and_then(|it| it.exit_code()),
        ..Told::default()
    }
}

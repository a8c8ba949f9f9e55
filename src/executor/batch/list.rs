//! The jobs that runs have in Batch, as lists show them.

use std::collections::BTreeSet;

use aws_sdk_batch::types::{JobStatus, JobSummary};

use super::client::Client;
use super::jobs_of;
use super::verdict::ENDED_BY_US;
use crate::aws::{Kind, Trouble};
use crate::datastore::Run;
use crate::datastore::run::RunError;
use crate::model::id::RunId;
use crate::model::job::{Sent, Token};
use crate::model::time::Timestamp;

/// A job in Batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The run that it belongs to.
    pub run: RunId,
    /// Which of the run's jobs.
    pub job: Token,
    /// How Batch calls it.
    pub id: String,
    /// Its state, as Batch calls it.
    pub status: String,
    /// How many attempts it has.
    pub attempts: u64,
    /// When it was submitted.
    pub created_at: Timestamp,
}

impl Listed {
    /// Whether nothing of it runs or waits any more.
    pub fn has_ended(&self) -> bool {
        let status = JobStatus::from(self.status.as_str());
        matches!(status, JobStatus::Succeeded | JobStatus::Failed)
    }

    /// Reads what [`super::job_name`] has written; none when it is no job of ours.
    fn of(job: &JobSummary) -> Option<Self> {
        let rest = job.job_name()?.strip_prefix("wrun-")?;
        let (rest, token) = rest.rsplit_once('-')?;
        let (flow, number) = rest.rsplit_once('-')?;
        let size = job.array_properties().and_then(|it| it.size());
        let created_ms = u64::try_from(job.created_at().unwrap_or(0)).unwrap_or(0);
        Some(Self {
            run: format!("{flow}/{number}").parse().ok()?,
            job: token.parse().ok()?,
            id: job.job_id()?.to_owned(),
            status: job.status().map_or("?", JobStatus::as_str).to_owned(),
            attempts: size.map_or(1, |size| u64::try_from(size).unwrap_or(1)),
            created_at: Timestamp(created_ms * 1000),
        })
    }
}

/// Where jobs of a run were submitted to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    /// The queues of this region.
    pub here: BTreeSet<String>,
    /// Those of other regions, which a client does not see.
    pub elsewhere: BTreeSet<Sent>,
}

/// The queues that jobs of `run` were submitted to.
///
/// # Errors
/// When the datastore cannot be read.
pub async fn queues(client: &Client, run: &Run) -> Result<Queues, RunError> {
    let (jobs, region) = (jobs_of(run).await?, client.region());
    let mut queues = Queues::default();
    for sent in jobs.into_iter().filter_map(|(_, spec)| spec.sent) {
        match sent.region.is_none() || sent.region == region {
            true => queues.here.insert(sent.queue),
            false => queues.elsewhere.insert(sent),
        };
    }
    Ok(queues)
}

/// The jobs in `queue`, of one run or of all, newest first; nothing when there is no such queue.
///
/// # Errors
/// When Batch gives no list.
pub async fn jobs(
    client: &Client,
    queue: &str,
    run: Option<&RunId>,
) -> Result<Option<Vec<Listed>>, Trouble> {
    let names = match run {
        Some(run) => format!("wrun-{}-{}-*", run.flow, run.number),
        None => "wrun-*".to_owned(),
    };
    let found = match client.named(queue, &names).await {
        Err(trouble) if trouble.kind == Kind::Refused && client.queue(queue).await?.is_none() => {
            return Ok(None);
        }
        found => found?,
    };
    let mut jobs: Vec<Listed> = found.iter().filter_map(Listed::of).collect();
    // The flow `a-1` has a run whose jobs begin as those of a run of `a`.
    jobs.retain(|job| run.is_none_or(|run| job.run == *run));
    jobs.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    Ok(Some(jobs))
}

/// Ends a job, and lets its driver know that somebody wanted it.
///
/// # Errors
/// When Batch does not do it.
pub async fn end(client: &Client, job: &Listed) -> Result<(), Trouble> {
    let reason = format!("{ENDED_BY_US}ended by `wrun batch kill`");
    client.terminate(&job.id, &reason).await
}

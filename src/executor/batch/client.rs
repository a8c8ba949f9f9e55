//! The requests to Batch: paced, tried again where that is safe, never twice by accident.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_batch::config::http::HttpResponse;
use aws_sdk_batch::config::retry::RetryConfig;
use aws_sdk_batch::config::timeout::TimeoutConfig;
use aws_sdk_batch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_batch::operation::register_job_definition::builders::RegisterJobDefinitionInputBuilder;
use aws_sdk_batch::types::{
    ArrayProperties, ComputeEnvironmentDetail, ContainerOverrides, JobDetail, JobQueueDetail,
    JobStatus, JobSummary, KeyValuesPair,
};
use tokio::time::Instant;

use super::pace::Pace;
use crate::aws::{self, Trouble};

/// How many jobs one request may describe.
pub const DESCRIBED_AT_ONCE: usize = 100;
/// How often a request is sent that may succeed a little later.
const TRIES: u32 = 8;
/// The pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many jobs are named at once.
const PAGE: i32 = 100;

/// A job as it is submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Its name, by which it is found when the answer is lost: no other job has it.
    pub name: String,
    /// Where it waits.
    pub queue: String,
    /// What is executed.
    pub definition: String,
    /// How many children it has; 1 is no array job.
    pub size: usize,
    /// What the worker is told.
    pub command: Vec<String>,
    /// For the bill.
    pub tags: HashMap<String, String>,
}

/// Sends requests to Batch. Cheap to clone is not needed: one is shared by all.
#[derive(Debug)]
pub struct Client {
    sdk: aws_sdk_batch::Client,
    pace: Mutex<Pace>,
    begun: Instant,
    /// Whether a request has had an answer that was none of an error.
    answered: AtomicBool,
}

impl Client {
    /// A client that sends at most `rate` requests per second.
    pub async fn new(rate: u32) -> Self {
        let config = aws::config().await;
        let timeouts = TimeoutConfig::builder().operation_timeout(TIMEOUT).build();
        // Tried again here and not in there: a job whose answer is lost must not be submitted twice.
        let config = aws_sdk_batch::config::Builder::from(&config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Self {
            sdk: aws_sdk_batch::Client::from_conf(config),
            pace: Mutex::new(Pace::new(rate)),
            begun: Instant::now(),
            answered: AtomicBool::new(false),
        }
    }

    /// The region in which Batch is asked.
    pub fn region(&self) -> Option<String> {
        self.sdk.config().region().map(ToString::to_string)
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one request when its turn has come.
    async fn once<T, E>(
        &self,
        action: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Trouble>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let wait = self.pace().take(self.begun.elapsed());
        tokio::time::sleep(wait).await;
        let answer = request.await.map_err(|error| Trouble::of(action, &error));
        match &answer {
            Ok(_) => {
                self.answered.store(true, Ordering::Relaxed);
                self.pace().accepted();
            }
            Err(trouble) if trouble.kind == aws::Kind::Throttled => self.pace().slow_down(),
            Err(_) => {}
        }
        answer
    }

    /// Whether a request with this trouble may succeed a little later. One that was refused for the
    /// time of this machine may, once others were not: the SDK has taken the time from the answer.
    fn may_pass(&self, trouble: &Trouble) -> bool {
        let of_the_clock = trouble.kind == aws::Kind::Clock;
        trouble.kind.may_pass() || (of_the_clock && self.answered.load(Ordering::Relaxed))
    }

    /// Sends a request that does no harm when it is sent again, until it has an answer.
    async fn call<T, E, F>(
        &self,
        action: &'static str,
        request: impl Fn() -> F,
    ) -> Result<T, Trouble>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.once(action, request()).await {
                Err(trouble) if self.may_pass(&trouble) => {}
                answer => return answer,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.once(action, request()).await
    }

    /// Whether there is an active job definition of this name.
    pub async fn has_definition(&self, name: &str) -> Result<bool, Trouble> {
        let answer = self.call("batch:DescribeJobDefinitions", || {
            let request = self.sdk.describe_job_definitions();
            request.job_definition_name(name).status("ACTIVE").send()
        });
        Ok(!answer.await?.job_definitions().is_empty())
    }

    /// Registers a job definition.
    pub async fn register(
        &self,
        definition: &RegisterJobDefinitionInputBuilder,
    ) -> Result<(), Trouble> {
        // Twice the same is two revisions, of which either will do.
        let answer = self.call("batch:RegisterJobDefinition", || {
            definition.clone().send_with(&self.sdk)
        });
        answer.await.map(drop)
    }

    /// Submits a job once, and gives the identifier by which Batch knows it.
    ///
    /// When it cannot be known whether a request had an effect, the job is looked for by its name.
    pub async fn submit(&self, job: &Submission) -> Result<String, Trouble> {
        let mut pause = PAUSE;
        for last in [false; TRIES as usize - 1].into_iter().chain([true]) {
            let trouble = match self.submit_once(job).await {
                Ok(id) => return Ok(id),
                Err(trouble) => trouble,
            };
            if !self.may_pass(&trouble) {
                return Err(trouble);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            if !matches!(trouble.kind, aws::Kind::Throttled | aws::Kind::Clock)
                && let Some(id) = self.find(&job.queue, &job.name).await?
            {
                return Ok(id);
            }
            if last {
                return Err(trouble);
            }
        }
        unreachable!("the last try returns")
    }

    async fn submit_once(&self, job: &Submission) -> Result<String, Trouble> {
        let overrides = ContainerOverrides::builder().set_command(Some(job.command.clone()));
        let size = i32::try_from(job.size).unwrap_or(i32::MAX);
        let array = (size > 1).then(|| ArrayProperties::builder().size(size).build());
        let tags = (!job.tags.is_empty()).then(|| job.tags.clone());
        let request = self.sdk.submit_job();
        let request = request
            .job_name(&job.name)
            .job_queue(&job.queue)
            .job_definition(&job.definition)
            .set_array_properties(array)
            .set_propagate_tags(tags.is_some().then_some(true))
            .set_tags(tags)
            .container_overrides(overrides.build());
        let answer = self.once("batch:SubmitJob", request.send()).await?;
        Ok(answer.job_id().unwrap_or_default().to_owned())
    }

    /// The job of this name. When there are several, all but the first are ended: they are what a
    /// lost answer left behind.
    pub async fn find(&self, queue: &str, name: &str) -> Result<Option<String>, Trouble> {
        let found = self.named(queue, name).await?;
        let mut ids = found.iter().filter_map(|job| job.job_id());
        let first = ids.next().map(str::to_owned);
        for other in ids {
            self.terminate(other, "wrun: another job does the same")
                .await?;
        }
        Ok(first)
    }

    /// The jobs of this name, in every state; one that ends with `*` names all that begin so.
    pub async fn named(&self, queue: &str, name: &str) -> Result<Vec<JobSummary>, Trouble> {
        let filter = KeyValuesPair::builder().name("JOB_NAME").values(name);
        let filter = filter.build();
        let found = self.list(|token| {
            let request = self.sdk.list_jobs().job_queue(queue);
            request
                .filters(filter.clone())
                .max_results(PAGE)
                .set_next_token(token)
        });
        Ok(whole(found.await?))
    }

    /// The children of an array job that failed.
    pub async fn failed_children(&self, job: &str) -> Result<Vec<JobSummary>, Trouble> {
        self.list(|token| {
            let request = self.sdk.list_jobs().array_job_id(job);
            request
                .job_status(JobStatus::Failed)
                .max_results(PAGE)
                .set_next_token(token)
        })
        .await
    }

    async fn list(
        &self,
        request: impl Fn(
            Option<String>,
        )
            -> aws_sdk_batch::operation::list_jobs::builders::ListJobsFluentBuilder,
    ) -> Result<Vec<JobSummary>, Trouble> {
        let (mut jobs, mut token) = (Vec::new(), None);
        loop {
            let answer = self.call("batch:ListJobs", || request(token.clone()).send());
            let answer = answer.await?;
            jobs.extend(answer.job_summary_list().iter().cloned());
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(jobs);
            }
        }
    }

    /// What Batch knows of these jobs, of at most [`DESCRIBED_AT_ONCE`]; of those that it has
    /// forgotten, nothing.
    pub async fn describe(&self, jobs: &[String]) -> Result<Vec<JobDetail>, Trouble> {
        let answer = self.call("batch:DescribeJobs", || {
            let request = self.sdk.describe_jobs();
            request.set_jobs(Some(jobs.to_vec())).send()
        });
        Ok(answer.await?.jobs().to_vec())
    }

    /// Ends a job, whatever its state; of an array job, all children.
    pub async fn terminate(&self, job: &str, reason: &str) -> Result<(), Trouble> {
        let answer = self.call("batch:TerminateJob", || {
            let request = self.sdk.terminate_job();
            request.job_id(job).reason(reason).send()
        });
        answer.await.map(drop)
    }

    /// Takes back what of a job has not begun.
    pub async fn cancel(&self, job: &str, reason: &str) -> Result<(), Trouble> {
        let answer = self.call("batch:CancelJob", || {
            let request = self.sdk.cancel_job();
            request.job_id(job).reason(reason).send()
        });
        answer.await.map(drop)
    }

    /// What Batch knows of a queue; none when there is no such queue.
    pub async fn queue(&self, name: &str) -> Result<Option<JobQueueDetail>, Trouble> {
        let answer = self.call("batch:DescribeJobQueues", || {
            self.sdk.describe_job_queues().job_queues(name).send()
        });
        Ok(answer.await?.job_queues().first().cloned())
    }

    /// What Batch knows of these compute environments.
    pub async fn environments(
        &self,
        names: &[String],
    ) -> Result<Vec<ComputeEnvironmentDetail>, Trouble> {
        let answer = self.call("batch:DescribeComputeEnvironments", || {
            let request = self.sdk.describe_compute_environments();
            request
                .set_compute_environments(Some(names.to_vec()))
                .send()
        });
        Ok(answer.await?.compute_environments().to_vec())
    }
}
/// The jobs that somebody submitted, without the children of array jobs among them.
///
/// A child has the name of its job. Taken for another job that does the same, it would be ended.
fn whole(mut jobs: Vec<JobSummary>) -> Vec<JobSummary> {
    jobs.retain(|job| job.job_id().is_some_and(|id| !id.contains(':')));
    jobs
}

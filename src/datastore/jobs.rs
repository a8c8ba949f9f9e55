//! What is done elsewhere: the jobs of a run, and what their workers keep.
//!
//! A job is stored before anybody is asked to do it, so that whoever takes the run over finds it.
//! The record of an attempt is created and never replaced: a service may start one attempt twice, and
//! the record of the first to finish must win, because the journal may already have it.

use std::collections::BTreeMap;

use super::layout as keys;
use super::object::{Created, Key, StoreError, each_key};
use super::run::{Run, RunError, decode, encode, get};
use super::sealed::{self, Kind, MAX_CONTENT, Nonce};
use crate::failpoint;
use crate::model::id::TaskId;
use crate::model::job::{JobId, JobSpec, Made, Said, Token};
use crate::model::name::StepName;

/// Ten thousand attempts, and what they have in common.
const JOB: Kind = Kind::new(*b"jobs", "a job", MAX_CONTENT);
/// One record: what is larger in it lies in blobs.
const MADE: Kind = Kind::new(*b"made", "the record of an attempt", 64 << 20);
/// All that was printed since the last time, for which the operator sets the limit.
const SAID: Kind = Kind::new(*b"said", "what a worker says", MAX_CONTENT);
/// How many keys are listed at once.
const PAGE: usize = 1000;

/// A token that nobody else has.
pub fn new_token() -> Token {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&Nonce::new().0[..8]);
    Token::new(bytes)
}

/// Something that a worker has left of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The task.
    pub task: TaskId,
    /// Which attempt.
    pub attempt: u32,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// The record of the attempt.
    Made,
    /// What a worker said meanwhile, for which time, from 0.
    Said(Token, u32),
}

/// All that workers have left of one attempt.
#[derive(Debug, Default)]
pub struct Found {
    /// Whether there is a record.
    pub made: bool,
    /// How often each worker has said something.
    pub said: BTreeMap<Token, u32>,
}

impl Found {
    /// Takes in something that was left of the attempt.
    pub fn add(&mut self, left: Left) {
        match left.what {
            What::Made => self.made = true,
            What::Said(worker, seq) => {
                let times = self.said.entry(worker).or_default();
                *times = (*times).max(seq + 1);
            }
        }
    }
}

impl Run {
    /// Stores what the workers of a new job are to do, and gives the job a name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn create_job(&self, spec: &JobSpec) -> Result<JobId, RunError> {
        loop {
            let job = new_token();
            let key = keys::job(self.id(), &job);
            let bytes = sealed::seal(&key, &JOB, Nonce::new(), &encode(spec));
            failpoint::reach("job.create", &key);
            if self.store().create(&key, bytes).await? == Created::New {
                failpoint::reach("job.created", &key);
                let run = self.id().clone();
                return Ok(JobId { run, job });
            }
        }
    }

    /// What the workers of `job` are to do; none when there is no such job.
    ///
    /// # Errors
    /// [`RunError::Damaged`] when what is there is not what was written.
    pub async fn job(&self, job: &Token) -> Result<Option<JobSpec>, RunError> {
        let key = keys::job(self.id(), job);
        match get(&**self.store(), self.id(), &key, &JOB).await? {
            Some(object) => decode(self.id(), &key, &JOB, &object.bytes).map(Some),
            None => Ok(None),
        }
    }

    /// All jobs of the run.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn jobs(&self) -> Result<Vec<Token>, StoreError> {
        let mut jobs = Vec::new();
        let see = |key: &Key| jobs.extend(keys::job_of(key));
        each_key(&**self.store(), &keys::jobs(self.id()), PAGE, see).await?;
        Ok(jobs)
    }

    /// Stores the record of an attempt. When another worker was first, its record is given back.
    ///
    /// # Errors
    /// When the store fails, or the other record cannot be read.
    pub async fn create_attempt(
        &self,
        task: &TaskId,
        attempt: u32,
        made: &Made,
    ) -> Result<Option<Made>, RunError> {
        let key = keys::attempt(self.id(), task, attempt);
        let bytes = sealed::seal(&key, &MADE, Nonce::new(), &encode(made));
        failpoint::reach("attempt.create", &key);
        let created = self.store().create(&key, bytes).await?;
        failpoint::reach("attempt.created", &key);
        match created {
            Created::New => Ok(None),
            Created::Exists => {
                let found = self.attempt(task, attempt).await?;
                // A store whose first answer was lost has this very one.
                Ok(found.filter(|found| found.worker != made.worker))
            }
        }
    }

    /// The record of an attempt that was made elsewhere; none when there is none yet.
    ///
    /// # Errors
    /// [`RunError::Damaged`] when what is there is not what was written.
    pub async fn attempt(&self, task: &TaskId, attempt: u32) -> Result<Option<Made>, RunError> {
        let key = keys::attempt(self.id(), task, attempt);
        match get(&**self.store(), self.id(), &key, &MADE).await? {
            Some(object) => decode(self.id(), &key, &MADE, &object.bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Stores what `worker` says for the `seq`th time of the attempt that it makes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn say(
        &self,
        (task, attempt): (&TaskId, u32),
        (worker, seq): (&Token, u32),
        said: &[Said],
    ) -> Result<(), RunError> {
        let key = keys::said(self.id(), task, attempt, worker, seq);
        let bytes = sealed::seal(&key, &SAID, Nonce::new(), &encode(&said));
        failpoint::reach("said.create", &key);
        // One that is there already is this one: nobody else has the worker's token.
        self.store().create(&key, bytes).await?;
        Ok(())
    }

    /// What `worker` said for the `seq`th time.
    ///
    /// # Errors
    /// [`RunError::Damaged`] when what is there is not what was written.
    pub async fn said(
        &self,
        (task, attempt): (&TaskId, u32),
        (worker, seq): (&Token, u32),
    ) -> Result<Vec<Said>, RunError> {
        let key = keys::said(self.id(), task, attempt, worker, seq);
        match get(&**self.store(), self.id(), &key, &SAID).await? {
            Some(object) => decode(self.id(), &key, &SAID, &object.bytes),
            None => Ok(Vec::new()),
        }
    }

    /// What workers have left of the tasks of `step`, from the `first` to the `last` in the order of
    /// keys, which is that of their names as text.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn left(
        &self,
        step: &StepName,
        (first, last): (&TaskId, &TaskId),
    ) -> Result<Vec<Left>, StoreError> {
        let prefix = keys::tasks(self.id(), step);
        let end = format!("{step}/{}~", last.place);
        let mut after = keys::before_task(self.id(), first);
        let mut left = Vec::new();
        loop {
            let found = self.store().list(&prefix, Some(&after), PAGE).await?;
            let whole = found.len() < PAGE;
            for key in found {
                let of_tasks = &key.as_str()[prefix.as_str().len() - step.as_str().len() - 1..];
                if of_tasks > end.as_str() {
                    return Ok(left);
                }
                left.extend(parse(of_tasks));
                after = key;
            }
            if whole {
                return Ok(left);
            }
        }
    }
}

/// What `step/task/attempt-…` or `step/task/said-…` names.
fn parse(text: &str) -> Option<Left> {
    let (task, rest) = text.rsplit_once('/')?;
    let task = task.parse().ok()?;
    if let Some(attempt) = rest.strip_prefix("attempt-") {
        let attempt = attempt.parse().ok()?;
        let what = What::Made;
        return Some(Left {
            task,
            attempt,
            what,
        });
    }
    let mut parts = rest.strip_prefix("said-")?.split('-');
    let attempt = parts.next()?.parse().ok()?;
    let worker = parts.next()?.parse().ok()?;
    let seq = parts.next()?.parse().ok()?;
    let what = What::Said(worker, seq);
    Some(Left {
        task,
        attempt,
        what,
    })
}

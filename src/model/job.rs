//! What an executor elsewhere is given, and what comes back from there.
//!
//! A *job* is one order to a service that runs containers. It holds the specifications of the
//! attempts that its *workers* make: one, or as many as an array job has children.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::artifact::Value;
use super::id::{RunId, TaskId};
use super::name::ArtifactName;
use super::record::{LogChunk, Record};
use super::time::Timestamp;

/// How many digits the name of a job or of a worker has.
const DIGITS: usize = 16;

/// A name that nobody chose and that no other has: 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(String);

/// A text that is not a [`Token`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a job: 16 hexadecimal digits are expected")]
pub struct TokenError(String);

impl Token {
    /// The token of these bytes, of which everybody has others.
    pub fn new(bytes: [u8; 8]) -> Self {
        Self(format!("{:016x}", u64::from_be_bytes(bytes)))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        match text.len() == DIGITS && text.bytes().all(digit) {
            true => Ok(Self(text.to_owned())),
            false => Err(TokenError(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<String> for Token {
    type Error = TokenError;

    fn try_from(text: String) -> Result<Self, TokenError> {
        text.parse()
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.0
    }
}

/// A job of a run: `wordcount/42/0123456789abcdef`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    /// The run.
    pub run: RunId,
    /// Which of its jobs.
    pub job: Token,
}

/// A text that is not a [`JobId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a job: `flow/run/job` is expected, e.g. `wordcount/42/0123456789abcdef`")]
pub struct JobIdError(String);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.run, self.job))
    }
}

impl FromStr for JobId {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<Self, JobIdError> {
        let wrong = || JobIdError(text.chars().take(120).collect());
        let (run, job) = text.rsplit_once('/').ok_or_else(wrong)?;
        Ok(Self {
            run: run.parse().map_err(|_| wrong())?,
            job: job.parse().map_err(|_| wrong())?,
        })
    }
}

/// What the workers of one job are to do.
///
/// Attempts share what they have in common: ten thousand elements of a foreach see the same
/// artifacts, which stand here once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// What tasks can see, each sorted by name. Small values are here with their bytes.
    pub envs: Vec<Vec<(ArtifactName, Value)>>,
    /// The lists of foreaches.
    pub lists: Vec<Value>,
    /// The attempts, in the order of the children of an array job.
    pub attempts: Vec<AttemptSpec>,
    /// Where the job was submitted to, so that whoever takes the run over looks there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
}

/// Where a job was submitted to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sent {
    /// The queue: its name or ARN.
    pub queue: String,
    /// The region of the queue, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// One attempt to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSpec {
    /// The task.
    pub task: TaskId,
    /// Which attempt, from 0.
    pub attempt: u32,
    /// What the task can see, by its position in [`JobSpec::envs`].
    pub env: u32,
    /// The element that it stands for: the position of its list in [`JobSpec::lists`], and its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<(u32, u32)>,
    /// What a join brings together: the last task of each branch, and what could be seen there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branches: Option<Vec<(TaskId, u32)>>,
}

/// What a worker keeps of the attempt that it made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The record, as a driver puts it into the journal.
    pub record: Record,
    /// Who made it: of several workers that made one attempt, the first has its record kept.
    pub worker: Token,
    /// How often it said something before.
    pub said: u32,
}

/// What a worker says while it makes an attempt that takes long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The attempt began.
    Started {
        /// When.
        at: Timestamp,
    },
    /// The attempt said how far it is.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all; 0 when not known.
        total: u64,
        /// What it is doing.
        message: String,
    },
    /// It printed something.
    Log {
        /// When it was received.
        at: Timestamp,
        /// What was printed.
        chunks: Vec<LogChunk>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_job_is_printed_as_it_is_read(bytes in any::<[u8; 8]>(), number in 1u64..) {
            let run = RunId { flow: "wordcount".parse().unwrap(), number };
            let job = JobId { run, job: Token::new(bytes) };
            prop_assert_eq!(job.to_string().parse(), Ok(job));
        }
    }

    #[test]
    fn what_is_no_job_is_refused() {
        for text in [
            "",
            "a/1",
            "a/1/x",
            "a/1/0123456789ABCDEF",
            "a/0123456789abcdef",
        ] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
    }
}

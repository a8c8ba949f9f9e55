//! What AWS Batch is told about jobs.
//!
//! Credentials, region and endpoint are not here: they come from where every tool of AWS takes them.

use std::collections::BTreeMap;

use super::file::Raw;
use super::keys::{Key, key, set, size_in, text, whole};
use super::quantity;
use crate::model::header::ExecutorKind;

/// What runs the containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// Instances of EC2, also those that may be reclaimed.
    #[default]
    Ec2,
    /// Fargate: no instances to care for, fixed sizes, no GPUs.
    Fargate,
}

impl Platform {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Fargate => "fargate",
        }
    }
}

/// How much workers say in the logs of their containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Only what went wrong.
    Error,
    /// Also what they do.
    #[default]
    Info,
    /// Also what tasks print.
    All,
}

impl LogLevel {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Info => "info",
            Self::All => "all",
        }
    }
}

/// The settings below `batch.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The job queue: its name or ARN.
    pub queue: Option<String>,
    /// The image of the workers.
    pub image: Option<String>,
    /// The role of the containers: may read and write the datastore.
    pub job_role: Option<String>,
    /// The role that pulls the image and writes logs.
    pub execution_role: Option<String>,
    /// What runs the containers.
    pub platform: Platform,
    /// How much workers say in the logs of their containers.
    pub log_level: LogLevel,
    /// Tags of jobs, for the bill.
    pub tags: BTreeMap<String, String>,
    /// Disk of a container in GiB, where said.
    pub ephemeral_storage_gib: Option<u32>,
    /// By how much a container has more memory than its task, in MiB.
    pub memory_overhead_mib: u32,
    /// Variables of the containers.
    pub environment: BTreeMap<String, String>,
    /// Variables of the containers whose values are in Secrets Manager or the Parameter Store: ARNs.
    pub secrets: BTreeMap<String, String>,
    /// Whether containers of Fargate have an address of their own in the internet.
    pub public_ip: bool,
    /// The most attempts of one array job.
    pub array_size: u32,
    /// The most attempts that wait or run at once.
    pub max_jobs: u32,
    /// The most requests per second.
    pub requests_per_second: u32,
    /// Whether a datastore in a directory is in the containers under the same path.
    pub shared_directory: bool,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            queue: None,
            image: None,
            job_role: None,
            execution_role: None,
            platform: Platform::default(),
            log_level: LogLevel::default(),
            tags: BTreeMap::new(),
            ephemeral_storage_gib: None,
            memory_overhead_mib: 512,
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            public_ip: false,
            array_size: 10_000,
            max_jobs: 20_000,
            requests_per_second: 10,
            shared_directory: false,
        }
    }
}

/// Where attempts are made.
pub(super) fn executor(value: &Raw) -> Result<ExecutorKind, String> {
    let all = [ExecutorKind::Local, ExecutorKind::Batch];
    let names = all.map(|it| (it.to_string(), it));
    word(
        value,
        names.each_ref().map(|(name, it)| (name.as_str(), *it)),
    )
}

/// The settings of Batch, in the order in which they are shown.
pub(super) const KEYS: &[Key] = &[
    key(
        "batch.queue",
        "the job queue: its name or ARN",
        |s, v, _| set(&mut s.batch.queue, text(v).map(Some)),
        |s| said(&s.batch.queue),
    ),
    key(
        "batch.image",
        "the image of the workers",
        |s, v, _| set(&mut s.batch.image, text(v).map(Some)),
        |s| said(&s.batch.image),
    ),
    key(
        "batch.job-role",
        "the role of the containers",
        |s, v, _| set(&mut s.batch.job_role, text(v).map(Some)),
        |s| said(&s.batch.job_role),
    ),
    key(
        "batch.execution-role",
        "the role that pulls the image and writes logs",
        |s, v, _| set(&mut s.batch.execution_role, text(v).map(Some)),
        |s| said(&s.batch.execution_role),
    ),
    key(
        "batch.platform",
        "what runs the containers: `ec2` or `fargate`",
        |s, v, _| {
            let all = [Platform::Ec2, Platform::Fargate];
            set(
                &mut s.batch.platform,
                word(v, all.map(|it| (it.word(), it))),
            )
        },
        |s| s.batch.platform.word().to_owned(),
    ),
    key(
        "batch.log-level",
        "how much workers say in the logs of their containers: `error`, `info` or `all`",
        |s, v, _| {
            let all = [LogLevel::Error, LogLevel::Info, LogLevel::All];
            set(
                &mut s.batch.log_level,
                word(v, all.map(|it| (it.word(), it))),
            )
        },
        |s| s.batch.log_level.word().to_owned(),
    ),
    key(
        "batch.tags",
        "tags of jobs: a list of `NAME=VALUE`",
        |s, v, _| set(&mut s.batch.tags, pairs(v)),
        |s| show_pairs(&s.batch.tags),
    ),
    key(
        "batch.ephemeral-storage",
        "the disk of a container",
        |s, v, _| {
            let size = size_in(v, 1 << 30, 16 << 10);
            set(&mut s.batch.ephemeral_storage_gib, size.map(Some))
        },
        |s| match s.batch.ephemeral_storage_gib {
            Some(gib) => quantity::show_size(u64::from(gib) << 30),
            None => said(&None),
        },
    ),
    key(
        "batch.memory-overhead",
        "by how much a container has more memory than its task",
        |s, v, _| {
            set(
                &mut s.batch.memory_overhead_mib,
                size_in(v, 1 << 20, 1 << 14),
            )
        },
        |s| quantity::show_size(u64::from(s.batch.memory_overhead_mib) << 20),
    ),
    key(
        "batch.environment",
        "variables of the containers: a list of `NAME=VALUE`",
        |s, v, _| set(&mut s.batch.environment, variables(v)),
        |s| show_variables(&s.batch.environment),
    ),
    key(
        "batch.secrets",
        "variables of the containers with the ARNs of their values: a list of `NAME=ARN`",
        |s, v, _| set(&mut s.batch.secrets, variables(v)),
        |s| show_pairs(&s.batch.secrets),
    ),
    key(
        "batch.public-ip",
        "whether containers of Fargate have an address in the internet: `true` or `false`",
        |s, v, _| set(&mut s.batch.public_ip, truth(v)),
        |s| s.batch.public_ip.to_string(),
    ),
    key(
        "batch.array-size",
        "the most attempts of one array job",
        |s, v, _| set(&mut s.batch.array_size, whole(v, 2, 10_000)),
        |s| s.batch.array_size.to_string(),
    ),
    key(
        "batch.max-jobs",
        "the most attempts that wait or run in Batch at once",
        |s, v, _| set(&mut s.batch.max_jobs, whole(v, 1, 1_000_000)),
        |s| s.batch.max_jobs.to_string(),
    ),
    key(
        "batch.requests-per-second",
        "the most requests to Batch per second",
        |s, v, _| set(&mut s.batch.requests_per_second, whole(v, 1, 1000)),
        |s| s.batch.requests_per_second.to_string(),
    ),
    key(
        "batch.shared-directory",
        "whether a datastore in a directory is in the containers under the same path: `true` or `false`",
        |s, v, _| set(&mut s.batch.shared_directory, truth(v)),
        |s| s.batch.shared_directory.to_string(),
    ),
];

/// What workers are told by variables; nobody else may say it.
pub const OUR_VARIABLES: [&str; 2] = ["WRUN_DATASTORE", "WRUN_BATCH_LOG_LEVEL"];

fn said(text: &Option<String>) -> String {
    text.clone().unwrap_or_else(|| "not set".to_owned())
}

/// One of a few words.
fn word<T: Copy, const N: usize>(value: &Raw, words: [(&str, T); N]) -> Result<T, String> {
    let text = text(value)?;
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, it)| *it).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        format!("is `{text}`; it takes {}", known.join(", "))
    })
}

fn truth(value: &Raw) -> Result<bool, String> {
    match value {
        Raw::Boolean(truth) => Ok(*truth),
        other => word(other, [("true", true), ("false", false)]),
    }
}

/// A list of `NAME=VALUE`.
fn pairs(value: &Raw) -> Result<BTreeMap<String, String>, String> {
    let texts = match value {
        Raw::List(texts) => texts.clone(),
        Raw::Text(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        _ => return Err("takes a list of texts, e.g. `[\"team=data\"]`".to_owned()),
    };
    let texts = texts.into_iter().filter(|text| !text.is_empty());
    let pair = |text: String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("has `{text}` in it, which is not `NAME=VALUE`")),
    };
    texts.map(pair).collect()
}

/// A list of `NAME=VALUE`, of variables that are not set by others.
fn variables(value: &Raw) -> Result<BTreeMap<String, String>, String> {
    let variables = pairs(value)?;
    for name in variables.keys() {
        if OUR_VARIABLES.contains(&name.as_str()) {
            return Err(format!("names `{name}`, which workers have from wrun"));
        }
        if name.starts_with("AWS_BATCH") {
            return Err(format!(
                "names `{name}`, and Batch keeps `AWS_BATCH…` for itself"
            ));
        }
    }
    Ok(variables)
}

/// The same as pairs, without values that nobody should see over somebody's shoulder.
fn show_variables(variables: &BTreeMap<String, String>) -> String {
    let hides = ["SECRET", "TOKEN", "PASSWORD", "CREDENTIAL", "KEY"];
    let shown = variables.iter().map(|(name, value)| {
        let upper = name.to_uppercase();
        match hides.iter().any(|part| upper.contains(part)) {
            true => (name.clone(), "…".to_owned()),
            false => (name.clone(), value.clone()),
        }
    });
    show_pairs(&shown.collect())
}

fn show_pairs(pairs: &BTreeMap<String, String>) -> String {
    if pairs.is_empty() {
        return "none".to_owned();
    }
    let all: Vec<_> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
    all.join(", ")
}

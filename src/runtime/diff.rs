//! Compares two runs: what they were made of, and what came out, task by task.

use std::collections::BTreeMap;

use super::compare::{self, Difference, Side};
use super::past::PastError;
use crate::datastore::run::Run;
use crate::datastore::{BlobError, Datastore};
use crate::model::artifact::Artifact;
use crate::model::digest::Digest;
use crate::model::event::{Event, RunStatus};
use crate::model::header::RunHeader;
use crate::model::id::TaskId;
use crate::model::record::{LogChunk, Record};
use crate::snapshot::manifest::Manifest;

/// Why two runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// One of them cannot be read.
    #[error(transparent)]
    Past(#[from] PastError),
    /// An artifact that must be read to tell cannot be.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Why what came out of a task differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It read something else, so that the cause lies before it.
    Inputs,
    /// It read the same, so that the cause is its code, its engine, chance or time.
    Itself,
}

/// A task that is in both runs and differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDiff {
    /// The task.
    pub task: TaskId,
    /// The first thing that differs.
    pub difference: Difference,
    /// Where the cause lies.
    pub cause: Cause,
}

/// How two runs differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// What they were made of: settings, parameters, code.
    pub made_of: Vec<Difference>,
    /// How they ended, when not the same way.
    pub ended: Option<(String, String)>,
    /// How many tasks are in both and equal.
    pub equal: u64,
    /// Tasks that differ, in the order in which they ended in the first run.
    pub tasks: Vec<TaskDiff>,
    /// Tasks that only the first run has.
    pub only_left: Vec<TaskId>,
    /// Tasks that only the second run has.
    pub only_right: Vec<TaskId>,
}

impl Diff {
    /// Whether everything that came out is the same.
    pub fn is_same(&self) -> bool {
        self.ended.is_none()
            && self.tasks.is_empty()
            && self.only_left.is_empty()
            && self.only_right.is_empty()
    }
}

/// How `right` differs from `left`.
///
/// # Errors
/// [`DiffError`] when one of them cannot be read.
pub async fn diff(datastore: &Datastore, left: &Run, right: &Run) -> Result<Diff, DiffError> {
    let (mut a, mut b) = (Tasks::of(left).await?, Tasks::of(right).await?);
    let mut diff = Diff {
        made_of: made_of(datastore, left.header(), right.header()).await?,
        ..Diff::default()
    };
    let ended = (word(a.status), word(b.status));
    if ended.0 != ended.1 {
        diff.ended = Some((ended.0.to_owned(), ended.1.to_owned()));
    }
    for task in std::mem::take(&mut a.order) {
        let Some(before) = a.tasks.remove(&task) else {
            continue;
        };
        let Some(now) = b.tasks.remove(&task) else {
            diff.only_left.push(task);
            continue;
        };
        match compare::results(before.side(datastore), now.side(datastore)).await? {
            None => diff.equal += 1,
            Some(difference) => {
                let cause = match before.record.inputs == now.record.inputs {
                    true => Cause::Itself,
                    false => Cause::Inputs,
                };
                diff.tasks.push(TaskDiff {
                    task,
                    difference,
                    cause,
                });
            }
        }
    }
    diff.only_right = b
        .order
        .into_iter()
        .filter(|task| b.tasks.contains_key(task))
        .collect();
    Ok(diff)
}

fn word(status: Option<RunStatus>) -> &'static str {
    match status {
        None => "no end",
        Some(RunStatus::Succeeded) => "succeeded",
        Some(RunStatus::Failed) => "failed",
        Some(RunStatus::Cancelled) => "cancelled",
    }
}

/// The last attempt of a task.
struct Last {
    record: Record,
    printed: Vec<LogChunk>,
}

impl Last {
    fn side<'a>(&'a self, datastore: &'a Datastore) -> Side<'a> {
        Side {
            record: &self.record,
            printed: &self.printed,
            datastore,
        }
    }
}

/// What is known of the tasks of a run.
#[derive(Default)]
struct Tasks {
    order: Vec<TaskId>,
    tasks: BTreeMap<TaskId, Last>,
    status: Option<RunStatus>,
}

impl Tasks {
    async fn of(run: &Run) -> Result<Self, PastError> {
        let mut tasks = Self::default();
        let mut printed: BTreeMap<(TaskId, u32), Vec<LogChunk>> = BTreeMap::new();
        for segment in 0..run.segments().await? {
            for event in run.read_segment(segment).await? {
                match event {
                    Event::Log {
                        task,
                        attempt,
                        chunks,
                        ..
                    } => {
                        let printed = printed.entry((task, attempt)).or_default();
                        LogChunk::follow(printed, &chunks);
                    }
                    Event::Finished {
                        task,
                        attempt,
                        record,
                    }
                    | Event::Reused {
                        task,
                        attempt,
                        record,
                        ..
                    } => {
                        let printed = printed.remove(&(task.clone(), attempt));
                        tasks.note(task, *record, printed.unwrap_or_default());
                    }
                    Event::RunEnded { status, .. } => tasks.status = Some(status),
                    _ => {}
                }
            }
        }
        Ok(tasks)
    }

    fn note(&mut self, task: TaskId, record: Record, printed: Vec<LogChunk>) {
        let last = Last { record, printed };
        if self.tasks.insert(task.clone(), last).is_none() {
            self.order.push(task);
        }
    }
}

async fn made_of(
    datastore: &Datastore,
    left: &RunHeader,
    right: &RunHeader,
) -> Result<Vec<Difference>, DiffError> {
    let mut found = Vec::new();
    let mut add = |what: &str, before: String, now: String| {
        if before != now {
            let what = what.to_owned();
            found.push(Difference { what, before, now });
        }
    };
    add("seed", left.seed.to_string(), right.seed.to_string());
    add("engine", left.engine.short(), right.engine.short());
    add("wrun", left.wrun.clone(), right.wrun.clone());
    let json = |value: serde_json::Result<String>| value.unwrap_or_default();
    let limits = |header: &RunHeader| json(serde_json::to_string(&header.limits));
    add("limits", limits(left), limits(right));
    let steps = |header: &RunHeader| json(serde_json::to_string(&header.steps));
    add("settings of steps", steps(left), steps(right));
    add("module", left.module.short(), right.module.short());
    if left.module != right.module {
        found.extend(code(datastore, left, right).await);
    }
    found.extend(parameters(datastore, &left.parameters, &right.parameters).await?);
    Ok(found)
}

/// The source files that differ. A manifest that is gone hides them, and nothing else.
async fn code(datastore: &Datastore, left: &RunHeader, right: &RunHeader) -> Vec<Difference> {
    let left = Manifest::load(datastore, &left.snapshot).await;
    let right = Manifest::load(datastore, &right.snapshot).await;
    let (Ok(left), Ok(right)) = (left, right) else {
        return Vec::new();
    };
    let files = |manifest: &Manifest| -> BTreeMap<String, Digest> {
        let files = manifest.files.iter();
        files.map(|file| (file.path.clone(), file.digest)).collect()
    };
    let (left, mut right) = (files(&left), files(&right));
    let mut found = Vec::new();
    let mut add = |path: &str, before: Option<Digest>, now: Option<Digest>| {
        let word = |side: Option<Digest>| side.map_or("not there".into(), |digest| digest.short());
        found.push(Difference {
            what: format!("file `{path}`"),
            before: word(before),
            now: word(now),
        });
    };
    for (path, digest) in left {
        match right.remove(&path) {
            Some(other) if other == digest => {}
            other => add(&path, Some(digest), other),
        }
    }
    for (path, digest) in right {
        add(&path, None, Some(digest));
    }
    found
}

async fn parameters(
    datastore: &Datastore,
    left: &[Artifact],
    right: &[Artifact],
) -> Result<Vec<Difference>, DiffError> {
    let mut found = Vec::new();
    for Artifact { name, value } in left {
        match right.iter().find(|other| other.name == *name) {
            Some(other) => {
                let sides = ((datastore, value), (datastore, &other.value));
                let difference = compare::values(name.as_str(), sides.0, sides.1).await?;
                found.extend(difference.map(|it| Difference {
                    what: it.what.replacen("artifact", "parameter", 1),
                    ..it
                }));
            }
            None => found.push(Difference {
                what: format!("parameter `{name}`"),
                before: "given".into(),
                now: "not there".into(),
            }),
        }
    }
    let new = right
        .iter()
        .filter(|it| !left.iter().any(|other| other.name == it.name));
    found.extend(new.map(|it| Difference {
        what: format!("parameter `{}`", it.name),
        before: "not there".into(),
        now: "given".into(),
    }));
    Ok(found)
}

//! Which value a name means.

use std::fmt;

use crate::cli::error::{CliError, Kind};
use crate::cli::select;
use crate::cli::store::Store;
use crate::cli::suggest;
use crate::model::artifact::{Artifact, Value};
use crate::model::id::{Place, RunId, TaskId};
use crate::model::name::{ArtifactName, StepName};
use crate::model::pathspec::{PathSpec, Within};
use crate::report::history::{History, TaskState};

/// A value and where it was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    run: RunId,
    /// The task that wrote it; none for a parameter.
    task: Option<TaskId>,
    /// Its name.
    pub(super) name: ArtifactName,
    /// The value.
    pub(super) value: Value,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.task {
            Some(task) => write!(f, "{}/{task}/{}", self.run, self.name),
            None => write!(f, "{}/{}", self.run, self.name),
        }
    }
}

/// The value that `target` means.
///
/// # Errors
/// When there is none, or several could be meant; says what there is.
pub(super) fn find(store: &Store, target: &PathSpec) -> Result<Found, CliError> {
    let run = select::run(store, &target.run())?;
    let (step, place, name) = match target.within() {
        Within::Run => return Err(which_step(store, run)?),
        Within::Step(step) => (step, None, None),
        Within::Task(step, place) => (step, Some(place), None),
        Within::StepArtifact(step, name) => (step, None, Some(name)),
        Within::Artifact(step, place, name) => (step, Some(place), Some(name)),
    };
    let (events, _) = store.events_from(&run, 0)?;
    let history = History::of(&events);
    if place.is_none() && name.is_none() && history.tasks(&step).is_none() {
        return parameter(store, run, &history, &step);
    }
    let task = select::task(&run, &history, &step, place.as_ref())?;
    let record = select::last_record(&events, &task);
    let artifacts = record.map(|record| record.artifacts).unwrap_or_default();
    let artifact = pick(&run, &task, artifacts, name.as_ref(), &history)?;
    Ok(Found { run, task: Some(task), name: artifact.name, value: artifact.value })
}

fn which_step(store: &Store, run: RunId) -> Result<CliError, CliError> {
    let (events, _) = store.events_from(&run, 0)?;
    let history = History::of(&events);
    let steps = history.steps();
    let names = suggest::list(steps.iter().map(|(name, _)| name.as_str()));
    Ok(CliError::usage(format!("which artifact of run `{run}`?"))
        .cause(format!("it has tasks of {names}"))
        .hint(format!("name it, as in `wrun get {run}/STEP/ARTIFACT`"))
        .hint(format!("`wrun show {run}/STEP` lists the artifacts of a step")))
}

fn parameter(
    store: &Store,
    run: RunId,
    history: &History,
    name: &StepName,
) -> Result<Found, CliError> {
    let mut parameters = store.header(&run)?.parameters.into_iter();
    match parameters.find(|parameter| parameter.name.as_str() == name.as_str()) {
        Some(Artifact { name, value }) => Ok(Found { run, task: None, name, value }),
        None => {
            let missing = select::check_step(&run, history, name);
            Err(missing.expect_err("whoever asks has seen that the step has no task"))
        }
    }
}

fn pick(
    run: &RunId,
    task: &TaskId,
    mut artifacts: Vec<Artifact>,
    name: Option<&ArtifactName>,
    history: &History,
) -> Result<Artifact, CliError> {
    let at = artifacts.iter().position(|artifact| name.is_none_or(|name| *name == artifact.name));
    match (name, at) {
        (None, Some(_)) if artifacts.len() > 1 => {
            let names = artifacts.iter().map(|artifact| artifact.name.as_str());
            Err(CliError::usage(format!("task `{run}/{task}` has {} artifacts", artifacts.len()))
                .cause(format!("they are {}", suggest::list(names)))
                .hint(format!("name one, as in `{run}/{task}/{}`", artifacts[0].name)))
        }
        (_, Some(at)) => Ok(artifacts.swap_remove(at)),
        (_, None) => Err(missing(run, task, &artifacts, name, failed(history, &task.step, &task.place))),
    }
}

fn failed(history: &History, step: &StepName, place: &Place) -> bool {
    let facts = history.tasks(step).and_then(|tasks| tasks.get(place));
    facts.is_some_and(|facts| matches!(facts.state, TaskState::Failed(_)))
}

fn missing(
    run: &RunId,
    task: &TaskId,
    artifacts: &[Artifact],
    name: Option<&ArtifactName>,
    failed: bool,
) -> CliError {
    let names = || artifacts.iter().map(|artifact| artifact.name.as_str());
    let what = match name {
        Some(name) => format!("task `{run}/{task}` has no artifact `{name}`"),
        None => format!("task `{run}/{task}` has no artifacts"),
    };
    let error = CliError::new(Kind::NotFound, what);
    if failed {
        return error
            .cause("it failed, and what fails writes nothing")
            .hint(format!("`wrun show {run}/{task}` says why"));
    }
    let near = name.and_then(|name| suggest::did_you_mean(name.as_str(), names()));
    error.cause(format!("it wrote {}", suggest::list(names()))).hint_if(near)
}

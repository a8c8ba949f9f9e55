//! Which run, step, task and artifact a command is about, and what is said when there is none.
//!
//! What is left out is filled in where only one thing can be meant.

use super::error::{CliError, Kind};
use super::store::Store;
use super::suggest;
use crate::model::event::Event;
use crate::model::id::{Place, RunId, TaskId};
use crate::model::name::{FlowName, StepName};
use crate::model::pathspec::{PathSpec, RunSelector, WhichRun, Within};
use crate::model::record::Record;
use crate::report::history::History;

/// The run that `selector` means: the newest of all flows where no flow is named.
///
/// # Errors
/// When the datastore has no such flow or run; says which it has.
pub fn run(store: &Store, selector: &RunSelector) -> Result<RunId, CliError> {
    match (&selector.flow, selector.run) {
        (None, WhichRun::Latest) => store.latest(None)?.ok_or_else(|| no_runs(store)),
        (None, WhichRun::Number(number)) => {
            let flow = only_flow(store, number)?;
            numbered(store, flow, number)
        }
        (Some(flow), WhichRun::Latest) => match store.latest(Some(flow))? {
            Some(run) => Ok(run),
            None => Err(no_flow(store, flow)?),
        },
        (Some(flow), WhichRun::Number(number)) => numbered(store, flow.clone(), number),
    }
}

fn numbered(store: &Store, flow: FlowName, number: u64) -> Result<RunId, CliError> {
    let run = RunId { flow, number };
    if store.exists(&run)? {
        return Ok(run);
    }
    match store.latest(Some(&run.flow))? {
        None => Err(no_flow(store, &run.flow)?),
        Some(latest) => Err(
            CliError::new(Kind::NotFound, format!("run `{run}` does not exist"))
                .cause(format!("the newest run of the flow is `{latest}`"))
                .hint(format!("`wrun runs {}` lists them", run.flow)),
        ),
    }
}

fn only_flow(store: &Store, number: u64) -> Result<FlowName, CliError> {
    let flows = store.flows()?;
    match flows.as_slice() {
        [] => Err(no_runs(store)),
        [flow] => Ok(flow.clone()),
        [first, ..] => Err(CliError::usage(format!("run `{number}` of which flow?"))
            .cause(format!(
                "there are {}",
                suggest::list(flows.iter().map(FlowName::as_str))
            ))
            .hint(format!("name it, as in `{first}/{number}`"))),
    }
}

fn no_flow(store: &Store, flow: &FlowName) -> Result<CliError, CliError> {
    let flows = store.flows()?;
    if flows.is_empty() {
        return Ok(no_runs(store));
    }
    let names = || flows.iter().map(FlowName::as_str);
    Ok(
        CliError::new(Kind::NotFound, format!("flow `{flow}` has no runs"))
            .cause(format!("there are runs of {}", suggest::list(names())))
            .hint_if(suggest::did_you_mean(flow.as_str(), names())),
    )
}

/// The error for a datastore without runs.
pub fn no_runs(store: &Store) -> CliError {
    CliError::new(
        Kind::NotFound,
        format!("there are no runs in `{}`", store.url()),
    )
    .hint("`wrun run` in a flow's directory makes one")
    .hint("`--datastore URL` looks elsewhere")
}

/// Checks that the run has the step.
pub fn check_step(run: &RunId, history: &History, step: &StepName) -> Result<(), CliError> {
    if history.tasks(step).is_some() {
        return Ok(());
    }
    let steps = history.steps();
    let names = || steps.iter().map(|(name, _)| name.as_str());
    let what = format!("run `{run}` has no task of step `{step}`");
    Err(CliError::new(Kind::NotFound, what)
        .cause(format!("it has tasks of {}", suggest::list(names())))
        .hint_if(suggest::did_you_mean(step.as_str(), names())))
}

/// The task that is meant: the one named, or the only one of the step.
pub fn task(
    run: &RunId,
    history: &History,
    step: &StepName,
    place: Option<&Place>,
) -> Result<TaskId, CliError> {
    check_step(run, history, step)?;
    let tasks = history
        .tasks(step)
        .into_iter()
        .flatten()
        .map(|(place, _)| place);
    let places: Vec<&Place> = tasks.collect();
    let id = |place: &Place| TaskId {
        step: step.clone(),
        place: place.clone(),
    };
    let listed = || {
        let texts: Vec<_> = places.iter().map(ToString::to_string).collect();
        format!("it has {}", suggest::list(texts.iter().map(String::as_str)))
    };
    match (place, places.as_slice()) {
        (Some(place), all) if all.contains(&place) => Ok(id(place)),
        (None, [only]) => Ok(id(only)),
        (Some(place), _) => {
            let what = format!("step `{step}` of run `{run}` has no task `{place}`");
            Err(CliError::new(Kind::NotFound, what).cause(listed()))
        }
        (None, [first, ..]) => {
            let what = format!("step `{step}` of run `{run}` has {} tasks", places.len());
            Err(CliError::usage(what)
                .cause(listed())
                .hint(format!("name one of them, as in `{run}/{step}/{first}`")))
        }
        (None, []) => Err(CliError::new(
            Kind::NotFound,
            format!("step `{step}` has no tasks"),
        )),
    }
}

/// The one task that `target` names, in a run that is there.
///
/// # Errors
/// When it names more or less than a task, or one that the run does not have.
pub fn one_task(store: &Store, target: &PathSpec) -> Result<(RunId, TaskId), CliError> {
    let id = run(store, &target.run())?;
    let (events, _) = store.events_from(&id, 0)?;
    let history = History::of(&events);
    let task = match target.within() {
        Within::Step(step) => task(&id, &history, &step, None)?,
        Within::Task(step, place) => task(&id, &history, &step, Some(&place))?,
        _ => {
            let what = format!("`{target}` is no task");
            let hint =
                format!("name one, as in `{id}/STEP/TASK`; `wrun show {id}` lists the steps");
            return Err(CliError::usage(what).hint(hint));
        }
    };
    Ok((id, task))
}

/// The record of the last attempt of a task, with what was caught added to its artifacts.
pub fn last_record(events: &[Event], task: &TaskId) -> Option<Record> {
    let mut last = None;
    for event in events {
        if let Some((of, _, record)) = event.ending()
            && of == task
        {
            last = Some(record.clone());
        }
        if let (
            Event::Caught {
                task: of, artifact, ..
            },
            Some(record),
        ) = (event, &mut last)
            && of == task
        {
            record.artifacts.push(artifact.clone());
        }
    }
    last
}

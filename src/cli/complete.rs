//! Completion of values: what is in the datastore that a bare command would use.
//!
//! Whoever presses a key wants no error: where nothing can be read, nothing is offered.

use std::ffi::OsStr;

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};

use super::context::Context;
use super::store::Store;
use crate::model::artifact::Artifact;
use crate::model::event::Event;
use crate::model::id::{Place, RunId, TaskId};
use crate::model::name::{FlowName, StepName};
use crate::model::pathspec::{PathSpec, Within};
use crate::report::history::{History, TaskFacts};
use crate::report::human;

/// The most runs of a flow that are offered.
const MAX_RUNS: usize = 50;
/// The most tasks of a step that are offered.
const MAX_TASKS: usize = 200;

/// How far into a run a name goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Run,
    Task,
    Artifact,
}

impl Depth {
    /// What a name that goes less deep ends with: where it cannot be the whole name, one goes on.
    fn ending(self) -> &'static str {
        if self == Self::Artifact { "/" } else { "" }
    }
}

/// Completes the name of a flow.
pub fn flows() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| offer(typed, |store, _| flow_names(store, "")))
}

/// Completes the name of a run.
pub fn runs() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        offer(typed, |store, text| within(store, text, Depth::Run))
    })
}

/// Completes the path of a flow's directory, or the name of a run.
pub fn flows_at_or_runs() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let mut all = PathCompleter::dir().complete(typed);
        all.extend(offer(typed, |store, text| within(store, text, Depth::Run)));
        all
    })
}

/// Completes the name of a run, a step or a task.
pub fn tasks() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        offer(typed, |store, text| within(store, text, Depth::Task))
    })
}

/// Completes the name of an artifact.
pub fn artifacts() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        offer(typed, |store, text| within(store, text, Depth::Artifact))
    })
}

/// A name that could be meant, and a word about it.
type Offer = (String, String);

fn offer(
    typed: &OsStr,
    names: impl Fn(&Store, &str) -> Option<Vec<Offer>>,
) -> Vec<CompletionCandidate> {
    let Some(text) = typed.to_str() else {
        return Vec::new();
    };
    let store = Context::for_completion().and_then(|cx| cx.store());
    let Ok(store) = store else { return Vec::new() };
    let offers = names(&store, text).unwrap_or_default();
    offers
        .into_iter()
        .filter(|(name, _)| name.starts_with(text))
        .enumerate()
        .map(|(order, (name, about))| {
            let help = (!about.is_empty()).then(|| about.into());
            CompletionCandidate::new(name)
                .help(help)
                .display_order(Some(order))
        })
        .collect()
}

fn flow_names(store: &Store, ending: &str) -> Option<Vec<Offer>> {
    let flows = store.flows().ok()?;
    Some(
        flows
            .iter()
            .map(|flow| (format!("{flow}{ending}"), String::new()))
            .collect(),
    )
}

/// What could stand where `text` ends.
fn within(store: &Store, text: &str, depth: Depth) -> Option<Vec<Offer>> {
    let Some((before, _)) = text.rsplit_once('/') else {
        let latest = format!("latest{}", depth.ending());
        let mut offers = vec![(latest, "the newest run".to_owned())];
        offers.extend(flow_names(store, "/")?);
        return Some(offers);
    };
    let (selector, within) = match before.parse().ok()? {
        PathSpec::Flow(flow) => return runs_of(store, &flow, depth.ending()),
        PathSpec::Run(selector, within) => (selector, within),
    };
    if depth == Depth::Run {
        return None;
    }
    let run = super::select::run(store, &selector).ok()?;
    let (events, _) = store.events_from(&run, 0).ok()?;
    let history = History::of(&events);
    let artifacts = |step: &StepName, place: Option<&Place>| {
        artifacts_of(
            &super::select::task(&run, &history, step, place).ok()?,
            &events,
            before,
        )
    };
    match (within, depth) {
        (Within::Run, _) => {
            let mut offers = steps_of(&history, before, depth.ending());
            if depth == Depth::Artifact {
                offers.extend(parameters_of(store, &run, before).unwrap_or_default());
            }
            Some(offers)
        }
        (Within::Step(step), _) => {
            let mut offers = tasks_of(&history, before, &step, depth)?;
            if depth == Depth::Artifact {
                offers.extend(artifacts(&step, None).unwrap_or_default());
            }
            Some(offers)
        }
        (Within::Task(step, place), Depth::Artifact) => artifacts(&step, Some(&place)),
        _ => None,
    }
}

fn runs_of(store: &Store, flow: &FlowName, ending: &str) -> Option<Vec<Offer>> {
    let mut offers = vec![(
        format!("{flow}/latest{ending}"),
        "the newest run".to_owned(),
    )];
    for run in store.runs(flow, MAX_RUNS).ok()? {
        let about = store
            .header(&run)
            .map(|header| human::time(header.created_at));
        offers.push((format!("{run}{ending}"), about.unwrap_or_default()));
    }
    Some(offers)
}

fn parameters_of(store: &Store, run: &RunId, before: &str) -> Option<Vec<Offer>> {
    let parameters = store.header(run).ok()?.parameters;
    let offer = |name: &_| (format!("{before}/{name}"), "parameter".to_owned());
    Some(parameters.iter().map(|it| offer(&it.name)).collect())
}

fn steps_of(history: &History, before: &str, ending: &str) -> Vec<Offer> {
    let offer = |tasks: u64| human::count(tasks, "task");
    history
        .steps()
        .into_iter()
        .map(|(step, sums)| (format!("{before}/{step}{ending}"), offer(sums.tasks)))
        .collect()
}

fn tasks_of(history: &History, before: &str, step: &StepName, depth: Depth) -> Option<Vec<Offer>> {
    let tasks = history.tasks(step)?;
    let ending = depth.ending();
    let offer = |(place, facts): (&Place, &TaskFacts)| {
        (
            format!("{before}/{place}{ending}"),
            facts.state.word().to_owned(),
        )
    };
    Some(tasks.iter().take(MAX_TASKS).map(offer).collect())
}

fn artifacts_of(task: &TaskId, events: &[Event], before: &str) -> Option<Vec<Offer>> {
    let record = super::select::last_record(events, task)?;
    let offer = |artifact: &Artifact| {
        let about = format!(
            "{}, {}",
            artifact.value.media,
            human::bytes(artifact.value.size)
        );
        (format!("{before}/{}", artifact.name), about)
    };
    Some(record.artifacts.iter().map(offer).collect())
}

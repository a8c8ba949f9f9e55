//! Why a task was executed, or why it was not: part by part of what its result depends on.

use std::sync::Arc;

use super::past::{self, PastError, Program};
use super::start;
use crate::datastore::Datastore;
use crate::datastore::run::Run;
use crate::model::digest::Digest;
use crate::model::grant::Grant;
use crate::model::id::{RunId, TaskId};
use crate::model::record::{Observed, Record};
use crate::sandbox::Launcher;
use crate::sandbox::call::Backend;
use crate::scheduler::Assignment;
use crate::task::grants::Secrets;
use crate::task::inputs;
use crate::task::site::Site;

/// Something that the result of a task depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// What it was, in short.
    pub value: String,
}

/// A task of a run, and what its result depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The run.
    pub run: RunId,
    /// The run that executed it, when its result was taken over.
    pub from: Option<RunId>,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// What its result depends on.
    pub parts: Vec<Part>,
    /// Why it is never taken from the cache, if so.
    pub never: Option<&'static str>,
}

/// What the result of `task` in `run` depends on; none when the run never came to it.
///
/// # Errors
/// [`PastError`] when the run cannot be read.
pub async fn facts(
    datastore: &Datastore,
    run: &Run,
    task: &TaskId,
    launcher: &Launcher,
) -> Result<Option<Facts>, PastError> {
    let header = run.header();
    let graph = Arc::new(past::told(datastore, header).await?);
    let program = Program {
        module: header.module,
        snapshot: header.snapshot,
        graph,
        backend: Backend::Native,
        compiled: Vec::new(),
    };
    let site = start::site(datastore, run, program, launcher, Secrets::default());
    let mut found = None;
    let scheduler = past::scheduler(header, &site.graph);
    let fold = past::fold(run, scheduler, async |event, answer, segment| {
        site.values.add(event);
        site.values.stored(std::slice::from_ref(event), segment);
        if let Some((of, _, record, by)) = event.ending_of(run.id())
            && of == task
            && let Some(assignment) = answer.assignment
        {
            let from = (by != run.id()).then(|| by.clone());
            found = Some((assignment, Box::new(record.clone()), from));
        }
    });
    fold.await?;
    let Some((assignment, record, from)) = found else {
        return Ok(None);
    };
    let module = match &from {
        None => header.module,
        Some(from) => datastore.run(from).await?.header().module,
    };
    Ok(Some(Facts {
        run: run.id().clone(),
        succeeded: record.result.is_ok(),
        never: never(&record),
        parts: parts(&site, &assignment, &record, &module).await,
        from,
    }))
}

fn never(record: &Record) -> Option<&'static str> {
    if record.trace.is_some() {
        return Some("it saw something of the world, which no key holds");
    }
    if record.observed.contains(Observed::BRANCHES) {
        return Some("it asked for the names of its branches, which no key holds");
    }
    None
}

/// What a grant opens, and what of it decides about a result.
fn granted(grant: &Grant) -> (String, String) {
    match grant {
        Grant::Scratch { mib } => ("granted `scratch`".to_owned(), format!("{mib} MiB")),
        // Where it is decides about nothing: what was seen of it is in the trace.
        Grant::Read { name, .. } => (format!("granted `read:{name}`"), "granted".to_owned()),
        Grant::Env { name, value } => {
            let value = value.clone().unwrap_or_default();
            (format!("granted `env:{name}`"), format!("`{value}`"))
        }
        Grant::Secret { name, digest, .. } => {
            let digest = digest.map_or_else(String::new, |digest| digest.short());
            (format!("granted `secret:{name}`"), digest)
        }
        Grant::Http { origin } => (format!("granted `http={origin}`"), "granted".to_owned()),
    }
}

async fn parts(
    site: &Site,
    assignment: &Assignment,
    record: &Record,
    module: &Digest,
) -> Vec<Part> {
    let node = site.graph.step(assignment.step);
    let part = |name: &str, value: String| Part {
        name: name.to_owned(),
        value,
    };
    let mut parts = vec![
        part("module", module.short()),
        part("engine", record.engine.short()),
    ];
    let short = |value: Option<&crate::model::artifact::Value>| {
        value.map_or_else(|| "absent".to_owned(), |value| value.digest.short())
    };
    for read in &node.reads {
        let value = assignment.env.get(read.name.as_str());
        parts.push(part(&format!("reads `{}`", read.name), short(value)));
    }
    if let Ok(Some(item)) = inputs::item(site, node, assignment).await {
        parts.push(part("element", Digest::of(&item).short()));
    }
    let branches = assignment.branches.as_deref().filter(|_| node.join);
    for (at, branch) in branches.unwrap_or_default().iter().enumerate() {
        for read in &node.inputs {
            let value = branch.env.get(read.name.as_str());
            parts.push(part(&format!("branch {at}, `{}`", read.name), short(value)));
        }
    }
    let limits = site.limits(&assignment.task);
    parts.push(part("memory limit", format!("{} MiB", limits.memory_mib)));
    let others = (
        limits.stack_kib,
        limits.table_elements,
        limits.handles,
        limits.log_kib,
        limits.output_mib,
    );
    parts.push(part(
        "other limits",
        Digest::of(format!("{others:?}").as_bytes()).short(),
    ));
    let header = &site.header;
    for grant in header.grants.of(&assignment.task.step) {
        let (name, value) = granted(grant);
        parts.push(part(&name, value));
    }
    for (what, name, value) in [
        (
            Observed::TIME,
            "the time, which it asked for",
            header.clock.0.to_string(),
        ),
        (
            Observed::CHANCE,
            "the seed of what it drew",
            header.seed.to_string(),
        ),
        (
            Observed::IDENTITY,
            "its own name, which it asked for",
            format!(
                "{}/{}/{}",
                header.run.flow, header.known_as, assignment.task
            ),
        ),
    ] {
        if record.observed.contains(what) {
            parts.push(part(name, value));
        }
    }
    parts
}

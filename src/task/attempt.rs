//! Runs one attempt of one task.
//!
//! The local executor calls [`run_attempt`] for every attempt; whatever executes tasks elsewhere
//! calls it too. Nothing in here can tell which of them it is in.

use crate::model::artifact::{INLINE_RECORD, INLINE_VALUE, Value, ValueAt};
use crate::model::digest::Digest;
use crate::model::failure::{Failure, FailureKind};
use crate::model::graph::StepNode;
use crate::model::id::Frame;
use crate::model::record::{Logs, Observed, Outcome, Record, Usage};
use crate::model::time::Timestamp;
use crate::sandbox::call::{Branches, Context, Given, Readable, Reply, Request};
use crate::scheduler::Assignment;

use super::grants;
use super::host::{AttemptHost, Listener};
use super::inputs;
use super::outputs;
use super::site::{Site, Slot};
use super::trace::Trace;
use super::trouble::{infrastructure, unreadable};

/// The clock of the machine, given by whoever may look at it.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Executes `assignment` in the slot's cell and returns what is kept of it.
///
/// Always gives a record: whatever goes wrong, in the guest or around it, is a failure in it.
/// Everything that the record refers to is durable when it is returned.
pub async fn run_attempt(
    site: &Site,
    slot: &mut Slot,
    assignment: &Assignment,
    clock: &dyn Clock,
    listener: &dyn Listener,
) -> Record {
    attempt(site, slot, assignment, (clock, listener), Ok(Trace::live())).await
}

/// Executes `assignment` once more: what the attempt saw that left `trace` is all that it sees.
///
/// Otherwise as [`run_attempt`]. One that looks at something else ends with a failure that says so.
pub async fn repeat_attempt(
    site: &Site,
    slot: &mut Slot,
    assignment: &Assignment,
    (clock, listener): (&dyn Clock, &dyn Listener),
    trace: Option<&Digest>,
) -> Record {
    let trace = Trace::recorded(&site.datastore, trace).await;
    attempt(site, slot, assignment, (clock, listener), trace).await
}

/// Executes `assignment` with the world as it is now, but for what the attempt asked over HTTP that
/// left `trace`: the same question is given the same answer, and nobody is asked.
///
/// Otherwise as [`run_attempt`].
pub async fn attempt_anew(
    site: &Site,
    slot: &mut Slot,
    assignment: &Assignment,
    (clock, listener): (&dyn Clock, &dyn Listener),
    trace: Option<&Digest>,
) -> Record {
    let trace = Trace::remembered(&site.datastore, trace).await;
    attempt(site, slot, assignment, (clock, listener), trace).await
}

async fn attempt(
    site: &Site,
    slot: &mut Slot,
    assignment: &Assignment,
    (clock, listener): (&dyn Clock, &dyn Listener),
    trace: Result<Trace, Failure>,
) -> Record {
    let started_at = clock.now();
    let node = site.graph.step(assignment.step);
    let profile = site.profile(node);
    let mut inputs = Digest::from_bytes([0; 32]);
    let executed = match trace {
        Ok(trace) => execute(site, slot, assignment, (listener, trace), &mut inputs).await,
        Err(failure) => Err(failure),
    };
    let mut record = executed.unwrap_or_else(failed);
    if let Err(failure) = &mut record.result {
        site.secrets.redactor().failure(failure);
    }
    record.inputs = inputs;
    record.engine = *site.module(profile).engine();
    record.usage.started_at = started_at;
    record.usage.wall_us = clock.now().micros_since(started_at);
    record
}

/// A record of an attempt that wrote nothing.
pub fn failed(failure: Failure) -> Record {
    Record {
        result: Err(failure),
        artifacts: Vec::new(),
        logs: Logs::None,
        engine: Digest::from_bytes([0; 32]),
        inputs: Digest::from_bytes([0; 32]),
        observed: Observed::NOTHING,
        trace: None,
        usage: Usage::default(),
    }
}

async fn execute(
    site: &Site,
    slot: &mut Slot,
    assignment: &Assignment,
    (listener, trace): (&dyn Listener, Trace),
    inputs: &mut Digest,
) -> Result<Record, Failure> {
    let node = site.graph.step(assignment.step);
    let reads: Vec<Option<Value>> = node
        .reads
        .iter()
        .map(|read| assignment.env.get(read.name.as_str()).cloned())
        .collect();
    let request = request(site, node, assignment, &reads).await?;
    *inputs = inputs::digest(node, assignment, request.item.as_deref());
    let names = node.inputs.iter().map(|read| read.name.clone()).collect();
    let mut host = AttemptHost::new(site, assignment, reads, names, listener, trace);
    let profile = request.profile;
    let cell = slot
        .cell(site, profile)
        .await
        .map_err(|e| infrastructure("could not start a cell", &e))?;
    let reply = cell
        .run(request, &mut host)
        .await
        .map_err(|e| infrastructure("the task could not be executed", &e))?;
    Ok(settle(site, node, &mut host, reply).await)
}

/// Turns a cell's reply into a record.
async fn settle(site: &Site, node: &StepNode, host: &mut AttemptHost<'_>, reply: Reply) -> Record {
    let Reply {
        result,
        puts,
        logs,
        observed,
        cpu_us,
        peak_memory,
    } = reply;
    let (result, artifacts) = match result {
        Err(failure) => (Err(failure), Vec::new()),
        Ok(outcome) => match keep(site, node, host, outcome, puts).await {
            Ok((outcome, artifacts)) => (Ok(outcome), artifacts),
            Err(failure) => (Err(failure), Vec::new()),
        },
    };
    let mut record = Record {
        artifacts,
        ..failed(Failure::new(FailureKind::Error, ""))
    };
    record.result = result;
    match host.trace.store(&site.datastore).await {
        Ok(trace) => record.trace = trace,
        Err(failure) => return failed(failure),
    }
    record.logs = outputs::logs(site, host.last_printed(logs)).await;
    record.observed = observed;
    record.usage.cpu_us = cpu_us;
    record.usage.peak_memory = peak_memory;
    record
}

async fn keep(
    site: &Site,
    node: &StepNode,
    host: &mut AttemptHost<'_>,
    outcome: Outcome,
    puts: Vec<crate::sandbox::call::Put>,
) -> Result<(Outcome, Vec<crate::model::artifact::Artifact>), Failure> {
    outputs::check_case(&outcome, host.redactor())?;
    let artifacts = outputs::store(site, node, host, puts).await?;
    outputs::check(site, node, &outcome, &artifacts).await?;
    Ok((outcome, artifacts))
}

/// Gathers all that the cell needs.
async fn request(
    site: &Site,
    node: &StepNode,
    assignment: &Assignment,
    reads: &[Option<Value>],
) -> Result<Request, Failure> {
    let readable = readables(site, node, reads).await?;
    let item = inputs::item(site, node, assignment).await;
    let item = item.map_err(|e| unreadable("could not read the foreach element", &e))?;
    let branches = assignment
        .branches
        .as_ref()
        .filter(|_| node.join)
        .map(|branches| Branches {
            count: branches.len() as u32,
            names: node.inputs.iter().map(|read| read.name.clone()).collect(),
        });
    Ok(Request {
        profile: site.profile(node),
        step: node.name.clone(),
        context: context(site, assignment),
        reads: readable,
        item,
        branches,
        writes: node.writes.iter().map(|w| w.name.clone()).collect(),
        granted: grants::granted(&site.header, &site.secrets, &node.name)?,
        limits: site.limits(&assignment.task),
        clock: site.header.clock,
        entropy: site.entropy(&assignment.task),
    })
}

fn context(site: &Site, assignment: &Assignment) -> Context {
    let frames = assignment.task.place.frames();
    Context {
        flow: site.header.run.flow.clone(),
        run: site.header.known_as,
        place: assignment.task.place.to_string(),
        indices: frames
            .iter()
            .filter_map(|f| {
                if let Frame::Item(i) = f {
                    Some(*i)
                } else {
                    None
                }
            })
            .collect(),
        turns: frames
            .iter()
            .filter_map(|f| {
                if let Frame::Turn(n) = f {
                    Some(*n)
                } else {
                    None
                }
            })
            .collect(),
        attempt: assignment.attempt,
    }
}

/// The artifacts that the step declares to read, with the bytes of the small ones.
async fn readables(
    site: &Site,
    node: &StepNode,
    reads: &[Option<Value>],
) -> Result<Vec<Readable>, Failure> {
    let mut budget = INLINE_RECORD;
    let mut readable = Vec::with_capacity(reads.len());
    for (read, value) in node.reads.iter().zip(reads) {
        let Some(value) = value else {
            if read.optional {
                readable.push(Readable {
                    name: read.name.clone(),
                    value: None,
                });
                continue;
            }
            let message = format!(
                "step `{}` reads `{}`, which no task before it wrote",
                node.name, read.name
            );
            return Err(Failure::new(FailureKind::Contract, message)
                .with_hint(format!("make it `Option<{}>` if it may be absent", read.ty)));
        };
        let few = value.size <= INLINE_VALUE as u64 && value.size as usize <= budget;
        let bytes =
            if few || !matches!(value.at, ValueAt::Blob) {
                budget = budget.saturating_sub(value.size as usize);
                let bytes = site.values.load(value).await;
                Some(bytes.map_err(|e| {
                    unreadable(&format!("could not load artifact `{}`", read.name), &e)
                })?)
            } else {
                None
            };
        let given = Given {
            media: value.media.clone(),
            size: value.size,
            bytes,
        };
        readable.push(Readable {
            name: read.name.clone(),
            value: Some(given),
        });
    }
    Ok(readable)
}

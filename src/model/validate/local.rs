//! What can be seen by looking at one step or parameter at a time: names, edges, options.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::shape::Ways;
use super::{Fault, Findings, MAX_STEPS, Site, shown};
use crate::model::definition::{Definition, Edge, ParamKind, Parameter, Read, Step};
use crate::model::graph::{Param, StepIx};
use crate::model::name::{ArtifactName, CaseName, FlowName, MAX_NAME, StepName};
use crate::model::nearest::nearest;

const MAX_RETRIES: u32 = 100;
const MAX_BACKOFF_MS: u64 = 24 * 60 * 60 * 1000;
const MAX_TIMEOUT_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// What the later rounds need.
pub(super) struct Local {
    pub(super) parameters: Vec<Param>,
    pub(super) ways: Ways,
}

/// Looks at every parameter and every step. None when there is nothing to look at.
pub(super) fn check(definition: &Definition, findings: &mut Findings) -> Option<Local> {
    if let Err(error) = FlowName::new(&definition.name) {
        findings.add(Site::Flow, Fault::Name(error));
    } else if definition.name == "latest" {
        findings.add(Site::Flow, Fault::ReservedName);
    }
    let parameters = parameters(&definition.parameters, findings);
    let count = definition.steps.len();
    if count == 0 {
        findings.add(Site::Flow, Fault::NoSteps);
        return None;
    }
    if count > MAX_STEPS {
        findings.add(
            Site::Flow,
            Fault::TooManySteps {
                count,
                limit: MAX_STEPS,
            },
        );
        return None;
    }
    let (by_name, twins) = names(definition, findings);
    let targets = resolve(definition, &by_name, findings);
    let ways = Ways { targets, twins };
    let known: BTreeSet<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
    for step in &definition.steps {
        artifacts(step, &known, findings);
        edge(step, findings);
        options(step, findings);
        if findings.is_full() {
            return None;
        }
    }
    Some(Local { parameters, ways })
}

fn parameters(list: &[Parameter], findings: &mut Findings) -> Vec<Param> {
    let mut checked: Vec<Param> = Vec::new();
    let mut seen: BTreeMap<&str, &Parameter> = BTreeMap::new();
    for parameter in list {
        let site = || Site::Parameter(shown(&parameter.name));
        let name = match ArtifactName::new(&parameter.name) {
            Ok(name) => name,
            Err(error) => {
                findings.add(site(), Fault::Name(error));
                continue;
            }
        };
        if let Some(first) = seen.get(parameter.name.as_str()) {
            if *first != parameter {
                let (first, second) = (shown(&first.ty), shown(&parameter.ty));
                findings.add(site(), Fault::DuplicateParameter { first, second });
            }
            continue;
        }
        seen.insert(&parameter.name, parameter);
        if !bits_fit(parameter.kind, parameter.bits) {
            findings.add(
                site(),
                Fault::ParameterBits {
                    bits: parameter.bits,
                },
            );
        }
        if parameter.ty.is_empty() {
            findings.add(site(), Fault::ParameterType);
        }
        checked.push(Param {
            name,
            docs: parameter.docs.clone(),
            kind: parameter.kind,
            bits: parameter.bits,
            many: parameter.many,
            ty: parameter.ty.clone(),
            default: parameter
                .default
                .as_ref()
                .map(|cbor| Bytes::copy_from_slice(cbor)),
            choices: parameter.choices.clone(),
        });
    }
    checked
}

fn bits_fit(kind: ParamKind, bits: u8) -> bool {
    match kind {
        ParamKind::Signed | ParamKind::Unsigned => matches!(bits, 8 | 16 | 32 | 64),
        ParamKind::Float => matches!(bits, 32 | 64),
        _ => bits == 0,
    }
}

/// The steps by name, and which share it with another one.
fn names<'a>(
    definition: &'a Definition,
    findings: &mut Findings,
) -> (BTreeMap<&'a str, StepIx>, Vec<bool>) {
    let mut by_name = BTreeMap::new();
    let mut twins = vec![false; definition.steps.len()];
    for (step, i) in definition.steps.iter().zip(0..) {
        if let Err(error) = StepName::new(&step.name) {
            findings.add(Site::step(step), Fault::Name(error));
        }
        match by_name.get(step.name.as_str()) {
            None => {
                by_name.insert(step.name.as_str(), StepIx(i));
            }
            Some(StepIx(first)) => {
                twins[usize::from(*first)] = true;
                twins[usize::from(i)] = true;
                let first = match definition.steps[usize::from(*first)].source.as_str() {
                    "" => format!("position {}", first + 1),
                    source => shown(source),
                };
                findings.add(Site::step(step), Fault::DuplicateStep { first });
            }
        }
    }
    (by_name, twins)
}

fn target_names(edge: &Edge) -> Vec<&str> {
    match edge {
        Edge::End => Vec::new(),
        Edge::Next(next) | Edge::Foreach { next, .. } => vec![next],
        Edge::Split(branches) => branches.iter().map(String::as_str).collect(),
        Edge::Switch { cases, .. } => cases.iter().map(|case| case.next.as_str()).collect(),
    }
}

/// Finds the steps that edges name. None for a way that leads to no step, and resembles none or one that
/// the edge leads to already.
fn resolve(
    definition: &Definition,
    by_name: &BTreeMap<&str, StepIx>,
    findings: &mut Findings,
) -> Vec<Vec<Option<StepIx>>> {
    let mut targets = Vec::with_capacity(definition.steps.len());
    for step in &definition.steps {
        let mut of_step: Vec<Option<StepIx>> = Vec::new();
        for name in target_names(&step.edge) {
            let found = by_name.get(name).copied();
            let found = found.or_else(|| unknown_step(step, name, by_name, findings));
            let again = matches!(step.edge, Edge::Split(_)) && of_step.contains(&found);
            of_step.push(found.filter(|_| !again));
        }
        // A switch without cases is not the end of the flow.
        if of_step.is_empty() && step.edge != Edge::End {
            of_step.push(None);
        }
        targets.push(of_step);
    }
    targets
}

/// Says that a step is not there. Finds the one that was probably meant.
fn unknown_step(
    step: &Step,
    name: &str,
    by_name: &BTreeMap<&str, StepIx>,
    findings: &mut Findings,
) -> Option<StepIx> {
    let others = by_name.keys().copied().filter(|other| *other != step.name);
    let suggestion = if findings.is_full() {
        None
    } else {
        closest(name, others)
    };
    let meant = suggestion.as_deref().and_then(|meant| by_name.get(meant));
    let fault = Fault::UnknownStep {
        target: shown(name),
        suggestion,
    };
    findings.add(Site::step(step), fault);
    meant.copied()
}

fn artifacts(step: &Step, parameters: &BTreeSet<&str>, findings: &mut Findings) {
    let site = || Site::step(step);
    let mut named = |name: &str| {
        if let Err(error) = ArtifactName::new(name) {
            findings.add(site(), Fault::ArtifactName(error));
        }
    };
    step.reads
        .iter()
        .chain(&step.inputs)
        .for_each(|read| named(&read.name));
    step.writes.iter().for_each(|write| named(&write.name));
    step.merge.iter().for_each(|name| named(name));
    step.catch.iter().for_each(|name| named(name));

    let mut written = BTreeSet::new();
    for write in &step.writes {
        if !written.insert(write.name.as_str()) {
            findings.add(
                site(),
                Fault::DuplicateWrite {
                    artifact: shown(&write.name),
                },
            );
        }
    }
    if let Some(catch) = step.catch.as_deref()
        && !written.insert(catch)
    {
        findings.add(
            site(),
            Fault::CatchWritten {
                artifact: shown(catch),
            },
        );
    }
    for name in written.iter().filter(|name| parameters.contains(*name)) {
        findings.add(
            site(),
            Fault::ParameterWritten {
                artifact: shown(name),
            },
        );
    }
    duplicate_reads(step, &step.reads, findings);
    duplicate_reads(step, &step.inputs, findings);
    joins(step, &written, findings);
}

fn duplicate_reads(step: &Step, reads: &[Read], findings: &mut Findings) {
    let mut seen: BTreeMap<&str, &Read> = BTreeMap::new();
    for read in reads {
        if let Some(first) = seen.insert(&read.name, read) {
            let (first, second) = (shown(&first.ty), shown(&read.ty));
            let artifact = shown(&read.name);
            findings.add(
                Site::step(step),
                Fault::DuplicateRead {
                    artifact,
                    first,
                    second,
                },
            );
        }
    }
}

fn joins(step: &Step, written: &BTreeSet<&str>, findings: &mut Findings) {
    let site = || Site::step(step);
    if !step.join && !step.inputs.is_empty() {
        findings.add(site(), Fault::InputsWithoutJoin);
    }
    let mut merged = BTreeSet::new();
    for name in &step.merge {
        let artifact = shown(name);
        if !step.join {
            findings.add(site(), Fault::MergeWithoutJoin { artifact });
        } else if !merged.insert(name) {
            findings.add(site(), Fault::MergeTwice { artifact });
        } else if written.contains(name.as_str()) {
            findings.add(site(), Fault::MergeAndWrite { artifact });
        }
    }
}

fn edge(step: &Step, findings: &mut Findings) {
    let site = || Site::step(step);
    match &step.edge {
        Edge::End | Edge::Next(_) => {}
        Edge::Split(branches) => {
            if branches.len() < 2 {
                findings.add(
                    site(),
                    Fault::SplitTooSmall {
                        count: branches.len(),
                    },
                );
            }
            let mut seen = BTreeSet::new();
            for branch in branches
                .iter()
                .filter(|branch| !seen.insert(branch.as_str()))
            {
                findings.add(
                    site(),
                    Fault::SplitRepeats {
                        branch: shown(branch),
                    },
                );
            }
        }
        Edge::Foreach { artifact, .. } => edge_artifact(step, "foreach", artifact, findings),
        Edge::Switch {
            artifact,
            cases,
            max_turns,
        } => {
            edge_artifact(step, "switch", artifact, findings);
            if cases.is_empty() {
                findings.add(site(), Fault::NoCases);
            }
            let mut seen = BTreeSet::new();
            for case in cases {
                if let Err(error) = CaseName::new(&case.name) {
                    findings.add(site(), Fault::CaseName(error));
                } else if !seen.insert(case.name.as_str()) {
                    findings.add(
                        site(),
                        Fault::DuplicateCase {
                            case: shown(&case.name),
                        },
                    );
                }
            }
            if *max_turns == Some(0) {
                findings.add(site(), Fault::NoTurns);
            }
        }
    }
}

fn edge_artifact(step: &Step, attribute: &'static str, name: &str, findings: &mut Findings) {
    let artifact = shown(name);
    match step.writes.iter().find(|write| write.name == name) {
        None => {
            let names = step.writes.iter().map(|write| write.name.as_str());
            let suggestion = if findings.is_long() {
                None
            } else {
                closest(name, names)
            };
            let fault = Fault::EdgeArtifact {
                attribute,
                artifact,
                suggestion,
            };
            findings.add(Site::step(step), fault);
        }
        Some(write) if attribute == "foreach" && is_scalar(&write.ty) => {
            let fault = Fault::NotAList {
                artifact,
                ty: shown(&write.ty),
            };
            findings.add(Site::step(step), fault);
        }
        Some(_) => {}
    }
}

/// Whether a type is surely not a list. Types are known by name only, so most are not.
fn is_scalar(ty: &str) -> bool {
    const SCALARS: &[&str] = &[
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16",
        "u32", "u64", "u128", "usize", "String", "Blob", "Text", "()",
    ];
    SCALARS.contains(&ty)
}

fn options(step: &Step, findings: &mut Findings) {
    let mut add = |fault| findings.add(Site::step(step), fault);
    if step.catch.is_some() && matches!(step.edge, Edge::Foreach { .. } | Edge::Switch { .. }) {
        add(Fault::CatchOnDecision);
    }
    if let Some(retry) = step.retry {
        if retry.times > MAX_RETRIES {
            add(Fault::RetryTimes {
                times: retry.times,
                limit: MAX_RETRIES,
            });
        }
        if retry.backoff_ms > MAX_BACKOFF_MS {
            let backoff_ms = retry.backoff_ms;
            add(Fault::RetryBackoff {
                backoff_ms,
                limit: MAX_BACKOFF_MS,
            });
        }
    }
    if let Some(timeout_ms) = step.timeout_ms
        && !(1..=MAX_TIMEOUT_MS).contains(&timeout_ms)
    {
        add(Fault::Timeout {
            timeout_ms,
            limit: MAX_TIMEOUT_MS,
        });
    }
    let asked = [
        ("cpu", step.resources.cpu_millis),
        ("memory", step.resources.memory_mib),
    ];
    for (what, _) in asked.into_iter().filter(|(_, amount)| *amount == Some(0)) {
        add(Fault::NoResource { what });
    }
}

/// The name that `name` was probably meant to be. Names that nobody can mean are not compared.
pub(super) fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let short = |name: &str| name.len() <= MAX_NAME;
    let candidates = candidates.filter(|other| short(other));
    nearest(name, candidates.take_while(|_| short(name))).map(shown)
}

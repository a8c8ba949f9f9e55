//! Finds every problem of a flow at once.
//!
//! In three rounds: each step by itself ([`local`]: names, edges, options), the shape of the whole
//! ([`shape`]: reachability, loops, splits and joins), and who sees which artifact ([`visible`]). Each
//! round judges what the rounds before left whole, so that one mistake is one line and hides no other.
//! A misspelt step is taken for the one it was meant to be.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeStruct;

use super::definition::{Definition, Step};
use super::graph::{Param, Scope, StepIx};
use super::name::ArtifactName;

mod fault;
mod local;
mod shape;
mod visible;
mod writers;

pub use fault::Fault;

/// The most steps that a flow may have.
pub const MAX_STEPS: usize = 10_000;
/// How deeply splits, foreaches and loops may be nested.
pub const MAX_DEPTH: usize = 64;
/// The most problems that are listed; further ones are only counted.
pub const MAX_PROBLEMS: usize = 200;

/// What a problem is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// The flow as a whole.
    Flow,
    /// A parameter.
    Parameter(String),
    /// A step.
    Step {
        /// Its name.
        name: String,
        /// Where it is written, e.g. `src/lib.rs:12`; empty when not known.
        source: String,
    },
}

impl Site {
    fn step(step: &Step) -> Self {
        Site::Step {
            name: shown(&step.name),
            source: shown(&step.source),
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Site::Flow => f.write_str("flow"),
            Site::Parameter(name) => write!(f, "parameter `{name}`"),
            Site::Step { name, source } if source.is_empty() => write!(f, "step `{name}`"),
            Site::Step { name, source } => write!(f, "step `{name}` ({source})"),
        }
    }
}

/// One thing that keeps a flow from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub site: Site,
    /// What it is.
    pub fault: Fault,
}

impl Problem {
    /// A name for this kind of problem that does not change between versions, e.g. `unknown-step`.
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.site, self.fault)?;
        match self.fault.hint() {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_struct("Problem", 6)?;
        map.serialize_field("code", self.code())?;
        let (step, source, parameter) = match &self.site {
            Site::Flow => (None, None, None),
            Site::Parameter(name) => (None, None, Some(name)),
            Site::Step { name, source } => (Some(name), Some(source), None),
        };
        map.serialize_field("step", &step)?;
        map.serialize_field("source", &source.filter(|source| !source.is_empty()))?;
        map.serialize_field("parameter", &parameter)?;
        map.serialize_field("message", &self.fault.to_string())?;
        map.serialize_field("hint", &self.fault.hint())?;
        map.end()
    }
}

/// Everything that keeps a flow from running: at least one [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// The problems, at most [`MAX_PROBLEMS`], in the order of the checks and of the steps.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many problems there are, listed or not.
    pub fn count(&self) -> usize {
        self.list.len() + self.more
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.list.iter().enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            write!(f, "{line}{problem}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

/// Collects problems during the checks.
#[derive(Debug, Default)]
struct Findings {
    list: Vec<Problem>,
    more: usize,
}

impl Findings {
    fn add(&mut self, site: Site, fault: Fault) {
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(Problem { site, fault });
        } else {
            self.more += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether so much was found that further suggestions are not worth their time.
    fn is_long(&self) -> bool {
        const LONG: usize = 32;
        self.list.len() >= LONG
    }

    /// Whether so much was found that looking for more helps nobody.
    fn is_full(&self) -> bool {
        self.list.len() >= MAX_PROBLEMS
    }
}

/// What the checks found out about a flow without problems, by the positions of its steps.
pub(super) struct Checked {
    pub(super) parameters: Vec<Param>,
    pub(super) targets: Vec<Vec<StepIx>>,
    pub(super) scopes: Vec<Vec<Scope>>,
    pub(super) closes: Vec<Option<StepIx>>,
    pub(super) joins: Vec<Option<StepIx>>,
    pub(super) sole: Vec<Vec<(ArtifactName, u32)>>,
}

/// Checks a definition from end to end.
pub(super) fn check(definition: &Definition) -> Result<Checked, Problems> {
    let mut findings = Findings::default();
    rounds(definition, &mut findings).ok_or(Problems {
        list: findings.list,
        more: findings.more,
    })
}

/// What is found out in all rounds; none when there are problems.
fn rounds(definition: &Definition, findings: &mut Findings) -> Option<Checked> {
    let local = local::check(definition, findings)?;
    let shape = shape::check(definition, &local.ways, findings);
    let sole = visible::check(definition, &local.parameters, &shape, findings);
    if !findings.is_empty() {
        return None;
    }
    let resolved = |ways: Vec<Option<StepIx>>| ways.into_iter().flatten().collect();
    let targets = local.ways.targets.into_iter().map(resolved).collect();
    Some(Checked {
        parameters: local.parameters,
        targets,
        scopes: shape.scopes,
        closes: shape.closes,
        joins: shape.joins,
        sole,
    })
}

/// Text of a module in a form that a terminal can show: short, and without control characters.
fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut out: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests;

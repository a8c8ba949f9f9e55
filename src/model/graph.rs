//! The checked graph of a flow: what the scheduler walks and pictures show.
//!
//! Only valid graphs exist: [`FlowGraph::new`] refuses a definition with *all* of its problems at
//! once. Steps are known by their position ([`StepIx`]), edges are resolved, every split and
//! foreach knows its join, and every step knows what is around it ([`Scope`]).

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::definition::{Definition, Edge, ParamKind, Resources, Retry, Step};
use super::name::{ArtifactName, CaseName, FlowName, StepName};
use super::validate::{self, Checked, Problems};

/// The position of a step in its flow, in the order in which the steps are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct StepIx(pub u16);

impl StepIx {
    /// The position as an index into [`FlowGraph::steps`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A parameter of the flow, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// The name of the parameter and of the artifact that it becomes.
    pub name: ArtifactName,
    /// What it is for.
    pub docs: String,
    /// What it is given as.
    pub kind: ParamKind,
    /// The width of a number; 0 for all other kinds.
    pub bits: u8,
    /// Whether it takes any number of values; the artifact is then a list.
    pub many: bool,
    /// The type of the artifact.
    pub ty: String,
    /// The value without which the parameter must be given, in CBOR.
    pub default: Option<Bytes>,
    /// The only texts that may be given; empty when all may.
    pub choices: Vec<String>,
}

/// An artifact that a step reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadDecl {
    /// The artifact.
    pub name: ArtifactName,
    /// The name of its type.
    pub ty: String,
    /// Whether the step goes on without it.
    pub optional: bool,
}

/// An artifact that a step writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteDecl {
    /// The artifact.
    pub name: ArtifactName,
    /// The name of its type.
    pub ty: String,
}

/// What follows a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeIx {
    /// Nothing: this is the last step.
    End,
    /// One step.
    Next(StepIx),
    /// All branches side by side, which `join` brings together.
    Split {
        /// The first steps of the branches, in order.
        branches: Vec<StepIx>,
        /// The step that brings them together.
        join: StepIx,
    },
    /// One task of `next` for each element of the list, which `join` brings together.
    Foreach {
        /// The list, written by this step.
        artifact: ArtifactName,
        /// The first step of the body.
        next: StepIx,
        /// The step that brings the elements together.
        join: StepIx,
    },
    /// One of the cases.
    Switch {
        /// The artifact, written by this step, that names the case.
        artifact: ArtifactName,
        /// The ways on.
        cases: Vec<(CaseName, StepIx)>,
        /// The last turn of a loop that this step closes.
        max_turns: Option<u32>,
    },
}

impl EdgeIx {
    /// The steps that may follow directly, in the order of the edge; one that several cases share
    /// is there several times.
    pub fn targets(&self) -> Vec<StepIx> {
        match self {
            EdgeIx::End => Vec::new(),
            EdgeIx::Next(next) | EdgeIx::Foreach { next, .. } => vec![*next],
            EdgeIx::Split { branches, .. } => branches.clone(),
            EdgeIx::Switch { cases, .. } => cases.iter().map(|(_, next)| *next).collect(),
        }
    }
}

/// Something around a step that is opened before it and closed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A branch of a split.
    Split {
        /// The step that splits.
        at: StepIx,
        /// Which branch.
        branch: u32,
    },
    /// The body of a foreach.
    Foreach {
        /// The step that writes the list.
        at: StepIx,
    },
    /// The body of a loop.
    Loop {
        /// The step at which every turn begins.
        head: StepIx,
    },
}

impl Scope {
    /// Whether the scope gives a task's place a frame: a foreach and a loop do.
    pub fn has_frame(self) -> bool {
        !matches!(self, Scope::Split { .. })
    }

    /// The step that opens a split or foreach; none for a loop, which closes by itself.
    pub fn opener(self) -> Option<StepIx> {
        match self {
            Scope::Split { at, .. } | Scope::Foreach { at } => Some(at),
            Scope::Loop { .. } => None,
        }
    }
}

/// One step of a valid flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepNode {
    /// The step's name.
    pub name: StepName,
    /// What it does, from its doc comment.
    pub docs: String,
    /// Where it is written; empty when not known.
    pub source: String,
    /// The artifacts it reads.
    pub reads: Vec<ReadDecl>,
    /// The type of the foreach element that it reads, if it does.
    pub item: Option<String>,
    /// Whether it brings branches together.
    pub join: bool,
    /// What a join reads of each branch.
    pub inputs: Vec<ReadDecl>,
    /// Artifacts that pass through a join because all branches agree on them.
    pub merge: Vec<ArtifactName>,
    /// The artifacts it writes.
    pub writes: Vec<WriteDecl>,
    /// What follows.
    pub edge: EdgeIx,
    /// Retries; none when the step asks for none.
    pub retry: Option<Retry>,
    /// The longest time that one attempt may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// The artifact that holds the failure, after which the flow goes on.
    pub catch: Option<ArtifactName>,
    /// What it needs of the machine.
    pub resources: Resources,
    /// Whether float results must agree in every bit across processor families.
    pub portable_floats: bool,
    /// What is around the step, outermost first.
    pub scopes: Vec<Scope>,
    /// For a join: the step whose split or foreach it closes.
    pub closes: Option<StepIx>,
    /// For the join of a split: artifacts that only one branch writes and nothing else before, with
    /// that branch. They pass by themselves.
    pub sole: Vec<(ArtifactName, u32)>,
}

impl StepNode {
    /// How many frames the place of a task of this step has.
    pub fn frames(&self) -> usize {
        self.scopes.iter().filter(|scope| scope.has_frame()).count()
    }

    /// How many splits and foreaches are open around the step.
    pub fn level(&self) -> usize {
        self.scopes
            .iter()
            .filter(|scope| scope.opener().is_some())
            .count()
    }

    /// The step that opens the innermost foreach around the step.
    pub fn foreach(&self) -> Option<StepIx> {
        self.scopes.iter().rev().find_map(|scope| match scope {
            Scope::Foreach { at } => Some(*at),
            _ => None,
        })
    }
}

/// A flow that can run: resolved, balanced, and with every read served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowGraph {
    name: FlowName,
    docs: String,
    sdk: String,
    parameters: Vec<Param>,
    steps: Vec<StepNode>,
    by_name: BTreeMap<StepName, StepIx>,
}

impl FlowGraph {
    /// Checks what a module says about its flow.
    ///
    /// # Errors
    /// [`Problems`] lists everything that keeps the flow from running, not only the first thing.
    pub fn new(definition: &Definition) -> Result<FlowGraph, Problems> {
        let checked = validate::check(definition)?;
        let steps: Vec<StepNode> = definition
            .steps
            .iter()
            .enumerate()
            .map(|(i, step)| node(step, i, &checked))
            .collect();
        let by_name = steps
            .iter()
            .zip(0..)
            .map(|(step, i)| (step.name.clone(), StepIx(i)))
            .collect();
        Ok(FlowGraph {
            name: FlowName::new(&definition.name).expect("the flow's name has been checked"),
            docs: definition.docs.clone(),
            sdk: definition.sdk.clone(),
            parameters: checked.parameters,
            steps,
            by_name,
        })
    }

    /// The flow's name.
    pub fn name(&self) -> &FlowName {
        &self.name
    }

    /// What the flow does, from its doc comment.
    pub fn docs(&self) -> &str {
        &self.docs
    }

    /// Which SDK built the module.
    pub fn sdk(&self) -> &str {
        &self.sdk
    }

    /// The parameters in the order of their declaration, no name twice.
    pub fn parameters(&self) -> &[Param] {
        &self.parameters
    }

    /// The steps in the order in which they are written.
    pub fn steps(&self) -> &[StepNode] {
        &self.steps
    }

    /// The step at a position of this graph.
    pub fn step(&self, ix: StepIx) -> &StepNode {
        &self.steps[ix.index()]
    }

    /// The position of the step of this name.
    pub fn find(&self, name: &str) -> Option<StepIx> {
        self.by_name.get(name).copied()
    }

    /// The step at which a run starts.
    pub fn start(&self) -> StepIx {
        StepIx(0)
    }
}

fn artifact(name: &str) -> ArtifactName {
    ArtifactName::new(name).expect("names of artifacts have been checked")
}

fn reads(list: &[super::definition::Read]) -> Vec<ReadDecl> {
    list.iter()
        .map(|r| ReadDecl {
            name: artifact(&r.name),
            ty: r.ty.clone(),
            optional: r.optional,
        })
        .collect()
}

fn node(step: &Step, i: usize, checked: &Checked) -> StepNode {
    StepNode {
        name: StepName::new(&step.name).expect("names of steps have been checked"),
        docs: step.docs.clone(),
        source: step.source.clone(),
        reads: reads(&step.reads),
        item: step.item.clone(),
        join: step.join,
        inputs: reads(&step.inputs),
        merge: step.merge.iter().map(|name| artifact(name)).collect(),
        writes: step
            .writes
            .iter()
            .map(|w| WriteDecl {
                name: artifact(&w.name),
                ty: w.ty.clone(),
            })
            .collect(),
        edge: edge(&step.edge, i, checked),
        retry: step.retry,
        timeout_ms: step.timeout_ms,
        catch: step.catch.as_deref().map(artifact),
        resources: step.resources,
        portable_floats: step.portable_floats,
        scopes: checked.scopes[i].clone(),
        closes: checked.closes[i],
        sole: checked.sole[i].clone(),
    }
}

fn edge(edge: &Edge, i: usize, checked: &Checked) -> EdgeIx {
    let targets = &checked.targets[i];
    let join = || checked.joins[i].expect("every split and foreach of a valid flow has a join");
    match edge {
        Edge::End => EdgeIx::End,
        Edge::Next(_) => EdgeIx::Next(targets[0]),
        Edge::Split(_) => EdgeIx::Split {
            branches: targets.clone(),
            join: join(),
        },
        Edge::Foreach { artifact: list, .. } => EdgeIx::Foreach {
            artifact: artifact(list),
            next: targets[0],
            join: join(),
        },
        Edge::Switch {
            artifact: decision,
            cases,
            max_turns,
        } => EdgeIx::Switch {
            artifact: artifact(decision),
            cases: cases
                .iter()
                .zip(targets)
                .map(|(case, next)| {
                    let name = CaseName::new(&case.name).expect("names of cases have been checked");
                    (name, *next)
                })
                .collect(),
            max_turns: *max_turns,
        },
    }
}

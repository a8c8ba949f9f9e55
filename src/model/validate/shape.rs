//! The shape of the whole flow: what is reached, which loops there are, what is around each step.
//!
//! Where something is wrong, the shape is not known there and behind it, and known all the same
//! elsewhere: what is found in one place hides nothing in another. A way whose step is not known may
//! lead anywhere, so that it is never said of what might lie on it that something is missing.

use super::{Fault, Findings, MAX_DEPTH, Site};
use crate::model::definition::{Definition, Edge};
use crate::model::graph::{Scope, StepIx};

mod loops;
mod walk;

/// Where the edges of a flow lead, as far as their names could be resolved.
pub(super) struct Ways {
    /// The steps that each step leads to, in the order of its edge; none for a way whose step is not
    /// known.
    pub(super) targets: Vec<Vec<Option<StepIx>>>,
    /// The steps that share their name with another one, so that nobody knows which is meant.
    pub(super) twins: Vec<bool>,
}

impl Ways {
    /// Whether every way leads to a step, and to one that nothing else can be taken for.
    fn are_known(&self) -> bool {
        let known = self.targets.iter().flatten().all(Option::is_some);
        known && !self.twins.contains(&true)
    }

    /// Whether a way of this step may lead anywhere.
    fn is_open(&self, step: StepIx) -> bool {
        self.twins[step.index()] || self.targets[step.index()].contains(&None)
    }
}

/// The shape of a flow, by the positions of its steps.
pub(super) struct Shape {
    /// The steps whose place is known, with all the steps before them.
    pub(super) known: Vec<bool>,
    /// The steps before each, without those that lead back, each with the position in its edge.
    pub(super) before: Vec<Vec<(StepIx, usize)>>,
    /// The steps that lead back to each.
    pub(super) back: Vec<Vec<StepIx>>,
    /// All known steps, each after those before it.
    pub(super) order: Vec<StepIx>,
    pub(super) scopes: Vec<Vec<Scope>>,
    pub(super) closes: Vec<Option<StepIx>>,
    pub(super) joins: Vec<Option<StepIx>>,
}

impl Shape {
    /// A shape of which nothing is known yet.
    fn unknown(steps: usize) -> Self {
        Self {
            known: vec![false; steps],
            before: vec![Vec::new(); steps],
            back: vec![Vec::new(); steps],
            order: Vec::with_capacity(steps),
            scopes: vec![Vec::new(); steps],
            closes: vec![None; steps],
            joins: vec![None; steps],
        }
    }
}

/// Finds the shape, as far as there is one.
pub(super) fn check(definition: &Definition, ways: &Ways, findings: &mut Findings) -> Shape {
    let flatten = |ways: &Vec<Option<StepIx>>| ways.iter().flatten().copied().collect();
    let targets: Vec<Vec<StepIx>> = ways.targets.iter().map(flatten).collect();
    let sources = sources(&targets);
    let mut astray = vec![false; targets.len()];
    for step in (0..).map(StepIx).take(targets.len()) {
        if ways.is_open(step) {
            spread(step, &sources, &mut astray);
        }
    }
    let mut flow = Flow {
        definition,
        ways,
        targets,
        sources,
        astray,
        findings,
    };
    let reached = flow.reached();
    let lost = flow.ends(&reached);
    flow.leave_out(&reached);
    match flow.loops(&lost) {
        Some(loops) => walk::scopes(flow, loops, reached),
        None => Shape::unknown(definition.steps.len()),
    }
}

/// The steps that lead to each step.
fn sources(targets: &[Vec<StepIx>]) -> Vec<Vec<StepIx>> {
    let mut sources = vec![Vec::new(); targets.len()];
    for (from, list) in (0..).map(StepIx).zip(targets) {
        list.iter().for_each(|to| sources[to.index()].push(from));
    }
    sources
}

struct Flow<'a> {
    definition: &'a Definition,
    ways: &'a Ways,
    /// Where each step leads to, without the ways that lead nowhere.
    targets: Vec<Vec<StepIx>>,
    /// `targets` the other way round.
    sources: Vec<Vec<StepIx>>,
    /// The steps from which an open way is reached, so that they may lead anywhere.
    astray: Vec<bool>,
    findings: &'a mut Findings,
}

impl Flow<'_> {
    fn len(&self) -> usize {
        self.targets.len()
    }

    fn all(&self) -> impl Iterator<Item = StepIx> + use<> {
        (0..u16::try_from(self.len()).expect("the number of steps is limited")).map(StepIx)
    }

    fn edge(&self, at: StepIx) -> &Edge {
        &self.definition.steps[at.index()].edge
    }

    fn is_join(&self, at: StepIx) -> bool {
        self.definition.steps[at.index()].join
    }

    fn name(&self, at: StepIx) -> String {
        super::shown(&self.definition.steps[at.index()].name)
    }

    fn names(&self, steps: impl IntoIterator<Item = StepIx>) -> Vec<String> {
        steps.into_iter().map(|step| self.name(step)).collect()
    }

    fn add(&mut self, at: StepIx, fault: Fault) {
        self.findings
            .add(Site::step(&self.definition.steps[at.index()]), fault);
    }

    /// Which steps are reached from the start; says which are not, unless an open way may lead there.
    fn reached(&mut self) -> Vec<bool> {
        let mut reached = vec![false; self.len()];
        spread(StepIx(0), &self.targets, &mut reached);
        if !self.ways.are_known() {
            return reached;
        }
        // A step that only another unreached step leads to is not worth a line of its own.
        let mut seen = reached.clone();
        let roots = self
            .all()
            .filter(|s| self.sources[s.index()].iter().all(|from| from == s));
        for step in roots.chain(self.all()).collect::<Vec<_>>() {
            if !seen[step.index()] {
                let start = self.name(StepIx(0));
                self.add(step, Fault::Unreachable { start });
                spread(step, &self.targets, &mut seen);
            }
        }
        reached
    }

    /// Checks that there is one end, and a way to it from everywhere. Which steps have none.
    fn ends(&mut self, reached: &[bool]) -> Vec<bool> {
        let is_end =
            |step: &StepIx| reached[step.index()] && self.ways.targets[step.index()].is_empty();
        let ends: Vec<StepIx> = self.all().filter(is_end).collect();
        if ends.len() > 1 {
            let ends = self.names(ends.iter().copied());
            self.findings.add(Site::Flow, Fault::SeveralEnds { ends });
        }
        let mut leads = self.astray.clone();
        ends.iter()
            .for_each(|end| spread(*end, &self.sources, &mut leads));
        let is_lost = |step: StepIx| reached[step.index()] && !leads[step.index()];
        let lost: Vec<StepIx> = self.all().filter(|step| is_lost(*step)).collect();
        match (ends.first(), lost.first()) {
            (Some(end), Some(first)) => {
                let (end, steps) = (self.name(*end), self.names(lost.iter().copied()));
                self.add(*first, Fault::NoWayToEnd { end, steps });
            }
            (None, _) if !self.astray[0] => self.findings.add(Site::Flow, Fault::NoEnd),
            _ => {}
        }
        self.all().map(is_lost).collect()
    }

    /// Forgets where steps lead that are never reached: they have no place in the shape.
    fn leave_out(&mut self, reached: &[bool]) {
        for (targets, reached) in self.targets.iter_mut().zip(reached) {
            if !reached {
                targets.clear();
            }
        }
        self.sources = sources(&self.targets);
    }
}

/// Marks everything that `edges` lead to from `start`.
fn spread(start: StepIx, edges: &[Vec<StepIx>], marked: &mut [bool]) {
    let mut open = vec![start];
    while let Some(step) = open.pop() {
        if !std::mem::replace(&mut marked[step.index()], true) {
            open.extend(&edges[step.index()]);
        }
    }
}

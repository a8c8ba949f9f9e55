//! What is around each step.
//!
//! Without the edges that lead back the graph has an order, in which every step inherits what is open
//! around the steps before it: a split or foreach opens a scope, a join closes the innermost one, a
//! loop's head opens the loop and an edge out of it closes it.

use std::collections::BTreeSet;

use super::{Fault, Flow, MAX_DEPTH, Shape};
use crate::model::definition::Edge;
use crate::model::graph::{Scope, StepIx};

/// Finds what is around each step, given the loops around it and whether it is reached.
pub(super) fn scopes(flow: Flow<'_>, loops: Vec<Vec<StepIx>>, reached: Vec<bool>) -> Shape {
    Walk::new(flow, loops, reached).scopes()
}

/// Why the scopes of a step are not known: something about it, or about a step before it, has
/// been said already.
struct Unknown;

type Context = Result<Vec<Scope>, Unknown>;

struct Walk<'a> {
    flow: Flow<'a>,
    loops: Vec<Vec<StepIx>>,
    reached: Vec<bool>,
    shape: Shape,
    overlapping: BTreeSet<StepIx>,
}

impl<'a> Walk<'a> {
    fn new(flow: Flow<'a>, loops: Vec<Vec<StepIx>>, reached: Vec<bool>) -> Self {
        let mut shape = Shape::unknown(flow.len());
        for from in flow.all().filter(|step| reached[step.index()]) {
            for (k, to) in flow.ways.targets[from.index()].iter().enumerate() {
                let Some(to) = to else { continue };
                if loops[from.index()].contains(to) {
                    shape.back[to.index()].push(from);
                } else {
                    shape.before[to.index()].push((from, k));
                }
            }
        }
        Self {
            flow,
            loops,
            reached,
            shape,
            overlapping: BTreeSet::new(),
        }
    }

    fn scopes(mut self) -> Shape {
        for step in order(&self.flow, &self.shape, &self.loops) {
            if let Ok(scopes) = self.around(step) {
                self.shape.scopes[step.index()] = scopes;
                self.shape.known[step.index()] = true;
                self.shape.order.push(step);
                self.end(step);
            }
        }
        for head in self.flow.all() {
            for from in std::mem::take(&mut self.shape.back[head.index()]) {
                self.turn(from, head);
                self.shape.back[head.index()].push(from);
            }
        }
        if self.flow.findings.is_empty() {
            self.unclosed();
        }
        self.shape
    }

    /// What is around `step`, from what is around the steps before it.
    fn around(&mut self, step: StepIx) -> Context {
        if !self.reached[step.index()] || self.flow.ways.twins[step.index()] {
            return Err(Unknown);
        }
        let before = self.shape.before[step.index()].clone();
        let mut arrivals = Vec::with_capacity(before.len());
        for (from, k) in before {
            arrivals.push((from, self.arrive(from, k, step)?));
        }
        let mut scopes = if self.flow.is_join(step) {
            self.close(step, &arrivals)?
        } else {
            self.meet(step, &arrivals)?
        };
        if self.is_head(step) {
            scopes.push(Scope::Loop { head: step });
        }
        if scopes.len() > MAX_DEPTH {
            self.flow.add(step, Fault::TooDeep { limit: MAX_DEPTH });
            return Err(Unknown);
        }
        Ok(scopes)
    }

    fn is_head(&self, step: StepIx) -> bool {
        self.loops[step.index()].last() == Some(&step)
    }

    /// What is open when the edge from `from` arrives at `to`, before `to` itself opens or closes.
    fn arrive(&mut self, from: StepIx, k: usize, to: StepIx) -> Context {
        if !self.shape.known[from.index()] {
            return Err(Unknown);
        }
        let mut scopes = self.shape.scopes[from.index()].clone();
        let branch = u32::try_from(k).expect("a branch is one of at most 10,000 steps");
        let opened = match self.flow.edge(from) {
            Edge::Split(_) => Some(Scope::Split { at: from, branch }),
            Edge::Foreach { .. } => Some(Scope::Foreach { at: from }),
            _ => None,
        };
        if opened.is_some() && self.flow.is_join(to) {
            let join = self.flow.name(to);
            self.flow.add(from, Fault::EmptyBranch { join });
            return Err(Unknown);
        }
        scopes.extend(opened);
        let outside = &self.loops[to.index()];
        let left: Vec<StepIx> = self.loops[from.index()]
            .iter()
            .rev()
            .copied()
            .take_while(|head| !outside.contains(head))
            .collect();
        for head in left {
            if scopes.pop() != Some(Scope::Loop { head }) {
                self.overlap(from, head, to);
                return Err(Unknown);
            }
        }
        Ok(scopes)
    }

    /// Checks that an edge that leads back arrives in the loop that it turns.
    fn turn(&mut self, from: StepIx, head: StepIx) {
        if !self.shape.known[head.index()] {
            return;
        }
        let Ok(scopes) = self.arrive(from, 0, head) else {
            return;
        };
        let is_switch = matches!(self.flow.edge(from), Edge::Switch { .. });
        if is_switch && scopes != self.shape.scopes[head.index()] {
            self.overlap(from, head, head);
        }
    }

    /// Says of a loop once that it overlaps.
    fn overlap(&mut self, from: StepIx, head: StepIx, target: StepIx) {
        if self.overlapping.insert(head) {
            let (head, target) = (self.flow.name(head), self.flow.name(target));
            self.flow.add(from, Fault::LoopOverlap { head, target });
        }
    }

    /// A step that is not a join must have the same around it on every way.
    fn meet(&mut self, step: StepIx, arrivals: &[(StepIx, Vec<Scope>)]) -> Context {
        let Some((_, scopes)) = arrivals.first() else {
            return Ok(Vec::new());
        };
        let Some((_, other)) = arrivals.iter().find(|(_, other)| other != scopes) else {
            return Ok(scopes.clone());
        };
        let common = scopes.iter().zip(other).take_while(|(a, b)| a == b).count();
        let from = self.flow.names(arrivals.iter().map(|(from, _)| *from));
        let fault = match (scopes.get(common), other.get(common)) {
            (Some(Scope::Split { at, .. }), Some(Scope::Split { at: same, .. })) if at == same => {
                Fault::NotAJoin {
                    opener: self.flow.name(*at),
                    from,
                }
            }
            (Some(scope), _) | (None, Some(scope)) => {
                let (what, opener) = self.describe(*scope);
                Fault::MixedPaths { what, opener, from }
            }
            (None, None) => unreachable!("two unequal lists differ somewhere"),
        };
        self.flow.add(step, fault);
        Err(Unknown)
    }

    fn describe(&self, scope: Scope) -> (&'static str, String) {
        let (what, at) = match scope {
            Scope::Split { at, .. } => ("split", at),
            Scope::Foreach { at } => ("foreach", at),
            Scope::Loop { head } => ("loop", head),
        };
        (what, self.flow.name(at))
    }

    /// A join closes the innermost scope, the same one on every way, and a split on every branch.
    fn close(&mut self, join: StepIx, arrivals: &[(StepIx, Vec<Scope>)]) -> Context {
        let innermost: BTreeSet<Option<StepIx>> = arrivals
            .iter()
            .map(|(_, scopes)| scopes.last().and_then(|scope| scope.opener()))
            .collect();
        if innermost.is_empty() || innermost.contains(&None) {
            self.flow.add(join, Fault::JoinWithoutSplit);
            return Err(Unknown);
        }
        let openers: Vec<StepIx> = innermost.into_iter().flatten().collect();
        let &[opener] = openers.as_slice() else {
            let openers = self.flow.names(openers);
            self.flow.add(join, Fault::JoinMixed { openers });
            return Err(Unknown);
        };
        let inner = &arrivals[0].1;
        let scope = inner[inner.len() - 1];
        if let Some(other) = self.shape.joins[opener.index()] {
            let (what, name) = self.describe(scope);
            let other = self.flow.name(other);
            self.flow.add(
                join,
                Fault::SeveralJoins {
                    what,
                    opener: name,
                    other,
                },
            );
            return Err(Unknown);
        }
        self.shape.joins[opener.index()] = Some(join);
        self.shape.closes[join.index()] = Some(opener);
        self.branches(join, opener, arrivals)?;
        Ok(inner[..inner.len() - 1].to_vec())
    }

    fn branches(
        &mut self,
        join: StepIx,
        opener: StepIx,
        arrivals: &[(StepIx, Vec<Scope>)],
    ) -> Result<(), Unknown> {
        let Edge::Split(_) = self.flow.edge(opener) else {
            return Ok(());
        };
        let present: BTreeSet<u32> = arrivals
            .iter()
            .filter_map(|(_, scopes)| match scopes.last() {
                Some(Scope::Split { branch, .. }) => Some(*branch),
                _ => None,
            })
            .collect();
        let mut whole = true;
        for (first, branch) in self.flow.ways.targets[opener.index()].iter().zip(0..) {
            let Some(first) = first else { continue };
            if present.contains(&branch) {
                continue;
            }
            whole = false;
            if !self.flow.astray[first.index()] {
                let (opener, branch) = (self.flow.name(opener), self.flow.name(*first));
                self.flow
                    .add(join, Fault::JoinIncomplete { opener, branch });
            }
        }
        if whole { Ok(()) } else { Err(Unknown) }
    }

    /// A flow must not end while a split or foreach is open.
    fn end(&mut self, step: StepIx) {
        if !self.flow.ways.targets[step.index()].is_empty() {
            return;
        }
        let open = self.shape.scopes[step.index()]
            .iter()
            .rev()
            .find(|s| s.opener().is_some());
        if let Some(scope) = open.copied() {
            let (what, opener) = self.describe(scope);
            self.flow.add(step, Fault::EndInside { what, opener });
        }
    }

    /// A last look: nothing was found, and still something is open.
    fn unclosed(&mut self) {
        for step in self.flow.all() {
            let opens = matches!(self.flow.edge(step), Edge::Split(_) | Edge::Foreach { .. });
            if opens && self.shape.joins[step.index()].is_none() {
                let (what, opener) = ("branches", self.flow.name(step));
                self.flow.add(step, Fault::EndInside { what, opener });
            }
        }
    }
}

/// All steps, each after those before it; of several possible ones the first written comes first.
fn order(flow: &Flow<'_>, shape: &Shape, loops: &[Vec<StepIx>]) -> Vec<StepIx> {
    let mut missing: Vec<usize> = shape.before.iter().map(Vec::len).collect();
    let mut ready: BTreeSet<StepIx> = flow
        .all()
        .filter(|step| missing[step.index()] == 0)
        .collect();
    let mut order = Vec::with_capacity(flow.len());
    while let Some(step) = ready.pop_first() {
        order.push(step);
        for to in &flow.targets[step.index()] {
            if loops[step.index()].contains(to) {
                continue;
            }
            missing[to.index()] -= 1;
            if missing[to.index()] == 0 {
                ready.insert(*to);
            }
        }
    }
    order
}

//! The shape of the whole flow: what is reached, which loops there are, what is around each step.
//!
//! Loops are the strongly connected components of the graph, and, with the edges into their head
//! taken away, those inside them. Without these edges the graph has an order, in which every step
//! inherits what is open around the steps before it: a split or foreach opens a scope, a join
//! closes the innermost one, a loop's head opens the loop and an edge out of it closes it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, Findings, MAX_DEPTH, Site};
use crate::model::definition::{Definition, Edge};
use crate::model::graph::{Scope, StepIx};

/// The shape of a flow, by the positions of its steps.
pub(super) struct Shape {
    /// The steps before each, without those that lead back, each with the position in its edge.
    pub(super) before: Vec<Vec<(StepIx, usize)>>,
    /// The steps that lead back to each.
    pub(super) back: Vec<Vec<StepIx>>,
    /// All steps, each after those before it.
    pub(super) order: Vec<StepIx>,
    pub(super) scopes: Vec<Vec<Scope>>,
    pub(super) closes: Vec<Option<StepIx>>,
    pub(super) joins: Vec<Option<StepIx>>,
}

/// Finds the shape. None when there is none because of what was found.
pub(super) fn check(
    definition: &Definition,
    targets: &[Vec<StepIx>],
    findings: &mut Findings,
) -> Option<Shape> {
    let mut sources = vec![Vec::new(); targets.len()];
    for (from, list) in (0..).map(StepIx).zip(targets) {
        list.iter().for_each(|to| sources[to.index()].push(from));
    }
    let mut flow = Flow {
        definition,
        targets,
        sources,
        findings,
    };
    let reached = flow.reached();
    flow.ends(&reached)?;
    let loops = flow.loops()?;
    let walk = Walk::new(flow, loops);
    walk.scopes()
}

struct Flow<'a> {
    definition: &'a Definition,
    targets: &'a [Vec<StepIx>],
    /// `targets` the other way round.
    sources: Vec<Vec<StepIx>>,
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

    /// Which steps are reached from the start; says which are not.
    fn reached(&mut self) -> Vec<bool> {
        let mut reached = vec![false; self.len()];
        spread(StepIx(0), self.targets, &mut reached);
        // A step that only another unreached step leads to is not worth a line of its own.
        let mut seen = reached.clone();
        let roots = self
            .all()
            .filter(|s| self.sources[s.index()].iter().all(|from| from == s));
        for step in roots.chain(self.all()).collect::<Vec<_>>() {
            if !seen[step.index()] {
                let start = self.name(StepIx(0));
                self.add(step, Fault::Unreachable { start });
                spread(step, self.targets, &mut seen);
            }
        }
        reached
    }

    /// Checks that there is one end, and a way to it from everywhere. None when there is no end.
    fn ends(&mut self, reached: &[bool]) -> Option<()> {
        let is_end = |step: &StepIx| reached[step.index()] && self.targets[step.index()].is_empty();
        let ends: Vec<StepIx> = self.all().filter(is_end).collect();
        let Some(end) = ends.first().copied() else {
            self.findings.add(Site::Flow, Fault::NoEnd);
            return None;
        };
        if ends.len() > 1 {
            let ends = self.names(ends.iter().copied());
            self.findings.add(Site::Flow, Fault::SeveralEnds { ends });
        }
        let mut leads = vec![false; self.len()];
        ends.iter()
            .for_each(|end| spread(*end, &self.sources, &mut leads));
        let lost: Vec<StepIx> = self
            .all()
            .filter(|step| reached[step.index()] && !leads[step.index()])
            .collect();
        if let Some(first) = lost.first() {
            let (end, steps) = (self.name(end), self.names(lost.iter().copied()));
            self.add(*first, Fault::NoWayToEnd { end, steps });
        }
        // An unreached step has no place in the shape.
        (lost.is_empty() && reached.iter().all(|reached| *reached)).then_some(())
    }

    /// The loops around each step, outermost first, by their heads. None when one has no head.
    fn loops(&mut self) -> Option<Vec<Vec<StepIx>>> {
        let mut around: Vec<Vec<StepIx>> = vec![Vec::new(); self.len()];
        let mut cut: BTreeSet<(StepIx, StepIx)> = BTreeSet::new();
        let mut inside: Vec<Vec<StepIx>> = vec![self.all().collect()];
        let mut sound = true;
        while let Some(nodes) = inside.pop() {
            for component in components(&nodes, self.targets, &cut) {
                let Some(head) = self.head(&component, &cut) else {
                    sound = false;
                    continue;
                };
                for step in &component {
                    around[step.index()].push(head);
                    if self.targets[step.index()].contains(&head) {
                        self.back_edge(*step, head);
                        cut.insert((*step, head));
                    }
                }
                if around[head.index()].len() > MAX_DEPTH {
                    self.add(head, Fault::TooDeep { limit: MAX_DEPTH });
                    return None;
                }
                inside.push(component.into_iter().collect());
            }
        }
        sound.then_some(around)
    }

    /// The only step by which a loop is entered.
    fn head(
        &mut self,
        component: &BTreeSet<StepIx>,
        cut: &BTreeSet<(StepIx, StepIx)>,
    ) -> Option<StepIx> {
        let mut heads = BTreeSet::new();
        if component.contains(&StepIx(0)) {
            heads.insert(StepIx(0));
        }
        for step in component {
            let entered =
                |from: &&StepIx| !component.contains(from) && !cut.contains(&(**from, *step));
            if self.sources[step.index()].iter().any(|from| entered(&from)) {
                heads.insert(*step);
            }
        }
        let first = heads.first().copied()?;
        if heads.len() > 1 {
            let heads = self.names(heads);
            self.add(first, Fault::LoopHeads { heads });
            return None;
        }
        Some(first)
    }

    fn back_edge(&mut self, from: StepIx, head: StepIx) {
        let name = self.name(head);
        match self.edge(from) {
            Edge::Switch {
                max_turns: Some(_), ..
            } => {}
            Edge::Switch {
                max_turns: None, ..
            } => {
                self.add(from, Fault::LoopUnbounded { head: name.clone() });
            }
            _ => self.add(from, Fault::LoopNotSwitch { head: name.clone() }),
        }
        if self.is_join(head) {
            self.add(from, Fault::LoopIntoJoin { head: name });
        }
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

/// The loops among `nodes`: strongly connected components of more than one step, and steps that
/// lead to themselves. Found by Tarjan's algorithm, with a stack of its own instead of recursion.
fn components(
    nodes: &[StepIx],
    targets: &[Vec<StepIx>],
    cut: &BTreeSet<(StepIx, StepIx)>,
) -> Vec<BTreeSet<StepIx>> {
    let inside: BTreeSet<StepIx> = nodes.iter().copied().collect();
    let follow = |from: StepIx, k: usize| targets[from.index()].get(k).copied();
    let is_edge = |from: StepIx, to: StepIx| inside.contains(&to) && !cut.contains(&(from, to));
    let mut number: BTreeMap<StepIx, usize> = BTreeMap::new();
    let mut low: BTreeMap<StepIx, usize> = BTreeMap::new();
    let (mut held, mut is_held) = (Vec::new(), BTreeSet::new());
    let mut found = Vec::new();
    for root in nodes {
        let mut path = if number.contains_key(root) {
            Vec::new()
        } else {
            vec![(*root, 0)]
        };
        while let Some((step, k)) = path.pop() {
            if k == 0 {
                low.insert(step, number.len());
                number.insert(step, number.len());
                held.push(step);
                is_held.insert(step);
            } else if let Some(child) = follow(step, k - 1)
                && is_edge(step, child)
                && is_held.contains(&child)
            {
                low.insert(step, low[&step].min(low[&child]));
            }
            match follow(step, k) {
                Some(next) => {
                    path.push((step, k + 1));
                    if is_edge(step, next) && !number.contains_key(&next) {
                        path.push((next, 0));
                    }
                }
                None if low[&step] == number[&step] => {
                    let at = held.iter().rposition(|held| *held == step).unwrap_or(0);
                    let component: BTreeSet<StepIx> = held.drain(at..).collect();
                    for step in &component {
                        is_held.remove(step);
                    }
                    let turns = targets[step.index()].contains(&step) && is_edge(step, step);
                    if component.len() > 1 || turns {
                        found.push(component);
                    }
                }
                None => {}
            }
        }
    }
    found
}

/// Why the scopes of a step are not known: something about it, or about a step before it, has
/// been said already.
struct Unknown;

type Context = Result<Vec<Scope>, Unknown>;

struct Walk<'a> {
    flow: Flow<'a>,
    loops: Vec<Vec<StepIx>>,
    shape: Shape,
    known: Vec<bool>,
    overlapping: BTreeSet<StepIx>,
}

impl<'a> Walk<'a> {
    fn new(flow: Flow<'a>, loops: Vec<Vec<StepIx>>) -> Self {
        let n = flow.len();
        let mut shape = Shape {
            before: vec![Vec::new(); n],
            back: vec![Vec::new(); n],
            order: Vec::with_capacity(n),
            scopes: vec![Vec::new(); n],
            closes: vec![None; n],
            joins: vec![None; n],
        };
        for from in flow.all() {
            for (k, to) in flow.targets[from.index()].iter().enumerate() {
                let is_back = loops[from.index()].contains(to);
                if is_back {
                    shape.back[to.index()].push(from);
                } else {
                    shape.before[to.index()].push((from, k));
                }
            }
        }
        shape.order = order(&flow, &shape, &loops);
        Self {
            flow,
            loops,
            shape,
            known: vec![false; n],
            overlapping: BTreeSet::new(),
        }
    }

    fn scopes(mut self) -> Option<Shape> {
        for step in self.shape.order.clone() {
            if let Ok(scopes) = self.around(step) {
                self.shape.scopes[step.index()] = scopes;
                self.known[step.index()] = true;
                self.end(step);
            }
        }
        for head in self.flow.all() {
            for from in std::mem::take(&mut self.shape.back[head.index()]) {
                self.turn(from, head);
                self.shape.back[head.index()].push(from);
            }
        }
        if self.known.iter().all(|known| *known) && self.flow.findings.is_empty() {
            self.unclosed();
        }
        let whole = self.known.iter().all(|known| *known);
        let closed = self.flow.all().all(|step| {
            let opens = matches!(self.flow.edge(step), Edge::Split(_) | Edge::Foreach { .. });
            !opens || self.shape.joins[step.index()].is_some()
        });
        (whole && closed).then_some(self.shape)
    }

    /// What is around `step`, from what is around the steps before it.
    fn around(&mut self, step: StepIx) -> Context {
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
        if !self.known[from.index()] {
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
        if !self.known[head.index()] {
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
        let branches = self.flow.targets[opener.index()].clone();
        let mut whole = true;
        for (first, branch) in branches.iter().zip(0..) {
            if !present.contains(&branch) {
                whole = false;
                let (opener, branch) = (self.flow.name(opener), self.flow.name(*first));
                self.flow
                    .add(join, Fault::JoinIncomplete { opener, branch });
            }
        }
        if whole { Ok(()) } else { Err(Unknown) }
    }

    /// A flow must not end while a split or foreach is open.
    fn end(&mut self, step: StepIx) {
        if !self.flow.targets[step.index()].is_empty() {
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

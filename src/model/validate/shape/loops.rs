//! The loops of a flow.
//!
//! Loops are the strongly connected components of the graph, and, with the edges into their head
//! taken away, those inside them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, Flow, MAX_DEPTH};
use crate::model::definition::Edge;
use crate::model::graph::StepIx;

impl Flow<'_> {
    /// The loops around each step, outermost first, by their heads; none for loops that are nested too
    /// deeply. `lost` are the steps from which no end is reached.
    ///
    /// A loop that can be entered in several places has no head, and its steps no order.
    pub(super) fn loops(&mut self, lost: &[bool]) -> Option<Vec<Vec<StepIx>>> {
        let mut around: Vec<Vec<StepIx>> = vec![Vec::new(); self.len()];
        let mut cut: BTreeSet<(StepIx, StepIx)> = BTreeSet::new();
        let mut inside: Vec<Vec<StepIx>> = vec![self.all().collect()];
        while let Some(nodes) = inside.pop() {
            for component in components(&nodes, &self.targets, &cut) {
                let Some(head) = self.head(&component, &cut) else {
                    continue;
                };
                for step in &component {
                    around[step.index()].push(head);
                    if self.targets[step.index()].contains(&head) {
                        self.back_edge(*step, head, lost[step.index()]);
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
        Some(around)
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

    /// Checks an edge that leads back. A step that is lost has been told to lead out by a switch.
    fn back_edge(&mut self, from: StepIx, head: StepIx, is_lost: bool) {
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
            _ if is_lost => {}
            _ => self.add(from, Fault::LoopNotSwitch { head: name.clone() }),
        }
        if self.is_join(head) {
            self.add(from, Fault::LoopIntoJoin { head: name });
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

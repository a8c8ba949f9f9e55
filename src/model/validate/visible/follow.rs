//! Follows one artifact through a flow: where it is surely written, where perhaps, and by whom.
//!
//! What the scheduler does with values at a join, this does with what is known about them; the two must
//! agree. Loops are followed until nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Flow, How, Reader};
use crate::model::definition::Edge;
use crate::model::graph::{Scope, StepIx};
use crate::model::name::ArtifactName;
use crate::model::validate::writers::Writers;
use crate::model::validate::{Fault, Findings, Site, shown};

/// What is known about an artifact after a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// It has been written on every way.
    surely: bool,
    /// The split whose branches may differ about it.
    clash: Option<StepIx>,
    /// The foreach that may have no elements, and then does not write it.
    empty: Option<StepIx>,
    /// Who may have written it.
    writers: Writers,
}

impl Known {
    /// What is known where two ways meet.
    fn or(self, other: Known) -> Known {
        Known {
            surely: self.surely && other.surely,
            clash: self.clash.max(other.clash),
            empty: self.empty.max(other.empty),
            writers: self.writers.union(other.writers),
        }
    }
}

/// What is known about one artifact, after each step.
pub(super) struct Artifact<'a> {
    flow: &'a Flow<'a>,
    name: &'a str,
    writers: &'a [StepIx],
    /// The branches that write it, by the step that splits.
    branches: BTreeMap<StepIx, BTreeSet<u32>>,
    /// None as long as nothing is known.
    after: Vec<Option<Known>>,
}

impl<'a> Artifact<'a> {
    pub(super) fn follow(
        flow: &'a Flow<'a>,
        name: &'a str,
        writers: &'a [StepIx],
        readers: &[Reader<'_>],
    ) -> Self {
        let mut branches: BTreeMap<StepIx, BTreeSet<u32>> = BTreeMap::new();
        for writer in writers {
            for scope in &flow.shape.scopes[writer.index()] {
                if let Scope::Split { at, branch } = scope {
                    branches.entry(*at).or_default().insert(*branch);
                }
            }
        }
        let after = vec![None; flow.steps.len()];
        let mut artifact = Artifact {
            flow,
            name,
            writers,
            branches,
            after,
        };
        if flow.shape.back.iter().any(|back| !back.is_empty()) {
            while artifact.pass(&flow.shape.order) {}
            return artifact;
        }
        // Without loops nothing happens before the first writer or matters after the last reader.
        let position = |step: &StepIx| flow.position[step.index()];
        let first = writers.iter().map(position).min().unwrap_or(0);
        let last = readers
            .iter()
            .map(|reader| position(&reader.step))
            .max()
            .unwrap_or(0);
        let first = first.min(flow.shape.order.len());
        for step in &flow.shape.order[..first] {
            artifact.after[step.index()] = Some(Known::default());
        }
        artifact.pass(flow.shape.order.get(first..=last).unwrap_or_default());
        artifact
    }

    /// Goes through all steps once. Whether anything changed.
    ///
    /// From pass to pass less becomes sure and more writers become known, so it ends.
    fn pass(&mut self, steps: &[StepIx]) -> bool {
        let mut changed = false;
        for step in steps {
            let known = self.write(*step, self.before(*step));
            let before = self.after[step.index()].replace(known);
            changed |= before != Some(known);
        }
        changed
    }

    fn after(&self, step: StepIx) -> Known {
        self.after[step.index()].unwrap_or_default()
    }

    /// What is known when a step starts.
    fn before(&self, step: StepIx) -> Known {
        let shape = self.flow.shape;
        if let Some(opener) = shape.closes[step.index()] {
            return match self.flow.step(opener).edge {
                Edge::Split(_) => self.after_split(step, opener),
                _ => self.after_foreach(step, opener),
            };
        }
        let ways = shape.before[step.index()].iter().map(|(from, _)| *from);
        let back = shape.back[step.index()].iter().copied();
        let known = ways.chain(back).filter_map(|from| self.after[from.index()]);
        let start = (step == StepIx(0)).then(Known::default);
        known.chain(start).reduce(Known::or).unwrap_or_default()
    }

    fn write(&self, step: StepIx, before: Known) -> Known {
        let declared = self.flow.step(step);
        let writes = declared.writes.iter().any(|write| write.name == self.name);
        match &declared.catch {
            None if writes => Known {
                surely: true,
                writers: Writers::one(step),
                ..Known::default()
            },
            Some(catch) if writes || catch == self.name => Known {
                writers: before.writers.union(Writers::one(step)),
                ..before
            },
            _ => before,
        }
    }

    /// The ways into a join that come from one branch of a split.
    fn ends(&self, join: StepIx, branch: u32) -> impl Iterator<Item = StepIx> {
        let scopes = &self.flow.shape.scopes;
        let depth = scopes[join.index()].len();
        self.flow.shape.before[join.index()].iter().map(|(from, _)| *from).filter(move |from| {
            matches!(scopes[from.index()].get(depth), Some(Scope::Split { branch: b, .. }) if *b == branch)
        })
    }

    fn branch(&self, join: StepIx, branch: u32) -> Known {
        self.ends(join, branch)
            .map(|end| self.after(end))
            .reduce(Known::or)
            .unwrap_or_default()
    }

    fn is_merged(&self, join: StepIx) -> bool {
        self.flow
            .step(join)
            .merge
            .iter()
            .any(|name| name == self.name)
    }

    /// The only branch that writes the artifact, when nothing else has written it before the split
    /// but the same branch in an earlier turn of a loop.
    fn sole_branch(&self, opener: StepIx) -> Option<u32> {
        let branches = self.branches.get(&opener)?;
        let branch = *branches.first().filter(|_| branches.len() == 1)?;
        let scopes = &self.flow.shape.scopes;
        let depth = scopes[opener.index()].len();
        let own = Some(&Scope::Split { at: opener, branch });
        let is_own = |writer: StepIx| scopes[writer.index()].get(depth) == own;
        let before = self.after(opener).writers;
        (!before.is_cut() && before.iter().all(is_own)).then_some(branch)
    }

    fn after_split(&self, join: StepIx, opener: StepIx) -> Known {
        let before = self.after(opener);
        let Some(branches) = self.branches.get(&opener) else {
            return before;
        };
        if let Some(branch) = self.sole_branch(opener) {
            return self.branch(join, branch);
        }
        let ends = || branches.iter().map(|branch| self.branch(join, *branch));
        let writers = ends()
            .map(|known| known.writers)
            .fold(before.writers, Writers::union);
        if self.is_merged(join) {
            let surely = before.surely || ends().any(|known| known.surely);
            return Known {
                surely,
                writers,
                ..Known::default()
            };
        }
        Known {
            surely: false,
            clash: Some(opener),
            empty: None,
            writers,
        }
    }

    fn after_foreach(&self, join: StepIx, opener: StepIx) -> Known {
        let before = self.after(opener);
        if !self.is_merged(join) {
            return before;
        }
        let ends = self.flow.shape.before[join.index()]
            .iter()
            .map(|(from, _)| self.after(*from));
        let body = ends.reduce(Known::or).unwrap_or_default();
        if body.writers.is_empty() {
            return before;
        }
        let empty = if before.surely { None } else { Some(opener) };
        let writers = before.writers.union(body.writers);
        Known {
            surely: before.surely,
            clash: body.clash,
            empty,
            writers,
        }
    }

    pub(super) fn sole(&self, sole: &mut [Vec<(ArtifactName, u32)>]) {
        for opener in self.branches.keys() {
            let join = self.flow.shape.joins[opener.index()];
            if let (Some(join), Some(branch), Ok(name)) = (
                join,
                self.sole_branch(*opener),
                ArtifactName::new(self.name),
            ) {
                sole[join.index()].push((name, branch));
            }
        }
    }

    pub(super) fn reads(&self, readers: &[Reader<'_>], findings: &mut Findings) {
        for reader in readers {
            let site = || Site::step(self.flow.step(reader.step));
            let (read, ways) = match &reader.how {
                How::Seen(read) => (read, vec![(reader.step, self.before(reader.step))]),
                How::Input(read) => {
                    let ends = self.flow.shape.before[reader.step.index()].iter();
                    (
                        read,
                        ends.map(|(from, _)| (*from, self.after(*from))).collect(),
                    )
                }
                How::Merged => continue,
            };
            let missing = ways
                .iter()
                .find(|(_, known)| !known.surely && !read.optional);
            if let Some((way, known)) = missing {
                let nowhere = ways.iter().all(|(_, known)| known.writers.is_empty());
                let through = if matches!(reader.how, How::Seen(_)) {
                    None
                } else {
                    Some(*way)
                };
                let fault = if nowhere {
                    self.unseen(reader.step)
                } else {
                    self.missing(reader.step, through, *known)
                };
                findings.add(site(), fault);
            }
            let writers = ways.iter().map(|(_, known)| known.writers);
            let writers = writers.fold(Writers::default(), Writers::union);
            let fault = writers
                .iter()
                .find_map(|writer| self.flow.type_differs(read, writer));
            if let Some(fault) = fault {
                findings.add(site(), fault);
            }
        }
    }

    /// Somebody writes the artifact, and it is never seen here.
    fn unseen(&self, reader: StepIx) -> Fault {
        let artifact = shown(self.name);
        let shape = self.flow.shape;
        let position = |step: StepIx| self.flow.position[step.index()];
        let inner = self
            .writers
            .iter()
            .flat_map(|writer| &shape.scopes[writer.index()]);
        let closed = inner.filter_map(|scope| match scope {
            Scope::Foreach { at } if !shape.scopes[reader.index()].contains(scope) => Some(*at),
            _ => None,
        });
        let mut passed = closed.filter(|at| {
            let join = shape.joins[at.index()];
            join.is_some_and(|join| position(join) <= position(reader))
        });
        match passed.next() {
            Some(opener) => Fault::ReadNotPassed {
                artifact,
                opener: self.flow.name(opener),
            },
            None => {
                let writers = self.flow.names(self.writers.iter().copied());
                Fault::ReadTooEarly { artifact, writers }
            }
        }
    }

    /// Why an artifact that somebody writes may be missing.
    fn missing(&self, reader: StepIx, through: Option<StepIx>, known: Known) -> Fault {
        let (flow, artifact) = (self.flow, shown(self.name));
        if let Some(split) = known.clash {
            let join = flow.shape.joins[split.index()].unwrap_or(reader);
            let (split, join) = (flow.name(split), flow.name(join));
            let writers = flow.names(known.writers.iter());
            return Fault::Ambiguous {
                artifact,
                split,
                join,
                writers,
            };
        }
        if let Some(opener) = known.empty {
            return Fault::ReadEmptyForeach {
                artifact,
                opener: flow.name(opener),
            };
        }
        let catcher = known
            .writers
            .iter()
            .find(|writer| flow.step(*writer).catch.is_some());
        if let Some(catcher) = catcher {
            let is_failure = flow.step(catcher).catch.as_deref() == Some(self.name);
            let catcher = flow.name(catcher);
            return match is_failure {
                true => Fault::ReadFailure { artifact, catcher },
                false => Fault::ReadCaught { artifact, catcher },
            };
        }
        let through = match through {
            Some(end) if known.writers.is_empty() => end,
            Some(end) => self.gap(end),
            None => self.gap(reader),
        };
        if through == reader && !flow.shape.back[reader.index()].is_empty() {
            return Fault::ReadFirstTurn { artifact };
        }
        Fault::ReadMaybe {
            artifact,
            through: flow.name(through),
        }
    }

    /// A step before `step`, on a way on which the artifact is not written.
    fn gap(&self, step: StepIx) -> StepIx {
        let shape = self.flow.shape;
        let mut at = step;
        for _ in 0..self.flow.steps.len() {
            let before: Vec<StepIx> = match shape.closes[at.index()] {
                Some(opener) => vec![opener],
                None => shape.before[at.index()]
                    .iter()
                    .map(|(from, _)| *from)
                    .collect(),
            };
            let unsure = |from: &&StepIx| !self.after(**from).surely;
            let nowhere = |from: &&StepIx| self.after(**from).writers.is_empty();
            match before.iter().find(nowhere).or(before.iter().find(unsure)) {
                Some(from) if nowhere(&from) => return *from,
                Some(from) => at = *from,
                None => return at,
            }
        }
        at
    }

    /// What a join merges, a branch writes.
    pub(super) fn merges(&self, readers: &[Reader<'_>], findings: &mut Findings) {
        let flow = self.flow;
        let shape = flow.shape;
        for reader in readers
            .iter()
            .filter(|reader| matches!(reader.how, How::Merged))
        {
            let Some(opener) = shape.closes[reader.step.index()] else {
                continue;
            };
            let inside = |writer: &StepIx| {
                let scopes = &shape.scopes[writer.index()];
                scopes.iter().any(|scope| scope.opener() == Some(opener))
            };
            if !self.writers.iter().any(inside) {
                let (artifact, suggestion) = (shown(self.name), None);
                let fault = Fault::MergeUnwritten {
                    artifact,
                    suggestion,
                };
                findings.add(Site::step(flow.step(reader.step)), fault);
            }
        }
    }
}

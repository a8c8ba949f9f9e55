//! Who sees which artifact: every read is served, by a value of its type, on every way.
//!
//! One artifact at a time is followed through the flow ([`follow`]), in the order of its steps.
//! Where the shape of the flow is not known, only what holds on every way is said.

use std::collections::BTreeMap;

use self::follow::Artifact;
use super::local::closest;
use super::shape::Shape;
use super::{Fault, Findings, Site, shown};
use crate::model::definition::{Definition, Edge, Read, Step};
use crate::model::graph::{Param, Scope, StepIx};
use crate::model::name::ArtifactName;

mod follow;

/// The most different artifacts that a flow may have.
const MAX_ARTIFACTS: usize = 10_000;

/// Checks every read. Finds for every join of a split what only one branch writes.
pub(super) fn check(
    definition: &Definition,
    parameters: &[Param],
    shape: &Shape,
    findings: &mut Findings,
) -> Vec<Vec<(ArtifactName, u32)>> {
    let uses = Uses::of(definition);
    let mut sole = vec![Vec::new(); definition.steps.len()];
    if uses.writers.len().max(uses.readers.len()) > MAX_ARTIFACTS {
        findings.add(
            Site::Flow,
            Fault::TooManyArtifacts {
                limit: MAX_ARTIFACTS,
            },
        );
        return sole;
    }
    let mut position = vec![usize::MAX; definition.steps.len()];
    for (at, step) in shape.order.iter().enumerate() {
        position[step.index()] = at;
    }
    let flow = Flow {
        steps: &definition.steps,
        shape,
        position,
        uses: &uses,
    };
    for (name, readers) in &uses.readers {
        if let Some(parameter) = parameters.iter().find(|p| p.name.as_str() == *name) {
            flow.parameter(parameter, readers, findings);
        } else if let Some(writers) = uses.writers.get(name) {
            let (seen, unsure) = flow.sure(readers, writers);
            let artifact = Artifact::follow(&flow, name, writers, &seen);
            artifact.reads(&seen, findings);
            artifact.merges(&seen, findings);
            artifact.sole(&mut sole);
            flow.types(writers, &unsure, findings);
        } else {
            flow.unwritten(name, readers, parameters, findings);
        }
        if findings.is_full() {
            break;
        }
    }
    flow.items(findings);
    sole
}

/// Who reads and who writes, by artifact.
struct Uses<'a> {
    writers: BTreeMap<&'a str, Vec<StepIx>>,
    readers: BTreeMap<&'a str, Vec<Reader<'a>>>,
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    step: StepIx,
    how: How<'a>,
}

/// How a step reads an artifact.
#[derive(Clone, Copy)]
enum How<'a> {
    /// As one that it sees.
    Seen(&'a Read),
    /// Of each of its branches.
    Input(&'a Read),
    /// It lets it pass.
    Merged,
}

impl<'a> Uses<'a> {
    fn of(definition: &'a Definition) -> Self {
        let (mut writers, mut readers) = (BTreeMap::new(), BTreeMap::new());
        for (step, ix) in definition.steps.iter().zip((0..).map(StepIx)) {
            let written = step
                .writes
                .iter()
                .map(|w| w.name.as_str())
                .chain(step.catch.as_deref());
            for name in written {
                writers.entry(name).or_insert_with(Vec::new).push(ix);
            }
            let seen = step.reads.iter().map(|r| (r.name.as_str(), How::Seen(r)));
            let inputs = step.inputs.iter().map(|r| (r.name.as_str(), How::Input(r)));
            let merged = step.merge.iter().map(|name| (name.as_str(), How::Merged));
            // What is not a name has been refused, and nothing can be written under it.
            let named = seen.chain(inputs).chain(merged);
            for (name, how) in named.filter(|(name, _)| ArtifactName::new(name).is_ok()) {
                readers
                    .entry(name)
                    .or_insert_with(Vec::new)
                    .push(Reader { step: ix, how });
            }
        }
        Self { writers, readers }
    }
}

struct Flow<'a> {
    steps: &'a [Step],
    shape: &'a Shape,
    uses: &'a Uses<'a>,
    /// Where each step is in the order of the shape.
    position: Vec<usize>,
}

impl Flow<'_> {
    fn step(&self, at: StepIx) -> &Step {
        &self.steps[at.index()]
    }

    fn name(&self, at: StepIx) -> String {
        shown(&self.step(at).name)
    }

    fn names(&self, steps: impl IntoIterator<Item = StepIx>) -> Vec<String> {
        steps.into_iter().map(|step| self.name(step)).collect()
    }

    fn parameter(&self, parameter: &Param, readers: &[Reader<'_>], findings: &mut Findings) {
        for reader in readers {
            let (How::Seen(read) | How::Input(read)) = &reader.how else {
                continue;
            };
            if !same(&read.ty, &parameter.ty) {
                let fault = Fault::TypeDiffers {
                    artifact: shown(&read.name),
                    ty: shown(&read.ty),
                    writer: "the parameter declares".into(),
                    written: shown(&parameter.ty),
                };
                findings.add(Site::step(self.step(reader.step)), fault);
            }
        }
    }

    fn unwritten(
        &self,
        name: &str,
        readers: &[Reader<'_>],
        parameters: &[Param],
        findings: &mut Findings,
    ) {
        let known = parameters.iter().map(|p| p.name.as_str());
        let all = self.uses.writers.keys().copied().chain(known);
        let suggestion = if findings.is_long() {
            None
        } else {
            closest(name, all)
        };
        for reader in readers {
            let (artifact, suggestion) = (shown(name), suggestion.clone());
            let fault = match reader.how {
                How::Merged => Fault::MergeUnwritten {
                    artifact,
                    suggestion,
                },
                _ => Fault::ReadUnwritten {
                    artifact,
                    suggestion,
                },
            };
            findings.add(Site::step(self.step(reader.step)), fault);
        }
    }

    /// The readers about which everything is known, and the others.
    ///
    /// Where a writer stands must be known too: it may come before a reader.
    fn sure<'b>(
        &self,
        readers: &[Reader<'b>],
        writers: &[StepIx],
    ) -> (Vec<Reader<'b>>, Vec<Reader<'b>>) {
        let known = |step: StepIx| self.shape.known[step.index()];
        let writers = writers.iter().all(|writer| known(*writer));
        readers
            .iter()
            .partition(|reader| writers && known(reader.step))
    }

    /// Readers that agree with no writer about the type, wherever they stand.
    fn types(&self, writers: &[StepIx], readers: &[Reader<'_>], findings: &mut Findings) {
        for reader in readers {
            let (How::Seen(read) | How::Input(read)) = reader.how else {
                continue;
            };
            let type_of = |writer: &StepIx| {
                let mut writes = self.step(*writer).writes.iter();
                writes
                    .find(|write| write.name == read.name)
                    .map(|write| &write.ty)
            };
            let agrees = |writer| type_of(writer).is_none_or(|ty| same(ty, &read.ty));
            if writers.iter().any(agrees) {
                continue;
            }
            let fault = writers
                .first()
                .and_then(|writer| self.type_differs(read, *writer));
            if let Some(fault) = fault {
                findings.add(Site::step(self.step(reader.step)), fault);
            }
        }
    }

    fn type_differs(&self, read: &Read, writer: StepIx) -> Option<Fault> {
        let mut writes = self.step(writer).writes.iter();
        let write = writes.find(|write| write.name == read.name)?;
        (!same(&write.ty, &read.ty)).then(|| Fault::TypeDiffers {
            artifact: shown(&read.name),
            ty: shown(&read.ty),
            writer: format!("`{}` writes", self.name(writer)),
            written: shown(&write.ty),
        })
    }

    /// Foreach elements are read inside a foreach, with the type of its list.
    fn items(&self, findings: &mut Findings) {
        let steps = self.steps.iter().zip(&self.shape.scopes);
        for ((step, scopes), known) in steps.zip(&self.shape.known) {
            let Some(ty) = step.item.as_ref().filter(|_| *known) else {
                continue;
            };
            let innermost = scopes.iter().rev().find_map(|scope| match scope {
                Scope::Foreach { at } => Some(*at),
                _ => None,
            });
            let Some(opener) = innermost else {
                findings.add(Site::step(step), Fault::ItemOutside);
                continue;
            };
            let Edge::Foreach { artifact, .. } = &self.step(opener).edge else {
                continue;
            };
            let list = self
                .step(opener)
                .writes
                .iter()
                .find(|write| write.name == *artifact);
            let Some(list) = list.map(|write| write.ty.as_str()) else {
                continue;
            };
            if element(list).is_some_and(|element| !same(&element, ty)) {
                let (ty, artifact) = (shown(ty), shown(artifact));
                let (opener, list) = (self.name(opener), shown(list));
                let fault = Fault::ItemType {
                    ty,
                    artifact,
                    opener,
                    list,
                };
                findings.add(Site::step(step), fault);
            }
        }
    }
}

/// Whether two names of types are the same but for spaces.
fn same(a: &str, b: &str) -> bool {
    let letters = |text: &'_ str| {
        text.chars()
            .filter(|c| !c.is_whitespace())
            .collect::<String>()
    };
    a == b || letters(a) == letters(b)
}

/// The type of the elements of a list, when the name of its type tells.
fn element(list: &str) -> Option<String> {
    let list: String = list.chars().filter(|c| !c.is_whitespace()).collect();
    list.strip_prefix("Vec<")?
        .strip_suffix('>')
        .map(str::to_owned)
}

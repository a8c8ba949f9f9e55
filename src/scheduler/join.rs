//! What a join sees of the branches that it brings together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::{Branch, Command};
use super::env::Env;
use super::state::{Running, Scheduler, Spent, TaskKey};
use crate::model::artifact::Value;
use crate::model::failure::{Failure, FailureKind};
use crate::model::graph::{EdgeIx, StepIx, StepNode};
use crate::model::name::ArtifactName;

type Bindings = Vec<(ArtifactName, Option<Value>)>;

impl Scheduler {
    /// Starts the join of a split or foreach whose branches have all ended.
    pub(super) fn join(&mut self, opener: &TaskKey, join: StepIx, commands: &mut Vec<Command>) {
        let open = self.open.remove(opener).expect("a join starts once");
        let branches: Arc<[Branch]> = open.ends.into_iter().flatten().collect();
        let graph = self.graph.clone();
        let step = graph.step(join);
        let seen = match graph.step(opener.0).edge {
            EdgeIx::Split { .. } => after_split(step, &open.base, &branches),
            _ => after_foreach(step, &open.base, &branches),
        };
        let place = opener.1.clone();
        match seen {
            Ok(bindings) => {
                let env = Env::bind(&open.base, step.level(), bindings);
                self.spawn(join, place, env, Some(branches), commands);
            }
            Err(failure) => {
                let running = Running {
                    attempt: 0,
                    spent: Spent::default(),
                    catching: false,
                    env: open.base,
                    branches: None,
                };
                let key = (join, place);
                self.running.insert(key.clone(), running);
                self.failed(&key, failure, commands);
            }
        }
    }
}

/// After a split: what one branch alone writes, what all agree on, what is merged. The rest hides.
fn after_split(join: &StepNode, base: &Arc<Env>, branches: &[Branch]) -> Result<Bindings, Failure> {
    let mut written: BTreeMap<&ArtifactName, BTreeMap<usize, Option<&Value>>> = BTreeMap::new();
    for (i, branch) in branches.iter().enumerate() {
        for (name, value) in branch.env.since(base) {
            written.entry(name).or_default().insert(i, value);
        }
    }
    let mut bindings = Vec::with_capacity(written.len());
    for (name, values) in written {
        let before = base.get(name.as_str());
        let value = if join.sole.iter().any(|(sole, _)| sole == name) {
            values.into_values().find_map(|value| value).or(before)
        } else if join.merge.contains(name) {
            let all = (0..branches.len()).map(|i| values.get(&i).copied().unwrap_or(before));
            merged(join, name, branches, all)?
        } else {
            passing(&values, before, branches.len())
        };
        bindings.push((name.clone(), value.cloned()));
    }
    Ok(bindings)
}

/// A value on which all branches agree, or that only one has.
fn passing<'a>(
    values: &BTreeMap<usize, Option<&'a Value>>,
    before: Option<&'a Value>,
    branches: usize,
) -> Option<&'a Value> {
    let mut written = values.values().flatten();
    let first = *written.next()?;
    let agreed = values
        .values()
        .all(|value| value.is_some_and(|v| v.digest == first.digest));
    let untouched = values.len() < branches;
    let agrees_with_before = !untouched || before.is_some_and(|v| v.digest == first.digest);
    let is_only = before.is_none() && values.values().flatten().count() == 1;
    ((agreed && agrees_with_before) || is_only).then_some(first)
}

/// After a foreach: what was there before it, and what is merged.
fn after_foreach(
    join: &StepNode,
    base: &Arc<Env>,
    branches: &[Branch],
) -> Result<Bindings, Failure> {
    let mut bindings = Vec::with_capacity(join.merge.len());
    if branches.is_empty() {
        return Ok(bindings);
    }
    for name in &join.merge {
        let all = branches.iter().map(|branch| branch.env.get(name.as_str()));
        let value = merged(join, name, branches, all)?;
        if value.map(|v| v.digest) != base.get(name.as_str()).map(|v| v.digest) {
            bindings.push((name.clone(), value.cloned()));
        }
    }
    Ok(bindings)
}

/// The value that all branches have which have one.
fn merged<'a>(
    join: &StepNode,
    name: &ArtifactName,
    branches: &[Branch],
    values: impl Iterator<Item = Option<&'a Value>>,
) -> Result<Option<&'a Value>, Failure> {
    let mut first: Option<(usize, &Value)> = None;
    for (i, value) in values
        .enumerate()
        .filter_map(|(i, value)| Some((i, value?)))
    {
        match first {
            None => first = Some((i, value)),
            Some((_, agreed)) if agreed.digest == value.digest => {}
            Some((other, _)) => {
                let (one, two) = (&branches[other].task, &branches[i].task);
                let text = format!(
                    "the join `{}` cannot merge `{name}`: it differs between `{one}` and `{two}`",
                    join.name
                );
                let hint = format!("read `{name}` through `Inputs` and write what is to go on");
                return Err(Failure::new(FailureKind::Contract, text).with_hint(hint));
            }
        }
    }
    Ok(first.map(|(_, value)| value))
}

//! Assignments as they travel: packed for a job, unpacked by its workers.
//!
//! Only what a step declares to read travels. Small values travel with their bytes, because they
//! lie in the journal of the driver; when they are many, those beyond [`INLINE_JOB`] become blobs,
//! which makes no difference to the task.

use std::collections::HashMap;
use std::sync::Arc;

use super::site::Site;
use super::values::ValueError;
use crate::datastore::object::StoreError;
use crate::model::artifact::{Value, ValueAt};
use crate::model::digest::Digest;
use crate::model::graph::{FlowGraph, ReadDecl, StepIx};
use crate::model::job::{AttemptSpec, JobSpec};
use crate::model::name::ArtifactName;
use crate::scheduler::{Assignment, Branch, Env, Item};

/// The most bytes of small values that one job carries.
const INLINE_JOB: u64 = 4 * 1024 * 1024;

/// Why assignments could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A small value could not be loaded.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A value could not be stored as a blob.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Packs assignments into the specification of one job, in their order.
///
/// # Errors
/// [`PackError`] when a value cannot be loaded or stored.
pub async fn pack(site: &Site, assignments: &[Assignment]) -> Result<JobSpec, PackError> {
    let mut packer = Packer {
        site,
        spec: JobSpec::default(),
        envs: HashMap::new(),
        lists: HashMap::new(),
        values: HashMap::new(),
        inline: 0,
    };
    for assignment in assignments {
        let packed = packer.attempt(assignment).await?;
        packer.spec.attempts.push(packed);
    }
    Ok(packer.spec)
}

/// Packs what has not been packed yet.
struct Packer<'a> {
    site: &'a Site,
    spec: JobSpec,
    /// Where an environment stands, as a step reads it. Elements of one foreach share theirs, so that
    /// its address names it.
    envs: HashMap<(usize, StepIx, bool), u32>,
    lists: HashMap<Digest, u32>,
    values: HashMap<Digest, Value>,
    inline: u64,
}

impl Packer<'_> {
    async fn attempt(&mut self, assignment: &Assignment) -> Result<AttemptSpec, PackError> {
        let node = self.site.graph.step(assignment.step).clone();
        let env = self
            .env(&assignment.env, assignment.step, false, &node.reads)
            .await?;
        let item = match assignment.item.as_ref().filter(|_| node.item.is_some()) {
            Some(item) => Some((self.list(&item.list).await?, item.index)),
            None => None,
        };
        let branches = match assignment.branches.as_ref().filter(|_| node.join) {
            None => None,
            Some(branches) => {
                let mut packed = Vec::with_capacity(branches.len());
                for branch in branches.iter() {
                    let env = self
                        .env(&branch.env, assignment.step, true, &node.inputs)
                        .await?;
                    packed.push((branch.task.clone(), env));
                }
                Some(packed)
            }
        };
        Ok(AttemptSpec {
            task: assignment.task.clone(),
            attempt: assignment.attempt,
            env,
            item,
            branches,
        })
    }

    /// What `reads` names of `env`.
    async fn env(
        &mut self,
        env: &Arc<Env>,
        step: StepIx,
        of_branch: bool,
        reads: &[ReadDecl],
    ) -> Result<u32, PackError> {
        let known = (Arc::as_ptr(env).addr(), step, of_branch);
        if let Some(at) = self.envs.get(&known) {
            return Ok(*at);
        }
        let mut values = Vec::new();
        for read in reads {
            if let Some(value) = env.get(read.name.as_str()) {
                values.push((read.name.clone(), self.value(value).await?));
            }
        }
        values.sort_by(|a, b| a.0.cmp(&b.0));
        let at = self.spec.envs.len() as u32;
        self.spec.envs.push(values);
        self.envs.insert(known, at);
        Ok(at)
    }

    async fn list(&mut self, list: &Value) -> Result<u32, PackError> {
        if let Some(at) = self.lists.get(&list.digest) {
            return Ok(*at);
        }
        let packed = self.value(list).await?;
        let at = self.spec.lists.len() as u32;
        self.spec.lists.push(packed);
        self.lists.insert(list.digest, at);
        Ok(at)
    }

    /// The value as somebody can read it who has the datastore and not the journal.
    async fn value(&mut self, value: &Value) -> Result<Value, PackError> {
        if matches!(value.at, ValueAt::Blob) {
            return Ok(value.clone());
        }
        if let Some(blob) = self.values.get(&value.digest) {
            return Ok(Value {
                media: value.media.clone(),
                ..blob.clone()
            });
        }
        let bytes = self.site.values.load(value).await?;
        let at = if self.inline + value.size <= INLINE_JOB {
            self.inline += value.size;
            ValueAt::Inline(bytes)
        } else {
            self.site.datastore.blobs().put(bytes).await?;
            ValueAt::Blob
        };
        let packed = Value {
            at,
            ..value.clone()
        };
        if packed.at == ValueAt::Blob {
            self.values.insert(packed.digest, packed.clone());
        }
        Ok(packed)
    }
}

/// The assignment of attempt `index` of `spec`; none when the job has no such attempt, or the flow
/// no such step.
pub fn unpack(graph: &FlowGraph, spec: &JobSpec, index: usize) -> Option<Assignment> {
    let packed = spec.attempts.get(index)?;
    let item = match packed.item {
        None => None,
        Some((list, index)) => Some(Item {
            list: spec.lists.get(list as usize)?.clone(),
            index,
        }),
    };
    let mut envs: HashMap<u32, Arc<Env>> = HashMap::new();
    let mut env = |at: u32| -> Option<Arc<Env>> {
        if let Some(known) = envs.get(&at) {
            return Some(known.clone());
        }
        let values: Vec<(ArtifactName, Value)> = spec.envs.get(at as usize)?.clone();
        let made = Arc::new(Env::of(values));
        envs.insert(at, made.clone());
        Some(made)
    };
    let branches = match &packed.branches {
        None => None,
        Some(branches) => {
            let branch = |(task, at): &(_, u32)| {
                let task = Clone::clone(task);
                Some(Branch {
                    task,
                    env: env(*at)?,
                })
            };
            Some(branches.iter().map(branch).collect::<Option<Arc<[_]>>>()?)
        }
    };
    Some(Assignment {
        task: packed.task.clone(),
        step: graph.find(packed.task.step.as_str())?,
        attempt: packed.attempt,
        after_ms: 0,
        env: env(packed.env)?,
        item,
        branches,
    })
}

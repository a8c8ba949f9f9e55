//! The key under which the result of a task can be found again.
//!
//! A task can see nothing but its inputs and what it asks for, so a result belongs to its module,
//! engine, limits, grants and inputs, and to the answers to what it asked for. A task that asked for
//! nothing gives the same wherever it stands and whenever it runs. What depends on what a task saw
//! of the world belongs to nothing that is known before it is executed: it has no key.

use crate::model::digest::Digest;
use crate::model::header::Limits;
use crate::model::id::TaskId;
use crate::model::record::Observed;

use super::site::Site;

/// What is asked for, in every combination that can be kept.
pub fn combinations() -> impl Iterator<Item = Observed> {
    (0..8).map(|bits| {
        Observed::NOTHING
            .with(Observed::TIME, bits & 1 != 0)
            .with(Observed::CHANCE, bits & 2 != 0)
            .with(Observed::IDENTITY, bits & 4 != 0)
    })
}

/// The key of the result of an attempt by `engine` that read `inputs` and asked for `observed`; none when what
/// it asked for is not all in a key.
pub fn key(
    site: &Site,
    engine: &Digest,
    (task, attempt): (&TaskId, u32),
    inputs: &Digest,
    observed: Observed,
) -> Option<Digest> {
    if observed.contains(Observed::BRANCHES) {
        return None;
    }
    let mut hasher = blake3::Hasher::new_derive_key("wrun 2026-11 result of a task");
    hasher.update(engine.as_bytes());
    hasher.update(site.header.module.as_bytes());
    hasher.update(inputs.as_bytes());
    limits(&mut hasher, &site.limits(task));
    grants(&mut hasher, site, task);
    for (what, part) in [
        (Observed::TIME, site.header.clock.0.to_le_bytes().to_vec()),
        (Observed::CHANCE, site.entropy(task).to_vec()),
        (Observed::IDENTITY, identity(site, task, attempt)),
    ] {
        let asked = observed.contains(what);
        hasher.update(&[u8::from(asked)]);
        if asked {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(&part);
        }
    }
    Some(hasher.finalize().into())
}

/// What the task may touch.
fn grants(hasher: &mut blake3::Hasher, site: &Site, task: &TaskId) {
    let grants = site.header.grants.of(&task.step);
    hasher.update(&(grants.len() as u64).to_le_bytes());
    for grant in grants {
        let identity = grant.identity();
        hasher.update(&(identity.len() as u64).to_le_bytes());
        hasher.update(identity.as_bytes());
    }
}

/// Who a task is, as it may learn it.
fn identity(site: &Site, task: &TaskId, attempt: u32) -> Vec<u8> {
    let (flow, known_as) = (&site.header.run.flow, site.header.known_as);
    format!("{flow}/{known_as}/{task}/{attempt}").into_bytes()
}

/// The limits that a success may depend on: all but time, which it did not reach, and the elements
/// of a foreach, which are the scheduler's.
fn limits(hasher: &mut blake3::Hasher, limits: &Limits) {
    for limit in [
        u64::from(limits.memory_mib),
        u64::from(limits.stack_kib),
        u64::from(limits.table_elements),
        u64::from(limits.handles),
        u64::from(limits.log_kib),
        limits.output_mib,
    ] {
        hasher.update(&limit.to_le_bytes());
    }
}

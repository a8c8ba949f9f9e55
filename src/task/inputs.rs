//! What a task can read, as one digest.
//!
//! Two attempts with equal inputs, of one step of one module in one engine, give equal results, but
//! for what they observe besides: see [`Observed`](crate::model::record::Observed).

use bytes::Bytes;

use super::list::ListError;
use super::site::Site;
use crate::model::artifact::Value;
use crate::model::digest::Digest;
use crate::model::graph::StepNode;
use crate::scheduler::{Assignment, Env};

/// The CBOR of the foreach element that the task stands for, when its step declares to read it.
///
/// # Errors
/// [`ListError`] when the list cannot be read.
pub async fn item(
    site: &Site,
    node: &StepNode,
    assignment: &Assignment,
) -> Result<Option<Bytes>, ListError> {
    let (Some(item), Some(_)) = (&assignment.item, &node.item) else {
        return Ok(None);
    };
    let element = site
        .lists
        .element(&site.datastore, &site.values, &item.list, item.index);
    element.await.map(Some)
}

/// A digest of all that the task can read: the artifacts and parameters that its step declares,
/// the element, and of the branches what the step declares to read of them.
///
/// BLAKE3 in its key-derivation mode; every part is led by its length, so that no two ways to
/// divide the same bytes are confused.
pub fn digest(node: &StepNode, assignment: &Assignment, item: Option<&[u8]>) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("wrun 2026-11 inputs of a task");
    part(&mut hasher, node.name.as_str().as_bytes());
    for read in &node.reads {
        value(&mut hasher, read.name.as_str(), &assignment.env);
    }
    match item {
        None => part(&mut hasher, b"no element"),
        Some(bytes) => {
            part(&mut hasher, b"element");
            part(&mut hasher, bytes);
        }
    }
    let branches = assignment.branches.as_deref().filter(|_| node.join);
    for branch in branches.unwrap_or_default() {
        part(&mut hasher, b"branch");
        for read in &node.inputs {
            value(&mut hasher, read.name.as_str(), &branch.env);
        }
    }
    hasher.finalize().into()
}

fn part(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn value(hasher: &mut blake3::Hasher, name: &str, env: &Env) {
    part(hasher, name.as_bytes());
    match env.get(name) {
        None => part(hasher, b"absent"),
        Some(Value { digest, media, .. }) => {
            part(hasher, media.as_str().as_bytes());
            part(hasher, digest.as_bytes());
        }
    }
}

//! Checks and stores what an attempt wrote.
//!
//! A cell may have been taken over by its guest, so nothing that it sends is believed: names are
//! compared with the step's declaration, CBOR is brought into its one form, digests are computed
//! here.

use bytes::Bytes;

use super::host::AttemptHost;
use super::redact::Redactor;
use super::site::Site;
use super::trouble::{infrastructure, unreadable};
use crate::datastore::cbor;
use crate::model::artifact::{Artifact, INLINE_RECORD, MediaType, Value, ValueAt};
use crate::model::failure::{Failure, FailureKind};
use crate::model::graph::{EdgeIx, StepNode};
use crate::model::name::ArtifactName;
use crate::model::record::{LogChunk, Logs, Outcome};
use crate::sandbox::call::{Body, Put};

/// The most bytes of logs that live in a record.
const INLINE_LOGS: usize = 32 * 1024;

/// Artifacts are kept, shown and copied, and so would be the value of a secret in one.
fn holds_secret(name: &ArtifactName, secret: &str) -> Failure {
    let message =
        format!("artifact `{name}` holds the value of `{secret}`, and artifacts are kept");
    let name = secret.strip_prefix("secret:").unwrap_or(secret);
    Failure::new(FailureKind::Denied, message).with_hint(format!(
        "leave it out of what the step gives back; what may be kept is granted as `env:{name}`"
    ))
}

fn broken(message: String) -> Failure {
    Failure::new(FailureKind::Contract, message)
}

/// Stores what the attempt wrote and returns the artifacts, sorted by name.
///
/// # Errors
/// A failure of the step when it broke its contract, of the infrastructure when the datastore did
/// not take the bytes.
pub async fn store(
    site: &Site,
    node: &StepNode,
    host: &mut AttemptHost<'_>,
    puts: Vec<Put>,
) -> Result<Vec<Artifact>, Failure> {
    let mut artifacts: Vec<Artifact> = Vec::with_capacity(puts.len());
    let mut budget = INLINE_RECORD;
    for put in puts {
        if !node.writes.iter().any(|w| w.name == put.name) {
            let message = format!(
                "step `{}` wrote `{}`, which it does not declare",
                node.name, put.name
            );
            return Err(broken(message));
        }
        if artifacts.iter().any(|a| a.name == put.name) {
            return Err(broken(format!(
                "step `{}` wrote `{}` twice",
                node.name, put.name
            )));
        }
        if let Some(secret) = host.redactor().find(put.media.as_str().as_bytes()) {
            return Err(holds_secret(&put.name, secret));
        }
        let value = match put.body {
            Body::Bytes(bytes) if let Some(secret) = host.redactor().find(&bytes) => {
                return Err(holds_secret(&put.name, secret));
            }
            Body::Bytes(bytes) => whole(site, &put.name, put.media, bytes, &mut budget).await?,
            Body::Written(writer) => written(site, host, &put.name, writer).await?,
            Body::Passed(source) => {
                let value = host.value(source);
                let value =
                    value.ok_or_else(|| broken(format!("`{}` passes on nothing", put.name)))?;
                passed(site, value, &mut budget).await?
            }
        };
        artifacts.push(Artifact {
            name: put.name,
            value,
        });
    }
    artifacts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(artifacts)
}

async fn whole(
    site: &Site,
    name: &ArtifactName,
    media: MediaType,
    bytes: Bytes,
    budget: &mut usize,
) -> Result<Value, Failure> {
    let bytes = if media.is_cbor() {
        match cbor::normalise(&bytes) {
            Ok(std::borrow::Cow::Borrowed(_)) => bytes,
            Ok(std::borrow::Cow::Owned(normal)) => normal.into(),
            Err(error) => return Err(broken(format!("artifact `{name}` is not CBOR: {error}"))),
        }
    } else {
        bytes
    };
    let stored = site.datastore.store_value(media, bytes, budget).await;
    stored.map_err(|e| infrastructure(&format!("could not store artifact `{name}`"), &e))
}

/// What was written in pieces. CBOR is read back, because only its one form has one digest.
async fn written(
    site: &Site,
    host: &mut AttemptHost<'_>,
    name: &ArtifactName,
    writer: u32,
) -> Result<Value, Failure> {
    let taken = host.take_writer(writer);
    let (media, blob, secret) =
        taken.ok_or_else(|| broken(format!("`{name}` was written by no writer")))?;
    if let Some(secret) = secret {
        return Err(holds_secret(name, &secret));
    }
    let what = || format!("could not store artifact `{name}`");
    let (digest, size) = blob
        .finish()
        .await
        .map_err(|e| infrastructure(&what(), &e))?;
    let value = Value {
        digest,
        size,
        media,
        at: ValueAt::Blob,
    };
    if !value.media.is_cbor() {
        return Ok(value);
    }
    let bytes = site.datastore.load(&value).await;
    let bytes = bytes.map_err(|e| unreadable(&what(), &e))?;
    match cbor::normalise(&bytes) {
        Ok(std::borrow::Cow::Borrowed(_)) => Ok(value),
        Ok(std::borrow::Cow::Owned(normal)) => {
            let stored = site
                .datastore
                .store_value(value.media, normal.into(), &mut 0)
                .await;
            stored.map_err(|e| infrastructure(&what(), &e))
        }
        Err(error) => Err(broken(format!("artifact `{name}` is not CBOR: {error}"))),
    }
}

/// A small value that is passed on is copied into this record, so that a record stands alone.
async fn passed(site: &Site, value: Value, budget: &mut usize) -> Result<Value, Failure> {
    if matches!(value.at, ValueAt::Blob) {
        return Ok(value);
    }
    let bytes = site.values.load(&value).await;
    let bytes = bytes.map_err(|e| unreadable("could not load what was passed on", &e))?;
    let stored = site.datastore.store_value(value.media, bytes, budget).await;
    stored.map_err(|e| infrastructure("could not store what was passed on", &e))
}

/// Refuses a case that is called like a secret: which one a step chose is kept.
///
/// # Errors
/// A failure of the step.
pub fn check_case(outcome: &Outcome, redactor: &Redactor) -> Result<(), Failure> {
    let Outcome::Case(case) = outcome else {
        return Ok(());
    };
    match redactor.find(case.as_str().as_bytes()) {
        Some(secret) => {
            let message =
                format!("the step chose a case that is called like the value of `{secret}`");
            Err(Failure::new(FailureKind::Denied, message))
        }
        None => Ok(()),
    }
}

/// Checks that what the outcome says agrees with what was written.
///
/// # Errors
/// A broken contract: another number of items than the list has, no list, no decision.
pub async fn check(
    site: &Site,
    node: &StepNode,
    outcome: &Outcome,
    artifacts: &[Artifact],
) -> Result<(), Failure> {
    let EdgeIx::Foreach { artifact, .. } = &node.edge else {
        return Ok(());
    };
    let Outcome::Items(count) = outcome else {
        return Ok(());
    };
    let list = artifacts.iter().find(|a| a.name == *artifact);
    let list = list.ok_or_else(|| {
        broken(format!(
            "step `{}` did not write its foreach list `{artifact}`",
            node.name
        ))
    })?;
    let bytes = match &list.value.at {
        ValueAt::Inline(bytes) => bytes.clone(),
        _ => {
            let bytes = site.datastore.load(&list.value).await;
            bytes.map_err(|e| unreadable("could not read the foreach list back", &e))?
        }
    };
    let offsets = cbor::list_offsets(&bytes);
    let offsets = offsets.map_err(|e| {
        broken(format!(
            "`{artifact}` is not a list that a foreach can run over: {e}"
        ))
    })?;
    let len = offsets.len().saturating_sub(1);
    if len == *count as usize {
        Ok(())
    } else {
        Err(broken(format!(
            "step `{}` said {count} items, but `{artifact}` has {len}",
            node.name
        )))
    }
}

/// Puts what was printed into the record, or into a blob when it is much.
///
/// Logs that cannot be stored do not fail an attempt that is otherwise well.
pub async fn logs(site: &Site, chunks: Vec<LogChunk>) -> Logs {
    if chunks.is_empty() {
        return Logs::None;
    }
    let size: usize = chunks.iter().map(|c| c.bytes.len()).sum();
    if size <= INLINE_LOGS {
        return Logs::Inline(chunks);
    }
    let mut bytes = Vec::with_capacity(size + 64);
    if ciborium::into_writer(&chunks, &mut bytes).is_err() {
        return Logs::Inline(chunks);
    }
    match site
        .datastore
        .store_value(MediaType::cbor(), bytes.into(), &mut 0)
        .await
    {
        Ok(value) => Logs::Blob(value),
        Err(_) => Logs::Inline(chunks),
    }
}

//! Compares what two attempts left behind.

use bytes::Bytes;

use crate::datastore::{BlobError, Datastore, cbor};
use crate::model::artifact::{Artifact, Value, ValueAt};
use crate::model::failure::{Failure, FailureKind, Limit};
use crate::model::name::ArtifactName;
use crate::model::record::{LogChunk, Logs, Outcome, Record};

/// The largest values, in bytes, that are decoded to find where they differ.
const MAX_DECODED: u64 = 64 << 20;
/// How many bytes of large values are compared at once.
const PIECE: usize = 1 << 20;
/// How many bytes around a difference are shown.
const AROUND: usize = 16;

/// Something in which two attempts differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs: `outcome`, `log`, or the name of an artifact with the path inside its value.
    pub what: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub now: String,
}

impl Difference {
    fn new(what: impl Into<String>, before: impl Into<String>, now: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            before: before.into(),
            now: now.into(),
        }
    }
}

/// An attempt: what was kept of it, what it printed before its end, and where its blobs are.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// What was kept.
    pub record: &'a Record,
    /// What it printed, as far as it is not in the record.
    pub printed: &'a [LogChunk],
    /// Where its blobs are.
    pub datastore: &'a Datastore,
}

/// Whether a failure says how the machine was and nothing of the task, so that executing it again
/// proves nothing.
pub fn is_of_the_machine(failure: &Failure) -> bool {
    !failure.kind.is_of_the_step() || failure.kind == FailureKind::Limit(Limit::Time)
}

/// The first difference of two attempts at one task: what they read, how they ended, what they
/// wrote, what they asked for, what they saw of the world, what they printed.
///
/// # Errors
/// When a blob that must be read to tell cannot be.
pub async fn attempts(before: Side<'_>, now: Side<'_>) -> Result<Option<Difference>, BlobError> {
    let (was, is) = (before.record.inputs, now.record.inputs);
    if was != is {
        let name = |digest: crate::model::digest::Digest| format!("inputs `{}`", digest.short());
        return Ok(Some(Difference::new("what it read", name(was), name(is))));
    }
    if let Some(found) = outcomes(before, now).await? {
        return Ok(Some(found));
    }
    if before.record.observed != now.record.observed {
        let words = |record: &Record| match record.observed.words() {
            words if words.is_empty() => "nothing".to_owned(),
            words => words.join(" and "),
        };
        let (was, is) = (words(before.record), words(now.record));
        return Ok(Some(Difference::new("what it asked for", was, is)));
    }
    if let Some(found) = traces(before.record, now.record) {
        return Ok(Some(found));
    }
    logs(before, now).await
}

/// Whether one of two attempts looked less far than the other.
fn traces(before: &Record, now: &Record) -> Option<Difference> {
    let name = |record: &Record| match &record.trace {
        None => "nothing".to_owned(),
        Some(trace) => format!("trace `{}`", trace.short()),
    };
    let differs = before.trace != now.trace;
    differs.then(|| Difference::new("what it saw of the world", name(before), name(now)))
}

/// The first difference of what came out of two attempts: how they ended, what they wrote, what
/// they printed.
///
/// # Errors
/// When a blob that must be read to tell cannot be.
pub async fn results(before: Side<'_>, now: Side<'_>) -> Result<Option<Difference>, BlobError> {
    match outcomes(before, now).await? {
        None => logs(before, now).await,
        found => Ok(found),
    }
}

/// The first difference of how two attempts ended and of what they wrote.
///
/// # Errors
/// When a blob that must be read to tell cannot be.
pub async fn outcomes(before: Side<'_>, now: Side<'_>) -> Result<Option<Difference>, BlobError> {
    let (was, is) = (&before.record.result, &now.record.result);
    if was == is {
        return artifacts(before, now).await;
    }
    let mut found = Difference::new("outcome", ended(was), ended(is));
    if found.before == found.now {
        // The same sentence, and another cause, place or backtrace.
        (found.before, found.now) = (format!("{was:?}"), format!("{is:?}"));
    }
    Ok(Some(found))
}

fn ended(result: &Result<Outcome, Failure>) -> String {
    match result {
        Ok(Outcome::Done) => "succeeded".to_owned(),
        Ok(Outcome::Case(case)) => format!("chose `{case}`"),
        Ok(Outcome::Items(count)) => format!("gave {count} items"),
        Err(failure) => format!("failed ({}): {}", failure.kind, failure.message),
    }
}

async fn artifacts(before: Side<'_>, now: Side<'_>) -> Result<Option<Difference>, BlobError> {
    let (was, is) = (&before.record.artifacts, &now.record.artifacts);
    let of = |all: &'_ [Artifact], name: &ArtifactName| {
        let found = all.iter().find(|artifact| artifact.name == *name);
        found.map(|artifact| artifact.value.clone())
    };
    for Artifact { name, value } in was {
        match of(is, name) {
            None => {
                let what = format!("artifact `{name}`");
                return Ok(Some(Difference::new(what, sized(value), "not written")));
            }
            Some(other) => {
                let sides = ((before.datastore, value), (now.datastore, &other));
                if let Some(found) = values(name.as_str(), sides.0, sides.1).await? {
                    return Ok(Some(found));
                }
            }
        }
    }
    let new = is.iter().find(|artifact| of(was, &artifact.name).is_none());
    Ok(new.map(|Artifact { name, value }| {
        Difference::new(format!("artifact `{name}`"), "not written", sized(value))
    }))
}

fn sized(value: &Value) -> String {
    format!("{} bytes of {}", value.size, value.media)
}

/// The first difference of two values called `name`, each with the datastore that has its bytes.
///
/// # Errors
/// When a blob cannot be read.
pub async fn values(
    name: &str,
    before: (&Datastore, &Value),
    now: (&Datastore, &Value),
) -> Result<Option<Difference>, BlobError> {
    let (was, is) = (before.1, now.1);
    if was.media != is.media {
        let what = format!("artifact `{name}`, its media type");
        let (was, is) = (was.media.to_string(), is.media.to_string());
        return Ok(Some(Difference::new(what, was, is)));
    }
    if was.digest == is.digest && was.size == is.size {
        return Ok(None);
    }
    if was.digest == is.digest {
        let what = format!("artifact `{name}`, its size");
        let (was, is) = (was.size.to_string(), is.size.to_string());
        return Ok(Some(Difference::new(what, was, is)));
    }
    if was.media.is_cbor() && was.size <= MAX_DECODED && is.size <= MAX_DECODED {
        let (left, right) = (bytes(before).await?, bytes(now).await?);
        let found = cbor::differ::difference(&left, &right);
        let found = found.map(|found| {
            let text = |side: Option<String>| side.unwrap_or_else(|| "nothing there".into());
            let what = match found.path.as_str() {
                "" => format!("artifact `{name}`"),
                path => format!("artifact `{name}` at `{path}`"),
            };
            Difference::new(what, text(found.left), text(found.right))
        });
        // Equal bytes under two digests: one of them is not that of its value.
        return Ok(Some(found.unwrap_or_else(|| {
            let what = format!("artifact `{name}`, its digest");
            Difference::new(what, was.digest.to_string(), is.digest.to_string())
        })));
    }
    large(name, before, now).await.map(Some)
}

/// The bytes of a value that has them itself or in a blob.
async fn bytes((datastore, value): (&Datastore, &Value)) -> Result<Bytes, BlobError> {
    match &value.at {
        ValueAt::Inline(bytes) => Ok(bytes.clone()),
        _ => datastore.load(value).await,
    }
}

/// Where two values of bytes differ first.
async fn large(
    name: &str,
    before: (&Datastore, &Value),
    now: (&Datastore, &Value),
) -> Result<Difference, BlobError> {
    let mut at = 0;
    loop {
        let (left, right) = (piece(before, at).await?, piece(now, at).await?);
        if left == right && !left.is_empty() {
            at += left.len() as u64;
            continue;
        }
        let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
        let what = format!("artifact `{name}` at byte {}", at + same as u64);
        return Ok(Difference::new(
            what,
            around(&left[same..], before.1.size),
            around(&right[same..], now.1.size),
        ));
    }
}

async fn piece(side: (&Datastore, &Value), at: u64) -> Result<Bytes, BlobError> {
    if side.1.at == ValueAt::Blob {
        let reader = side.0.open_value(side.1).await?;
        return reader.read_at(at, PIECE).await;
    }
    let all = bytes(side).await?;
    let from = (at as usize).min(all.len());
    Ok(all.slice(from..all.len().min(from + PIECE)))
}

fn around(bytes: &[u8], size: u64) -> String {
    let shown = &bytes[..bytes.len().min(AROUND)];
    if shown.is_empty() {
        return format!("its end, after {size} bytes");
    }
    let printable = shown
        .iter()
        .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    match std::str::from_utf8(shown) {
        Ok(text) if printable => format!("`{text}`"),
        _ => shown.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

async fn logs(before: Side<'_>, now: Side<'_>) -> Result<Option<Difference>, BlobError> {
    let (was, is) = (printed(before).await?, printed(now).await?);
    if was == is {
        return Ok(None);
    }
    let lines = |chunks: &[LogChunk]| -> Vec<String> {
        let all = chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied());
        let all: Vec<u8> = all.collect();
        let text = String::from_utf8_lossy(&all).into_owned();
        text.lines().map(str::to_owned).collect()
    };
    let (left, right) = (lines(&was), lines(&is));
    let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let line = |lines: &[String]| match lines.get(same) {
        Some(line) => format!("`{line}`"),
        None => "nothing more".to_owned(),
    };
    let what = format!("log, line {}", same + 1);
    Ok(Some(Difference::new(what, line(&left), line(&right))))
}

/// All that an attempt printed; how it was cut into pieces does not matter.
async fn printed(side: Side<'_>) -> Result<Vec<LogChunk>, BlobError> {
    let last = match &side.record.logs {
        Logs::None => Vec::new(),
        Logs::Inline(chunks) => chunks.clone(),
        Logs::Blob(value) => {
            let bytes = side.datastore.load(value).await?;
            let chunks = ciborium::from_reader(bytes.as_ref());
            chunks.map_err(|_| BlobError::NotLogs {
                digest: value.digest,
            })?
        }
    };
    let mut joined: Vec<(LogChunk, Vec<u8>)> = Vec::new();
    for chunk in side.printed.iter().chain(&last) {
        match joined.last_mut() {
            Some((first, bytes)) if first.stream == chunk.stream => {
                bytes.extend_from_slice(&chunk.bytes);
            }
            _ => joined.push((chunk.clone(), chunk.bytes.to_vec())),
        }
    }
    let whole = |(first, bytes): (LogChunk, Vec<u8>)| LogChunk {
        stream: first.stream,
        bytes: bytes.into(),
    };
    Ok(joined.into_iter().map(whole).collect())
}

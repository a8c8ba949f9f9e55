//! What refers to what: the blobs that a run needs to be whole.

use std::collections::BTreeSet;

use ciborium::Value as Cbor;

use super::Datastore;
use super::blob::BlobError;
use crate::model::artifact::{Artifact, Value, ValueAt};
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::header::RunHeader;
use crate::model::id::RunId;
use crate::model::job::JobSpec;
use crate::model::record::{Logs, Record};

/// Names of blobs: 32 bytes for each, sorted and without doubles from time to time.
#[derive(Clone, Debug, Default)]
pub struct Names {
    names: Vec<[u8; 32]>,
    /// How many there were when they were last sorted.
    sorted: usize,
}

/// Fewer names than these are not worth sorting.
const FEW: usize = 1024;

impl Names {
    /// Adds a name.
    pub fn add(&mut self, digest: &Digest) {
        self.names.push(*digest.as_bytes());
        if self.names.len() > 2 * self.sorted.max(FEW) {
            self.sort();
        }
    }

    /// Adds all names of `other`.
    pub fn append(&mut self, other: Self) {
        self.names.extend(other.names);
        if self.names.len() > 2 * self.sorted.max(FEW) {
            self.sort();
        }
    }

    /// Sorts them and drops doubles; needed before they are looked up.
    pub fn sort(&mut self) {
        self.names.sort_unstable();
        self.names.dedup();
        self.sorted = self.names.len();
    }

    /// Whether a name is among them. They are sorted.
    pub fn contains(&self, digest: &Digest) -> bool {
        debug_assert_eq!(self.sorted, self.names.len());
        self.names.binary_search(digest.as_bytes()).is_ok()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// What something refers to.
#[derive(Clone, Debug, Default)]
pub struct Refs {
    /// Blobs of which the length is known: values, logs.
    pub values: BTreeSet<(Digest, u64)>,
    /// Other blobs.
    pub blobs: BTreeSet<Digest>,
    /// Traces: blobs that refer to more.
    pub traces: BTreeSet<Digest>,
    /// Runs that executed what was taken over.
    pub runs: BTreeSet<RunId>,
}

impl Refs {
    /// What a header refers to, but for the manifest of its code.
    pub fn of_header(header: &RunHeader) -> Self {
        let mut refs = Self::default();
        refs.blobs.insert(header.module);
        header.parameters.iter().for_each(|it| refs.artifact(it));
        refs.runs.extend(header.origin.clone());
        refs
    }

    /// Takes in what an event refers to.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Caught { artifact, .. } => self.artifact(artifact),
            Event::Reused { from, .. } if !self.runs.contains(from) => {
                self.runs.insert(from.clone());
            }
            _ => {}
        }
        if let Some((_, _, record)) = event.ending() {
            self.record(record);
        }
    }

    /// Takes in what a record refers to.
    pub fn record(&mut self, record: &Record) {
        record.artifacts.iter().for_each(|it| self.artifact(it));
        self.traces.extend(record.trace);
        if let Logs::Blob(logs) = &record.logs {
            self.value(logs);
        }
    }

    /// Takes in what a job refers to.
    pub fn job(&mut self, job: &JobSpec) {
        let seen = job.envs.iter().flatten().map(|(_, value)| value);
        seen.chain(&job.lists).for_each(|value| self.value(value));
    }

    fn artifact(&mut self, artifact: &Artifact) {
        self.value(&artifact.value);
    }

    fn value(&mut self, value: &Value) {
        if value.at == ValueAt::Blob {
            self.values.insert((value.digest, value.size));
        }
    }

    /// All blobs, traces among them.
    pub fn all(&self) -> impl Iterator<Item = Digest> + '_ {
        let values = self.values.iter().map(|(digest, _)| *digest);
        values.chain(self.blobs.iter().chain(&self.traces).copied())
    }
}

impl Datastore {
    /// Whatever in a trace or a manifest could be the name of a blob.
    ///
    /// A trace is a matter of the task that made it, a manifest of whoever collects code; that blobs
    /// are named by 32 bytes is all that is known of them here.
    ///
    /// # Errors
    /// When the trace cannot be read.
    pub async fn named_in(&self, trace: &Digest) -> Result<BTreeSet<Digest>, BlobError> {
        Ok(names(&self.blobs().get(trace).await?))
    }

    /// Those of [`Datastore::named_in`] that there are.
    ///
    /// # Errors
    /// As those of it.
    pub async fn found_in(&self, trace: &Digest) -> Result<Vec<Digest>, BlobError> {
        let mut found = Vec::new();
        for digest in self.named_in(trace).await? {
            if self.blobs().contains(&digest).await? {
                found.push(digest);
            }
        }
        Ok(found)
    }
}

/// Whatever in some CBOR could be the name of a blob.
pub(super) fn names(bytes: &[u8]) -> BTreeSet<Digest> {
    let mut named = BTreeSet::new();
    if let Ok(value) = ciborium::from_reader::<Cbor, _>(bytes) {
        digests(&value, &mut named);
    }
    named
}

/// Every byte string of 32 bytes, and every text that is a digest.
fn digests(value: &Cbor, found: &mut BTreeSet<Digest>) {
    match value {
        Cbor::Bytes(bytes) => {
            if let Ok(bytes) = <[u8; 32]>::try_from(bytes.as_slice()) {
                found.insert(Digest::from_bytes(bytes));
            }
        }
        Cbor::Text(text) => found.extend(text.parse::<Digest>()),
        Cbor::Array(all) => all.iter().for_each(|value| digests(value, found)),
        Cbor::Map(all) => all.iter().for_each(|(key, value)| {
            digests(key, found);
            digests(value, found);
        }),
        Cbor::Tag(_, value) => digests(value, found),
        _ => {}
    }
}

//! Takes bytes in from the world: few of them are kept at hand, many become a blob.

use bytes::Bytes;

use super::redact::{Redactor, Search};
use super::trace::Taken;
use super::trouble::infrastructure;
use crate::datastore::Datastore;
use crate::datastore::blob::BlobWriter;
use crate::model::digest::Digest;
use crate::model::failure::{Failure, FailureKind};

/// Bytes that are being taken in.
pub struct Intake<'a> {
    datastore: &'a Datastore,
    /// How many are kept at hand.
    room: usize,
    /// What must not be in it.
    redactor: &'a Redactor,
    search: Search,
    first: Vec<u8>,
    blob: Option<BlobWriter>,
    size: u64,
}

impl<'a> Intake<'a> {
    /// Up to `room` bytes are kept at hand; more become a blob in `datastore`.
    pub fn new(datastore: &'a Datastore, room: usize, redactor: &'a Redactor) -> Self {
        Self {
            datastore,
            room,
            redactor,
            search: Search::default(),
            first: Vec::new(),
            blob: None,
            size: 0,
        }
    }

    /// How many bytes there are so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be stored, or must not be because the value of a secret is in them.
    pub async fn add(&mut self, piece: Bytes) -> Result<(), Failure> {
        self.size += piece.len() as u64;
        if let Some(secret) = self.search.piece(self.redactor, &piece) {
            return Err(seen_secret(secret));
        }
        if self.blob.is_none() && self.first.len() + piece.len() <= self.room {
            self.first.extend_from_slice(&piece);
            return Ok(());
        }
        let first = std::mem::take(&mut self.first);
        let blob = self
            .blob
            .get_or_insert_with(|| self.datastore.blobs().writer());
        for piece in [first.into(), piece] {
            let written = blob.write(piece).await;
            written.map_err(|error| unstored(&error))?;
        }
        Ok(())
    }

    /// All that was taken in.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn finish(self) -> Result<Taken, Failure> {
        let Some(blob) = self.blob else {
            return Ok(Taken {
                digest: Digest::of(&self.first),
                size: self.size,
                bytes: Some(self.first.into()),
            });
        };
        let (digest, size) = blob.finish().await.map_err(|error| unstored(&error))?;
        Ok(Taken {
            digest,
            size,
            bytes: None,
        })
    }
}

/// A step would see the value of a secret of its own in the world, and what it sees is kept.
pub fn seen_secret(secret: &str) -> Failure {
    let message = format!(
        "what the step was to be shown holds the value of `{secret}`, and what a step sees is kept with the run"
    );
    let name = secret.strip_prefix("secret:").unwrap_or(secret);
    Failure::new(FailureKind::Denied, message).with_hint(format!(
        "let nobody answer with it, and no granted directory have it in a file; what may be kept is granted as `env:{name}`"
    ))
}

fn unstored(error: &(dyn std::error::Error + 'static)) -> Failure {
    infrastructure("could not store what the step sees of the world", error)
}

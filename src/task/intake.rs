//! Takes bytes in from the world: few of them are kept at hand, many become a blob.

use bytes::Bytes;

use super::trace::Taken;
use super::trouble::infrastructure;
use crate::datastore::Datastore;
use crate::datastore::blob::BlobWriter;
use crate::model::digest::Digest;
use crate::model::failure::Failure;

/// Bytes that are being taken in.
pub struct Intake<'a> {
    datastore: &'a Datastore,
    /// How many are kept at hand.
    room: usize,
    first: Vec<u8>,
    blob: Option<BlobWriter>,
    size: u64,
}

impl<'a> Intake<'a> {
    /// Up to `room` bytes are kept at hand; more become a blob in `datastore`.
    pub fn new(datastore: &'a Datastore, room: usize) -> Self {
        Self {
            datastore,
            room,
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
    /// When they cannot be stored.
    pub async fn add(&mut self, piece: Bytes) -> Result<(), Failure> {
        self.size += piece.len() as u64;
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

fn unstored(error: &(dyn std::error::Error + 'static)) -> Failure {
    infrastructure("could not store what the step sees of the world", error)
}

//! Blobs: bytes that are named by their BLAKE3 digest.
//!
//! A blob's file is a valid `.zst` that any zstd can unpack. Small ones hold one frame; from 8 MiB
//! on they hold a frame per MiB, packed and unpacked in parallel, with tables that find and verify
//! each frame by itself. [`layout`] is the format, [`writer`] and [`reader`] move large blobs in
//! pieces. Whatever is read was verified against the digest.

use std::sync::Arc;

use bytes::Bytes;

use super::codec;
use super::layout as keys;
use super::object::{Created, Key, ObjectStore, StoreError};
use crate::failpoint;
use crate::model::digest::Digest;

mod copy;
pub mod layout;
pub mod reader;
pub mod writer;

pub use reader::BlobReader;
pub use writer::BlobWriter;

use layout::{Header, Shape};

/// The most bytes that [`Blobs::get`] takes into memory; more is read in pieces.
pub const MAX_WHOLE: u64 = 2 << 30;

/// From this length on it is asked first whether a blob is there.
const ASK_FIRST: usize = 128 * 1024;

/// Up to this length packing takes less time than handing it to another thread.
const PACK_HERE: usize = 64 * 1024;

/// Why a blob could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("blob `{digest}` is not in the datastore")]
    Missing {
        /// The blob.
        digest: Digest,
    },
    /// Its bytes are not those that were stored.
    #[error("blob `{digest}` is damaged: {what}")]
    Damaged {
        /// The blob.
        digest: Digest,
        /// What was found.
        what: String,
    },
    /// It was written by a newer wrun.
    #[error(
        "blob `{digest}` has format version {version}, which this wrun does not know; use a newer one"
    )]
    Newer {
        /// The blob.
        digest: Digest,
        /// The version of its format.
        version: u8,
    },
    /// It is larger than the caller can take at once.
    #[error("blob `{digest}` has {size} bytes, more than the {limit} that are read at once")]
    TooLarge {
        /// The blob.
        digest: Digest,
        /// Its length.
        size: u64,
        /// The most that the caller takes.
        limit: u64,
    },
    /// What should be the log of an attempt is something else.
    #[error("blob `{digest}` is not the log of an attempt")]
    NotLogs {
        /// The blob.
        digest: Digest,
    },
    /// The value's bytes are kept in a record and must be looked up there.
    #[error("the bytes of value `{digest}` are in a record; load the record first")]
    InRecord {
        /// The value.
        digest: Digest,
    },
    /// The value is not a list in CBOR.
    #[error("value `{digest}` is not a list")]
    NotAList {
        /// The value.
        digest: Digest,
        /// Why not.
        source: super::cbor::CborError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BlobError {
    pub(crate) fn damaged(digest: &Digest, what: impl Into<String>) -> Self {
        Self::Damaged {
            digest: *digest,
            what: what.into(),
        }
    }
}

/// The blobs of a datastore. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    level: i32,
}

impl Blobs {
    /// The blobs in `store`, packed at `level` when they are written.
    pub fn new(store: Arc<dyn ObjectStore>, level: i32) -> Self {
        Self { store, level }
    }

    /// Stores `bytes` and returns their name. Durable when it returns; does nothing when they
    /// are there already.
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, StoreError> {
        if bytes.len() as u64 >= layout::FRAMED_FROM {
            let mut writer = self.writer();
            writer.write(bytes).await?;
            return Ok(writer.finish().await?.0);
        }
        let level = self.level;
        let (digest, packed) = if bytes.len() <= PACK_HERE {
            layout::pack_whole(level, &bytes)
        } else {
            let pack = move || layout::pack_whole(level, &bytes);
            super::object::join(tokio::task::spawn_blocking(pack).await)
        };
        store_whole(&*self.store, &keys::blob(&digest), &digest, packed).await?;
        Ok(digest)
    }

    /// Reads a blob of at most [`MAX_WHOLE`] bytes.
    ///
    /// # Errors
    /// See [`Blobs::get_bounded`].
    pub async fn get(&self, digest: &Digest) -> Result<Bytes, BlobError> {
        self.get_bounded(digest, MAX_WHOLE).await
    }

    /// Reads a blob of at most `limit` bytes, and verifies all of them.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] when it is larger; nothing was allocated for it then.
    pub async fn get_bounded(&self, digest: &Digest, limit: u64) -> Result<Bytes, BlobError> {
        let reader = self.open(digest).await?;
        let size = reader.len();
        if size > limit {
            return Err(BlobError::TooLarge {
                digest: *digest,
                size,
                limit,
            });
        }
        reader.read_all().await
    }

    /// Opens a blob for reading in pieces.
    pub async fn open(&self, digest: &Digest) -> Result<BlobReader, BlobError> {
        BlobReader::open(self.store.clone(), keys::blob(digest), *digest).await
    }

    /// Begins a blob whose bytes come in pieces.
    pub fn writer(&self) -> BlobWriter {
        BlobWriter::new(self.store.clone(), self.level)
    }

    /// Whether the blob is there, with the length that it was stored with.
    pub async fn contains(&self, digest: &Digest) -> Result<bool, StoreError> {
        is_intact(&*self.store, &keys::blob(digest), digest).await
    }

    /// Copies a blob to `to` unless it is there, verified on the way; how many bytes were written.
    ///
    /// # Errors
    /// When it is gone or damaged here, or cannot be written there.
    pub async fn copy(&self, digest: &Digest, to: &Self) -> Result<Option<u64>, BlobError> {
        // What is copied once is not worth a place in a cache.
        let from = self.store.uncached();
        let from = from.as_ref().unwrap_or(&self.store);
        copy::copy(from, &*to.store, digest).await
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(crate) fn level(&self) -> i32 {
        self.level
    }
}

/// Whether `key` holds the blob `digest` with the length that it was stored with.
pub(crate) async fn is_intact(
    store: &dyn ObjectStore,
    key: &Key,
    digest: &Digest,
) -> Result<bool, StoreError> {
    // A copy on this machine does not say what is there.
    let part = match store.uncached() {
        Some(store) => store.get_range(key, 0, layout::HEADER).await?,
        None => store.get_range(key, 0, layout::HEADER).await?,
    };
    let Some(part) = part else {
        return Ok(false);
    };
    Ok(Header::parse(digest, &part.bytes, part.total).is_ok())
}

/// Stores a packed blob unless it is there and intact.
pub(crate) async fn store_whole(
    store: &dyn ObjectStore,
    key: &Key,
    digest: &Digest,
    packed: Bytes,
) -> Result<(), StoreError> {
    failpoint::reach("blob.store", key);
    // Much is not sent to be refused.
    if packed.len() > ASK_FIRST && is_intact(store, key, digest).await? {
        return Ok(());
    }
    let created = store.create(key, packed.clone()).await?;
    failpoint::reach("blob.stored", key);
    match created {
        Created::New => Ok(()),
        Created::Exists if is_intact(store, key, digest).await? => Ok(()),
        // A blob that lost its end is worth less than the one at hand.
        Created::Exists => store.put(key, packed).await,
    }
}

/// Unpacks a blob of one frame, of which `stored` is the whole file.
pub(crate) fn unpack_whole(digest: &Digest, stored: &[u8]) -> Result<Bytes, BlobError> {
    let header = Header::parse(digest, stored, stored.len() as u64)?;
    if header.shape != Shape::Whole {
        return Err(BlobError::damaged(
            digest,
            "it has frames where one is expected",
        ));
    }
    let plain = codec::unpack(&stored[layout::HEADER..], header.length as usize)
        .map_err(|e| BlobError::damaged(digest, e.0))?;
    let actual = Digest::of(&plain);
    if actual != *digest {
        return Err(BlobError::damaged(
            digest,
            format!("its bytes hash to `{actual}`"),
        ));
    }
    Ok(plain.into())
}

//! Values: stored in a record or as a blob, loaded wherever they are, and read element by element.

use bytes::Bytes;

use super::Datastore;
use super::blob::{BlobError, BlobReader, MAX_WHOLE};
use super::cbor;
use super::object::StoreError;
use crate::model::artifact::{INLINE_VALUE, MediaType, Value, ValueAt};
use crate::model::digest::Digest;

impl Datastore {
    /// The bytes of a value, verified.
    ///
    /// # Errors
    /// [`BlobError::InRecord`] when the record has to be loaded first: the caller's mistake.
    pub async fn load(&self, value: &Value) -> Result<Bytes, BlobError> {
        let digest = value.digest;
        let bytes = match &value.at {
            ValueAt::Inline(bytes) if Digest::of(bytes) == digest => bytes.clone(),
            ValueAt::Inline(_) => {
                return Err(BlobError::damaged(&digest, "the record holds other bytes"));
            }
            ValueAt::Blob => {
                let limit = value.size.min(MAX_WHOLE);
                self.blobs().get_bounded(&digest, limit).await?
            }
            ValueAt::Record => return Err(BlobError::InRecord { digest }),
        };
        has_size(value, bytes.len() as u64)?;
        Ok(bytes)
    }

    /// Opens a value that is a blob, to read parts of it.
    ///
    /// # Errors
    /// When the blob is not there, is damaged, or has another length than the value.
    pub async fn open_value(&self, value: &Value) -> Result<BlobReader, BlobError> {
        let reader = self.blobs().open(&value.digest).await?;
        has_size(value, reader.len())?;
        Ok(reader)
    }

    /// Makes a value of `bytes`: inline when it is small and `inline_budget` allows, which is then
    /// reduced; else a blob, which is durable when this returns.
    pub async fn store_value(
        &self,
        media: MediaType,
        bytes: Bytes,
        inline_budget: &mut usize,
    ) -> Result<Value, StoreError> {
        if bytes.len() <= INLINE_VALUE && bytes.len() <= *inline_budget {
            *inline_budget -= bytes.len();
            return Ok(Value::inline(media, bytes));
        }
        let size = bytes.len() as u64;
        let digest = self.blobs().put(bytes).await?;
        Ok(Value {
            digest,
            size,
            media,
            at: ValueAt::Blob,
        })
    }

    /// Loads a list, so that its elements can be taken one by one.
    ///
    /// # Errors
    /// [`BlobError::NotAList`] when the value is something else.
    pub async fn load_list(&self, value: &Value) -> Result<List, BlobError> {
        let bytes = self.load(value).await?;
        let offsets = cbor::list_offsets(&bytes).map_err(|source| BlobError::NotAList {
            digest: value.digest,
            source,
        })?;
        Ok(List { bytes, offsets })
    }
}

/// Whether as many bytes are there as the value says.
pub(crate) fn has_size(value: &Value, size: u64) -> Result<(), BlobError> {
    if size == value.size {
        return Ok(());
    }
    let what = format!("it has {size} bytes instead of {}", value.size);
    Err(BlobError::damaged(&value.digest, what))
}

/// A list in CBOR whose elements can be taken one by one. Cheap to clone elements from.
#[derive(Clone, Debug)]
pub struct List {
    bytes: Bytes,
    offsets: Vec<u64>,
}

impl List {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The CBOR of an element; none behind the end. Shares the list's memory.
    pub fn get(&self, index: usize) -> Option<Bytes> {
        let (from, to) = (
            self.offsets.get(index)?,
            self.offsets.get(index.checked_add(1)?)?,
        );
        Some(self.bytes.slice(*from as usize..*to as usize))
    }
}

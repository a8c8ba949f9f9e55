//! The elements of a foreach's list, without decoding the list for each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::values::{ValueError, Values};
use crate::datastore::Datastore;
use crate::datastore::blob::BlobReader;
use crate::datastore::cbor::{self, CborError};
use crate::model::artifact::{Value, ValueAt};
use crate::model::digest::Digest;

/// The largest list that is kept in memory as a whole, in bytes. Larger ones are read by ranges.
const IN_MEMORY: u64 = 32 * 1024 * 1024;

/// Why an element could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The list's bytes could not be loaded.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The list's bytes are not a list.
    #[error("the list of the foreach cannot be read")]
    Cbor(#[from] CborError),
    /// The list is shorter.
    #[error("the list of the foreach has {len} elements, not one at {index}")]
    Index {
        /// The element that was asked for.
        index: u32,
        /// How many there are.
        len: usize,
    },
}

enum Bytesource {
    Memory(Bytes),
    Blob(BlobReader),
}

/// One list and where its elements are.
struct List {
    offsets: Vec<u64>,
    bytes: Bytesource,
}

/// The lists of the foreaches that are running.
#[derive(Default)]
pub struct Lists {
    lists: Mutex<HashMap<Digest, Arc<List>>>,
}

/// How many lists are kept; nested foreaches have one for each level and branch.
const KEPT: usize = 64;

impl Lists {
    /// The CBOR of element `index` of `list`.
    ///
    /// # Errors
    /// [`ListError`] when the list cannot be loaded or is shorter.
    pub async fn element(
        &self,
        datastore: &Datastore,
        values: &Values,
        list: &Value,
        index: u32,
    ) -> Result<Bytes, ListError> {
        let known = self.known(&list.digest);
        let list = match known {
            Some(list) => list,
            None => self.open(datastore, values, list).await?,
        };
        list.element(index).await
    }

    fn known(&self, digest: &Digest) -> Option<Arc<List>> {
        self.lists
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .cloned()
    }

    async fn open(
        &self,
        datastore: &Datastore,
        values: &Values,
        value: &Value,
    ) -> Result<Arc<List>, ListError> {
        let bytes = values.load(value).await?;
        let offsets = cbor::list_offsets(&bytes)?;
        let large = value.size > IN_MEMORY && matches!(value.at, ValueAt::Blob);
        let bytes = if large {
            let reader = datastore
                .open_value(value)
                .await
                .map_err(ValueError::from)?;
            Bytesource::Blob(reader)
        } else {
            Bytesource::Memory(bytes)
        };
        let list = Arc::new(List { offsets, bytes });
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= KEPT {
            lists.clear();
        }
        lists.insert(value.digest, list.clone());
        Ok(list)
    }
}

impl List {
    async fn element(&self, index: u32) -> Result<Bytes, ListError> {
        let len = self.offsets.len().saturating_sub(1);
        let i = index as usize;
        if i >= len {
            return Err(ListError::Index { index, len });
        }
        let (from, to) = (self.offsets[i], self.offsets[i + 1]);
        match &self.bytes {
            Bytesource::Memory(bytes) => Ok(bytes.slice(from as usize..to as usize)),
            Bytesource::Blob(reader) => {
                let bytes = reader.read_at(from, (to - from) as usize).await;
                Ok(bytes.map_err(ValueError::from)?)
            }
        }
    }
}

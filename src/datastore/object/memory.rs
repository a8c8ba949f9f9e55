//! Objects in the memory of this process, for tests and for trying things out.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::{
    Created, Key, Object, ObjectStore, Part, Prefix, Replaced, StoreError, Upload, Version,
};

/// What is under one key, and how often something was written to the store before it.
type Entry = (Bytes, u64);

#[derive(Debug, Default)]
struct Objects {
    entries: BTreeMap<Key, Entry>,
    writes: u64,
}

impl Objects {
    fn put(&mut self, key: &Key, bytes: Bytes) {
        self.writes += 1;
        self.entries.insert(key.clone(), (bytes, self.writes));
    }
}

/// Objects in the memory of this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Objects>>);

impl MemoryStore {
    /// A store without objects.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        let objects = self.lock();
        let Some((bytes, version)) = objects.entries.get(key) else {
            return Ok(None);
        };
        let size = bytes.len() as u64;
        if size > limit {
            return Err(StoreError::TooLarge {
                place: key.to_string(),
                size,
                limit,
            });
        }
        Ok(Some(Object {
            bytes: bytes.clone(),
            version: Version(version.to_string()),
        }))
    }

    async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError> {
        let objects = self.lock();
        let Some((bytes, _)) = objects.entries.get(key) else {
            return Ok(None);
        };
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(len).min(bytes.len());
        Ok(Some(Part {
            bytes: bytes.slice(start..end),
            total: bytes.len() as u64,
        }))
    }

    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError> {
        let mut objects = self.lock();
        if objects.entries.contains_key(key) {
            return Ok(Created::Exists);
        }
        objects.put(key, bytes);
        Ok(Created::New)
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.lock().put(key, bytes);
        Ok(())
    }

    async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError> {
        let mut objects = self.lock();
        match objects.entries.get(key) {
            Some((_, found)) if found.to_string() == version.0 => {
                objects.put(key, bytes);
                Ok(Replaced::Done)
            }
            _ => Ok(Replaced::Changed),
        }
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        let objects = self.lock();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let inside = |key: &&Key| key.as_str().starts_with(prefix.as_str());
        let range = objects.entries.range::<Key, _>((start, Bound::Unbounded));
        Ok(range
            .map(|(key, _)| key)
            .filter(inside)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.lock().entries.remove(key);
        Ok(())
    }

    async fn upload(&self, head: usize) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(MemoryUpload {
            store: self.clone(),
            head,
            bytes: BytesMut::zeroed(head),
        }))
    }
}

struct MemoryUpload {
    store: MemoryStore,
    head: usize,
    bytes: BytesMut,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>, key: &Key, head: Bytes) -> Result<(), StoreError> {
        self.bytes[..self.head].copy_from_slice(&head);
        self.store.lock().put(key, self.bytes.freeze());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn conforms() {
        super::super::conformance::all(Arc::new(MemoryStore::new())).await;
    }
}

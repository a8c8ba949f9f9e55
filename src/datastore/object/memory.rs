//! Objects in the memory of this process, for tests and for trying things out.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::{
    Cleaning, Created, FRESH, Key, Leftovers, Listed, Object, ObjectStore, Part, Prefix, Replaced,
    StoreError, Upload, Version,
};
use crate::model::time::Timestamp;

/// What is under one key, how often something was written to the store before it, and when it was
/// written.
type Entry = (Bytes, u64, Timestamp);

#[derive(Debug)]
struct Objects {
    entries: BTreeMap<Key, Entry>,
    writes: u64,
    now: Timestamp,
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            writes: 0,
            // Not the beginning, before which there is no time.
            now: Timestamp(1 << 50),
        }
    }
}

impl Objects {
    fn put(&mut self, key: &Key, bytes: Bytes) {
        self.writes += 1;
        self.entries
            .insert(key.clone(), (bytes, self.writes, self.now));
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

    /// Sets the clock of the store, which does not move by itself.
    pub fn set_time(&self, now: Timestamp) {
        self.lock().now = now;
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
        let Some((bytes, version, _)) = objects.entries.get(key) else {
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
        let Some((bytes, ..)) = objects.entries.get(key) else {
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
            Some((_, found, _)) if found.to_string() == version.0 => {
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
        let found = self.survey(prefix, after, limit).await?;
        Ok(found.into_iter().map(|listed| listed.key).collect())
    }

    async fn survey(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let objects = self.lock();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = objects.entries.range::<Key, _>((start, Bound::Unbounded));
        let inside = range.filter(|(key, _)| key.as_str().starts_with(prefix.as_str()));
        let listed = inside.map(|(key, (bytes, _, modified))| Listed {
            key: key.clone(),
            size: bytes.len() as u64,
            modified: *modified,
        });
        Ok(listed.take(limit).collect())
    }

    async fn refresh(&self, key: &Key) -> Result<bool, StoreError> {
        let mut objects = self.lock();
        let now = objects.now;
        let Some((_, _, modified)) = objects.entries.get_mut(key) else {
            return Ok(false);
        };
        if now.micros_since(*modified) > FRESH.as_micros() as u64 {
            *modified = now;
        }
        Ok(true)
    }

    async fn remove(&self, seen: &Listed) -> Result<bool, StoreError> {
        let mut objects = self.lock();
        match objects.entries.get(&seen.key) {
            Some((_, _, modified)) if *modified > seen.modified => Ok(false),
            _ => {
                objects.entries.remove(&seen.key);
                Ok(true)
            }
        }
    }

    async fn leftovers(&self, _: Timestamp, _: Cleaning) -> Result<Leftovers, StoreError> {
        Ok(Leftovers::default())
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

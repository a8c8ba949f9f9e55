//! A store that takes its time: before every call others get their turns, as many as chance says.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use wrun::datastore::object::memory::MemoryStore;
use wrun::datastore::object::{
    Cleaning, Created, Key, Leftovers, Listed, Object, ObjectStore, Part, Prefix, Replaced,
    StoreError, Upload, Version,
};
use wrun::model::time::Timestamp;

/// Numbers that look random and are the same in every execution: SplitMix64.
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % n.max(1)
    }
}

/// A promise of the store that is broken, to see that it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// Whoever refers to a blob that is there does not make it young.
    Refresh,
}

#[derive(Clone, Debug)]
pub struct Jitter {
    pub inner: MemoryStore,
    pub dice: Arc<Mutex<Dice>>,
    pub broken: Broken,
}

impl Jitter {
    pub fn below(&self, n: u64) -> u64 {
        self.dice.lock().unwrap().below(n)
    }

    pub async fn pause(&self) {
        for _ in 0..self.below(4) {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl ObjectStore for Jitter {
    fn place(&self) -> String {
        self.inner.place()
    }

    async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        self.pause().await;
        self.inner.get(key, limit).await
    }

    async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError> {
        self.pause().await;
        self.inner.get_range(key, offset, len).await
    }

    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError> {
        self.pause().await;
        self.inner.create(key, bytes).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.pause().await;
        self.inner.put(key, bytes).await
    }

    async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError> {
        self.pause().await;
        self.inner.replace(key, version, bytes).await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        self.pause().await;
        self.inner.list(prefix, after, limit).await
    }

    async fn survey(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.pause().await;
        self.inner.survey(prefix, after, limit).await
    }

    async fn refresh(&self, key: &Key) -> Result<bool, StoreError> {
        self.pause().await;
        match self.broken {
            Broken::Refresh => Ok(true),
            _ => self.inner.refresh(key).await,
        }
    }

    async fn remove(&self, seen: &Listed) -> Result<bool, StoreError> {
        // Long, so that others may use what is about to go.
        for _ in 0..8 {
            self.pause().await;
        }
        self.inner.remove(seen).await
    }

    async fn leftovers(&self, at: Timestamp, how: Cleaning) -> Result<Leftovers, StoreError> {
        self.inner.leftovers(at, how).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.pause().await;
        self.inner.delete(key).await
    }

    async fn upload(&self, head: usize) -> Result<Box<dyn Upload>, StoreError> {
        self.pause().await;
        self.inner.upload(head).await
    }
}

//! A store over another: reads see both, writes stay above.
//!
//! For executing tasks of a run once more without leaving anything in its datastore.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Cleaning, Created, Key, Leftovers, Listed, Object, ObjectStore, Pace, Part, Prefix, Replaced,
    StoreError, Upload, Version,
};
use crate::model::time::Timestamp;

/// A store over another, which is never written to.
///
/// Objects are created above unless they are below. Replacing, deleting and listing concern what is
/// above only: blobs, for which this is meant, are never replaced.
pub struct Layer {
    below: Arc<dyn ObjectStore>,
    above: Arc<dyn ObjectStore>,
    /// What is not seen of what is below.
    hidden: Arc<BTreeSet<Key>>,
}

impl Layer {
    /// `above`, through which `below` can be seen.
    pub fn new(below: Arc<dyn ObjectStore>, above: Arc<dyn ObjectStore>) -> Self {
        Self::hiding(below, above, BTreeSet::new())
    }

    /// The same, as if what is `hidden` were not below: it is written above, whatever is there.
    pub fn hiding(
        below: Arc<dyn ObjectStore>,
        above: Arc<dyn ObjectStore>,
        hidden: BTreeSet<Key>,
    ) -> Self {
        Self {
            below,
            above,
            hidden: Arc::new(hidden),
        }
    }

    fn hides(&self, key: &Key) -> bool {
        self.hidden.contains(key)
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("below", &self.below)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ObjectStore for Layer {
    fn place(&self) -> String {
        self.below.place()
    }

    fn pace(&self) -> Pace {
        Pace {
            read: self.below.pace().read,
            ..self.above.pace()
        }
    }

    fn uncached(&self) -> Option<Arc<dyn ObjectStore>> {
        let below = self.below.uncached()?;
        Some(Arc::new(Self {
            below,
            above: self.above.clone(),
            hidden: self.hidden.clone(),
        }))
    }

    async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        match self.above.get(key, limit).await? {
            Some(object) => Ok(Some(object)),
            None if self.hides(key) => Ok(None),
            None => self.below.get(key, limit).await,
        }
    }

    async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError> {
        match self.above.get_range(key, offset, len).await? {
            Some(part) => Ok(Some(part)),
            None if self.hides(key) => Ok(None),
            None => self.below.get_range(key, offset, len).await,
        }
    }

    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError> {
        if !self.hides(key) && self.below.get_range(key, 0, 1).await?.is_some() {
            return Ok(Created::Exists);
        }
        self.above.create(key, bytes).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.above.put(key, bytes).await
    }

    async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError> {
        self.above.replace(key, version, bytes).await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        self.above.list(prefix, after, limit).await
    }

    async fn survey(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.above.survey(prefix, after, limit).await
    }

    async fn refresh(&self, key: &Key) -> Result<bool, StoreError> {
        if self.above.refresh(key).await? {
            return Ok(true);
        }
        // What is below is not written to, so that nothing is refreshed there either.
        Ok(!self.hides(key) && self.below.get_range(key, 0, 0).await?.is_some())
    }

    async fn remove(&self, seen: &Listed) -> Result<bool, StoreError> {
        self.above.remove(seen).await
    }

    async fn leftovers(
        &self,
        before: Timestamp,
        cleaning: Cleaning,
    ) -> Result<Leftovers, StoreError> {
        self.above.leftovers(before, cleaning).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.above.delete(key).await
    }

    async fn upload(&self, head: usize) -> Result<Box<dyn Upload>, StoreError> {
        self.above.upload(head).await
    }
}

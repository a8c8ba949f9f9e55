//! A store over another whose requests may be lost: it tries again what may pass.
//!
//! What a request came to is not always known: its answer may be lost after it had its effect. Reads,
//! `put` and `delete` are simply made again. A conditional write that is made again may find its own
//! first try in the way; so whoever is told then that something is there looks whether it is what was
//! to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Cleaning, Created, Key, Leftovers, Listed, Object, ObjectStore, Pace, Part, Prefix, Replaced,
    StoreError, Upload, Version,
};
use crate::model::time::Timestamp;

/// How often and when a request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How many tries there are in all.
    pub tries: u32,
    /// How many of them there are when nobody has ever answered: then more likely the address is
    /// wrong than the network broken.
    pub tries_unanswered: u32,
    /// The longest pause after the first try; it doubles with each.
    pub first: Duration,
    /// The longest pause at all.
    pub longest: Duration,
}

impl Default for Patience {
    /// About half a minute: a run survives a network that is gone for a moment.
    fn default() -> Self {
        Self {
            tries: 20,
            tries_unanswered: 4,
            first: Duration::from_millis(50),
            longest: Duration::from_secs(4),
        }
    }
}

/// Tries requests again, with pauses that nobody else has.
#[derive(Debug)]
pub struct Retry {
    patience: Patience,
    chance: AtomicU64,
    answered: AtomicBool,
}

impl Retry {
    /// Tries with this patience; `seed` decides about the pauses.
    pub fn new(patience: Patience, seed: u64) -> Self {
        Self {
            patience,
            chance: AtomicU64::new(seed),
            answered: AtomicBool::new(false),
        }
    }

    /// Makes a request until it succeeds, fails for good, or patience ends.
    pub async fn run<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut tried = 0;
        loop {
            match request().await {
                Ok(answer) => {
                    self.answered.store(true, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => {
                    tried += 1;
                    self.pause(tried, error).await?;
                }
            }
        }
    }

    /// Waits after the `tried`-th try failed with `error`; gives it back when there is no other try.
    ///
    /// Full jitter: any time up to a limit that doubles. See "Exponential Backoff And Jitter", AWS
    /// Architecture Blog, 2015.
    pub(crate) async fn pause(&self, tried: u32, error: StoreError) -> Result<(), StoreError> {
        let Patience {
            tries,
            tries_unanswered,
            first,
            longest,
        } = self.patience;
        let before = self.answered.load(Ordering::Relaxed);
        let answered = before || !error.is_unreachable();
        // Whoever starts with a wrong clock is told. One that went wrong later, such as that of a machine which
        // was asleep, stops nothing: the SDK has taken the time from the answer, and signs with that.
        let may_pass = error.may_pass() || (before && error.is_of_the_clock());
        if !error.is_of_the_clock() {
            self.answered.store(answered, Ordering::Relaxed);
        }
        if !may_pass || tried >= if answered { tries } else { tries_unanswered } {
            return Err(tired(error, tried));
        }
        let limit = first.saturating_mul(1 << (tried - 1).min(20)).min(longest);
        tokio::time::sleep(limit.mul_f64(self.roll())).await;
        Ok(())
    }

    /// A number from 0 to 1: SplitMix64.
    fn roll(&self) -> f64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self
            .chance
            .fetch_add(step, Ordering::Relaxed)
            .wrapping_add(step);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The error, saying also how often it was tried.
fn tired(error: StoreError, tried: u32) -> StoreError {
    match error {
        StoreError::Remote {
            action,
            place,
            mut source,
        } if tried > 1 => {
            source.message = format!("{} (tried {tried} times)", source.message);
            StoreError::Remote {
                action,
                place,
                source,
            }
        }
        other => other,
    }
}

/// A store whose requests are tried again.
#[derive(Clone, Debug)]
pub struct RetryStore {
    inner: Arc<dyn ObjectStore>,
    retry: Arc<Retry>,
}

impl RetryStore {
    /// Wraps `inner`.
    ///
    /// Uploads are passed through: only who has their bytes can send them again.
    pub fn new(inner: Arc<dyn ObjectStore>, retry: Arc<Retry>) -> Self {
        Self { inner, retry }
    }

    /// Whether exactly `bytes` lie under `key`.
    async fn holds(&self, key: &Key, bytes: &Bytes) -> Result<bool, StoreError> {
        let limit = bytes.len() as u64;
        let found = self.retry.run(|| self.inner.get(key, limit)).await;
        match found {
            Ok(found) => Ok(found.is_some_and(|object| object.bytes == *bytes)),
            Err(StoreError::TooLarge { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a conditional write until its outcome is known.
    ///
    /// `refused` is the answer that says that something else is there, `done` the one that says that
    /// what was to be written is.
    async fn conditional<T, F>(
        &self,
        (key, bytes): (&Key, &Bytes),
        (done, refused): (T, T),
        mut request: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        T: Copy + PartialEq,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut tried = 0;
        loop {
            match request().await {
                // What is in the way may be what an earlier try has left.
                Ok(found) if found == refused && tried > 0 => {
                    let mine = self.holds(key, bytes).await?;
                    return Ok(if mine { done } else { refused });
                }
                Ok(found) => {
                    self.retry.answered.store(true, Ordering::Relaxed);
                    return Ok(found);
                }
                Err(error) => {
                    tried += 1;
                    if let Err(last) = self.retry.pause(tried, error).await {
                        // The last look: what was written is written, whoever lost the answer.
                        let mine =
                            last.may_pass() && matches!(self.holds(key, bytes).await, Ok(true));
                        return if mine { Ok(done) } else { Err(last) };
                    }
                }
            }
        }
    }
}

#[async_trait]
impl ObjectStore for RetryStore {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn pace(&self) -> Pace {
        self.inner.pace()
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.retry.run(|| self.inner.is_empty()).await
    }

    async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        self.retry.run(|| self.inner.get(key, limit)).await
    }

    async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError> {
        self.retry
            .run(|| self.inner.get_range(key, offset, len))
            .await
    }

    /// After a lost answer, an object with exactly these bytes counts as this caller's.
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError> {
        let outcomes = (Created::New, Created::Exists);
        self.conditional((key, &bytes), outcomes, || {
            self.inner.create(key, bytes.clone())
        })
        .await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.retry.run(|| self.inner.put(key, bytes.clone())).await
    }

    async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError> {
        let outcomes = (Replaced::Done, Replaced::Changed);
        self.conditional((key, &bytes), outcomes, || {
            self.inner.replace(key, version, bytes.clone())
        })
        .await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        self.retry
            .run(|| self.inner.list(prefix, after, limit))
            .await
    }

    async fn survey(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.retry
            .run(|| self.inner.survey(prefix, after, limit))
            .await
    }

    async fn refresh(&self, key: &Key) -> Result<bool, StoreError> {
        self.retry.run(|| self.inner.refresh(key)).await
    }

    async fn remove(&self, seen: &Listed) -> Result<bool, StoreError> {
        self.retry.run(|| self.inner.remove(seen)).await
    }

    async fn leftovers(
        &self,
        before: Timestamp,
        cleaning: Cleaning,
    ) -> Result<Leftovers, StoreError> {
        self.retry
            .run(|| self.inner.leftovers(before, cleaning))
            .await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.retry.run(|| self.inner.delete(key)).await
    }

    async fn upload(&self, head: usize) -> Result<Box<dyn Upload>, StoreError> {
        self.inner.upload(head).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::{self, Fault, FaultStore};
    use super::super::memory::MemoryStore;
    use super::*;

    fn eager() -> Arc<Retry> {
        let patience = Patience {
            first: Duration::ZERO,
            ..Patience::default()
        };
        Arc::new(Retry::new(patience, 7))
    }

    fn over(
        plan: impl Fn(u64) -> Option<Fault> + Send + Sync + 'static,
    ) -> (MemoryStore, FaultStore, RetryStore) {
        let memory = MemoryStore::new();
        let plan: fault::Plan = Arc::new(move |number, _| plan(number));
        let faulty = FaultStore::new(Arc::new(memory.clone()), plan);
        let store = RetryStore::new(Arc::new(faulty.clone()), eager());
        (memory, faulty, store)
    }

    fn key() -> Key {
        Key::new("a/b").unwrap()
    }

    /// The five outcomes of a conditional creation.
    #[tokio::test]
    async fn whoever_created_an_object_is_told_so_whatever_was_lost() {
        // Created; and exists, another's.
        let (memory, _, store) = over(|_| None);
        assert_eq!(
            store.create(&key(), "mine".into()).await.unwrap(),
            Created::New
        );
        assert_eq!(
            store.create(&key(), "other".into()).await.unwrap(),
            Created::Exists
        );
        assert_eq!(memory.get(&key(), 9).await.unwrap().unwrap().bytes, "mine");
        // Exists and is mine: the answer was lost.
        let (_, faulty, store) = over(|n| (n == 0).then_some(Fault::Lost));
        assert_eq!(
            store.create(&key(), "mine".into()).await.unwrap(),
            Created::New
        );
        assert_eq!(faulty.calls().len(), 3);
        // A conflict, and then another was faster.
        let (memory, _, store) = over(|n| (n == 0).then_some(Fault::Conflict));
        memory.put(&key(), "other".into()).await.unwrap();
        assert_eq!(
            store.create(&key(), "mine".into()).await.unwrap(),
            Created::Exists
        );
        // Never an answer: looked at in the end.
        let of_creation = |fault| move |n| (1..=20).contains(&n).then_some(fault);
        let (_, _, store) = over(of_creation(Fault::Lost));
        store.get(&key(), 9).await.unwrap();
        assert_eq!(
            store.create(&key(), "mine".into()).await.unwrap(),
            Created::New
        );
        let (memory, faulty, store) = over(of_creation(Fault::Refused));
        store.get(&key(), 9).await.unwrap();
        let failed = store.create(&key(), "mine".into()).await.unwrap_err();
        assert!(
            matches!(failed, StoreError::Remote { source, .. } if source.message.ends_with("(tried 20 times)"))
        );
        assert_eq!(faulty.calls().len(), 22);
        assert_eq!(memory.get(&key(), 9).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_replacement_whose_answer_was_lost_is_done() {
        let (memory, _, store) = over(|n| (n == 0).then_some(Fault::Lost));
        memory.put(&key(), "old".into()).await.unwrap();
        let old = memory.get(&key(), 9).await.unwrap().unwrap().version;
        let done = store.replace(&key(), &old, "mine".into()).await.unwrap();
        assert_eq!(done, Replaced::Done);
        let done = store.replace(&key(), &old, "more".into()).await.unwrap();
        assert_eq!(done, Replaced::Changed);
    }

    #[tokio::test]
    async fn what_cannot_pass_is_not_tried_again() {
        use std::io::ErrorKind;
        let (_, faulty, store) = over(|_| Some(Fault::Before(ErrorKind::PermissionDenied)));
        assert!(matches!(
            store.get(&key(), 9).await,
            Err(StoreError::Denied { .. })
        ));
        assert_eq!(faulty.calls().len(), 1);
        // Where nobody ever answered, less is tried.
        let (_, faulty, store) = over(|_| Some(Fault::Reset));
        store.get(&key(), 9).await.unwrap_err();
        assert_eq!(faulty.calls().len(), 4);
    }

    #[tokio::test]
    async fn the_suite_passes_though_one_request_in_five_fails() {
        let faulty = FaultStore::new(Arc::new(MemoryStore::new()), fault::script(3, 20));
        let store = RetryStore::new(Arc::new(faulty.clone()), eager());
        super::super::conformance::all(Arc::new(store)).await;
        assert!(faulty.calls().len() > 500);
    }
}

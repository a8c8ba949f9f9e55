//! A store that fails as it is told, for tests of those who use it.
//!
//! Wraps another store. Each call has a number, counted from 0; a plan says which calls fail, and
//! whether before they had an effect or after, when only the answer is lost.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Created, Key, Object, ObjectStore, Part, Prefix, Replaced, StoreError, Upload, Version,
};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens, and the call fails with this kind of error.
    Before(io::ErrorKind),
    /// The call does what it does, and then fails all the same: the answer is lost.
    AnswerLost,
}

/// A call to a store: what is done, to which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name of the method.
    pub method: &'static str,
    /// The key or the prefix.
    pub key: String,
}

/// Decides by a call's number and what it is whether it fails.
pub type Plan = Arc<dyn Fn(u64, &Call) -> Option<Fault> + Send + Sync>;

/// A store that fails as it is told.
#[derive(Clone)]
pub struct FaultStore(Arc<Faulty>);

struct Faulty {
    inner: Arc<dyn ObjectStore>,
    plan: Plan,
    next: AtomicU64,
    calls: Mutex<Vec<Call>>,
}

impl std::fmt::Debug for FaultStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FaultStore").field(&self.0.inner).finish()
    }
}

impl FaultStore {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn ObjectStore>, plan: Plan) -> Self {
        let (next, calls) = (AtomicU64::new(0), Mutex::new(Vec::new()));
        Self(Arc::new(Faulty {
            inner,
            plan,
            next,
            calls,
        }))
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.0
            .calls
            .lock()
            .expect("nothing panics while it holds the lock")
            .clone()
    }
}

impl Faulty {
    /// Does `work` unless the plan has it fail.
    async fn call<T>(
        &self,
        method: &'static str,
        key: &str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let call = Call {
            method,
            key: key.to_owned(),
        };
        let fault = (self.plan)(number, &call);
        self.calls
            .lock()
            .expect("nothing panics while it holds the lock")
            .push(call);
        let failed = |kind| StoreError::of(method, key, io::Error::new(kind, "told to fail"));
        match fault {
            None => work.await,
            Some(Fault::Before(kind)) => Err(failed(kind)),
            Some(Fault::AnswerLost) => {
                work.await?;
                Err(failed(io::ErrorKind::TimedOut))
            }
        }
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    fn place(&self) -> String {
        self.0.inner.place()
    }

    async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        self.0
            .call("get", key.as_str(), self.0.inner.get(key, limit))
            .await
    }

    async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError> {
        self.0
            .call(
                "get_range",
                key.as_str(),
                self.0.inner.get_range(key, offset, len),
            )
            .await
    }

    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError> {
        self.0
            .call("create", key.as_str(), self.0.inner.create(key, bytes))
            .await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.0
            .call("put", key.as_str(), self.0.inner.put(key, bytes))
            .await
    }

    async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError> {
        self.0
            .call(
                "replace",
                key.as_str(),
                self.0.inner.replace(key, version, bytes),
            )
            .await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        self.0
            .call(
                "list",
                prefix.as_str(),
                self.0.inner.list(prefix, after, limit),
            )
            .await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.0
            .call("delete", key.as_str(), self.0.inner.delete(key))
            .await
    }

    async fn upload(&self, head: usize) -> Result<Box<dyn Upload>, StoreError> {
        let inner = self.0.call("upload", "", self.0.inner.upload(head)).await?;
        Ok(Box::new(FaultUpload {
            store: self.0.clone(),
            inner,
        }))
    }
}

struct FaultUpload {
    store: Arc<Faulty>,
    inner: Box<dyn Upload>,
}

#[async_trait]
impl Upload for FaultUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.store.call("write", "", self.inner.write(bytes)).await
    }

    async fn finish(self: Box<Self>, key: &Key, head: Bytes) -> Result<(), StoreError> {
        let Self { store, inner } = *self;
        store
            .call("finish", key.as_str(), inner.finish(key, head))
            .await
    }
}

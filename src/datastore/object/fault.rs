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
    Cleaning, Created, Key, Leftovers, Listed, Object, ObjectStore, Pace, Part, Prefix, Replaced,
    StoreError, Upload, Version,
};
use crate::aws::{Kind, Trouble};
use crate::model::time::Timestamp;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens, and the call fails with this kind of error.
    Before(io::ErrorKind),
    /// The call does what it does, and then fails all the same: the answer is lost.
    AnswerLost,
    /// The service has an error of its own: status 500.
    Refused,
    /// The service wants fewer requests: status 503.
    SlowDown,
    /// The connection ends before the request was heard.
    Reset,
    /// The answer ends in its middle; the call had its effect.
    Short,
    /// The connection ends after the request had its effect.
    Lost,
    /// Another request concerned the same object at the same time: status 409.
    Conflict,
    /// An answer that began well and says in the end that nothing was done.
    LateError,
}

/// The faults of a service behind a network.
const OF_NETWORKS: [Fault; 7] = [
    Fault::Refused,
    Fault::SlowDown,
    Fault::Reset,
    Fault::Short,
    Fault::Lost,
    Fault::Conflict,
    Fault::LateError,
];

impl Fault {
    /// Whether the call has its effect all the same.
    fn has_effect(self) -> bool {
        matches!(self, Self::AnswerLost | Self::Short | Self::Lost)
    }

    fn error(self, method: &'static str, key: &str) -> StoreError {
        let told = |kind| StoreError::of(method, key, io::Error::new(kind, "told to fail"));
        let (kind, code) = match self {
            Self::Before(kind) => return told(kind),
            Self::AnswerLost => return told(io::ErrorKind::TimedOut),
            Self::Refused | Self::LateError => (Kind::Service, Some("InternalError")),
            Self::SlowDown => (Kind::Throttled, Some("SlowDown")),
            Self::Conflict => (Kind::Service, Some("ConditionalRequestConflict")),
            Self::Reset | Self::Lost | Self::Short => (Kind::Unreachable, None),
        };
        let source = Trouble {
            action: "s3:Any",
            kind,
            code: code.map(str::to_owned),
            message: "told to fail".to_owned(),
        };
        StoreError::Remote {
            action: method,
            place: key.to_owned(),
            source,
        }
    }
}

/// A plan by which `percent` of all calls fail as those over a network do.
///
/// `seed` decides which: the same calls in the same order fail in the same way.
pub fn script(seed: u64, percent: u64) -> Plan {
    Arc::new(move |number, call| {
        // What is uploaded can be sent again by the uploading store only.
        if matches!(call.method, "upload" | "write" | "finish") {
            return None;
        }
        let mut dice = blake3::Hasher::new();
        dice.update(&seed.to_le_bytes())
            .update(&number.to_le_bytes());
        let dice = dice.finalize();
        let roll = u64::from(dice.as_bytes()[0]) << 8 | u64::from(dice.as_bytes()[1]);
        let kind = usize::from(dice.as_bytes()[2]) % OF_NETWORKS.len();
        (roll * 100 < percent << 16).then_some(OF_NETWORKS[kind])
    })
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
        match fault {
            None => work.await,
            Some(fault) if fault.has_effect() => {
                work.await?;
                Err(fault.error(method, key))
            }
            Some(fault) => Err(fault.error(method, key)),
        }
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    fn place(&self) -> String {
        self.0.inner.place()
    }

    fn pace(&self) -> Pace {
        self.0.inner.pace()
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

    async fn survey(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.0
            .call(
                "survey",
                prefix.as_str(),
                self.0.inner.survey(prefix, after, limit),
            )
            .await
    }

    async fn refresh(&self, key: &Key) -> Result<bool, StoreError> {
        self.0
            .call("refresh", key.as_str(), self.0.inner.refresh(key))
            .await
    }

    async fn remove(&self, seen: &Listed) -> Result<bool, StoreError> {
        self.0
            .call("remove", seen.key.as_str(), self.0.inner.remove(seen))
            .await
    }

    async fn leftovers(
        &self,
        before: Timestamp,
        cleaning: Cleaning,
    ) -> Result<Leftovers, StoreError> {
        self.0
            .call("leftovers", "", self.0.inner.leftovers(before, cleaning))
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

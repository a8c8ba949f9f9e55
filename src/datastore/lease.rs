//! Who drives a run.
//!
//! A lease is a courtesy: it lets a second driver say who has the run before it touches anything.
//! That two drivers never both go on is the journal's promise, whose segments are create-only.

use serde::{Deserialize, Serialize};

use super::layout as keys;
use super::object::{Created, Replaced, StoreError, Version};
use super::run::{Run, RunError, decode, encode, get};
use super::sealed::{self, Kind, Nonce};
use crate::failpoint;
use crate::model::time::Timestamp;

const KIND: Kind = Kind::new(*b"leas", "a lease", 64 << 10);

/// Who drives a run, and since when nothing was heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The machine, as people know it.
    pub host: String,
    /// What tells machines, boots and process namespaces apart; empty where nothing does.
    pub place: String,
    /// The process.
    pub process: u32,
    /// When the process started, in ticks since the machine booted; tells apart processes that had
    /// the same number.
    pub process_started: u64,
    /// When it was taken or renewed.
    pub at: Timestamp,
}

/// A lease that is held. Dropped, it stays until others see that nobody renews it.
#[derive(Debug)]
pub struct Held {
    run: Run,
    lease: Lease,
    version: Version,
}

impl Run {
    /// The lease of the run, and which version of it was read.
    pub async fn lease(&self) -> Result<Option<(Lease, Version)>, RunError> {
        let key = keys::lease(self.id());
        match get(&**self.store(), self.id(), &key, &KIND).await? {
            None => Ok(None),
            Some(object) => {
                let lease = decode(self.id(), &key, &KIND, &object.bytes)?;
                Ok(Some((lease, object.version)))
            }
        }
    }

    /// Takes the lease: a free one, or in the place of `over`. None when somebody was faster.
    pub async fn take_lease(
        &self,
        lease: Lease,
        over: Option<Version>,
    ) -> Result<Option<Held>, RunError> {
        let key = keys::lease(self.id());
        let bytes = sealed::seal(&key, &KIND, Nonce::new(), &encode(&lease));
        failpoint::reach("lease.take", &key);
        let taken = match over {
            None => self.store().create(&key, bytes.clone()).await? == Created::New,
            Some(version) => {
                self.store().replace(&key, &version, bytes.clone()).await? == Replaced::Done
            }
        };
        failpoint::reach("lease.taken", &key);
        // A store may have done it and lost the answer: what is there tells.
        let found = get(&**self.store(), self.id(), &key, &KIND).await?;
        let mine = found.filter(|found| taken || found.bytes == bytes);
        Ok(mine.map(|object| Held {
            run: self.clone(),
            lease,
            version: object.version,
        }))
    }
}

impl Held {
    /// Says that the holder is still there; false when somebody else has the lease now.
    pub async fn renew(&mut self, at: Timestamp) -> Result<bool, RunError> {
        let lease = Lease {
            at,
            ..self.lease.clone()
        };
        let over = Some(self.version.clone());
        Ok(match self.run.take_lease(lease, over).await? {
            Some(held) => {
                *self = held;
                true
            }
            None => false,
        })
    }

    /// Gives the lease back, unless somebody else has it.
    pub async fn release(self) -> Result<(), StoreError> {
        let key = keys::lease(self.run.id());
        let found = self.run.store().get(&key, KIND.stored()).await?;
        failpoint::reach("lease.release", &key);
        match found {
            Some(object) if object.version == self.version => self.run.store().delete(&key).await,
            _ => Ok(()),
        }
    }
}

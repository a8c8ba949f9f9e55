//! Objects under keys: the one narrow trait below everything at rest.
//!
//! [`local`] keeps them in a directory, [`s3`] in a bucket, [`memory`] in this process. [`retry`]
//! tries again what a network has lost, [`cache`] keeps what was read, [`layer`] keeps what is written
//! apart, [`fault`] makes a store fail. `conformance` is the suite that every store passes. A store
//! knows nothing of what it keeps: no blobs, no runs.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::aws::{Kind, Trouble};
use crate::model::time::Timestamp;

pub mod cache;
#[cfg(test)]
pub(crate) mod conformance;
pub mod fault;
pub mod layer;
pub mod local;
pub mod memory;
pub mod retry;
pub mod s3;

/// The longest key, in bytes. S3 has this limit.
pub const MAX_KEY: usize = 1024;
/// The longest part of a key, in bytes. File systems have this limit.
pub const MAX_PART: usize = 255;

/// The name of an object: parts of ASCII letters, digits and `-_.~`, joined by `/`.
///
/// No part is empty or begins with `.`, so a key never leads out of a directory. Keys are ordered
/// by bytes, as listings are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// A text that is not a [`Key`] or a [`Prefix`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an object key: {reason}")]
pub struct KeyError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

fn check_part(part: &str) -> Result<(), &'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    match part {
        "" => Err("it has an empty part"),
        _ if part.starts_with('.') => Err("a part begins with `.`"),
        _ if part.len() > MAX_PART => Err("a part is longer than 255 bytes"),
        _ if !part.bytes().all(allowed) => {
            Err("only ASCII letters, digits, `-`, `_`, `.`, `~` and `/` are allowed")
        }
        _ => Ok(()),
    }
}

fn check_key(text: &str, body: &str) -> Result<(), KeyError> {
    let wrong = |reason| KeyError {
        text: text.chars().take(120).collect(),
        reason,
    };
    if text.len() > MAX_KEY {
        return Err(wrong("it is longer than 1024 bytes"));
    }
    body.split('/').try_for_each(check_part).map_err(wrong)
}

impl Key {
    /// Checks `text` and makes it a key.
    ///
    /// # Errors
    /// [`KeyError`] says what is not allowed.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        check_key(text, text)?;
        Ok(Self(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// What the keys of a listing begin with: nothing, or whole parts that end with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Checks `text` and makes it a prefix.
    ///
    /// # Errors
    /// [`KeyError`] says what is not allowed.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Ok(Self::all());
        }
        let Some(body) = text.strip_suffix('/') else {
            return Err(KeyError {
                text: text.to_owned(),
                reason: "a prefix ends with `/`",
            });
        };
        check_key(text, body)?;
        Ok(Self(text.to_owned()))
    }

    /// The prefix of all keys.
    pub fn all() -> Self {
        Self(String::new())
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an object was when it was read; [`ObjectStore::replace`] compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// An object that was read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub bytes: Bytes,
    /// What it was when it was read.
    pub version: Version,
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The bytes; fewer than asked for only at the end of the object.
    pub bytes: Bytes,
    /// The length of the whole object.
    pub total: u64,
}

/// An object as a survey tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: Key,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written or refreshed, by the clock of the store.
    pub modified: Timestamp,
}

/// What killed writers have left that has no key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// How many there are: temporary files, uploads without an end.
    pub count: u64,
    /// How many bytes they take, as far as the store tells.
    pub bytes: u64,
}

/// Whether leftovers are only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleaning {
    /// They are counted.
    Look,
    /// They are counted and removed.
    Remove,
}

/// How old an object may be for [`ObjectStore::refresh`] to leave it as it is.
pub const FRESH: Duration = Duration::from_secs(30 * 60);

/// What [`ObjectStore::create`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// Nothing was there; the object is there now.
    New,
    /// Something was there and was not changed.
    Exists,
}

/// What [`ObjectStore::replace`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The object was the expected one, and is the new one now.
    Done,
    /// The object was another one, or none, and was not changed.
    Changed,
}

/// Why a store could not do what it was asked for.
///
/// `place` names the object or the file, as its user would look for it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space, no inodes or no quota left.
    #[error("no space is left to write `{place}`; free some, or use another datastore")]
    Full {
        /// What was to be written.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file system is mounted read-only.
    #[error("`{place}` is on a read-only file system")]
    ReadOnly {
        /// What was to be written.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// Whoever asks has no right to.
    #[error("permission denied for `{place}`")]
    Denied {
        /// What was to be read or written.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The object is larger than whoever asks can take.
    #[error("`{place}` has {size} bytes, more than the {limit} that are expected at most")]
    TooLarge {
        /// What was to be read.
        place: String,
        /// Its length.
        size: u64,
        /// The most that was asked for.
        limit: u64,
    },
    /// A store behind a network refused the request, or its outcome could not be learnt.
    #[error("could not {action} `{place}`")]
    Remote {
        /// What was to be done, e.g. `write`.
        action: &'static str,
        /// What it was to be done to.
        place: String,
        /// What the service or the network said.
        source: Trouble,
    },
    /// The request failed, and whether it had an effect could not be learnt.
    #[error("could not {action} `{place}`")]
    Unavailable {
        /// What was to be done, e.g. `write`.
        action: &'static str,
        /// What it was to be done to.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// The error of the right kind for what the system said.
    pub(crate) fn of(action: &'static str, place: impl fmt::Display, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let place = place.to_string();
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => Self::Full { place, source },
            Kind::ReadOnlyFilesystem => Self::ReadOnly { place, source },
            Kind::PermissionDenied => Self::Denied { place, source },
            _ => Self::Unavailable {
                action,
                place,
                source,
            },
        }
    }

    /// Whether the same request may succeed a little later.
    ///
    /// Whether the one that failed had an effect is not said by this.
    pub fn may_pass(&self) -> bool {
        use io::ErrorKind as Kind;
        match self {
            Self::Remote { source, .. } => source.kind.may_pass(),
            Self::Unavailable { source, .. } => matches!(
                source.kind(),
                Kind::TimedOut
                    | Kind::ConnectionReset
                    | Kind::ConnectionAborted
                    | Kind::BrokenPipe
                    | Kind::UnexpectedEof
                    | Kind::Interrupted
            ),
            _ => false,
        }
    }

    /// What somebody at this machine can do about it, as far as the error tells.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Full { .. } => Some("free some space in the datastore"),
            Self::ReadOnly { .. } | Self::Denied { .. } => Some("make the datastore writable"),
            Self::Unavailable { source, .. } => remedy(source),
            Self::TooLarge { .. } | Self::Remote { .. } => None,
        }
    }

    /// Whether there was no answer at all.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Remote { source, .. } if source.kind == Kind::Unreachable)
    }

    /// Whether a request was refused for the time at which it was signed.
    pub(crate) fn is_of_the_clock(&self) -> bool {
        matches!(self, Self::Remote { source, .. } if source.kind == Kind::Clock)
    }
}

/// What somebody at this machine can do about an error of its system.
pub fn remedy(error: &io::Error) -> Option<&'static str> {
    use rustix::io::Errno;
    Some(match Errno::from_io_error(error)? {
        Errno::NOSPC | Errno::DQUOT => "free some space there",
        Errno::ROFS | Errno::ACCESS => "make that place writable",
        Errno::MFILE | Errno::NFILE => "allow more open files, `ulimit -n 4096`",
        Errno::FBIG => "allow larger files, `ulimit -f unlimited`",
        Errno::IO => "look into the log of the system, which names the disk",
        _ => return None,
    })
}

/// How a store wants to be used, so that a request is worth what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many bytes are best read at once.
    pub read: usize,
    /// How long small pieces should gather before they are written.
    pub gather: Duration,
}

impl Default for Pace {
    /// That of a disk.
    fn default() -> Self {
        Self {
            read: 1 << 20,
            gather: Duration::from_millis(25),
        }
    }
}

/// Objects under keys.
///
/// Promises of every store, beyond those of each method:
/// - an object is seen whole or not at all; nothing under a key is ever partial;
/// - what was acknowledged stays: it survives the end of this process and, where the store has a
///   disk, the loss of power;
/// - what was acknowledged is seen at once by every later read and listing;
/// - a call that is dropped before it ends may or may not have happened, but never half.
#[async_trait]
pub trait ObjectStore: Send + Sync + fmt::Debug {
    /// Where the objects are, for messages.
    fn place(&self) -> String;

    /// How it wants to be used.
    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// The store itself where this one answers from copies: what it says is there is there.
    fn uncached(&self) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    /// Whether nothing at all is there, also nothing that somebody else has put there.
    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.list(&Prefix::all(), None, 1).await?.is_empty())
    }

    /// Reads an object whole; none when there is none.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when it has more than `limit` bytes; nothing was read then.
    async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError>;

    /// Reads up to `len` bytes from `offset`; none when there is no such object.
    ///
    /// An offset behind the end gives no bytes.
    async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError>;

    /// Stores `bytes` under `key` unless something is there already.
    ///
    /// Of several concurrent callers exactly one gets [`Created::New`]; the others get
    /// [`Created::Exists`] and change nothing.
    ///
    /// # Errors
    /// After [`StoreError::Unavailable`] and [`StoreError::Remote`] the object may be there or not: look.
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError>;

    /// Stores `bytes` under `key`, whatever is there.
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError>;

    /// Stores `bytes` under `key` if what is there is still `version`.
    ///
    /// Of several concurrent callers with one version at most one gets [`Replaced::Done`].
    async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError>;

    /// Up to `limit` keys that begin with `prefix` and come after `after`, in the order of bytes.
    ///
    /// Keys that are created meanwhile may be missing. Fewer than `limit` are the last.
    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError>;

    /// As [`ObjectStore::list`], and says of each object how long it is and when it was written.
    async fn survey(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError>;

    /// Makes an object as young as one that was written now, without changing its bytes.
    ///
    /// One that is younger than [`FRESH`] may be left as it is. True says that it is there, and that
    /// no [`ObjectStore::remove`] of somebody who saw it older takes it away: of a refresh and a
    /// removal at the same time one has no effect. False says that it is not there, or cannot be
    /// refreshed: then it has to be written.
    async fn refresh(&self, key: &Key) -> Result<bool, StoreError>;

    /// Removes an object unless it was written or refreshed after it was `seen`.
    ///
    /// True when it is gone, whoever removed it. Need not be durable: an object that comes back after
    /// the loss of power is removed another time.
    async fn remove(&self, seen: &Listed) -> Result<bool, StoreError>;

    /// What killed writers have left before `before`, by the clock of the store.
    ///
    /// What a writer may still be at is left alone.
    async fn leftovers(
        &self,
        before: Timestamp,
        cleaning: Cleaning,
    ) -> Result<Leftovers, StoreError>;

    /// Removes an object; nothing happens when there is none.
    async fn delete(&self, key: &Key) -> Result<(), StoreError>;

    /// Begins an object that is written in pieces and named at the end.
    ///
    /// Its first `head` bytes are reserved: they are given last, to [`Upload::finish`].
    async fn upload(&self, head: usize) -> Result<Box<dyn Upload>, StoreError>;
}

/// Shows `see` every key below `prefix` in order, listed `page` at once.
///
/// # Errors
/// When the store cannot list.
pub(crate) async fn each_key(
    store: &dyn ObjectStore,
    prefix: &Prefix,
    page: usize,
    mut see: impl FnMut(&Key),
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let found = store.list(prefix, after.as_ref(), page).await?;
        found.iter().for_each(&mut see);
        if found.len() < page {
            return Ok(());
        }
        after = found.into_iter().next_back();
    }
}

/// The result of a task that is never aborted; its panic goes on here.
pub(crate) fn join<T>(ended: Result<T, tokio::task::JoinError>) -> T {
    match ended {
        Ok(result) => result,
        Err(e) => std::panic::resume_unwind(e.into_panic()),
    }
}

/// An object that is being written. Dropped before it is finished, it leaves nothing.
#[async_trait]
pub trait Upload: Send + Sync {
    /// Appends. May return before the bytes are written; a later call tells of failures.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Puts `head` into the reserved space and the object under `key`, whatever is there.
    ///
    /// `head` has exactly the reserved length.
    async fn finish(self: Box<Self>, key: &Key, head: Bytes) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_leads_nowhere_else() {
        for text in [
            "", "/", "a//b", "/a", "a/", "..", "a/../b", ".x", "a b", "a\\b", "é", "a\0",
        ] {
            assert!(Key::new(text).is_err(), "{text:?}");
        }
        for text in ["a", "flows/f/runs/1/tasks/s/3.1~2", "-", "~2"] {
            assert!(Key::new(text).is_ok(), "{text:?}");
        }
        assert!(Key::new(&"a".repeat(256)).is_err());
        assert!(Key::new(&"a/".repeat(600)).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_a_key_stays_inside_a_directory(text in "[a-z./~\\\\\\x00-]{0,12}") {
            if let Ok(key) = Key::new(&text) {
                let plain = std::path::Path::new(key.as_str())
                    .components()
                    .all(|c| matches!(c, std::path::Component::Normal(_)));
                prop_assert!(plain);
            }
        }
    }
}

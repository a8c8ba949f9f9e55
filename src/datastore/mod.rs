//! Everything at rest: blobs, artifacts, snapshots, journals and runs.
//!
//! [`object`] is the narrow trait below all of it; [`layout`] has every key. On top of them lie
//! [`blob`] (bytes by digest), [`artifact`] (values of records and lists), [`run`] and
//! [`journal`] (what happens; [`ahead`] goes through it), [`jobs`] (what is done elsewhere). [`refs`] says what refers to what,
//! [`gc`] removes what nothing refers to, [`removed`] is what stays of a run that was removed, [`headless`] finds runs that have lost their
//! headers and gets these back. [`cbor`] is the one form of values, [`codec`] and [`sealed`] how
//! bytes are packed and protected, [`format`] and [`url`] which datastore it is.
//!
//! Uses `model`. Knows no sandbox, no executor and no terminal.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::digest::Digest;

pub mod ahead;
pub mod artifact;
pub mod blob;
pub mod cbor;
pub mod codec;
pub mod copy;
pub mod format;
pub mod gc;
pub mod headless;
pub mod jobs;
pub mod journal;
pub(crate) mod layout;
pub mod lease;
pub mod memo;
pub mod object;
pub mod refs;
pub mod removed;
pub mod run;
pub(crate) mod sealed;
mod tags;
pub mod url;

pub use artifact::List;
pub use blob::{BlobError, BlobReader, BlobWriter, Blobs};
pub use format::DatastoreError;
pub use journal::{JournalError, JournalWriter};
pub use run::{FailedTask, Run, RunError, RunSummary, TaskCounts};
pub use url::DatastoreUrl;

use crate::aws::PathStyle;
use crate::failpoint;
use object::cache::{CacheStore, Shelf};
use object::layer::Layer;
use object::local::LocalStore;
use object::memory::MemoryStore;
use object::retry::{Patience, Retry, RetryStore};
use object::s3::S3Store;
use object::{ObjectStore, StoreError};

/// The longest manifest of a snapshot.
const MAX_MANIFEST: u64 = 256 << 20;

/// How many bytes of a blob are read at once to verify it.
const VERIFIED_AT_ONCE: usize = 1 << 20;

/// A datastore. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Datastore {
    blobs: Blobs,
}

impl Datastore {
    /// Opens a datastore.
    ///
    /// # Errors
    /// [`DatastoreError::Missing`] when there is none; the others say why it cannot be used.
    pub async fn open(url: &DatastoreUrl) -> Result<Self, DatastoreError> {
        Self::open_with(url, &Access::default()).await
    }

    /// Opens a datastore, reaching it as `access` says.
    ///
    /// # Errors
    /// As those of [`Datastore::open`].
    pub async fn open_with(url: &DatastoreUrl, access: &Access) -> Result<Self, DatastoreError> {
        let store = connect(url, access).await?;
        if format::check(&*store).await? {
            return Ok(Self::with_store(store));
        }
        let is_empty = store.is_empty().await?;
        // After the look at what else is there: a datastore that another process makes meanwhile is seen.
        if format::check(&*store).await? {
            return Ok(Self::with_store(store));
        }
        let place = store.place();
        Err(match is_empty {
            true => DatastoreError::Missing { place },
            false => DatastoreError::NotADatastore { place },
        })
    }

    /// Opens a datastore, and makes it first when there is nothing yet.
    ///
    /// # Errors
    /// [`DatastoreError::NotADatastore`] when there is something else: it is not touched then.
    pub async fn open_or_create(url: &DatastoreUrl) -> Result<Self, DatastoreError> {
        Self::open_or_create_with(url, &Access::default()).await
    }

    /// Opens a datastore, and makes it first when there is nothing yet, reaching it as `access` says.
    ///
    /// # Errors
    /// As those of [`Datastore::open_or_create`]; [`DatastoreError::Unconditional`] when a bucket's
    /// server cannot keep two drivers apart.
    pub async fn open_or_create_with(
        url: &DatastoreUrl,
        access: &Access,
    ) -> Result<Self, DatastoreError> {
        let store = connect(url, access).await?;
        if !format::check(&*store).await? {
            if store.is_empty().await? {
                format::create(&*store).await?;
            } else if !format::check(&*store).await? {
                // Looked at twice: what is there now may be the datastore that another process
                // has made since the first look.
                return Err(DatastoreError::NotADatastore {
                    place: store.place(),
                });
            }
        }
        Ok(Self::with_store(store))
    }

    /// Makes sure that objects may be written, without writing any.
    ///
    /// # Errors
    /// Why they may not.
    pub async fn may_write(&self) -> Result<(), StoreError> {
        let key = layout::format();
        let Some(found) = self.store().get(&key, MAX_MANIFEST).await? else {
            return Ok(());
        };
        // It is there, so this changes nothing; who may not write is told so before that is seen.
        self.store().create(&key, found.bytes).await.map(|_| ())
    }

    /// A new datastore in the memory of this process.
    pub async fn memory() -> Self {
        Self::with_store(Arc::new(MemoryStore::new()))
    }

    /// The datastore in `store`, which is trusted to be one.
    pub fn with_store(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            blobs: Blobs::new(store, codec::DEFAULT_LEVEL),
        }
    }

    /// The same datastore, packing what is written from now on at another zstd level.
    pub fn with_level(self, level: i32) -> Self {
        Self {
            blobs: Blobs::new(self.store().clone(), level),
        }
    }

    /// Where it is, for messages.
    pub fn place(&self) -> String {
        self.store().place()
    }

    /// Its blobs.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    fn store(&self) -> &Arc<dyn ObjectStore> {
        self.blobs.store()
    }

    /// Its blobs as they are at rest, whatever of them is kept on this machine.
    fn at_rest(&self) -> Blobs {
        match self.store().uncached() {
            Some(store) => Blobs::new(store, self.blobs.level()),
            None => self.blobs.clone(),
        }
    }

    /// The same datastore, whose blobs can be read, with what is written kept in `directory`.
    pub fn scratch(&self, directory: impl Into<std::path::PathBuf>) -> Self {
        let above = Arc::new(LocalStore::new(directory));
        let layer = Layer::new(self.store().clone(), above);
        Self {
            blobs: Blobs::new(Arc::new(layer), self.blobs.level()),
        }
    }

    /// The same, as if the blobs that are `hidden` were not in this one.
    pub fn scratch_without(
        &self,
        directory: impl Into<std::path::PathBuf>,
        hidden: &std::collections::BTreeSet<Digest>,
    ) -> Self {
        let above = Arc::new(LocalStore::new(directory));
        let hidden = hidden.iter().map(layout::blob).collect();
        let layer = Layer::hiding(self.store().clone(), above, hidden);
        Self {
            blobs: Blobs::new(Arc::new(layer), self.blobs.level()),
        }
    }

    /// The length of a blob, as its head says: its bytes are not read.
    ///
    /// # Errors
    /// [`BlobError`] when it is gone, or its head or the length of its file are not what they were.
    pub async fn length(&self, digest: &Digest) -> Result<u64, BlobError> {
        self.at_rest().length(digest).await
    }

    /// Reads a blob and compares all of it with its name.
    ///
    /// # Errors
    /// [`BlobError`] when it is gone or damaged.
    pub async fn verify(&self, digest: &Digest) -> Result<(), BlobError> {
        self.read_through(digest).await.map(|_| ())
    }

    /// The same; gives the length of the blob.
    ///
    /// # Errors
    /// As those of [`Datastore::verify`].
    pub async fn read_through(&self, digest: &Digest) -> Result<u64, BlobError> {
        let reader = self.at_rest().open(digest).await?;
        let mut at = 0;
        while at < reader.len() {
            at += reader.read_at(at, VERIFIED_AT_ONCE).await?.len() as u64;
        }
        Ok(at)
    }

    /// Stores the manifest of a code snapshot and returns its name.
    pub async fn put_snapshot(&self, manifest: &[u8]) -> Result<Digest, StoreError> {
        let (digest, packed) = blob::layout::pack_whole(self.blobs.level(), manifest);
        let key = layout::snapshot(&digest);
        failpoint::reach("snapshot.store", &key);
        blob::store_whole(&**self.store(), &key, &digest, packed).await?;
        failpoint::reach("snapshot.stored", &key);
        Ok(digest)
    }

    /// Reads the manifest of a code snapshot, verified.
    pub async fn get_snapshot(&self, digest: &Digest) -> Result<Bytes, BlobError> {
        let object = self
            .store()
            .get(&layout::snapshot(digest), MAX_MANIFEST)
            .await?;
        let object = object.ok_or(BlobError::Missing { digest: *digest })?;
        blob::unpack_whole(digest, &object.bytes)
    }
}

/// How a datastore is reached, where there is a choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Where blobs that were read from S3 are kept on this machine; nowhere if nothing is said.
    pub cache: Option<Shelf>,
    /// How a bucket is addressed.
    pub path_style: PathStyle,
}

/// The store behind a URL; nothing is read yet.
async fn connect(
    url: &DatastoreUrl,
    access: &Access,
) -> Result<Arc<dyn ObjectStore>, DatastoreError> {
    match url {
        DatastoreUrl::Directory(path) => {
            if path.exists() && !path.is_dir() {
                return Err(DatastoreError::NotADirectory {
                    place: url.to_string(),
                });
            }
            Ok(Arc::new(LocalStore::new(path)))
        }
        DatastoreUrl::S3 { bucket, prefix } => {
            let config = crate::aws::config().await;
            let seed = u64::from_le_bytes(sealed::array(&sealed::Nonce::new().0[..8]));
            let retry = Arc::new(Retry::new(Patience::default(), seed));
            let place = (bucket.as_str(), prefix.as_str());
            let store = S3Store::new(&config, place, access.path_style, retry.clone());
            let store = Arc::new(RetryStore::new(Arc::new(store), retry));
            Ok(match &access.cache {
                Some(shelf) => {
                    Arc::new(CacheStore::new(store, shelf.clone(), layout::is_immutable))
                }
                None => store,
            })
        }
    }
}

//! The object that says that there is a datastore, and of which format.
//!
//! Plain JSON, so that whoever finds the directory can see what it is.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::layout as keys;
use super::object::{Created, ObjectStore, StoreError};
use super::sealed::Nonce;
use crate::failpoint;

/// The format that this wrun writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The longest object that can be one of ours.
const LIMIT: u64 = 64 * 1024;

/// Why there is no datastore that can be used.
#[derive(Debug, thiserror::Error)]
pub enum DatastoreError {
    /// There is none.
    #[error("there is no datastore at `{place}`")]
    Missing {
        /// Where it was looked for.
        place: String,
    },
    /// There is something else.
    #[error(
        "`{place}` is not a datastore: it has no `wrun-datastore`, and is not empty; give an empty or a new place"
    )]
    NotADatastore {
        /// Where it was looked for.
        place: String,
    },
    /// The path names a file.
    #[error("`{place}` is not a directory")]
    NotADirectory {
        /// Where it was looked for.
        place: String,
    },
    /// A newer wrun made it.
    #[error(
        "the datastore at `{place}` has format {found}; this wrun knows formats up to {FORMAT}; use a newer wrun"
    )]
    Newer {
        /// Where it is.
        place: String,
        /// Its format.
        found: u32,
    },
    /// Its first object is not what any wrun wrote.
    #[error("`wrun-datastore` in `{place}` is damaged: {what}")]
    Damaged {
        /// Where it is.
        place: String,
        /// What was found.
        what: String,
    },
    /// Whoever answers there overwrites what must stay.
    #[error(
        "`{place}` cannot hold a datastore: its server ignores `If-None-Match`, so that two drivers of a run would both go on"
    )]
    Unconditional {
        /// Where it would be.
        place: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
    id: String,
}

/// The format and the id of the datastore that there is.
pub(super) async fn read(store: &dyn ObjectStore) -> Result<(u32, String), DatastoreError> {
    let found = find(store).await?;
    let found = found.map(|found| (found.format, found.id));
    found.ok_or_else(|| DatastoreError::Missing {
        place: store.place(),
    })
}

/// Reads the format; whether there is a datastore.
pub(super) async fn check(store: &dyn ObjectStore) -> Result<bool, DatastoreError> {
    Ok(find(store).await?.is_some())
}

async fn find(store: &dyn ObjectStore) -> Result<Option<Format>, DatastoreError> {
    let Some(object) = store.get(&keys::format(), LIMIT).await? else {
        return Ok(None);
    };
    let place = store.place();
    let format: Format =
        serde_json::from_slice(&object.bytes).map_err(|e| DatastoreError::Damaged {
            place: place.clone(),
            what: e.to_string(),
        })?;
    match format.format {
        0 => Err(DatastoreError::Damaged {
            place,
            what: "its format is 0".to_owned(),
        }),
        1..=FORMAT => Ok(Some(format)),
        found => Err(DatastoreError::Newer { place, found }),
    }
}

/// Makes a datastore where there is none. Of several at once, all use the first one's.
pub(super) async fn create(store: &dyn ObjectStore) -> Result<(), DatastoreError> {
    let id = Nonce::new()
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = serde_json::to_string(&Format { format: FORMAT, id })
        .expect("a number and a text can be written");
    let (key, bytes) = (keys::format(), Bytes::from(text + "\n"));
    failpoint::reach("format.create", &key);
    if store.create(&key, bytes.clone()).await? == Created::Exists {
        return check(store).await.map(|_| ());
    }
    failpoint::reach("format.created", &key);
    // Other bytes that say the same: whoever takes them keeps nothing apart.
    let again = [&bytes[..], b"\n"].concat();
    if store.create(&key, again.into()).await? == Created::Exists {
        return Ok(());
    }
    store.delete(&key).await?;
    Err(DatastoreError::Unconditional {
        place: store.place(),
    })
}

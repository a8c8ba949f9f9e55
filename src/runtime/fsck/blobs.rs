//! Looks at blobs, several at once: at their heads, or at every byte.

use std::collections::{BTreeMap, btree_map};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::{Closely, FsckError, Report};
use crate::datastore::object::{StoreError, join};
use crate::datastore::{BlobError, Datastore};
use crate::model::digest::Digest;

/// Where a blob is in the datastore.
pub(super) fn key(digest: &Digest) -> String {
    let hex = digest.to_string();
    format!("blobs/{}/{hex}", &hex[..2])
}

/// Blobs that are to be looked at, each with its size where that is known, and a number.
type Wanted = BTreeMap<Digest, (Option<u64>, u32)>;

/// Those at which nobody has looked yet.
type Waiting = btree_map::IntoIter<Digest, (Option<u64>, u32)>;

/// What some of the blobs came to.
#[derive(Default)]
struct Seen {
    blobs: u64,
    read: u64,
    bytes: u64,
    wrong: BTreeMap<Digest, (u32, String)>,
}

/// What is wrong with which of the blobs, with the number that each was given.
pub(super) async fn check(
    datastore: &Datastore,
    wanted: Wanted,
    closely: &Closely,
    report: &mut Report,
) -> Result<BTreeMap<Digest, (u32, String)>, FsckError> {
    let mut wrong = BTreeMap::new();
    let mut looking = JoinSet::new();
    let waiting = Arc::new(Mutex::new(wanted.into_iter()));
    for _ in 0..closely.workers.max(1) {
        let (datastore, waiting) = (datastore.clone(), waiting.clone());
        looking.spawn(look_at_some(datastore, waiting, closely.clone()));
    }
    while let Some(done) = looking.join_next().await {
        let seen = join(done)?;
        report.blobs += seen.blobs;
        report.read += seen.read;
        report.bytes += seen.bytes;
        wrong.extend(seen.wrong);
    }
    Ok(wrong)
}

/// Looks at one blob after the other, as long as there are some.
async fn look_at_some(
    datastore: Datastore,
    waiting: Arc<Mutex<Waiting>>,
    closely: Closely,
) -> Result<Seen, StoreError> {
    let mut seen = Seen::default();
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next()
    };
    while let Some((digest, (size, number))) = next() {
        let reads = closely.reads(&digest);
        let found = look(&datastore, &digest, reads, size).await;
        seen.blobs += 1;
        (closely.checked)();
        match found {
            Ok(length) if reads => {
                seen.read += 1;
                seen.bytes += length;
            }
            Ok(_) => {}
            Err(BlobError::Store(error)) => return Err(error),
            Err(error) => drop(seen.wrong.insert(digest, (number, said(&error)))),
        }
    }
    Ok(seen)
}

/// Looks at one blob. Gives its length.
async fn look(
    datastore: &Datastore,
    digest: &Digest,
    reads: bool,
    size: Option<u64>,
) -> Result<u64, BlobError> {
    // What is read whole need not have its head looked at before.
    let length = match reads {
        true => datastore.read_through(digest).await?,
        false => datastore.length(digest).await?,
    };
    if let Some(size) = size.filter(|size| *size != length) {
        let what = format!("it has {length} bytes instead of {size}");
        let digest = *digest;
        return Err(BlobError::Damaged { digest, what });
    }
    Ok(length)
}

fn said(error: &BlobError) -> String {
    match error {
        BlobError::Missing { .. } => "it is missing".to_owned(),
        BlobError::Damaged { what, .. } => what.clone(),
        error => error.to_string(),
    }
}

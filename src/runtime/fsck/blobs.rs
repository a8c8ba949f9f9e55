//! Looks at blobs, several at once: at their heads, or at every byte.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::{Closely, FsckError, Report};
use crate::datastore::object::join;
use crate::datastore::{BlobError, Datastore};
use crate::model::digest::Digest;

/// Where a blob is in the datastore.
pub(super) fn key(digest: &Digest) -> String {
    let hex = digest.to_string();
    format!("blobs/{}/{hex}", &hex[..2])
}

/// What is wrong with which of the blobs, each with its size where that is known, and a number that
/// is given back.
pub(super) async fn check(
    datastore: &Datastore,
    wanted: BTreeMap<Digest, (Option<u64>, u32)>,
    closely: &Closely,
    report: &mut Report,
) -> Result<BTreeMap<Digest, (u32, String)>, FsckError> {
    let mut wrong = BTreeMap::new();
    let mut looking = JoinSet::new();
    let mut waiting = wanted.into_iter();
    loop {
        while looking.len() < closely.workers.max(1)
            && let Some((digest, (size, number))) = waiting.next()
        {
            let (datastore, reads) = (datastore.clone(), closely.reads(&digest));
            looking.spawn(async move {
                let found = look(&datastore, &digest, reads, size).await;
                (digest, number, reads, found)
            });
        }
        let Some(done) = looking.join_next().await else {
            return Ok(wrong);
        };
        let (digest, number, reads, found) = join(done);
        report.blobs += 1;
        (closely.checked)();
        match found {
            Ok(length) => {
                report.read += u64::from(reads);
                report.bytes += if reads { length } else { 0 };
            }
            Err(BlobError::Store(error)) => return Err(error.into()),
            Err(error) => drop(wrong.insert(digest, (number, said(&error)))),
        }
    }
}

/// Looks at one blob. Gives its length.
pub(crate) async fn look(
    datastore: &Datastore,
    digest: &Digest,
    reads: bool,
    size: Option<u64>,
) -> Result<u64, BlobError> {
    let length = datastore.length(digest).await?;
    if let Some(size) = size.filter(|size| *size != length) {
        let what = format!("it has {length} bytes instead of {size}");
        let digest = *digest;
        return Err(BlobError::Damaged { digest, what });
    }
    if reads {
        datastore.verify(digest).await?;
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

//! Copies a blob from one store to another, as it is packed, and verifies it on the way.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::layout::{HEADER, Header, Shape};
use super::reader::{Source, whole};
use super::{BlobError, is_intact, store_whole, unpack_whole};
use crate::datastore::layout as keys;
use crate::datastore::object::{ObjectStore, join};
use crate::failpoint;
use crate::model::digest::Digest;

/// How much of a blob is read first; most are smaller.
const FIRST: usize = 256 * 1024;
/// How many requests for frames are on their way.
const AHEAD: usize = 3;

/// Copies blob `digest` unless it is there; how many bytes were written.
pub(super) async fn copy(
    from: &Arc<dyn ObjectStore>,
    to: &dyn ObjectStore,
    digest: &Digest,
) -> Result<Option<u64>, BlobError> {
    let key = keys::blob(digest);
    if is_intact(to, &key, digest).await? {
        return Ok(None);
    }
    let Some(first) = from.get_range(&key, 0, FIRST).await? else {
        return Err(BlobError::Missing { digest: *digest });
    };
    let header = Header::parse(digest, &first.bytes, first.total)?;
    failpoint::reach("copy.blob", &key);
    if header.shape == Shape::Whole {
        let packed = whole(&**from, &key, digest, first).await?;
        let (digest, checked) = (*digest, packed.clone());
        join(tokio::task::spawn_blocking(move || unpack_whole(&digest, &checked)).await)?;
        store_whole(to, &key, &digest, packed).await?;
        return Ok(Some(header.stored));
    }
    let source = Arc::new(Source::open(from.clone(), key.clone(), *digest, header).await?);
    let mut upload = to.upload(HEADER).await?;
    let mut coming: VecDeque<JoinHandle<_>> = VecDeque::new();
    let mut groups = groups(&source);
    loop {
        while coming.len() < AHEAD
            && let Some(group) = groups.next()
        {
            coming.push_back(tokio::spawn(verified(source.clone(), group)));
        }
        let Some(next) = coming.pop_front() else {
            break;
        };
        for frame in join(next.await)? {
            upload.write(frame).await?;
        }
    }
    upload
        .write(source.tables.write(header.length).into())
        .await?;
    upload.finish(&key, header.write(digest).into()).await?;
    Ok(Some(header.stored))
}

/// The frames that are fetched with one request.
fn groups(source: &Source) -> impl Iterator<Item = Range<u64>> + use<> {
    let (frames, together) = (source.header.frames(), source.together);
    (0..frames)
        .step_by(together as usize)
        .map(move |first| first..frames.min(first + together))
}

/// Fetches frames and proves that they are what they should be; as they are packed.
async fn verified(source: Arc<Source>, frames: Range<u64>) -> Result<Vec<Bytes>, BlobError> {
    let packed = source.packed(frames.clone()).await?;
    let mut checking = JoinSet::new();
    for (index, packed) in frames.zip(packed.clone()) {
        let (done, plain) = oneshot::channel();
        source.unpack(index, packed, done);
        checking.spawn(plain);
    }
    while let Some(checked) = checking.join_next().await {
        join(checked).expect("unpacking a frame does not panic")?;
    }
    Ok(packed)
}

//! Uploading an object in parts, side by side.
//!
//! The multipart upload begins when the name of the object is known, so one that is dropped before
//! has left nothing anywhere. One that fails later is aborted; what a killed process leaves goes by a
//! rule of the bucket (`AbortIncompleteMultipartUpload`), or with `wrun gc`.
//!
//! Checksums: the algorithm is named when the upload begins, each part carries its own, and all are
//! said again at the end; or none of this is done. A server that is strict refuses anything between.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;

use super::Bucket;
use super::parts::{self, Cut, PART};
use super::spool::Spool;
use crate::aws::Trouble;
use crate::datastore::object::{Key, StoreError, Upload};
use crate::failpoint;

const PUT: &str = "s3:PutObject";
const ABORT: &str = "s3:AbortMultipartUpload";
/// How many parts of one object are on their way at once.
const SIDE_BY_SIDE: usize = 8;
/// How many bytes of an object tell that it is the one that was sent.
const TELLING: u64 = 256;

/// An object whose bytes are gathered.
pub(super) struct S3Upload {
    bucket: Arc<Bucket>,
    head: usize,
    body: Spool,
}

impl S3Upload {
    pub(super) fn begin(bucket: Arc<Bucket>, head: usize) -> Self {
        Self {
            bucket,
            head,
            body: Spool::default(),
        }
    }
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.body.push(bytes).await
    }

    async fn finish(self: Box<Self>, key: &Key, head: Bytes) -> Result<(), StoreError> {
        let Self {
            bucket,
            head: reserved,
            body,
        } = *self;
        debug_assert_eq!(head.len(), reserved);
        let whole = Whole { head, body };
        if whole.len() <= PART {
            let bytes = whole.read(0, whole.len() as usize).await?;
            return bucket.retry.run(|| bucket.put(key, bytes.clone())).await;
        }
        let whole = Arc::new(whole);
        let sending = Sending::begin(bucket.clone(), key).await?;
        match sending.all(whole.clone()).await {
            // One that was begun with checksums has them in all its parts, so it is begun anew.
            Err(StoreError::Remote { source, .. }) if bucket.gives_checksums_up(&source) => {
                Sending::begin(bucket, key).await?.all(whole).await
            }
            sent => sent,
        }
    }
}

/// All bytes of an object.
struct Whole {
    head: Bytes,
    body: Spool,
}

impl Whole {
    fn len(&self) -> u64 {
        self.head.len() as u64 + self.body.len()
    }

    async fn read(&self, at: u64, len: usize) -> Result<Bytes, StoreError> {
        let head = self.head.len() as u64;
        if at >= head {
            return self.body.read(at - head, len).await;
        }
        let from_head = len.min((head - at) as usize);
        let mut out = BytesMut::with_capacity(len);
        out.extend_from_slice(&self.head[at as usize..at as usize + from_head]);
        out.extend_from_slice(&self.body.read(0, len - from_head).await?);
        Ok(out.freeze())
    }
}

impl Bucket {
    /// Begins a multipart upload and returns its id; without checksums where the server knows none.
    async fn begin(&self, key: &Key) -> Result<Begun, StoreError> {
        let begun = self.retry.run(|| self.begin_once(key)).await;
        match begun {
            Err(StoreError::Remote { source, .. }) if self.gives_checksums_up(&source) => {
                self.retry.run(|| self.begin_once(key)).await
            }
            begun => begun,
        }
    }

    async fn begin_once(&self, key: &Key) -> Result<Begun, StoreError> {
        let algorithm = self.algorithm();
        let request = self.client.create_multipart_upload().bucket(&self.name);
        let request = request
            .key(self.object(key))
            .set_checksum_algorithm(algorithm.clone());
        let answer = request
            .send()
            .await
            .map_err(|error| self.error("write", self.place(key), Trouble::of(PUT, &error)))?;
        Ok(Begun {
            id: answer.upload_id.unwrap_or_default(),
            algorithm,
        })
    }
}

/// A multipart upload, as the server knows it.
struct Begun {
    id: String,
    /// The checksum that it was begun with, and that each of its parts must have.
    algorithm: Option<ChecksumAlgorithm>,
}

/// A multipart upload that has begun. Dropped before it is complete, it is aborted.
pub(super) struct Sending {
    bucket: Arc<Bucket>,
    key: Key,
    /// None once nothing has to be aborted.
    id: Option<String>,
    algorithm: Option<ChecksumAlgorithm>,
}

impl Sending {
    pub(super) async fn begin(bucket: Arc<Bucket>, key: &Key) -> Result<Self, StoreError> {
        failpoint::reach("s3.begin", key);
        let Begun { id, algorithm } = bucket.begin(key).await?;
        Ok(Self {
            bucket,
            key: key.clone(),
            id: Some(id),
            algorithm,
        })
    }

    #[cfg(test)]
    pub(super) fn bucket(&self) -> &Arc<Bucket> {
        &self.bucket
    }

    async fn all(mut self, whole: Arc<Whole>) -> Result<(), StoreError> {
        let sent = self.parts(&whole).await;
        let done = match sent {
            Ok(parts) => self.complete(&whole, parts).await,
            Err(error) => Err(error),
        };
        let id = self.id.take().unwrap_or_default();
        failpoint::reach("s3.completed", &self.key);
        if done.is_err() {
            abort(&self.bucket, &self.key, &id).await;
        }
        done
    }

    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// Sends all parts, several at a time.
    async fn parts(&self, whole: &Arc<Whole>) -> Result<Vec<CompletedPart>, StoreError> {
        let mut sending = JoinSet::new();
        let mut sent = Vec::new();
        for cut in parts::cuts(whole.len()) {
            while sending.len() >= SIDE_BY_SIDE {
                sent.extend(next(&mut sending).await?);
            }
            let (bucket, key, id) = (self.bucket.clone(), self.key.clone(), self.id().to_owned());
            let (whole, algorithm) = (whole.clone(), self.algorithm.clone());
            sending.spawn(async move {
                let _turn = bucket.parts.acquire().await.expect("it is never closed");
                let bytes = whole.read(cut.at, cut.len).await?;
                bucket
                    .retry
                    .run(|| {
                        part(
                            &bucket,
                            (&key, &id),
                            (cut, algorithm.as_ref()),
                            bytes.clone(),
                        )
                    })
                    .await
            });
        }
        while let Some(part) = next(&mut sending).await? {
            failpoint::reach("s3.part", &self.key);
            sent.push(part);
        }
        failpoint::reach("s3.complete", &self.key);
        sent.sort_unstable_by_key(|part| part.part_number);
        Ok(sent)
    }

    /// Makes an object of the parts.
    async fn complete(&self, whole: &Whole, parts: Vec<CompletedPart>) -> Result<(), StoreError> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let (bucket, key) = (&*self.bucket, &self.key);
        let complete = || async {
            let request = bucket.client.complete_multipart_upload();
            let request = request.bucket(&bucket.name).key(bucket.object(key));
            let sent = request
                .upload_id(self.id())
                .multipart_upload(parts.clone())
                .send()
                .await;
            sent.map(|_| ())
                .map_err(|error| bucket.error("write", bucket.place(key), Trouble::of(PUT, &error)))
        };
        let error = match bucket.retry.run(complete).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // An upload that is gone may be one that was completed and whose answer was lost.
        let is_gone = matches!(&error, StoreError::Remote { source, .. } if source.code.as_deref() == Some("NoSuchUpload"));
        if (is_gone || error.may_pass()) && self.is_there(whole).await? {
            return Ok(());
        }
        Err(error)
    }

    /// Whether the object is the one that was sent, as its length and its first bytes tell.
    async fn is_there(&self, whole: &Whole) -> Result<bool, StoreError> {
        let len = whole.len().min(TELLING) as usize;
        let (bucket, key) = (&*self.bucket, &self.key);
        let found = bucket.retry.run(|| bucket.get_range(key, 0, len)).await?;
        let expected = whole.read(0, len).await?;
        Ok(found.is_some_and(|part| part.total == whole.len() && part.bytes == expected))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        runtime.spawn(async move { abort(&bucket, &key, &id).await });
    }
}

/// What one of the parts came to; none when there are no more.
async fn next(
    sending: &mut JoinSet<Result<CompletedPart, StoreError>>,
) -> Result<Option<CompletedPart>, StoreError> {
    match sending.join_next().await {
        None => Ok(None),
        Some(done) => crate::datastore::object::join(done).map(Some),
    }
}

/// Sends one part once.
async fn part(
    bucket: &Bucket,
    (key, id): (&Key, &str),
    (cut, algorithm): (Cut, Option<&ChecksumAlgorithm>),
    bytes: Bytes,
) -> Result<CompletedPart, StoreError> {
    let request = bucket.client.upload_part().bucket(&bucket.name);
    let request = request
        .key(bucket.object(key))
        .upload_id(id)
        .part_number(cut.number)
        .set_checksum_algorithm(algorithm.cloned())
        .body(bytes.into());
    let request = request
        .customize()
        .config_override(Bucket::checked(algorithm));
    let sent = match bucket.encrypted {
        true => request.disable_payload_signing().send().await,
        false => request.send().await,
    };
    let answer =
        sent.map_err(|error| bucket.error("write", bucket.place(key), Trouble::of(PUT, &error)))?;
    Ok(CompletedPart::builder()
        .part_number(cut.number)
        .set_e_tag(answer.e_tag)
        .set_checksum_crc64_nvme(answer.checksum_crc64_nvme)
        .build())
}

/// Lets go of what was sent. Where that fails, a rule of the bucket has to.
pub(super) async fn abort(bucket: &Bucket, key: &Key, id: &str) {
    let once = || async {
        let request = bucket.client.abort_multipart_upload().bucket(&bucket.name);
        let sent = request.key(bucket.object(key)).upload_id(id).send().await;
        sent.map(|_| ())
            .map_err(|error| bucket.error("abort", bucket.place(key), Trouble::of(ABORT, &error)))
    };
    // There is nobody to tell: whoever uploads has the error that led here.
    let _ = bucket.retry.run(once).await;
}

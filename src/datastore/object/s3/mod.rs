//! Objects in a bucket of S3, or of a server that speaks its protocol.
//!
//! Each call is one request (a listing: one for each page), made once: [`super::retry`] tries again
//! around it, and knows what it means when an answer is lost. [`upload`] alone makes its own tries,
//! because only it has the bytes. What was read is verified by whoever asked for it; what is written
//! carries a CRC64NVME that the server compares.
//!
//! Conditional writes are S3's own: `If-None-Match: *` and `If-Match: ETag`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::types::ChecksumAlgorithm;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::retry::Retry;
use super::{
    Cleaning, Created, Key, Leftovers, Listed, Object, ObjectStore, Pace, Part, Prefix, Replaced,
    StoreError, Upload, Version,
};
use crate::aws::{Kind, PathStyle, SdkConfig, Trouble};
use crate::model::time::Timestamp;

mod age;
mod leftovers;
mod list;
mod parts;
mod read;
mod spool;
mod upload;
mod write;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the beginning of an answer may take, the sending of the request included.
const ANSWER: Duration = Duration::from_secs(60);
/// How many parts are on their way at once, of all uploads together: what bounds their memory.
const PARTS: usize = 16;
/// How many bytes are best read at once: with less, the time between question and answer counts.
const READ: usize = 8 << 20;
/// How long events gather: a segment of a journal costs as much as a dozen readings.
const GATHER: Duration = Duration::from_millis(400);

/// Objects in a bucket, below a prefix. Clones share everything.
#[derive(Clone, Debug)]
pub struct S3Store(Arc<Bucket>);

/// What every request needs.
#[derive(Debug)]
struct Bucket {
    client: Client,
    name: String,
    /// Empty, or ends with `/`.
    prefix: String,
    /// For parts of uploads.
    retry: Arc<Retry>,
    /// Whether requests carry a CRC64NVME: until the server says that it does not know it.
    checksums: AtomicBool,
    /// Whether the transport protects the payload, so that its SHA-256 need not be signed.
    encrypted: bool,
    parts: Semaphore,
}

impl S3Store {
    /// The objects of `bucket` below `prefix`, which has no slashes at its ends. Nothing is asked yet.
    pub fn new(
        config: &SdkConfig,
        (bucket, prefix): (&str, &str),
        style: PathStyle,
        retry: Arc<Retry>,
    ) -> Self {
        let endpoint = endpoint(config);
        let in_path = match style {
            PathStyle::Auto => endpoint.is_some(),
            PathStyle::Always => true,
            PathStyle::Never => false,
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(ANSWER)
            .build();
        let builder = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(in_path)
            .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
            .timeout_config(timeouts)
            // Asked for with each request where it is wanted ([`Bucket::checked`]); some servers stumble over
            // the default.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        Self(Arc::new(Bucket {
            client: Client::from_conf(builder.build()),
            name: bucket.to_owned(),
            prefix: match prefix {
                "" => String::new(),
                prefix => format!("{prefix}/"),
            },
            retry,
            checksums: AtomicBool::new(true),
            encrypted: endpoint.is_none_or(|url| url.starts_with("https://")),
            parts: Semaphore::new(PARTS),
        }))
    }

    /// Whether what is written carries a CRC64NVME; false once the server has refused one.
    pub fn has_checksums(&self) -> bool {
        self.0.checksums.load(Ordering::Relaxed)
    }
}

/// The endpoint of the user's own, where there is one.
fn endpoint(config: &SdkConfig) -> Option<String> {
    let of_service = std::env::var("AWS_ENDPOINT_URL_S3").ok();
    of_service
        .filter(|url| !url.is_empty())
        .or_else(|| config.endpoint_url().map(str::to_owned))
}

impl Bucket {
    /// The name of an object in the bucket.
    fn object(&self, key: &Key) -> String {
        format!("{}{key}", self.prefix)
    }

    /// An object as its user would look for it.
    fn place(&self, key: &Key) -> String {
        format!("s3://{}/{}{key}", self.name, self.prefix)
    }

    /// The error of a request that concerned `place`.
    fn error(&self, action: &'static str, place: String, source: Trouble) -> StoreError {
        StoreError::Remote {
            action,
            place,
            source,
        }
    }

    /// The checksum that requests carry.
    fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        let wanted = self.checksums.load(Ordering::Relaxed);
        wanted.then_some(ChecksumAlgorithm::Crc64Nvme)
    }

    /// What a request is made with that names `algorithm`: naming it alone has the SDK compute nothing,
    /// and a server that is strict refuses what names a checksum and has none.
    fn checked(algorithm: Option<&ChecksumAlgorithm>) -> aws_sdk_s3::config::Builder {
        let builder = aws_sdk_s3::Config::builder();
        match algorithm {
            Some(_) => {
                builder.request_checksum_calculation(RequestChecksumCalculation::WhenSupported)
            }
            None => builder,
        }
    }

    /// Whether `trouble` says that the server does not know the checksum; then none is sent any more.
    fn gives_checksums_up(&self, trouble: &Trouble) -> bool {
        let of_checksums = trouble.code.as_deref() == Some("NotImplemented")
            || trouble.message.to_lowercase().contains("checksum");
        trouble.kind == Kind::Refused
            && of_checksums
            && self.checksums.swap(false, Ordering::Relaxed)
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn place(&self) -> String {
        let (bucket, prefix) = (&self.0.name, self.0.prefix.trim_end_matches('/'));
        match prefix {
            "" => format!("s3://{bucket}"),
            _ => format!("s3://{bucket}/{prefix}"),
        }
    }

    fn pace(&self) -> Pace {
        Pace {
            read: READ,
            gather: GATHER,
        }
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.0.is_empty().await
    }

    async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        self.0.get(key, limit).await
    }

    async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError> {
        self.0.get_range(key, offset, len).await
    }

    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError> {
        self.0.create(key, bytes).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.0.put(key, bytes).await
    }

    async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError> {
        self.0.replace(key, version, bytes).await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        let listed = self.0.list(prefix, after, limit).await?;
        Ok(listed.into_iter().map(|listed| listed.key).collect())
    }

    async fn survey(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.0.list(prefix, after, limit).await
    }

    async fn refresh(&self, key: &Key) -> Result<bool, StoreError> {
        self.0.refresh(key).await
    }

    async fn remove(&self, seen: &Listed) -> Result<bool, StoreError> {
        self.0.remove(seen).await
    }

    async fn leftovers(
        &self,
        before: Timestamp,
        cleaning: Cleaning,
    ) -> Result<Leftovers, StoreError> {
        self.0.leftovers(before, cleaning).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.0.delete(key).await
    }

    async fn upload(&self, head: usize) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(upload::S3Upload::begin(self.0.clone(), head)))
    }
}

#[cfg(test)]
mod tests;

//! How old an object is, making it young, and removing it when it still is as old as it was.
//!
//! S3 deletes under the condition that an object has a certain ETag, and copying an object onto itself
//! makes it young but leaves the ETag as it was. So a refresh copies it in another number of parts,
//! of which the ETag tells: whoever saw the object before cannot delete it any more. A server that
//! does not know conditional deletes leaves the moment between a look and a delete.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, MetadataDirective};

use super::Bucket;
use crate::aws::{Kind, Trouble};
use crate::datastore::object::{FRESH, Key, Listed, StoreError};
use crate::model::time::Timestamp;

const HEAD: &str = "s3:GetObject";
const PUT: &str = "s3:PutObject";
const DELETE: &str = "s3:DeleteObject";
/// The longest object that S3 copies with one request.
const COPIED_AT_ONCE: u64 = 5 << 30;
/// By how much a clock may be wrong for S3 to accept a signature that tells its time.
const WRONG: Duration = Duration::from_secs(15 * 60);
/// A name and a time stand for an object that is copied onto itself: S3 wants something to change.
const REFRESHED: &str = "wrun-refreshed";

/// A time of S3; that of an object that does not tell one is the beginning.
pub(super) fn time(at: Option<&DateTime>) -> Timestamp {
    let micros = at.map_or(0, |at| at.as_nanos() / 1000);
    Timestamp(u64::try_from(micros).unwrap_or(0))
}

/// Now, by a clock that S3 accepts: at most [`WRONG`] beside its own.
#[allow(
    clippy::disallowed_methods,
    reason = "decides only whether a request can be saved, and reaches nothing that is kept"
)]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_micros() as u64))
}

impl Bucket {
    /// What there is to know of an object without its bytes.
    async fn head(&self, key: &Key) -> Result<Option<HeadObjectOutput>, StoreError> {
        let request = self.client.head_object().bucket(&self.name);
        match request.key(self.object(key)).send().await {
            Ok(output) => Ok(Some(output)),
            Err(error) => match Trouble::of(HEAD, &error) {
                trouble if trouble.kind == Kind::Missing => Ok(None),
                trouble => Err(self.error("read", self.place(key), trouble)),
            },
        }
    }

    pub(super) async fn refresh(&self, key: &Key) -> Result<bool, StoreError> {
        let Some(found) = self.head(key).await? else {
            return Ok(false);
        };
        let age = now().micros_since(time(found.last_modified()));
        if age < FRESH.saturating_sub(WRONG).as_micros() as u64 {
            return Ok(true);
        }
        let size = found.content_length().unwrap_or(0).max(0) as u64;
        let before = parts_of(found.e_tag().unwrap_or_default());
        match self.copy_anew(key, size, before).await {
            Ok(()) => Ok(true),
            // Removed since it was looked at.
            Err(trouble) if trouble.kind == Kind::Missing => Ok(false),
            Err(trouble) => Err(self.error("refresh", self.place(key), trouble)),
        }
    }

    /// The object as the source of a copy.
    fn source(&self, key: &Key) -> String {
        let name = format!("{}/{}", self.name, self.object(key));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
        let escaped = name.bytes().map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        });
        escaped.collect()
    }

    /// Copies an object of `size` bytes onto itself so that it is not of `before` parts any more.
    pub(super) async fn copy_anew(
        &self,
        key: &Key,
        size: u64,
        before: Option<u64>,
    ) -> Result<(), Trouble> {
        let Some(parts) = parts(size, before) else {
            return self.copy_whole(key).await;
        };
        match self.copy_parts(key, size, parts).await {
            // Not every server copies parts. Young without another ETag is better than old.
            Err(trouble) if trouble.kind != Kind::Missing && size <= COPIED_AT_ONCE => {
                self.copy_whole(key).await
            }
            copied => copied,
        }
    }

    async fn copy_whole(&self, key: &Key) -> Result<(), Trouble> {
        let request = self.client.copy_object().bucket(&self.name);
        let sent = request
            .key(self.object(key))
            .copy_source(self.source(key))
            .metadata_directive(MetadataDirective::Replace)
            .metadata(REFRESHED, now().0.to_string())
            .send()
            .await;
        sent.map(|_| ()).map_err(|error| Trouble::of(PUT, &error))
    }

    async fn copy_parts(&self, key: &Key, size: u64, parts: u64) -> Result<(), Trouble> {
        let request = self.client.create_multipart_upload().bucket(&self.name);
        let begun = request.key(self.object(key)).send().await;
        let begun = begun.map_err(|error| Trouble::of(PUT, &error))?;
        let id = begun.upload_id.unwrap_or_default();
        let copied = self.copy_into((key, &id), size, parts).await;
        if copied.is_err() {
            super::upload::abort(self, key, &id).await;
        }
        copied
    }

    async fn copy_into(
        &self,
        (key, id): (&Key, &str),
        size: u64,
        parts: u64,
    ) -> Result<(), Trouble> {
        let length = size.div_ceil(parts);
        let mut done = CompletedMultipartUpload::builder();
        for part in 0..parts {
            let (first, end) = (part * length, size.min((part + 1) * length));
            let number = part as i32 + 1;
            let request = self.client.upload_part_copy().bucket(&self.name);
            let request = request.key(self.object(key)).upload_id(id);
            let request = request
                .part_number(number)
                .copy_source(self.source(key))
                .copy_source_range(format!("bytes={first}-{}", end - 1));
            let copied = request.send().await;
            let copied = copied.map_err(|error| Trouble::of(PUT, &error))?;
            let tag = copied.copy_part_result.and_then(|result| result.e_tag);
            let part = CompletedPart::builder().part_number(number).set_e_tag(tag);
            done = done.parts(part.build());
        }
        let request = self.client.complete_multipart_upload().bucket(&self.name);
        let request = request.key(self.object(key)).upload_id(id);
        let sent = request.multipart_upload(done.build()).send().await;
        sent.map(|_| ()).map_err(|error| Trouble::of(PUT, &error))
    }

    pub(super) async fn remove(&self, seen: &Listed) -> Result<bool, StoreError> {
        let Some(found) = self.head(&seen.key).await? else {
            return Ok(true);
        };
        if time(found.last_modified()) > seen.modified {
            return Ok(false);
        }
        let request = || {
            let request = self.client.delete_object().bucket(&self.name);
            request.key(self.object(&seen.key))
        };
        let tag = found.e_tag().unwrap_or_default();
        let sent = match request().if_match(tag).send().await {
            Err(error) if Trouble::of(DELETE, &error).code.as_deref() == Some("NotImplemented") => {
                request().send().await
            }
            sent => sent,
        };
        match sent.map_err(|error| Trouble::of(DELETE, &error)) {
            Ok(_) => Ok(true),
            Err(trouble) if trouble.code.as_deref() == Some("PreconditionFailed") => Ok(false),
            Err(trouble) if trouble.kind == Kind::Missing => Ok(true),
            Err(trouble) => Err(self.error("delete", self.place(&seen.key), trouble)),
        }
    }
}

/// Of how many parts an object is, as its ETag tells; none when it was written whole.
fn parts_of(tag: &str) -> Option<u64> {
    tag.trim_matches('"').rsplit_once('-')?.1.parse().ok()
}

/// In how many parts an object is copied that is of `before`, so that its ETag becomes another; none
/// when as a whole.
fn parts(size: u64, before: Option<u64>) -> Option<u64> {
    let fewest = size.div_ceil(COPIED_AT_ONCE).max(1);
    match before {
        // No part may be empty.
        Some(1) if size <= COPIED_AT_ONCE => None,
        Some(before) if before == fewest => Some(fewest + 1),
        _ if size == 0 => None,
        _ => Some(fewest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refreshed_object_has_another_number_of_parts() {
        let tag = |parts: Option<u64>| match parts {
            None => "\"0123\"".to_owned(),
            Some(parts) => format!("\"0123-{parts}\""),
        };
        for size in [1, 100, 5 << 20, 5 << 30, (5 << 30) + 1, 17 << 30] {
            for before in [None, Some(1), Some(2), Some(3), Some(4), Some(5)] {
                let after = parts(size, parts_of(&tag(before)));
                assert_ne!(after, before, "{size}");
                let length = after.map_or(size, |parts| size.div_ceil(parts));
                assert!(length <= COPIED_AT_ONCE, "{size}");
            }
        }
    }
}

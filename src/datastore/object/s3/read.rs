//! Reading objects, whole and in parts.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};

use super::Bucket;
use crate::aws::{Kind, Trouble};
use crate::datastore::object::{Key, Object, Part, StoreError, Version};

const GET: &str = "s3:GetObject";
/// Offsets from here on are behind the end of any object.
const BEHIND: u64 = 1 << 62;

impl Bucket {
    pub(super) async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        let Some(output) = self.request(key, None).await? else {
            return Ok(None);
        };
        let size = output.content_length().unwrap_or(0).max(0) as u64;
        if size > limit {
            return Err(StoreError::TooLarge {
                place: self.place(key),
                size,
                limit,
            });
        }
        let version = Version(output.e_tag().unwrap_or_default().to_owned());
        let bytes = self.body(key, output.body, size).await?;
        Ok(Some(Object { bytes, version }))
    }

    pub(super) async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError> {
        if len == 0 || offset >= BEHIND {
            return self.length(key).await;
        }
        let end = offset.saturating_add(len as u64 - 1).min(BEHIND);
        let output = match self
            .request(key, Some(format!("bytes={offset}-{end}")))
            .await
        {
            Ok(Some(output)) => output,
            Ok(None) => return Ok(None),
            // The object ends before the part begins.
            Err(StoreError::Remote { source, .. })
                if source.code.as_deref() == Some("InvalidRange") =>
            {
                return self.length(key).await;
            }
            Err(error) => return Err(error),
        };
        let size = output.content_length().unwrap_or(0).max(0) as u64;
        let total = output.content_range().and_then(|range| {
            let (_, total) = range.rsplit_once('/')?;
            total.parse().ok()
        });
        // An answer without a range is the whole object; a part was asked for.
        let Some(total) = total.filter(|_| size <= len as u64) else {
            let what = "the answer is not the part that was asked for";
            return Err(self.broken(key, what.to_owned()));
        };
        let bytes = self.body(key, output.body, size).await?;
        Ok(Some(Part { bytes, total }))
    }

    /// One request for an object or a part of it; none when there is no such object.
    async fn request(
        &self,
        key: &Key,
        range: Option<String>,
    ) -> Result<Option<GetObjectOutput>, StoreError> {
        let request = self.client.get_object().bucket(&self.name);
        let answer = request.key(self.object(key)).set_range(range).send().await;
        let error = match answer {
            Ok(output) => return Ok(Some(output)),
            Err(error) => error,
        };
        let trouble = Trouble::of(GET, &error);
        match trouble.code.as_deref() {
            Some("NoSuchKey") => Ok(None),
            _ => Err(self.error("read", self.place(key), trouble)),
        }
    }

    /// A part of no bytes, with the length of the object.
    async fn length(&self, key: &Key) -> Result<Option<Part>, StoreError> {
        let request = self.client.head_object().bucket(&self.name);
        match request.key(self.object(key)).send().await {
            Ok(output) => Ok(Some(Part {
                bytes: Bytes::new(),
                total: output.content_length().unwrap_or(0).max(0) as u64,
            })),
            Err(error) => match Trouble::of(GET, &error) {
                // An answer without a body does not say what is missing.
                trouble if trouble.kind == Kind::Missing => Ok(None),
                trouble => Err(self.error("read", self.place(key), trouble)),
            },
        }
    }

    /// All bytes of an answer, which are to be `size`.
    async fn body(&self, key: &Key, mut body: ByteStream, size: u64) -> Result<Bytes, StoreError> {
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|e| self.broken(key, e.to_string()))?;
            if first.is_empty() && piece.len() as u64 == size {
                first = piece;
                continue;
            }
            if all.is_empty() {
                all.reserve(size as usize);
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&piece);
        }
        let bytes = if all.is_empty() { first } else { all.freeze() };
        match bytes.len() as u64 {
            found if found == size => Ok(bytes),
            found => Err(self.broken(key, format!("{found} bytes came instead of {size}"))),
        }
    }

    /// The answer began well and did not end so.
    fn broken(&self, key: &Key, message: String) -> StoreError {
        let trouble = Trouble {
            action: GET,
            kind: Kind::Service,
            code: None,
            message,
        };
        self.error("read", self.place(key), trouble)
    }
}

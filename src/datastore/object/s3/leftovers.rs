//! Uploads that somebody has begun and never ended: they cost as much as objects, and no listing shows
//! them.

use aws_sdk_s3::types::MultipartUpload;

use super::{Bucket, age, upload};
use crate::aws::Trouble;
use crate::datastore::object::{Cleaning, Key, Leftovers, StoreError};
use crate::model::time::Timestamp;

const LIST: &str = "s3:ListBucketMultipartUploads";

impl Bucket {
    pub(super) async fn leftovers(
        &self,
        before: Timestamp,
        cleaning: Cleaning,
    ) -> Result<Leftovers, StoreError> {
        let mut found = Leftovers::default();
        let mut after = (None, None);
        loop {
            let request = self.client.list_multipart_uploads().bucket(&self.name);
            let request = request
                .prefix(&self.prefix)
                .set_key_marker(after.0)
                .set_upload_id_marker(after.1);
            let page = match request.send().await {
                Ok(page) => page,
                Err(error) => {
                    let trouble = Trouble::of(LIST, &error);
                    // Where nobody can see them, there is nothing to be done about them.
                    if trouble.code.as_deref() == Some("NotImplemented") {
                        return Ok(found);
                    }
                    let place = format!("s3://{}/{}", self.name, self.prefix);
                    return Err(self.error("list the uploads of", place, trouble));
                }
            };
            for upload in page.uploads() {
                let Some((key, id)) = self.left(upload, before) else {
                    continue;
                };
                found.count += 1;
                found.bytes += self.length_of(&key, id).await;
                if cleaning == Cleaning::Remove {
                    upload::abort(self, &key, id).await;
                }
            }
            if !page.is_truncated().unwrap_or(false) {
                return Ok(found);
            }
            after = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    /// The object and the id of an upload of ours that was begun before `before`.
    fn left<'a>(&self, upload: &'a MultipartUpload, before: Timestamp) -> Option<(Key, &'a str)> {
        let name = upload.key()?.strip_prefix(&self.prefix)?;
        let is_old = age::time(upload.initiated()) < before;
        let key = Key::new(name).ok()?;
        is_old.then_some((key, upload.upload_id()?))
    }

    /// How many bytes of an upload have arrived, as far as one listing tells: a thousand parts, and
    /// none where the parts are not told.
    async fn length_of(&self, key: &Key, id: &str) -> u64 {
        let request = self.client.list_parts().bucket(&self.name);
        let sent = request.key(self.object(key)).upload_id(id).send().await;
        let parts = sent.ok().and_then(|answer| answer.parts);
        let sizes = parts.iter().flatten().filter_map(|part| part.size());
        sizes.map(|size| size.max(0) as u64).sum()
    }
}

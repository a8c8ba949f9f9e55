//! Listing keys, page by page.

use aws_sdk_s3::types::Object;

use super::{Bucket, age};
use crate::aws::Trouble;
use crate::datastore::object::{Key, Listed, Prefix, StoreError};

const LIST: &str = "s3:ListBucket";
/// The most keys that S3 gives at once.
const PAGE: usize = 1000;

impl Bucket {
    pub(super) async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut keys = Vec::new();
        let mut after = after.map(|key| self.object(key));
        while keys.len() < limit {
            let (page, is_last) = self.page(prefix, after, limit - keys.len()).await?;
            after = page.last().and_then(|object| object.key.clone());
            keys.extend(page.iter().filter_map(|object| self.own(object)));
            if is_last || after.is_none() {
                break;
            }
        }
        Ok(keys)
    }

    /// What an object is to us; what has no name of ours is not ours.
    fn own(&self, object: &Object) -> Option<Listed> {
        let name = object.key()?.strip_prefix(&self.prefix)?;
        Some(Listed {
            key: Key::new(name).ok()?,
            size: object.size().unwrap_or(0).max(0) as u64,
            modified: age::time(object.last_modified()),
        })
    }

    /// Whether the bucket has nothing below the prefix, whatever its name.
    pub(super) async fn is_empty(&self) -> Result<bool, StoreError> {
        let (page, _) = self.page(&Prefix::all(), None, 1).await?;
        Ok(page.is_empty())
    }

    /// Objects after `after`, and whether they are the last.
    async fn page(
        &self,
        prefix: &Prefix,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Object>, bool), StoreError> {
        let begin = format!("{}{}", self.prefix, prefix.as_str());
        let request = self.client.list_objects_v2().bucket(&self.name);
        let answer = request
            .prefix(&begin)
            .set_start_after(after)
            .max_keys(limit.min(PAGE) as i32)
            .send()
            .await
            .map_err(|error| {
                let place = format!("s3://{}/{begin}", self.name);
                self.error("list", place, Trouble::of(LIST, &error))
            })?;
        let is_last = !answer.is_truncated().unwrap_or(false);
        Ok((answer.contents.unwrap_or_default(), is_last))
    }
}

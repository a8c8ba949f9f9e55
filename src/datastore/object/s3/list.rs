//! Listing keys, page by page.

use super::Bucket;
use crate::aws::Trouble;
use crate::datastore::object::{Key, Prefix, StoreError};

const LIST: &str = "s3:ListBucket";
/// The most keys that S3 gives at once.
const PAGE: usize = 1000;

impl Bucket {
    pub(super) async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        let mut keys = Vec::new();
        let mut after = after.map(|key| self.object(key));
        while keys.len() < limit {
            let (page, is_last) = self.page(prefix, after, limit - keys.len()).await?;
            after = page.last().cloned();
            let own = page.iter().filter_map(|name| {
                // What has no name of ours is not ours.
                Key::new(name.strip_prefix(&self.prefix)?).ok()
            });
            keys.extend(own);
            if is_last || after.is_none() {
                break;
            }
        }
        Ok(keys)
    }

    /// Whether the bucket has nothing below the prefix, whatever its name.
    pub(super) async fn is_empty(&self) -> Result<bool, StoreError> {
        let (page, _) = self.page(&Prefix::all(), None, 1).await?;
        Ok(page.is_empty())
    }

    /// Names of objects after `after`, and whether they are the last.
    async fn page(
        &self,
        prefix: &Prefix,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<String>, bool), StoreError> {
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
        let names = answer.contents.unwrap_or_default();
        let names = names.into_iter().filter_map(|object| object.key).collect();
        Ok((names, is_last))
    }
}

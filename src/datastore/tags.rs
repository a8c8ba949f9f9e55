//! The tags of a run: what changes about it when it is over.

use super::layout as keys;
use super::object::{Created, Replaced};
use super::removed;
use super::run::{Run, RunError, decode, get, read, sealed_as};
use super::sealed::{Kind, Nonce};
use crate::failpoint;
use crate::model::name::Tag;

const TAGS: Kind = Kind::new(*b"tags", "tags", 1 << 20);

/// How often a change of tags is tried again when others change them too.
const TAG_TRIES: usize = 100;

impl Run {
    /// Its tags as they are now, in order: those given at the start, as changed since.
    pub async fn tags(&self) -> Result<Vec<Tag>, RunError> {
        let key = keys::tags(self.id());
        let tags = read::<Vec<Tag>>(&**self.store(), self.id(), &key, &TAGS).await?;
        Ok(tags.unwrap_or_else(|| self.first_tags()))
    }

    fn first_tags(&self) -> Vec<Tag> {
        let mut tags = self.header().tags.clone();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// Adds a tag; false when it was there.
    pub async fn add_tag(&self, tag: &Tag) -> Result<bool, RunError> {
        let add = |tags: &mut Vec<Tag>| match tags.binary_search(tag) {
            Ok(_) => false,
            Err(at) => {
                tags.insert(at, tag.clone());
                true
            }
        };
        self.change_tags(add).await
    }

    /// Removes a tag; false when it was not there.
    pub async fn remove_tag(&self, tag: &Tag) -> Result<bool, RunError> {
        let remove = |tags: &mut Vec<Tag>| {
            tags.binary_search(tag).is_ok_and(|at| {
                tags.remove(at);
                true
            })
        };
        self.change_tags(remove).await
    }

    /// Changes the tags so that no change of others is lost.
    async fn change_tags(&self, change: impl Fn(&mut Vec<Tag>) -> bool) -> Result<bool, RunError> {
        let key = keys::tags(self.id());
        for _ in 0..TAG_TRIES {
            let found = get(&**self.store(), self.id(), &key, &TAGS).await?;
            let mut tags = match &found {
                Some(object) => decode(self.id(), &key, &TAGS, &object.bytes)?,
                None => self.first_tags(),
            };
            if !change(&mut tags) {
                return Ok(false);
            }
            let bytes = sealed_as((self.id(), &key), &TAGS, Nonce::new(), &tags)?;
            failpoint::reach("tags.change", &key);
            let done = match found {
                Some(old) => {
                    self.store().replace(&key, &old.version, bytes).await? == Replaced::Done
                }
                None => self.store().create(&key, bytes).await? == Created::New,
            };
            if done {
                // Whoever removes the run looks for tags after it has written that it does.
                removed::refuse(&**self.store(), self.id()).await?;
                failpoint::reach("tags.changed", &key);
                return Ok(true);
            }
        }
        Err(RunError::Busy {
            run: self.id().clone(),
        })
    }
}

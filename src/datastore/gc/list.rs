//! Lists which runs there are or were.

use std::collections::BTreeMap;

use crate::datastore::Datastore;
use crate::datastore::layout as keys;
use crate::datastore::object::{Key, Listed, Prefix, StoreError};
use crate::model::id::{RunId, RunNumber};
use crate::model::name::FlowName;
use crate::model::time::Timestamp;

/// How many objects are listed at once.
const PAGE: usize = 20_000;

/// Every object below `prefix`, page by page.
pub(super) async fn each(
    datastore: &Datastore,
    prefix: Prefix,
    mut see: impl FnMut(Listed),
) -> Result<(), StoreError> {
    let mut after: Option<Key> = None;
    loop {
        let page = datastore
            .store()
            .survey(&prefix, after.as_ref(), PAGE)
            .await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|listed| listed.key.clone());
        page.into_iter().for_each(&mut see);
        if is_last {
            return Ok(());
        }
    }
}

/// A run that there is, or was. One without both times has lost its header.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) run: RunId,
    /// When its header was written, by the clock of the store.
    pub(super) since: Option<Timestamp>,
    /// When its tombstone was written, by the clock of the store.
    pub(super) removed: Option<Timestamp>,
}

impl Seen {
    /// Whether it is there: it has its header, or has lost it.
    pub(super) fn is_there(&self) -> bool {
        self.since.is_some() || self.removed.is_none()
    }

    /// Whether it has lost its header.
    pub(super) fn is_headless(&self) -> bool {
        self.since.is_none() && self.removed.is_none()
    }
}

impl Datastore {
    pub(super) async fn has_tombstones(&self) -> Result<bool, StoreError> {
        for flow in self.flows().await? {
            let found = self.store().list(&keys::removals(&flow), None, 1).await?;
            if !found.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All runs that there are or were.
    pub(super) async fn seen(&self) -> Result<Vec<Seen>, StoreError> {
        let mut all = Vec::new();
        for flow in self.flows().await? {
            all.extend(self.seen_of(&flow).await?.into_values());
        }
        Ok(all)
    }

    async fn seen_of(&self, flow: &FlowName) -> Result<BTreeMap<RunNumber, Seen>, StoreError> {
        let mut runs: BTreeMap<RunNumber, Seen> = BTreeMap::new();
        let seen = |number| Seen {
            run: RunId {
                flow: flow.clone(),
                number,
            },
            since: None,
            removed: None,
        };
        // In this order: a header is there before all else, and goes when there is a tombstone. And each is
        // listed once: a header that is lost meanwhile is seen here, or missed.
        for number in self.working(flow).await? {
            runs.insert(number, seen(number));
        }
        each(self, keys::index(flow), |listed| {
            if let Some(number) = keys::number_of(&listed.key) {
                runs.entry(number).or_insert_with(|| seen(number)).since = Some(listed.modified);
            }
        })
        .await?;
        each(self, keys::removals(flow), |listed| {
            if let Some(number) = keys::number_of(&listed.key) {
                runs.entry(number).or_insert_with(|| seen(number)).removed = Some(listed.modified);
            }
        })
        .await?;
        Ok(runs)
    }
}

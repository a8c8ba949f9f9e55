//! Asks Batch why workers were asked to end: a worker knows only that it was.
//!
//! A host that is reclaimed costs the task nothing; a job that somebody ended is not to come back as
//! often as that.

use super::Shared;
use super::client::DESCRIBED_AT_ONCE;
use super::flight::Seat;
use super::verdict;
use super::watch::told;
use crate::model::failure::FailureKind;
use crate::model::record::Record;

/// Whether the attempt ended because its worker was asked to end.
pub(super) fn was_stopped(record: &Record) -> bool {
    let failure = record.result.as_ref().err();
    failure.is_some_and(|failure| failure.kind == FailureKind::Reclaimed)
}

impl Shared {
    /// Lands attempts whose workers were asked to end, with what Batch says about it.
    ///
    /// What Batch does not say now is as the worker took it to be: its host is being reclaimed.
    pub(super) async fn land_stopped(&self, stopped: Vec<(Seat, Box<Record>)>) {
        for part in stopped.chunks(DESCRIBED_AT_ONCE) {
            let ids = part.iter().filter_map(|(_, it)| it.usage.job.clone());
            let ids: Vec<String> = ids.collect();
            let known = match ids.is_empty() {
                true => Vec::new(),
                false => self.setup.client.describe(&ids).await.unwrap_or_default(),
            };
            for (seat, record) in part {
                let mut record = (**record).clone();
                let said = known
                    .iter()
                    .find(|it| it.job_id().is_some() && it.job_id() == record.usage.job.as_deref());
                if let Some(failure) = said.and_then(|said| verdict::stopped(&told(said))) {
                    record.result = Err(failure);
                }
                self.land(seat, record);
            }
        }
    }
}

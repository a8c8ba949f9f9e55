//! Compares what is kept about a run as a whole with its journal: what was caught and rejected, the
//! summary, the noted results, the end.
//!
//! All of it follows from the journal, so that whatever says something else was altered.

use super::compare::Difference;
use super::fold::Answer;
use super::past::PastError;
use super::tally::Tally;
use crate::datastore::RunSummary;
use crate::datastore::run::{Run, RunError};
use crate::model::artifact::Artifact;
use crate::model::digest::Digest;
use crate::model::event::{Event, RunStatus};
use crate::model::time::Timestamp;

/// What a journal says as a whole, as far as it was read.
#[derive(Default)]
pub(super) struct Books {
    tally: Tally,
    ended: Option<(RunStatus, Timestamp)>,
}

impl Books {
    /// Takes in an event, and says what of it is not what follows from those before it.
    pub(super) fn enter(&mut self, event: &Event, answer: &Answer) -> Option<Difference> {
        self.tally.count(event);
        if let Some(retrying) = &answer.retrying {
            self.tally.count(retrying);
        }
        match event {
            Event::Caught { artifact, .. } => {
                let (name, failure) = answer.caught.as_ref()?;
                let expected = super::drive::caught(name.clone(), failure);
                differs("the caught failure", &digest(artifact), &digest(&expected))
            }
            Event::Rejected { failure, .. } => {
                let found = answer.rejected.as_ref().map(ToString::to_string);
                let found = found.unwrap_or_else(|| "nothing that is rejected".to_owned());
                differs("why it was rejected", &failure.to_string(), &found)
            }
            Event::RunEnded { status, at } => {
                self.ended = Some((*status, *at));
                None
            }
            _ => None,
        }
    }

    /// How the run ended; none when its journal has no end.
    pub(super) fn ended(&self) -> Option<RunStatus> {
        self.ended.map(|(status, _)| status)
    }

    /// What the summary and the noted results of `run` say that its journal of `segments` segments
    /// does not.
    ///
    /// # Errors
    /// When the datastore cannot be read, or a newer wrun wrote what is there.
    pub(super) async fn close(
        &self,
        run: &Run,
        segments: u64,
    ) -> Result<Vec<Difference>, PastError> {
        let mut found = Vec::new();
        match run.summary().await {
            Ok(None) => {}
            Ok(Some(summary)) => found.extend(self.summary(run, segments, &summary)),
            Err(error) => found.push(damage("summary", error)?),
        }
        match run.memo().await {
            Ok(memo) => {
                let last = memo.and_then(|memo| memo.entries.iter().map(|it| it.segment).max());
                let beyond = last.filter(|last| u64::from(*last) >= segments);
                found.extend(beyond.map(|last| Difference {
                    what: "journal".to_owned(),
                    before: format!("segments up to {last} and more"),
                    now: format!("{segments} segments"),
                }));
            }
            Err(error) => found.push(damage("noted results", error)?),
        }
        Ok(found)
    }

    fn summary(&self, run: &Run, segments: u64, kept: &RunSummary) -> Option<Difference> {
        let Some(ended) = self.ended else {
            let kept = format!("the run {}", word(kept.status));
            return differs("journal", &kept, "no end");
        };
        let now = self.tally.summary(run, ended, segments);
        let part = |of: &RunSummary| {
            [
                ("status", word(of.status).to_owned()),
                ("times", format!("{} to {}", of.started_at.0, of.ended_at.0)),
                ("segments", of.segments.to_string()),
                ("tasks", format!("{:?}", of.tasks)),
                ("steps", format!("{:?}", of.steps)),
                ("failure", format!("{:?}", of.failure)),
            ]
        };
        let (kept, now) = (part(kept), part(&now));
        kept.iter()
            .zip(&now)
            .find_map(|((what, before), (_, now))| {
                differs(&format!("summary, its {what}"), before, now)
            })
    }
}

fn word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "was cancelled",
    }
}

/// The digest of all of an artifact that is kept in its record.
fn digest(artifact: &Artifact) -> String {
    Digest::of(format!("{artifact:?}").as_bytes()).to_string()
}

fn differs(what: &str, before: &str, now: &str) -> Option<Difference> {
    (before != now).then(|| Difference {
        what: what.to_owned(),
        before: before.to_owned(),
        now: now.to_owned(),
    })
}

/// What is damaged differs; what cannot be read is an error.
fn damage(what: &str, error: RunError) -> Result<Difference, PastError> {
    match error {
        RunError::Damaged { what: how, .. } => Ok(Difference {
            what: what.to_owned(),
            before: "whole".to_owned(),
            now: format!("damaged: {how}"),
        }),
        error => Err(error.into()),
    }
}

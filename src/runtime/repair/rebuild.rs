//! What follows from a journal, or stands in it: headers, summaries, noted results.

use super::How;
use crate::datastore::{Datastore, JournalError, RunError};
use crate::model::event::Event;
use crate::model::id::RunId;
use crate::runtime::fsck::FsckError;
use crate::runtime::memo::Notes;
use crate::runtime::past::{self, Program};
use crate::runtime::replay::Machine;
use crate::runtime::start;
use crate::runtime::tally::Tally;
use crate::task::grants::Secrets;

/// Puts the header of a run back as it stands in the journal; false when it does not any more, or when
/// the run was removed meanwhile.
pub(super) async fn header(datastore: &Datastore, id: &RunId) -> Result<bool, FsckError> {
    let run = match datastore.run_of_journal(id).await {
        Ok(run) => run,
        Err(JournalError::Store(error)) => return Err(error.into()),
        Err(_) => None,
    };
    let Some(run) = run else {
        return Ok(false);
    };
    match datastore.restore_header(&run).await {
        Ok(()) => Ok(true),
        Err(RunError::Removed { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes the summary and the noted results of an ended run anew, from its journal; removes those of one
/// that has not ended.
pub(super) async fn books(
    datastore: &Datastore,
    id: &RunId,
    machine: &Machine<'_>,
) -> Result<How, FsckError> {
    let run = datastore.run(id).await?;
    let program = Program::of(datastore, machine.modules, run.header()).await?;
    let secrets = Secrets::default();
    let site = start::site(datastore, &run, program, &machine.launcher, secrets);
    let (notes, mut tally, mut ended) = (Notes::default(), Tally::default(), None);
    let scheduler = past::scheduler(run.header(), &site.graph);
    let folded = past::fold(&run, scheduler, async |event, answer, segment| {
        notes.stored(&site, std::slice::from_ref(event), segment);
        tally.count(event);
        answer.retrying.iter().for_each(|event| tally.count(event));
        if let Event::RunEnded { status, at } = event {
            ended = Some((*status, *at));
        }
    });
    let (_, segments) = folded.await?;
    match ended {
        Some(ended) => {
            let summary = tally.summary(&run, ended, segments);
            run.put_summary(&summary).await?;
            run.put_memo(notes.take()).await?;
            Ok(How::Rebuilt)
        }
        // A run without an end has neither; attaching to it writes both.
        None => {
            run.forget_end().await?;
            Ok(How::Removed)
        }
    }
}

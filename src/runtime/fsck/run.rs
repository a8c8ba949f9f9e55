//! Reads one run: its header, its code, its journal, and what is kept beside that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fault, FsckError, Kind, Remedy, Report};
use crate::datastore::refs::Refs;
use crate::datastore::{BlobError, Datastore, JournalError, Run, RunError};
use crate::model::digest::Digest;
use crate::model::id::RunId;
use crate::runtime::books::Books;
use crate::runtime::compare::Difference;
use crate::runtime::past::{self, PastError};
use crate::snapshot::manifest::{Manifest, ManifestError};
use crate::task::trace;

/// The most missing segments of one journal that are named.
const GAPS: u64 = 100;

/// Blobs, with their lengths where these are known.
type Referred = BTreeMap<Digest, Option<u64>>;

/// Checks the objects of a run, and gives the blobs that it refers to.
pub(super) async fn check(
    datastore: &Datastore,
    id: &RunId,
    report: &mut Report,
) -> Result<Referred, FsckError> {
    let mut referred = Referred::new();
    let (run, error) = super::open(datastore, id).await?;
    if let Some(error) = error {
        let (key, what) = wrong(datastore, id, error)?;
        report.faults.push(header(id, key, what, run.is_some()));
    }
    let Some(run) = run else {
        return Ok(referred);
    };
    if matches!(run.is_another().await, Ok(true)) {
        let what = "it is not the one with which the journal begins".to_owned();
        let key = datastore.header_key(id);
        report.faults.push(header(id, key, what, true));
    }
    let before = report.faults.len();
    code(datastore, &run, &mut referred, report).await?;
    take(&mut referred, &Refs::of_header(run.header()));
    journal(datastore, &run, &mut referred, report).await?;
    if report.faults.len() == before {
        books(datastore, &run, report).await?;
    }
    if let Err(error) = run.tags().await {
        let (key, what) = wrong(datastore, id, error)?;
        let fault = Fault::of_run(id, Kind::Tags, key, what);
        report.faults.push(fault);
    }
    Ok(referred)
}

/// The fault of a header, which can be had back where the journal has another copy.
fn header(id: &RunId, key: String, what: String, is_kept: bool) -> Fault {
    let mut fault = Fault::of_run(id, Kind::Header, key, what);
    match is_kept {
        true => fault.remedy = Remedy::Rebuild,
        false => fault.what += ", and the journal does not begin with it",
    }
    fault
}

/// Where something of a run is that is damaged, missing or not understood, and what is wrong with it.
fn wrong(
    datastore: &Datastore,
    run: &RunId,
    error: RunError,
) -> Result<(String, String), FsckError> {
    match error {
        RunError::Damaged { key, what, .. } => Ok((key.to_string(), what)),
        RunError::Newer { key, version, .. } => Ok((key.to_string(), newer(version))),
        RunError::Missing { .. } => Ok((datastore.header_key(run), "it is missing".to_owned())),
        RunError::Headless { .. } => {
            let what = "it is missing though the journal is there; or the run is just being copied";
            Ok((datastore.header_key(run), what.to_owned()))
        }
        error => Err(error.into()),
    }
}

fn newer(version: u8) -> String {
    format!("it has version {version}, which this wrun does not know; use a newer one")
}

fn take(referred: &mut Referred, refs: &Refs) {
    for digest in refs.all() {
        referred.entry(digest).or_default();
    }
    for (digest, size) in &refs.values {
        referred.insert(*digest, Some(*size));
    }
}

async fn code(
    datastore: &Datastore,
    run: &Run,
    referred: &mut Referred,
    report: &mut Report,
) -> Result<(), FsckError> {
    let snapshot = run.header().snapshot;
    let what = match Manifest::load(datastore, &snapshot).await {
        Ok(manifest) => {
            let files = manifest.files.iter().map(|file| (file.digest, file.size));
            let module = (manifest.module.digest, manifest.module.size);
            referred.extend(files.chain([module]).map(|(it, size)| (it, Some(size))));
            return Ok(());
        }
        Err(ManifestError::Read {
            source: BlobError::Store(error),
            ..
        }) => return Err(error.into()),
        Err(ManifestError::Read { source, .. }) => source.to_string(),
        Err(error) => error.to_string(),
    };
    let key = format!("snapshots/{snapshot}");
    let mut fault = Fault::of_run(run.id(), Kind::Snapshot, key, what);
    fault.digest = Some(snapshot);
    // Runs of one flow have one snapshot in common, which is one fault.
    match report.faults.iter_mut().find(|it| it.key == fault.key) {
        Some(known) => {
            known.many += 1;
            known.affected.extend(fault.affected);
            known.affected.truncate(super::NAMED);
        }
        None => report.faults.push(fault),
    }
    Ok(())
}

async fn journal(
    datastore: &Datastore,
    run: &Run,
    referred: &mut Referred,
    report: &mut Report,
) -> Result<(), FsckError> {
    let mut next = 0;
    let mut segments = run.read_ahead(run.segment_numbers().await?);
    while let Some((number, events)) = segments.next().await {
        for gap in (next..number).take(GAPS as usize) {
            let what = "it is missing though later ones are there".to_owned();
            let fault = Fault::of_run(run.id(), Kind::Segment, run.segment_key(gap), what);
            report.faults.push(fault);
        }
        next = number + 1;
        let events = match events {
            Ok(events) => events,
            Err(error) => {
                let what = match error {
                    JournalError::Damaged { what, .. } => what,
                    JournalError::Newer { version, .. } => newer(version),
                    error => return Err(error.into()),
                };
                let fault = Fault::of_run(run.id(), Kind::Segment, run.segment_key(number), what);
                report.faults.push(fault);
                continue;
            }
        };
        report.segments += 1;
        let mut refs = Refs::default();
        events.iter().for_each(|event| refs.event(event));
        take(referred, &refs);
        for digest in &refs.traces {
            // One that cannot be read is found with the other blobs.
            let Ok(bytes) = datastore.blobs().get(digest).await else {
                continue;
            };
            let files = trace::blobs(&bytes);
            referred.extend(files.into_iter().map(|(it, size)| (it, Some(size))));
        }
    }
    Ok(())
}

/// Compares what is kept beside the journal with it.
async fn books(datastore: &Datastore, run: &Run, report: &mut Report) -> Result<(), FsckError> {
    let graph = past::told(datastore, run.header()).await?;
    let scheduler = past::scheduler(run.header(), &Arc::new(graph));
    let (mut books, mut said) = (Books::default(), Vec::new());
    let folded = past::fold(run, scheduler, async |event, answer, _| {
        said.extend(books.enter(event, &answer));
    });
    let segments = match folded.await {
        Ok((_, segments)) => segments,
        Err(PastError::Illegal { source, .. }) => {
            let what = format!("the journal contradicts itself: {source}");
            let key = run.segment_key(0);
            let fault = Fault::of_run(run.id(), Kind::Segment, key, what);
            report.faults.push(fault);
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let of_journal = said.into_iter().map(|it| (Kind::Segment, told(&it)));
    let mut found: Vec<_> = of_journal.collect();
    if books.ended().is_some() && matches!(run.summary().await, Ok(None)) {
        let what = "it is missing though the run has ended".to_owned();
        found.push((Kind::Summary, what));
    }
    match books.close(run, segments).await {
        Ok(differences) => found.extend(differences.iter().map(place)),
        Err(PastError::Run(error @ RunError::Newer { .. })) => {
            let mut fault = unknown(datastore, run, error)?;
            // Whoever knows more has written it, and it is not for us to write it anew.
            fault.remedy = Remedy::Lost;
            report.faults.push(fault);
        }
        Err(error) => return Err(error.into()),
    }
    for (kind, what) in found {
        let key = match kind {
            Kind::Results => run.memo_key(),
            Kind::Summary => run.summary_key(),
            _ => run.segment_key(segments),
        };
        report.faults.push(Fault::of_run(run.id(), kind, key, what));
    }
    Ok(())
}

fn told(difference: &Difference) -> String {
    let Difference { what, before, now } = difference;
    format!("{what}: {before} instead of {now}")
}

/// Which object a difference is of.
fn place(difference: &Difference) -> (Kind, String) {
    match difference.what.as_str() {
        "noted results" => (Kind::Results, difference.now.clone()),
        // A journal that is shorter than what was noted of it has lost its end.
        "journal" => (Kind::Segment, told(difference)),
        "summary" => (Kind::Summary, difference.now.clone()),
        _ => (Kind::Summary, told(difference)),
    }
}

/// The fault of a summary or of noted results that a newer wrun wrote.
fn unknown(datastore: &Datastore, run: &Run, error: RunError) -> Result<Fault, FsckError> {
    let (key, what) = wrong(datastore, run.id(), error)?;
    let kind = match key == run.memo_key() {
        true => Kind::Results,
        false => Kind::Summary,
    };
    Ok(Fault::of_run(run.id(), kind, key, what))
}

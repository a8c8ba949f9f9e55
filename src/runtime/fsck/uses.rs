//! Tells what needs the blobs that are missing or damaged, and how they can be had back.

use std::collections::BTreeMap;

use super::{Fault, FsckError, NAMED, Remedy};
use crate::datastore::{Datastore, Run};
use crate::model::artifact::ValueAt;
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::id::RunId;
use crate::model::record::Logs;
use crate::snapshot::manifest::Manifest;
use crate::task::trace;

/// Reads `runs` once more, for what the faults do to them.
pub(super) async fn find(
    datastore: &Datastore,
    runs: &[RunId],
    faults: &mut [Fault],
) -> Result<(), FsckError> {
    let mut of: BTreeMap<Digest, &mut Fault> = BTreeMap::new();
    for fault in faults {
        if let Some(digest) = fault.digest {
            of.insert(digest, fault);
        }
    }
    let mut uses = Uses(of);
    for id in runs {
        // What is wrong with its header is a fault of its own.
        let (Some(run), _) = super::open(datastore, id).await? else {
            continue;
        };
        uses.code(datastore, &run).await;
        let mut segments = run.read_ahead(run.segment_numbers().await?);
        while let Some((_, events)) = segments.next().await {
            // What cannot be read is a fault of its own.
            for event in events.unwrap_or_default() {
                uses.event(datastore, &run, &event).await;
            }
        }
    }
    Ok(())
}

struct Uses<'a>(BTreeMap<Digest, &'a mut Fault>);

impl Uses<'_> {
    /// Notes that `who` needs a blob, which can be had back by `remedy`.
    fn note(&mut self, digest: &Digest, who: impl FnOnce() -> String, remedy: Remedy) {
        let Some(fault) = self.0.get_mut(digest) else {
            return;
        };
        fault.many += 1;
        if fault.affected.len() < NAMED {
            fault.affected.push(who());
        }
        // Executing needs nobody's help; what was given is easier to find than a copy.
        let better = |remedy: &Remedy| match remedy {
            Remedy::Execute(..) | Remedy::Rebuild => 0,
            Remedy::Give(_) => 1,
            Remedy::Lost => 2,
        };
        if better(&remedy) < better(&fault.remedy) {
            fault.remedy = remedy;
        }
    }

    async fn code(&mut self, datastore: &Datastore, run: &Run) {
        let (id, header) = (run.id(), run.header());
        for parameter in &header.parameters {
            let name = &parameter.name;
            let remedy = Remedy::Give(format!("--{name}"));
            let who = || format!("{id}, parameter `{name}`");
            self.note(&parameter.value.digest, who, remedy);
        }
        let module = Remedy::Give("the module".to_owned());
        self.note(&header.module, || format!("{id}, its module"), module);
        let Ok(manifest) = Manifest::load(datastore, &header.snapshot).await else {
            return;
        };
        for file in &manifest.files {
            let remedy = Remedy::Give(file.path.clone());
            let who = || format!("{id}, `{}` of its code", file.path);
            self.note(&file.digest, who, remedy);
        }
    }

    async fn event(&mut self, datastore: &Datastore, run: &Run, event: &Event) {
        let id = run.id();
        if let Event::Caught { artifact, task, .. } = event {
            let who = || format!("{id}/{task}/{}", artifact.name);
            self.note(&artifact.value.digest, who, Remedy::Lost);
        }
        let Some((task, _, record)) = event.ending() else {
            return;
        };
        let again = || Remedy::Execute(id.clone(), task.clone());
        for artifact in &record.artifacts {
            if artifact.value.at == ValueAt::Blob {
                let who = || format!("{id}/{task}/{}", artifact.name);
                self.note(&artifact.value.digest, who, again());
            }
        }
        if let Logs::Blob(logs) = &record.logs {
            self.note(&logs.digest, || format!("{id}/{task}, its log"), again());
        }
        let Some(kept) = &record.trace else {
            return;
        };
        self.note(kept, || format!("{id}/{task}, its trace"), Remedy::Lost);
        if let Ok(bytes) = datastore.blobs().get(kept).await {
            for (digest, _) in trace::blobs(&bytes) {
                let who = || format!("{id}/{task}, what it read");
                self.note(&digest, who, Remedy::Give("the file".to_owned()));
            }
        }
    }
}

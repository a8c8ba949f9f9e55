//! Continues a run in a new one, which takes over what succeeded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::attach::{AttachError, check_free};
use super::past::{self, PastError, Program};
use super::reuse::{self, Reuse, Rules, Successes, Taken};
use super::start::{self, Given, Machine, Origin, Settings, StartError, Started};
use crate::datastore::Datastore;
use crate::datastore::run::Run;
use crate::model::digest::Digest;
use crate::model::graph::FlowGraph;
use crate::model::header::Anew;
use crate::model::id::RunId;
use crate::model::name::{ArtifactName, StepName};

/// A list without elements, in CBOR.
const EMPTY_LIST: &[u8] = &[0x80];

/// Why a run cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The step from which everything is wanted anew does not exist.
    #[error("the flow has no step `{0}`")]
    NoStep(StepName),
    /// The run is being driven, or cannot be read.
    #[error(transparent)]
    Origin(#[from] AttachError),
    /// The new run could not be created.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<PastError> for ResumeError {
    fn from(error: PastError) -> Self {
        Self::Origin(error.into())
    }
}

/// The parameters of a run that continues `origin`: its own, and those that are given anew.
///
/// Parameters that the flow of today does not have are left out; what neither has keeps its default.
pub fn parameters(
    origin: &Run,
    graph: &FlowGraph,
    anew: Vec<(ArtifactName, Given)>,
) -> Vec<(ArtifactName, Given)> {
    let mut values: BTreeMap<ArtifactName, Given> = BTreeMap::new();
    for param in graph.parameters() {
        let none = || param.many.then(|| Bytes::from_static(EMPTY_LIST));
        if let Some(default) = param.default.clone().or_else(none) {
            values.insert(param.name.clone(), Given::Cbor(default));
        }
    }
    for artifact in &origin.header().parameters {
        if graph.parameters().iter().any(|it| it.name == artifact.name) {
            let kept = Given::Kept(artifact.value.clone());
            values.insert(artifact.name.clone(), kept);
        }
    }
    values.extend(anew);
    values.into_iter().collect()
}

/// Creates a run of `program` that continues `origin`. Nothing is executed yet.
///
/// What it took over is told as the run goes on.
///
/// # Errors
/// [`ResumeError`] when the origin cannot be read or the run not be created.
pub async fn resume(
    datastore: &Datastore,
    origin: &Run,
    program: Program,
    settings: Settings,
    rules: Rules,
    machine: &Machine,
) -> Result<(Started, Arc<Mutex<Taken>>), ResumeError> {
    if let Some(from) = rules
        .from
        .as_ref()
        .filter(|it| program.graph.find(it.as_str()).is_none())
    {
        return Err(ResumeError::NoStep(from.clone()));
    }
    check_free(origin, machine).await?;
    let taking = Taking::of(datastore, origin).await?;
    let settings = Settings {
        origin: Some(Origin {
            run: origin.id().clone(),
            clock: origin.header().clock,
            known_as: origin.header().known_as,
            anew: Anew {
                from: rules.from,
                other_code: rules.strict,
            },
        }),
        ..settings
    };
    let mut started = start::create(datastore, program, settings, machine).await?;
    let taken = taking.hand_to(&mut started);
    Ok((started, taken))
}

/// What can be taken over from a run.
pub(super) struct Taking {
    successes: Successes,
    /// The flow as it was.
    before: FlowGraph,
    /// The module of each run that executed something.
    modules: BTreeMap<RunId, Digest>,
}

impl Taking {
    /// Reads what `origin` has.
    pub(super) async fn of(datastore: &Datastore, origin: &Run) -> Result<Self, PastError> {
        let before = past::told(datastore, origin.header()).await?;
        let successes = successes(origin).await?;
        let mut modules = BTreeMap::new();
        for run in successes.runs() {
            let module = match &run {
                run if run == origin.id() => origin.header().module,
                run => datastore.run(run).await?.header().module,
            };
            modules.insert(run, module);
        }
        Ok(Self {
            successes,
            before,
            modules,
        })
    }

    /// Lets `started` take it over, but for what its header wants anew.
    pub(super) fn hand_to(self, started: &mut Started) -> Arc<Mutex<Taken>> {
        let site = started.site.clone();
        let anew = &site.header.anew;
        let again = anew.from.as_ref();
        let again = again.map(|from| reuse::behind(&site.graph, from));
        let taken = Arc::new(Mutex::new(Taken {
            gone: self.successes.of_other_steps(&site.graph),
            ..Taken::default()
        }));
        started.known = Box::new(Reuse {
            successes: self.successes,
            before: self.before,
            again: again.unwrap_or_default(),
            strict: anew.other_code,
            modules: self.modules,
            taken: taken.clone(),
            site,
        });
        taken
    }
}

async fn successes(origin: &Run) -> Result<Successes, PastError> {
    let mut successes = Successes::default();
    for segment in 0..origin.segments().await? {
        for event in origin.read_segment(segment).await? {
            successes.add(origin.id(), &event);
        }
    }
    Ok(successes)
}

//! Where a run's attempts are made: on this machine, elsewhere, or some here and some there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::batch::{Batch, Platform};
use crate::datastore::{DatastoreUrl, Run, RunError};
use crate::executor::Executor;
use crate::executor::batch::check::{self, CheckError};
use crate::executor::batch::client::Client;
use crate::executor::batch::{self, BatchExecutor, Setup};
use crate::executor::local::LocalExecutor;
use crate::executor::router::Router;
use crate::model::grant::{Grant, Grants};
use crate::model::graph::FlowGraph;
use crate::model::header::{ExecutorKind, RunHeader, StepSettings};
use crate::model::id::TaskId;
use crate::model::job::{AttemptSpec, JobSpec, Token};
use crate::model::name::StepName;
use crate::model::secret::Source;
use crate::task::attempt::Clock;
use crate::task::site::Site;

/// What is needed to have attempts made elsewhere.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// What AWS Batch is told.
    pub settings: Batch,
    /// The datastore, as it was named.
    pub datastore: DatastoreUrl,
}

/// Elsewhere, found to be usable.
#[derive(Clone)]
pub struct Ready {
    elsewhere: Elsewhere,
    client: Arc<Client>,
    before: Vec<(Token, JobSpec)>,
}

/// Says of every step where its attempts are made, where nobody has said it yet.
pub fn assign(
    graph: &FlowGraph,
    steps: &mut BTreeMap<StepName, StepSettings>,
    default: ExecutorKind,
) {
    for node in graph.steps() {
        if default != ExecutorKind::Local {
            let said = &mut steps.entry(node.name.clone()).or_default().executor;
            said.get_or_insert(default);
        }
    }
}

/// Looks whether what is to be done elsewhere can be done there; none when all is done here.
///
/// # Errors
/// [`CheckError`] names what stands in the way.
pub async fn check(
    elsewhere: Option<&Elsewhere>,
    graph: &FlowGraph,
    steps: &BTreeMap<StepName, StepSettings>,
    grants: &Grants,
) -> Result<Option<Ready>, CheckError> {
    let is_there = |name: &StepName| {
        let settings = steps.get(name);
        settings.and_then(|it| it.executor) == Some(ExecutorKind::Batch)
    };
    let there: Vec<_> = graph
        .steps()
        .iter()
        .filter(|it| is_there(&it.name))
        .collect();
    if there.is_empty() {
        return Ok(None);
    }
    let elsewhere = elsewhere.ok_or(CheckError::NotSet { key: "batch.queue" })?;
    let settings = &elsewhere.settings;
    if let (DatastoreUrl::Directory(path), false) =
        (&elsewhere.datastore, settings.shared_directory)
    {
        let place = path.display().to_string();
        return Err(CheckError::Directory { place });
    }
    for node in there {
        let granted = grants.of(&node.name);
        if let Some((grant, hint)) = granted.into_iter().find_map(|it| absent(it, settings)) {
            let step = node.name.to_string();
            return Err(CheckError::Grant { step, grant, hint });
        }
        if settings.platform == Platform::Fargate && node.resources.gpus.unwrap_or(0) > 0 {
            let step = node.name.to_string();
            return Err(CheckError::Gpus { step });
        }
    }
    let client = Client::new(settings.requests_per_second).await;
    check::queue(&client, settings).await?;
    Ok(Some(Ready {
        elsewhere: elsewhere.clone(),
        client: Arc::new(client),
        before: Vec::new(),
    }))
}

/// A grant that opens nothing in a container, and what can be done about it.
fn absent(grant: &Grant, settings: &Batch) -> Option<(String, String)> {
    let hint = match grant {
        Grant::Read { .. } => {
            "give the files as a parameter of type `Files`, or execute the step here: `executor = \"local\"`".to_owned()
        }
        Grant::Secret { name, source, .. } => match source {
            Some(Source::SecretsManager { .. } | Source::Parameter(_)) => return None,
            Some(Source::File(_)) => format!(
                "no file of this machine is there: put the value into Secrets Manager and grant `secret:{name}=aws-sm:ID`"
            ),
            Some(Source::Env(name)) => variable(name, settings)?,
            None => variable(name, settings)?,
        },
        _ => return None,
    };
    Some((grant.to_string(), hint))
}

/// What gives containers a variable that they do not have; none where they have it.
fn variable(name: &str, settings: &Batch) -> Option<String> {
    let is_there = settings.secrets.contains_key(name) || settings.environment.contains_key(name);
    (!is_there).then(|| format!("`batch.secrets = [\"{name}=ARN\"]` gives containers its value"))
}

impl Ready {
    /// The same, knowing what an earlier driver of `run` has asked for. Attempts that have `ended` are
    /// in the journal.
    ///
    /// # Errors
    /// [`TakeOverError`] when it cannot be known what is in flight: then nothing may be submitted.
    pub async fn taking_over(
        mut self,
        run: &Run,
        ended: &BTreeSet<(TaskId, u32)>,
    ) -> Result<Self, TakeOverError> {
        let is_open = |it: &AttemptSpec| !ended.contains(&(it.task.clone(), it.attempt));
        let mut jobs = batch::jobs_of(run).await?;
        jobs.retain(|(_, spec)| spec.attempts.iter().any(is_open));
        let sent = jobs.iter().filter_map(|(_, spec)| spec.sent.clone());
        check::in_flight(&self.client, &sent.collect()).await?;
        self.before = jobs;
        Ok(self)
    }
}

/// Why it cannot be known what an earlier driver has in flight.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    /// Its jobs cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Batch cannot be asked about them.
    #[error(transparent)]
    Check(#[from] CheckError),
}

/// The executor of a run: one for all steps, or a router over several.
pub fn executor(
    site: &Arc<Site>,
    run: &Run,
    workers: usize,
    clock: &Arc<dyn Clock>,
    ready: Option<Ready>,
) -> Box<dyn Executor> {
    let here = LocalExecutor::new(site.clone(), workers, clock.clone());
    let Some(ready) = ready else {
        return Box::new(here);
    };
    let datastore = &ready.elsewhere.datastore;
    let there = BatchExecutor::new(Setup {
        site: site.clone(),
        run: run.clone(),
        mounted: match datastore {
            DatastoreUrl::Directory(path) => Some(path.display().to_string()),
            DatastoreUrl::S3 { .. } => None,
        },
        datastore: datastore.to_string(),
        settings: ready.elsewhere.settings,
        client: ready.client,
        clock: clock.clone(),
        before: ready.before,
    });
    let executors: Vec<(_, Box<dyn Executor>)> = vec![
        (ExecutorKind::Local, Box::new(here)),
        (ExecutorKind::Batch, Box::new(there)),
    ];
    Box::new(Router::new(executors, of_steps(run.header())))
}

fn of_steps(header: &RunHeader) -> BTreeMap<StepName, ExecutorKind> {
    let said = header.steps.iter();
    said.filter_map(|(name, it)| Some((name.clone(), it.executor?)))
        .collect()
}

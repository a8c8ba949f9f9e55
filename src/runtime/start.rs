//! Starts a run: allots its number, writes its header, and hands it to the driver.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;

use super::drive::{Drive, DriveError, Interrupt};
use super::journal::Journal;
use super::prepare::Prepared;
use super::showing::Showing;
use super::tally::Tally;
use crate::datastore::Datastore;
use crate::datastore::journal::JournalError;
use crate::datastore::object::StoreError;
use crate::datastore::run::{Run, RunError};
use crate::executor::local::LocalExecutor;
use crate::model::artifact::{Artifact, INLINE_RECORD, MediaType, Value, ValueAt};
use crate::model::digest::Digest;
use crate::model::event::{Event, RunStatus};
use crate::model::header::{Limits, RunHeader, StepSettings};
use crate::model::id::RunId;
use crate::model::name::{ArtifactName, StepName, Tag};
use crate::sandbox::CompiledModule;
use crate::sandbox::Launcher;
use crate::sandbox::call::Profile;
use crate::sandbox::engine::engine_id;
use crate::scheduler::{Policy, Scheduler};
use crate::task::attempt::Clock;
use crate::task::list::Lists;
use crate::task::site::Site;
use crate::task::values::Values;

/// How often a task is tried again when the machinery failed and not the step.
const INFRASTRUCTURE_RETRIES: u32 = 3;
/// How much of a file is read at once.
const PIECE: usize = 1024 * 1024;

/// Why a run could not be started or driven.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A parameter could not be stored.
    #[error("could not store parameter `{name}`")]
    Parameter {
        /// The parameter.
        name: ArtifactName,
        /// What the datastore said.
        source: StoreError,
    },
    /// A file that was given as a parameter could not be read.
    #[error("could not read `{}`, given as `--{name}`", path.display())]
    File {
        /// The parameter.
        name: ArtifactName,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The run could not be created.
    #[error("could not create the run in the datastore")]
    Run(#[from] RunError),
    /// The run's journal could not be opened.
    #[error("could not open the journal of the run")]
    Journal(#[from] JournalError),
    /// The run could not be driven to its end.
    #[error("run `{run}` stopped before its end")]
    Drive {
        /// The run.
        run: RunId,
        /// Why.
        source: DriveError,
    },
}

/// The value of a parameter, as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// The bytes themselves; CBOR is in its deterministic form.
    Value(MediaType, Bytes),
    /// A file whose bytes are the value.
    File(PathBuf, MediaType),
}

/// All that decides about a run and is not in its code.
#[derive(Debug)]
pub struct Settings {
    /// Every parameter of the flow that has a value.
    pub parameters: Vec<(ArtifactName, Given)>,
    /// Where all chance comes from.
    pub seed: u64,
    /// The limits of every sandbox.
    pub limits: Limits,
    /// What the operator says about single steps.
    pub steps: BTreeMap<StepName, StepSettings>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Who starts it.
    pub user: String,
    /// How many tasks run at once.
    pub workers: usize,
}

/// What a run needs of the machine.
pub struct Machine {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Starts cells.
    pub launcher: Launcher,
    /// Sees every event, in the order in which they happened and many at a time.
    pub listener: std::sync::mpsc::Sender<Vec<Event>>,
    /// Asks the run to stop.
    pub interrupts: UnboundedReceiver<Interrupt>,
}

/// A run that was created and not yet driven.
pub struct Started {
    /// The run.
    pub run: Run,
    site: Arc<Site>,
    workers: usize,
}

/// Creates a run of `prepared`, whose code is `snapshot` and `modules`. Nothing is executed yet.
///
/// # Errors
/// [`StartError`] when a parameter or the run itself cannot be stored.
pub async fn create(
    datastore: &Datastore,
    prepared: &Prepared,
    code: (Digest, Vec<CompiledModule>),
    settings: Settings,
    machine: &Machine,
) -> Result<Started, StartError> {
    let parameters = store_parameters(datastore, settings.parameters).await?;
    let (snapshot, modules) = code;
    let created_at = machine.clock.now();
    let Settings {
        seed,
        limits,
        steps,
        tags,
        user,
        workers,
        ..
    } = settings;
    let header = |run: RunId| RunHeader {
        run,
        created_at,
        parameters,
        snapshot,
        module: prepared.module,
        seed,
        limits,
        steps,
        engine: engine_id(Profile::default()),
        origin: None,
        user,
        tags,
        wrun: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let run = datastore.create_run(prepared.graph.name(), header).await?;
    let site = Arc::new(Site {
        datastore: datastore.clone(),
        header: Arc::new(run.header().clone()),
        graph: prepared.graph.clone(),
        values: Arc::new(Values::new(datastore.clone(), run.clone())),
        lists: Lists::default(),
        modules,
        launcher: machine.launcher.clone(),
    });
    Ok(Started { run, site, workers })
}

impl Started {
    /// Drives the run to its end.
    ///
    /// # Errors
    /// [`StartError`] when its journal cannot be written; what was acknowledged stays.
    pub async fn drive(self, machine: Machine) -> Result<RunStatus, StartError> {
        let Self { run, site, workers } = self;
        let id = run.id().clone();
        let header = Box::new(run.header().clone());
        // Nobody may be listening, and the run goes on all the same.
        let _ = machine.listener.send(vec![Event::RunStarted { header }]);
        let policy = Policy {
            max_items: site.header.limits.items,
            infrastructure_retries: INFRASTRUCTURE_RETRIES,
        };
        let drive = Drive {
            scheduler: Scheduler::new(site.graph.clone(), &site.header.parameters, policy),
            journal: Journal::new(run.writer().await?, site.values.clone()),
            values: site.values.clone(),
            executor: LocalExecutor::new(site, workers, machine.clock.clone()),
            clock: machine.clock,
            listener: Showing::new(machine.listener),
            interrupts: machine.interrupts,
            run,
            tally: Tally::default(),
        };
        drive
            .to_end()
            .await
            .map_err(|source| StartError::Drive { run: id, source })
    }
}

async fn store_parameters(
    datastore: &Datastore,
    given: Vec<(ArtifactName, Given)>,
) -> Result<Vec<Artifact>, StartError> {
    let mut budget = INLINE_RECORD;
    let mut artifacts = Vec::with_capacity(given.len());
    for (name, given) in given {
        let value = match given {
            Given::Value(media, bytes) => {
                let stored = datastore.store_value(media, bytes, &mut budget).await;
                stored.map_err(|source| StartError::Parameter {
                    name: name.clone(),
                    source,
                })?
            }
            Given::File(path, media) => store_file(datastore, &name, &path, media).await?,
        };
        artifacts.push(Artifact { name, value });
    }
    artifacts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(artifacts)
}

/// Stores a file as a blob, in pieces.
async fn store_file(
    datastore: &Datastore,
    name: &ArtifactName,
    path: &Path,
    media: MediaType,
) -> Result<Value, StartError> {
    let unread = |source| StartError::File {
        name: name.clone(),
        path: path.to_owned(),
        source,
    };
    let unstored = |source| StartError::Parameter {
        name: name.clone(),
        source,
    };
    let mut file = std::fs::File::open(path).map_err(unread)?;
    let mut writer = datastore.blobs().writer();
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let mut limited = (&mut file).take(PIECE as u64);
        limited.read_to_end(&mut piece).map_err(unread)?;
        if piece.is_empty() {
            break;
        }
        writer.write(piece.into()).await.map_err(unstored)?;
    }
    let (digest, size) = writer.finish().await.map_err(unstored)?;
    Ok(Value {
        digest,
        size,
        media,
        at: ValueAt::Blob,
    })
}

//! Starts a run: allots its number, writes its header, and hands it to the driver.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;

use super::drive::{Drive, DriveError, Interrupt, Known, Nothing};
use super::driver::Keeper;
use super::elsewhere::{self, Elsewhere, Ready};
use super::journal::{Journal, Listener};
use super::memo::{Cache, Notes};
use super::parameters;
use super::past::{self, Program};
use super::tally::Tally;
use crate::datastore::Datastore;
use crate::datastore::journal::JournalError;
use crate::datastore::lease::Held;
use crate::datastore::object::StoreError;
use crate::datastore::run::{Run, RunError};
use crate::executor::batch::check::CheckError;
use crate::failpoint;
use crate::model::artifact::{MediaType, Value};
use crate::model::event::{Event, RunStatus};
use crate::model::grant::Grants;
use crate::model::graph::FlowGraph;
use crate::model::header::{Anew, Limits, RunHeader, StepSettings};
use crate::model::id::{RunId, RunNumber};
use crate::model::name::{ArtifactName, StepName, Tag};
use crate::model::time::Timestamp;
use crate::sandbox::Launcher;
use crate::sandbox::call::Profile;
use crate::sandbox::engine::engine_id;
use crate::scheduler::{Command, Policy, Scheduler};
use crate::task::at_hand::AtHand;
use crate::task::attempt::Clock;
use crate::task::grants::Secrets;
use crate::task::secret::Surroundings;
use crate::task::site::Site;
use crate::task::values::Values;

/// How often a task is tried again when the machinery failed and not the step.
const INFRASTRUCTURE_RETRIES: u32 = 3;

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
    /// What is known of earlier runs could not be read.
    #[error("could not read the results of earlier runs")]
    Known(#[from] StoreError),
    /// The run's journal could not be opened.
    #[error("could not open the journal of the run")]
    Journal(#[from] JournalError),
    /// Its steps cannot be executed where they are to be.
    #[error(transparent)]
    Elsewhere(#[from] CheckError),
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
    /// CBOR in its deterministic form.
    Cbor(Bytes),
    /// A whole text, kept as it is.
    Text(Bytes),
    /// A file whose bytes are the value.
    File(PathBuf, MediaType),
    /// A value of another run, which is in the datastore or has its bytes with it.
    Kept(Value),
    /// Files that become one tar archive, by their names in it.
    Files(BTreeMap<String, PathBuf>),
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
    /// What its steps may touch: variables have their values, secrets their digests.
    pub grants: Grants,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Who starts it.
    pub user: String,
    /// Whether it takes results of earlier runs where nothing that they depend on has changed.
    pub cache: bool,
    /// How many tasks run at once.
    pub workers: usize,
    /// Where the virtual clock starts; when the run does, if nothing is said.
    pub clock: Option<Timestamp>,
    /// The run that it continues, which decides about clock and seed.
    pub origin: Option<Origin>,
}

/// What a run needs of the machine.
pub struct Machine {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Starts cells.
    pub launcher: Launcher,
    /// Sees every event when it is durable.
    pub listener: Listener,
    /// Asks the run to stop.
    pub interrupts: UnboundedReceiver<Interrupt>,
    /// What is needed to have attempts made elsewhere; without it all are made here.
    pub elsewhere: Option<Elsewhere>,
    /// Values of secrets that were asked for to see whether they are there.
    pub at_hand: AtHand,
}

/// What a run continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The run.
    pub run: RunId,
    /// Where its virtual clock starts.
    pub clock: Timestamp,
    /// The number that its tasks see.
    pub known_as: RunNumber,
    /// What is not taken over from it.
    pub anew: Anew,
}

/// A run that can be driven now.
pub struct Started {
    /// The run.
    pub run: Run,
    /// What happened before, of a run that is taken over: what its journal has, and the retries
    /// that follow from that.
    pub past: Vec<Event>,
    pub(super) site: Arc<Site>,
    pub(super) workers: usize,
    /// Elsewhere, when attempts are made there.
    pub(super) elsewhere: Option<Ready>,
    /// The scheduler as it stands, and what it has asked for.
    pub(super) beginning: (Scheduler, Vec<Command>),
    pub(super) known: Box<dyn Known>,
    /// The results so far.
    pub(super) notes: Arc<Notes>,
    /// The lease, where it was taken already.
    pub(super) held: Option<Held>,
    /// How many segments its journal has.
    pub(super) segments: u64,
}

/// What is decided for the scheduler of a run with these limits.
pub fn policy(limits: &Limits) -> Policy {
    Policy {
        max_items: limits.items,
        infrastructure_retries: INFRASTRUCTURE_RETRIES,
        reclaims: limits.reclaims,
    }
}

/// Creates a run of `program`. Nothing is executed yet.
///
/// # Errors
/// [`StartError`] when a parameter or the run itself cannot be stored.
pub async fn create(
    datastore: &Datastore,
    program: Program,
    settings: Settings,
    machine: &Machine,
) -> Result<Started, StartError> {
    let there = elsewhere::check(
        machine.elsewhere.as_ref(),
        &program.graph,
        &settings.steps,
        &settings.grants,
    );
    let there = there.await?;
    let parameters = parameters::store(datastore, settings.parameters).await?;
    failpoint::reach("parameters.stored", program.graph.name());
    let created_at = machine.clock.now();
    let Settings {
        seed,
        limits,
        steps,
        grants,
        tags,
        user,
        cache,
        workers,
        origin,
        clock,
        ..
    } = settings;
    let header = |run: RunId| RunHeader {
        created_at,
        clock: origin
            .as_ref()
            .map_or(clock.unwrap_or(created_at), |it| it.clock),
        known_as: origin.as_ref().map_or(run.number, |it| it.known_as),
        run,
        parameters,
        snapshot: program.snapshot,
        module: program.module,
        seed,
        limits,
        steps,
        grants,
        imports: program
            .compiled
            .first()
            .map_or(Vec::new(), |it| it.imports().to_vec()),
        engine: engine_id(Profile::with(program.backend)),
        anew: origin
            .as_ref()
            .map(|it| it.anew.clone())
            .unwrap_or_default(),
        origin: origin.map(|origin| origin.run),
        user,
        tags,
        cache,
        wrun: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let run = datastore.create_run(program.graph.name(), header).await?;
    if let Some(origin) = &run.header().origin {
        datastore.refuse_removed(origin).await?;
    }
    let secrets = secrets(&run, None, &*machine.clock, &machine.at_hand).await;
    // From now on these are what has the values.
    machine.at_hand.clear();
    let site = Arc::new(site(datastore, &run, program, &machine.launcher, secrets));
    let mut scheduler = past::scheduler(run.header(), &site.graph);
    let commands = scheduler.start();
    Ok(Started {
        known: known(&site).await?,
        run,
        past: Vec::new(),
        site,
        workers,
        elsewhere: there,
        beginning: (scheduler, commands),
        notes: Arc::default(),
        held: None,
        segments: 0,
    })
}

/// What is asked before anything is executed: the results of earlier runs, where the run wants them.
pub(super) async fn known(site: &Arc<Site>) -> Result<Box<dyn Known>, StoreError> {
    Ok(match site.header.cache {
        true => Box::new(Cache::open(site.clone()).await?),
        false => Box::new(Nothing),
    })
}

/// The secrets of `run`, or of one of its steps, as far as they are to be had here and now. Services are
/// asked for what is not `at_hand`.
pub(super) async fn secrets(
    run: &Run,
    step: Option<&StepName>,
    clock: &dyn Clock,
    at_hand: &AtHand,
) -> Secrets {
    let variable = |name: &str| std::env::var(name).ok();
    let around = Surroundings::new(&variable, clock.now()).holding(at_hand);
    Secrets::of(&run.header().grants, step, &around).await
}

/// What all attempts of `run` share.
pub(super) fn site(
    datastore: &Datastore,
    run: &Run,
    program: Program,
    launcher: &Launcher,
    secrets: Secrets,
) -> Site {
    Site {
        datastore: datastore.clone(),
        header: Arc::new(run.header().clone()),
        graph: program.graph,
        values: Arc::new(Values::new(datastore.clone(), run.clone())),
        lists: Arc::default(),
        backend: program.backend,
        modules: program.compiled,
        secrets,
        launcher: launcher.clone(),
    }
}

impl Started {
    /// The flow.
    pub fn graph(&self) -> Arc<FlowGraph> {
        self.site.graph.clone()
    }

    /// Drives the run to its end.
    ///
    /// # Errors
    /// [`StartError`] when its journal cannot be written; what was acknowledged stays.
    pub async fn drive(self, machine: Machine) -> Result<RunStatus, StartError> {
        let Self {
            run,
            past,
            site,
            workers,
            elsewhere,
            beginning: (scheduler, commands),
            known,
            notes,
            held,
            segments,
        } = self;
        let id = run.id().clone();
        let header = Box::new(run.header().clone());
        // Nobody may be listening, and the run goes on all the same.
        let _ = machine.listener.send(vec![Event::RunStarted { header }]);
        let keeping = Keeper::start(run.clone(), held, machine.clock.clone());
        let mut tally = Tally::default();
        past.iter().for_each(|event| tally.count(event));
        let executor = elsewhere::executor(&site, &run, workers, &machine.clock, elsewhere);
        let drive = Drive {
            scheduler,
            journal: Journal::new(
                run.writer_at(segments),
                machine.listener,
                site.clone(),
                notes.clone(),
            ),
            values: site.values.clone(),
            executor,
            clock: machine.clock,
            interrupts: machine.interrupts,
            run,
            tally,
            known,
            notes,
        };
        let driven = drive.to_end(commands).await;
        keeping.stop().await;
        driven.map_err(|source| StartError::Drive { run: id, source })
    }
}

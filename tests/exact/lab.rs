//! Runs without a command line: datastores in memory, drivers in this process, cells as ever.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use wrun::datastore::object::memory::MemoryStore;
use wrun::datastore::object::{Key, ObjectStore, Prefix};
use wrun::datastore::{Datastore, Run};
use wrun::model::event::{Event, RunStatus};
use wrun::model::header::Limits;
use wrun::model::name::ArtifactName;
use wrun::model::time::Timestamp;
use wrun::runtime::attach;
use wrun::runtime::clock::SystemClock;
use wrun::runtime::past::Program;
use wrun::runtime::prepare::{self, Code, Prepared};
use wrun::runtime::replay::{self, ReplayError, Report, Scope};
use wrun::runtime::resume;
use wrun::runtime::reuse::Rules;
use wrun::runtime::start::{self, Given, Machine, Settings, Started};
use wrun::sandbox::call::Backend;
use wrun::sandbox::{Launcher, Modules};
use wrun::snapshot::Options;
use wrun::task::at_hand::AtHand;

use super::results::{Results, results};

/// When every run here is said to start.
const CLOCK: Timestamp = Timestamp(1_700_000_000_000_000);

pub fn launcher() -> Launcher {
    Launcher {
        program: PathBuf::from(env!("CARGO_BIN_EXE_wrun")),
        args: vec!["cell".into()],
    }
}

/// Compiled code, kept from one execution of the tests to the next.
pub fn compiled() -> &'static Modules {
    static MODULES: OnceLock<Modules> = OnceLock::new();
    MODULES.get_or_init(|| compiled_for(Backend::Native))
}

fn compiled_for(backend: Backend) -> Modules {
    let directory = std::env::temp_dir().join("wrun-tests-code/wrun/code");
    Modules::new(directory, launcher()).executed_by(backend)
}

/// A flow that can be run in any datastore.
pub struct Flow {
    prepared: Prepared,
    /// Where a module made here lies.
    _file: Option<tempfile::NamedTempFile>,
}

impl Flow {
    /// The flow of a module's file.
    pub async fn of(file: &Path) -> Self {
        let code = Code::Module(file.to_owned());
        let options = Options { quiet: true };
        let prepared = prepare::prepare(compiled(), &code, options, &BTreeMap::new()).await;
        Self {
            prepared: prepared.unwrap_or_else(|error| panic!("{error:?}")),
            _file: None,
        }
    }

    /// The flow of a module that is nowhere yet.
    pub async fn new(module: &[u8]) -> Self {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(module).unwrap();
        let flow = Self::of(file.path()).await;
        Self {
            _file: Some(file),
            ..flow
        }
    }

    async fn program(&self, datastore: &Datastore) -> Program {
        Program {
            module: self.prepared.module,
            snapshot: self.prepared.snapshot(datastore, "lab").await.unwrap(),
            graph: self.prepared.graph.clone(),
            backend: Backend::Native,
            compiled: self.prepared.compiled(compiled()).await.unwrap(),
        }
    }
}

/// A datastore in memory that can be copied and looked into.
#[derive(Clone)]
pub struct Lab {
    pub store: Arc<MemoryStore>,
    pub datastore: Datastore,
    pub workers: usize,
}

/// Parameters in CBOR, by name.
pub type Parameters<'a> = &'a [(&'a str, &'a [u8])];

impl Lab {
    pub fn new(workers: usize) -> Self {
        Self::with(MemoryStore::new(), workers)
    }

    fn with(store: MemoryStore, workers: usize) -> Self {
        let store = Arc::new(store);
        Self {
            datastore: Datastore::with_store(store.clone()),
            store,
            workers,
        }
    }

    /// All objects.
    pub async fn objects(&self) -> BTreeMap<Key, Bytes> {
        let keys = self.store.list(&Prefix::all(), None, usize::MAX).await;
        let mut objects = BTreeMap::new();
        for key in keys.unwrap() {
            let object = self.store.get(&key, u64::MAX).await.unwrap().unwrap();
            objects.insert(key, object.bytes);
        }
        objects
    }

    /// A datastore with those of the objects that are wanted.
    pub async fn copy(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let store = MemoryStore::new();
        for (key, bytes) in self.objects().await {
            if wanted(key.as_str()) {
                store.put(&key, bytes).await.unwrap();
            }
        }
        Self::with(store, self.workers)
    }

    pub async fn open(&self, run: &str) -> Run {
        self.datastore.run(&run.parse().unwrap()).await.unwrap()
    }

    pub async fn events(&self, run: &str) -> Vec<Event> {
        self.open(run).await.events().await.unwrap()
    }

    /// What came out of a run.
    pub async fn results(&self, run: &str) -> Results {
        results(&self.datastore, &self.events(run).await).await
    }

    async fn drive(&self, started: Started) -> RunStatus {
        let driven = started.drive(machine()).await;
        driven.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Runs a flow.
    pub async fn run(&self, flow: &Flow, given: Parameters<'_>, seed: u64) -> RunStatus {
        let settings = self.settings(given, seed);
        self.drive(self.create(flow, settings).await).await
    }

    /// Runs a flow, taking what earlier runs have.
    pub async fn run_cached(&self, flow: &Flow, given: Parameters<'_>, seed: u64) -> RunStatus {
        let settings = Settings {
            cache: true,
            ..self.settings(given, seed)
        };
        self.drive(self.create(flow, settings).await).await
    }

    async fn create(&self, flow: &Flow, settings: Settings) -> Started {
        let program = flow.program(&self.datastore).await;
        start::create(&self.datastore, program, settings, &machine())
            .await
            .unwrap()
    }

    fn settings(&self, given: Parameters<'_>, seed: u64) -> Settings {
        let cbor = |(name, bytes): &(&str, &[u8])| {
            let given = Given::Cbor(Bytes::copy_from_slice(bytes));
            (ArtifactName::new(name).unwrap(), given)
        };
        Settings {
            grants: Default::default(),
            parameters: given.iter().map(cbor).collect(),
            seed,
            limits: Limits::default(),
            steps: BTreeMap::new(),
            tags: Vec::new(),
            user: "ada".to_owned(),
            workers: self.workers,
            clock: Some(CLOCK),
            cache: false,
            origin: None,
        }
    }

    /// Takes a run over.
    pub async fn attach(&self, run: &str) -> RunStatus {
        let run = self.open(run).await;
        let machine = machine();
        let started = attach::attach(&self.datastore, compiled(), run, self.workers, &machine);
        let started = started.await.unwrap_or_else(|error| panic!("{error:?}"));
        self.drive(started).await
    }

    /// Continues a run in a new one.
    pub async fn resume(&self, run: &str, flow: &Flow, given: Parameters<'_>) -> RunStatus {
        let origin = self.open(run).await;
        let settings = self.settings(given, origin.header().seed);
        let program = flow.program(&self.datastore).await;
        let rules = Rules::default();
        let machine = machine();
        let started = resume::resume(&self.datastore, &origin, program, settings, rules, &machine);
        let (started, _) = started.await.unwrap_or_else(|error| panic!("{error:?}"));
        self.drive(started).await
    }

    /// Replays a run.
    pub async fn replay(&self, run: &Run) -> Result<Report, ReplayError> {
        self.replay_with(run, compiled()).await
    }

    /// Replays a run by another engine than the one it had.
    pub async fn replay_by(&self, run: &Run, backend: Backend) -> Result<Report, ReplayError> {
        self.replay_with(run, &compiled_for(backend)).await
    }

    async fn replay_with(&self, run: &Run, modules: &Modules) -> Result<Report, ReplayError> {
        let machine = replay::Machine {
            modules,
            launcher: launcher(),
            clock: Arc::new(SystemClock),
            workers: self.workers,
            compared: Arc::new(|| {}),
            at_hand: AtHand::default(),
        };
        replay::replay(&self.datastore, run, &Scope::default(), &machine).await
    }
}

/// A machine that nobody listens to and nobody interrupts.
fn machine() -> Machine {
    Machine {
        clock: Arc::new(SystemClock),
        launcher: launcher(),
        listener: std::sync::mpsc::channel().0,
        interrupts: tokio::sync::mpsc::unbounded_channel().1,
        elsewhere: None,
        at_hand: AtHand::default(),
    }
}

/// Numbers that look random and are the same in every execution: SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }

    /// Whether one of `n` cases has happened.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// How many cases there are: many under `CI=true`, a tenth otherwise, as many as `variable` says
/// when it is set.
pub fn cases(variable: &str, in_ci: usize) -> usize {
    let asked = std::env::var(variable).ok().and_then(|n| n.parse().ok());
    let ci = std::env::var("CI").is_ok_and(|it| it == "true");
    asked.unwrap_or(if ci { in_ci } else { in_ci / 10 })
}

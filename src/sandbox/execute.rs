//! Executes one guest once: a fresh store, one instance, one call, all dropped after it.

use std::collections::BTreeMap;

use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store};

use super::bindings::wrun::flow::types as wit;
use super::call::{Profile, Reply, Request};
use super::contract;
use super::engine::{POOL_TABLE_ELEMENTS, Setup};
use super::trap;
use super::world::agent::Agent;
use super::world::files::Files;
use super::world::stop::Stop;
use super::world::{self, Guest, IMPORTS, feedback};
use crate::model::definition::Definition;
use crate::model::failure::{Failure, FailureKind};
use crate::model::header::Limits;
use crate::model::name::CaseName;
use crate::model::record::{Observed, Outcome};

/// The most bytes that may pass between guest and host in one call while a step runs: all that a
/// guest can address, since what is not copied is not worth a limit.
const RUN_FUEL: usize = 4 << 30;
/// The most bytes of a module's description of itself.
pub const DESCRIBE_FUEL: usize = 16 << 20;
/// The longest message or cause that a failure keeps, in bytes.
const MAX_MESSAGE: usize = 64 << 10;
/// The most causes that a failure keeps.
const MAX_CAUSES: usize = 64;

/// Why a module cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum Refusal {
    /// It is not valid WebAssembly, or uses what is switched off.
    #[error("it does not compile: {0}")]
    Invalid(String),
    /// It imports what no step is given.
    #[error("it imports `{0}`")]
    Import(String),
    /// It does not export what a flow exports.
    #[error("{0}")]
    World(String),
    /// It was built for this other version of the contract.
    #[error("it was built for version {0} of `wrun:flow`, and this is {ours}", ours = contract::VERSION)]
    Contract(String),
    /// It failed to describe itself.
    #[error("{0}")]
    Describe(#[serde(with = "super::plain::boxed")] Box<Failure>),
    /// This machine cannot run it.
    #[error("{0}")]
    Machine(String),
}

/// A module that is linked and ready to be instantiated.
pub struct Prepared {
    pre: InstancePre<Guest>,
    describe: ComponentExportIndex,
    run: ComponentExportIndex,
    imports: Vec<String>,
}

impl Prepared {
    /// Links `component`.
    ///
    /// # Errors
    /// When it imports or exports something else than a flow does.
    pub fn new(linker: &Linker<Guest>, component: &Component) -> Result<Self, Refusal> {
        let linked = Self::link(linker, component);
        linked.map_err(|refusal| contract::explained(component, refusal))
    }

    fn link(linker: &Linker<Guest>, component: &Component) -> Result<Self, Refusal> {
        let imports = imports(component)?;
        let export = |name: &str| {
            component.get_export_index(None, name).ok_or_else(|| {
                Refusal::World(format!("it exports no function `{name}`, so it is no flow"))
            })
        };
        let (describe, run) = (export("describe")?, export("run")?);
        let pre = linker
            .instantiate_pre(component)
            .map_err(|error| Refusal::World(format!("{error:#}")))?;
        Ok(Self {
            pre,
            describe,
            run,
            imports,
        })
    }

    fn store(&self, guest: Guest, handles: u32, fuel: usize) -> Store<Guest> {
        let mut store = Store::new(self.pre.engine(), guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_max_component_handles(handles as usize);
        store.set_hostcall_fuel(fuel);
        store
    }

    /// Executes one task. Whatever the guest does, there is a reply.
    ///
    /// Gives the agent back, which has what was printed.
    ///
    /// # Errors
    /// [`PoolFull`] when the module needs more instances than the pool has; nothing was executed.
    pub fn execute(
        &self,
        request: Request,
        agent: Box<dyn Agent>,
    ) -> Result<(Reply, Box<dyn Agent>), PoolFull> {
        let (limits, step) = (request.limits.clone(), request.step.clone());
        let before = cpu_time();
        let guest = Guest::of_task(request, agent);
        let mut store = self.store(guest, limits.handles, RUN_FUEL);
        let called = self.call(&mut store, step.as_str());
        let result = match called {
            Ok(Ok(outcome)) => outcome_of(outcome),
            Ok(Err(failure)) => Err(failure_of(failure)),
            Err(error) if error.is::<PoolConcurrencyLimitError>() => {
                return Err(PoolFull(Box::new(store.into_data())));
            }
            Err(error) => Err(trap::failure(&error, store.data(), &limits)),
        };
        let Guest { files, http, .. } = store.data();
        let result = result.map_err(|failure| {
            let mut failure = about_variables(about_files(failure, files));
            http.explain(&mut failure);
            failure
        });
        let mut guest = store.into_data();
        let finished = guest.printed.finish(guest.agent.as_mut());
        let result = match finished {
            Ok(()) => result,
            Err(error) => Err(*Stop::agent_gone(error).0),
        };
        let observed = guest.observed();
        let written = guest.task.map(|task| task.into_puts()).unwrap_or_default();
        let reply = Reply {
            puts: if result.is_ok() { written } else { Vec::new() },
            result,
            logs: Vec::new(),
            observed,
            cpu_us: cpu_time().saturating_sub(before) / 1_000,
            peak_memory: guest.limiter.peak(),
        };
        Ok((reply, guest.agent))
    }

    fn call(
        &self,
        store: &mut Store<Guest>,
        step: &str,
    ) -> wasmtime::Result<Result<wit::Outcome, wit::Failure>> {
        let instance = self.pre.instantiate(&mut *store)?;
        let run = instance.get_typed_func::<(&str,), (Result<wit::Outcome, wit::Failure>,)>(
            &mut *store,
            self.run,
        )?;
        Ok(run.call(&mut *store, (step,))?.0)
    }

    /// Asks the module what it is.
    ///
    /// # Errors
    /// When its exports have other types than a flow's, or it does not answer.
    pub fn describe(&self, limits: &Limits, agent: Box<dyn Agent>) -> Result<Definition, Refusal> {
        let described = self.ask(limits, agent);
        described.map_err(|refusal| contract::explained(self.pre.component(), refusal))
    }

    fn ask(&self, limits: &Limits, agent: Box<dyn Agent>) -> Result<Definition, Refusal> {
        let guest = Guest::of_description(limits, agent);
        let mut store = self.store(guest, limits.handles, DESCRIBE_FUEL);
        let failed = |error: wasmtime::Error, store: &Store<Guest>| {
            Refusal::Describe(Box::new(trap::failure(&error, store.data(), limits)))
        };
        let instance = match self.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => return Err(failed(error, &store)),
        };
        let mismatch = |name: &str| {
            let name = name.to_owned();
            move |error| Refusal::World(format!("its export `{name}` has another type: {error:#}"))
        };
        instance
            .get_typed_func::<(&str,), (Result<wit::Outcome, wit::Failure>,)>(&mut store, self.run)
            .map_err(mismatch("run"))?;
        let describe = instance
            .get_typed_func::<(), (wit::Definition,)>(&mut store, self.describe)
            .map_err(mismatch("describe"))?;
        match describe.call(&mut store, ()) {
            Ok((definition,)) => Ok(definition.into()),
            Err(error) => Err(failed(error, &store)),
        }
    }
}

/// The pool had no room. What was given is given back.
pub struct PoolFull(Box<Guest>);

impl PoolFull {
    fn back(self) -> (Request, Box<dyn Agent>) {
        let task = self.0.task.expect("only tasks are executed");
        (task.into_request(), self.0.agent)
    }
}

/// The interfaces that a module imports, without their versions, sorted.
fn imports(component: &Component) -> Result<Vec<String>, Refusal> {
    let ty = component.component_type();
    let mut imports = Vec::new();
    for (name, _) in ty.imports(component.engine()) {
        let interface = name.split('@').next().unwrap_or(name);
        if !IMPORTS.contains(&interface) {
            return Err(Refusal::Import(name.to_owned()));
        }
        imports.push(interface.to_owned());
    }
    imports.sort();
    Ok(imports)
}

fn outcome_of(outcome: wit::Outcome) -> Result<Outcome, Failure> {
    Ok(match outcome {
        wit::Outcome::Done => Outcome::Done,
        wit::Outcome::Items(count) => Outcome::Items(count),
        wit::Outcome::Case(name) => Outcome::Case(CaseName::new(&name).map_err(|error| {
            Failure::new(
                FailureKind::Contract,
                format!("the step chose no case: {error}"),
            )
        })?),
    })
}

fn failure_of(failure: wit::Failure) -> Failure {
    let kind = if failure.retryable {
        FailureKind::Error
    } else {
        FailureKind::Fatal
    };
    let mut result = Failure::new(kind, feedback::cut(&failure.message, MAX_MESSAGE));
    let causes = failure.causes.iter().take(MAX_CAUSES);
    result.causes = causes
        .map(|cause| feedback::cut(cause, MAX_MESSAGE).to_owned())
        .collect();
    result
}

/// Advises whoever failed because of files.
fn about_files(mut failure: Failure, files: &Files) -> Failure {
    if failure.hint.is_none() {
        let mut texts = failure.causes.iter().chain([&failure.message]);
        failure.hint = texts.find_map(|text| files.advice(text));
    }
    failure
}

/// Advises whoever failed because a variable is not there.
fn about_variables(mut failure: Failure) -> Failure {
    // What the standard library of Rust says.
    let unset = |text: &String| text.contains("environment variable not found");
    let is_unset = unset(&failure.message) || failure.causes.iter().any(unset);
    if failure.hint.is_none() && is_unset {
        let hint = "steps have the variables that they were granted: `--allow env:NAME` gives them one, `--allow secret:NAME` one that is not recorded";
        failure.hint = Some(hint.to_owned());
    }
    failure
}

/// Processor time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Where compiled code comes from: gives the component for an engine.
///
/// Called once for each set of execution settings that the module is used with.
pub type Source = Box<dyn Fn(&Engine) -> wasmtime::Result<Component>>;

/// One module and what was made of it.
pub struct Code {
    profile: Profile,
    source: Source,
    pool: bool,
    prepared: BTreeMap<Setup, Prepared>,
}

/// Engines and their linkers, made when first needed.
#[derive(Default)]
pub struct Engines {
    made: BTreeMap<Setup, (Engine, Linker<Guest>)>,
}

impl Engines {
    fn get(&mut self, setup: Setup) -> Result<&(Engine, Linker<Guest>), Refusal> {
        use std::collections::btree_map::Entry;
        match self.made.entry(setup) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let machine = |error: wasmtime::Error| Refusal::Machine(format!("{error:#}"));
                let engine = setup.engine().map_err(machine)?;
                let linker = world::linker(&engine).map_err(machine)?;
                Ok(entry.insert((engine, linker)))
            }
        }
    }
}

impl Code {
    /// Loads a module and checks what it imports and exports.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn load(engines: &mut Engines, profile: Profile, source: Source) -> Result<Self, Refusal> {
        let mut code = Self {
            profile,
            source,
            pool: true,
            prepared: BTreeMap::new(),
        };
        code.prepare(engines, &Limits::default())?;
        Ok(code)
    }

    /// The module, ready for tasks with these limits.
    fn prepare(&mut self, engines: &mut Engines, limits: &Limits) -> Result<&Prepared, Refusal> {
        let fits = self.pool && limits.table_elements <= POOL_TABLE_ELEMENTS;
        let mut setup = Setup {
            profile: self.profile,
            stack_kib: limits.stack_kib,
            pooled: fits,
        };
        if fits && !self.prepared.contains_key(&setup) && self.make(engines, setup).is_err() {
            // More memories or larger tables than the pool has, or no address space for a pool.
            self.pool = false;
            setup.pooled = false;
        }
        if !self.prepared.contains_key(&setup) {
            self.make(engines, setup)?;
        }
        Ok(&self.prepared[&setup])
    }

    fn make(&mut self, engines: &mut Engines, setup: Setup) -> Result<(), Refusal> {
        let (engine, linker) = engines.get(setup)?;
        let component =
            (self.source)(engine).map_err(|error| Refusal::Machine(format!("{error:#}")))?;
        let prepared = Prepared::new(linker, &component)?;
        self.prepared.insert(setup, prepared);
        Ok(())
    }

    /// The interfaces that the module imports, without their versions, sorted.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn imports(&mut self, engines: &mut Engines) -> Result<Vec<String>, Refusal> {
        let prepared = self.prepare(engines, &Limits::default())?;
        Ok(prepared.imports.clone())
    }

    /// Executes one task.
    pub fn execute(
        &mut self,
        engines: &mut Engines,
        request: Request,
        agent: Box<dyn Agent>,
    ) -> (Reply, Box<dyn Agent>) {
        let mut request = request;
        let mut agent = agent;
        loop {
            let prepared = match self.prepare(engines, &request.limits) {
                Ok(prepared) => prepared,
                Err(refusal) => return (unable(&refusal), agent),
            };
            match prepared.execute(request, agent) {
                Ok(done) => return done,
                Err(full) if self.pool => {
                    self.pool = false;
                    (request, agent) = full.back();
                }
                Err(full) => {
                    let refusal = Refusal::Machine("there is no room for an instance".into());
                    return (unable(&refusal), full.back().1);
                }
            }
        }
    }

    /// Asks the module what it is, within `limits`.
    ///
    /// # Errors
    /// When it cannot be used, or does not answer.
    pub fn describe(
        &mut self,
        engines: &mut Engines,
        limits: &Limits,
        agent: Box<dyn Agent>,
    ) -> Result<Definition, Refusal> {
        self.prepare(engines, limits)?.describe(limits, agent)
    }
}

fn unable(refusal: &Refusal) -> Reply {
    let message = format!("the cell could not make the module ready: {refusal}");
    Reply {
        result: Err(Failure::new(FailureKind::Infrastructure, message)),
        puts: Vec::new(),
        logs: Vec::new(),
        observed: Observed::NOTHING,
        cpu_us: 0,
        peak_memory: 0,
    }
}

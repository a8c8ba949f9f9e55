//! All that a guest can see and do: one file per capability, closed by default.
//!
//! The interfaces of WASI are implemented here and not taken from `wasmtime-wasi`, for three
//! reasons: its clocks can be replaced but its sleep waits for real time; it needs an asynchronous
//! runtime, which would double the start time of a cell; and every answer that it takes from the
//! system would be a source of difference between two executions. What is left of WASI when
//! nothing is granted is small: see [`clock`], [`random`], [`stdio`], [`surroundings`]; [`files`]
//! and [`http`] are there where they were granted.
//!
//! [`IMPORTS`] is what a module may import. Everything else is refused when it is loaded.

pub mod agent;
pub mod artifacts;
pub mod clock;
pub mod feedback;
pub mod files;
pub mod handles;
pub mod http;
pub mod identity;
pub mod limits;
pub mod printed;
pub mod random;
pub mod stdio;
pub mod stop;
pub mod surroundings;

use wasmtime::Engine;
use wasmtime::component::Linker;

use self::agent::Agent;
use self::artifacts::Task;
use self::clock::{Clock, Pollable};
use self::files::Files;
use self::handles::Handles;
use self::http::Http;
use self::limits::Limiter;
use self::printed::Printed;
use self::random::Chance;
use self::stop::Stop;
use self::surroundings::Environment;
use super::call::{Granted, Request};
use crate::model::header::Limits;
use crate::model::record::Observed;
use crate::model::time::Timestamp;

/// The interfaces that a module may import, without their versions.
pub const IMPORTS: &[&str] = &[
    "wrun:flow/types",
    "wrun:flow/task",
    "wrun:flow/artifacts",
    "wrun:flow/feedback",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/types",
    "wasi:filesystem/preopens",
    "wasi:http/types",
    "wasi:http/outgoing-handler",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
];

/// What the world holds for one instance. Made for one call, and dropped after it.
pub struct Guest {
    /// The running task; none while a module describes itself.
    pub task: Option<Task>,
    /// Whoever answers what this process cannot.
    pub agent: Box<dyn Agent>,
    /// How much memory and how many table elements the instance has.
    pub limiter: Limiter,
    /// Virtual time.
    pub clock: Clock,
    /// What can be waited for.
    pub pollables: Handles<Pollable>,
    /// Seeded randomness.
    pub chance: Chance,
    /// What was printed.
    pub printed: Printed,
    /// The environment.
    pub environment: Environment,
    /// Granted files.
    pub files: Files,
    /// Requests over HTTP.
    pub http: Http,
}

impl Guest {
    /// The world of one task.
    pub fn of_task(request: Request, agent: Box<dyn Agent>) -> Self {
        let limits = request.limits.clone();
        let clock = Clock::starting_at(request.clock);
        let chance = Chance::new(request.entropy);
        let granted = request.granted.clone();
        let mut guest = Self::new(Some(Task::new(request)), &limits, clock, chance, agent);
        guest.files = Files::new(&granted);
        guest.http = Http::new(granted.origins);
        guest.environment = Environment::new(granted.environment, !granted.secrets.is_empty());
        guest
    }

    /// The world in which a module describes itself: no task, and the same for everybody.
    pub fn of_description(limits: &Limits, agent: Box<dyn Agent>) -> Self {
        let clock = Clock::starting_at(Timestamp(0));
        Self::new(None, limits, clock, Chance::new([0; 32]), agent)
    }

    fn new(
        task: Option<Task>,
        limits: &Limits,
        clock: Clock,
        chance: Chance,
        agent: Box<dyn Agent>,
    ) -> Self {
        Self {
            task,
            agent,
            limiter: Limiter::new(limits),
            clock,
            pollables: Handles::default(),
            chance,
            printed: Printed::new(limits),
            environment: Environment::default(),
            files: Files::new(&Granted::default()),
            http: Http::default(),
        }
    }

    /// What the guest asked about itself and its surroundings so far.
    pub fn observed(&self) -> Observed {
        let knows_itself = self.task.as_ref().is_some_and(Task::knows_itself);
        Observed::NOTHING
            .with(Observed::TIME, self.clock.was_read())
            .with(Observed::CHANCE, self.chance.was_used())
            .with(Observed::IDENTITY, knows_itself)
            .with(
                Observed::BRANCHES,
                self.task.as_ref().is_some_and(Task::knows_branches),
            )
    }

    /// The running task, for the function `asked`, which only a task may call.
    pub fn task(&mut self, asked: &str) -> Result<&mut Task, Stop> {
        self.task.as_mut().ok_or_else(|| {
            Stop::contract(format!(
                "`describe` called `{asked}`, which only a running step may"
            ))
            .hint("`describe` must say what the flow is without reading or writing anything")
        })
    }
}

/// Links everything in [`IMPORTS`].
///
/// # Errors
/// When wasmtime does not accept a definition, which a test would have found.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    linker.instance("wrun:flow/types@0.1.0")?;
    identity::link(&mut linker)?;
    artifacts::link(&mut linker)?;
    feedback::link(&mut linker)?;
    stdio::link(&mut linker)?;
    surroundings::link(&mut linker)?;
    clock::link(&mut linker)?;
    random::link(&mut linker)?;
    files::link(&mut linker)?;
    http::link(&mut linker)?;
    Ok(linker)
}

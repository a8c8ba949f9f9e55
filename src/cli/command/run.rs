//! `wrun run`: builds a flow when something changed, and runs it.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tokio::sync::mpsc::UnboundedSender;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::flow::{self, FlowAt, Workshop};
use crate::cli::params::{self, Disk, GivenValue};
use crate::config::{Flags, Seed};
use crate::datastore::{Datastore, DatastoreUrl};
use crate::model::artifact::MediaType;
use crate::model::event::{Event, RunStatus};
use crate::model::graph::FlowGraph;
use crate::model::name::{ArtifactName, Tag};
use crate::report::jsonl::Jsonl;
use crate::report::plain::Plain;
use crate::report::quiet::Quiet;
use crate::report::terminal::{Surroundings, Terminal};
use crate::report::{self, Reporter};
use crate::runtime::clock::SystemClock;
use crate::runtime::drive::Interrupt;
use crate::runtime::prepare::Prepared;
use crate::runtime::start::{self, Given, Machine, Settings};
use crate::sandbox::CompiledModule;
use crate::task::attempt::Clock;

/// Run a flow
///
/// Builds the flow when its sources changed, runs every step, and keeps code, parameters and
/// artifacts in the datastore. Parameters of the flow are given as `--name value`, after PATH;
/// `wrun run PATH --help` lists them. A parameter that is named like an option of `wrun run` is given
/// after `--`.
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    override_usage = "wrun run [OPTIONS] [PATH] [--PARAMETER VALUE]..."
)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    flow: FlowAt,
    /// How many tasks run side by side; as many as there are cores when left out
    #[arg(long, short = 'j', value_name = "N")]
    max_workers: Option<usize>,
    /// Where all chance comes from: a number, or `random` for another one each time
    #[arg(long, value_name = "SEED")]
    seed: Option<String>,
    /// Tag the run; can be given many times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,
    /// Print help, with the parameters of the flow
    #[arg(long, short)]
    help: bool,
    /// The flow's parameters, as `--name value`
    #[arg(last = true, value_name = "PARAMETERS", hide = true)]
    parameters: Vec<OsString>,
}

/// Runs the flow and says how it went.
pub(crate) fn run(cx: &Context, args: &RunArgs) -> Result<u8, CliError> {
    let flags = Flags::default()
        .with("max-workers", args.max_workers)
        .with("seed", args.seed.as_deref());
    if args.help {
        return help(cx, args);
    }
    let workshop = args.flow.workshop(cx, flags)?;
    cx.runtime()?.block_on(execute(cx, args, &workshop))
}

/// Help lists the parameters of the flow when there is one.
fn help(cx: &Context, args: &RunArgs) -> Result<u8, CliError> {
    let mut own = crate::cli::tree();
    own.build();
    let own = own
        .find_subcommand("run")
        .expect("the tree has this command")
        .clone();
    let graph = args.flow.load(cx).and_then(|loaded| Ok(loaded.graph?));
    let error = match graph {
        Ok(graph) => {
            cx.out
                .text(&params::help(&graph, own, cx.out.style.is_colored()))?;
            return Ok(exit::OK);
        }
        Err(error) => error,
    };
    let own = own.clone().render_long_help();
    let own = match cx.out.style.is_colored() {
        true => own.ansi().to_string(),
        false => own.to_string(),
    };
    cx.out.text(&own)?;
    let reason = error.render(&cx.out.talk_style);
    cx.out.say(&format!(
        "\nThe parameters of the flow are not listed:\n{reason}"
    ));
    Ok(exit::OK)
}

async fn execute(cx: &Context, args: &RunArgs, workshop: &Workshop) -> Result<u8, CliError> {
    let prepared = workshop.prepare().await?;
    let parameters = parameters(&prepared.graph, &args.parameters)?;
    let url: DatastoreUrl = workshop.settings.datastore.parse()?;
    let datastore = Datastore::open_or_create(&url).await?;
    let datastore = datastore.with_level(workshop.settings.compression_level);
    let modules = prepared.compiled(&workshop.modules).await?;
    let snapshot = prepared
        .snapshot(&datastore, &workshop.settings.datastore)
        .await?;
    let settings = settings(workshop, parameters, &args.tags);
    let code = (snapshot, modules);
    drive(cx, &datastore, prepared, code, settings).await
}

async fn drive(
    cx: &Context,
    datastore: &Datastore,
    prepared: Prepared,
    code: (crate::model::digest::Digest, Vec<CompiledModule>),
    settings: Settings,
) -> Result<u8, CliError> {
    let (listener, events) = std::sync::mpsc::channel();
    let (ask, interrupts) = tokio::sync::mpsc::unbounded_channel();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let machine = Machine {
        clock,
        launcher: flow::launcher()?,
        listener,
        interrupts,
    };
    let started = start::create(datastore, &prepared, code, settings, &machine).await?;
    let reporter = show(cx, prepared.graph.clone(), events);
    let signals = tokio::spawn(listen(ask));
    let status = started.drive(machine).await;
    signals.abort();
    // A reporter that panicked has said so; the run is as it is.
    let _ = reporter.join();
    Ok(match status? {
        RunStatus::Succeeded => exit::OK,
        RunStatus::Failed => exit::RUN_FAILED,
        RunStatus::Cancelled => exit::CANCELLED,
    })
}

/// Shows the events on a thread of their own, so that a slow terminal slows no task.
fn show(
    cx: &Context,
    graph: Arc<FlowGraph>,
    events: Receiver<Vec<Event>>,
) -> std::thread::JoinHandle<()> {
    let out = &cx.out;
    let mut reporter: Box<dyn Reporter> = if out.json {
        Box::new(Jsonl::new(std::io::BufWriter::new(std::io::stdout())))
    } else if out.is_quiet() {
        Box::new(Quiet::new(graph, out.talk_style, std::io::stderr()))
    } else if out.can_draw {
        let sized = out.clone();
        let around = Surroundings {
            out: Box::new(std::io::stderr()),
            clock: Box::new(|| SystemClock.now()),
            size: Box::new(move || sized.talk_size()),
        };
        Box::new(Terminal::new(graph, out.talk_style, around))
    } else {
        Box::new(Plain::new(graph, out.talk_style, std::io::stderr()))
    };
    std::thread::spawn(move || report::follow(&events, &mut *reporter))
}

/// Passes on that somebody wants the run to stop: gently at first, at once when asked again.
async fn listen(ask: UnboundedSender<Interrupt>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    let mut next = Interrupt::Stop;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if ask.send(next).is_err() {
            return;
        }
        next = Interrupt::Kill;
    }
}

/// Every parameter that has a value: those that were given, and the defaults of the others.
fn parameters(graph: &FlowGraph, raw: &[OsString]) -> Result<Vec<(ArtifactName, Given)>, CliError> {
    let mut values: Vec<(ArtifactName, Given)> = params::parse(graph, raw, &Disk)?
        .into_iter()
        .map(|given| {
            let value = match given.value {
                GivenValue::Cbor(bytes) => Given::Value(MediaType::cbor(), bytes.into()),
                GivenValue::Text(text) => Given::Value(MediaType::new("text/plain"), text.into()),
                GivenValue::File(path) => Given::File(path, MediaType::new(MediaType::BYTES)),
            };
            (given.name, value)
        })
        .collect();
    for param in graph.parameters() {
        let given = values.iter().any(|(name, _)| *name == param.name);
        if let (false, Some(default)) = (given, &param.default) {
            values.push((
                param.name.clone(),
                Given::Value(MediaType::cbor(), default.clone()),
            ));
        }
    }
    Ok(values)
}

fn settings(workshop: &Workshop, parameters: Vec<(ArtifactName, Given)>, tags: &[Tag]) -> Settings {
    let seed = match workshop.settings.seed {
        Seed::Fixed(seed) => seed,
        Seed::Random => random_seed(),
    };
    Settings {
        parameters,
        seed,
        limits: workshop.settings.limits.clone(),
        steps: workshop.settings.steps.clone(),
        tags: tags.to_vec(),
        user: user(),
        workers: workshop.settings.max_workers,
    }
}

/// Chance from the system, in a number short enough to be typed again.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // The standard library keys every `RandomState` from the system's random numbers.
    RandomState::new().hash_one("seed of a run") >> 24
}

/// The name of whoever starts the run; a number where the environment gives no name.
fn user() -> String {
    let named = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let named = named.filter(|name| !name.is_empty());
    named.unwrap_or_else(|| match rustix::process::getuid().as_raw() {
        0 => "root".to_owned(),
        number => format!("user {number}"),
    })
}

//! `wrun run`: builds a flow when something changed, and runs it.

use std::ffi::OsString;

use crate::cli::context::Context;
use crate::cli::drive::Stage;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::flow::{FlowAt, Workshop};
use crate::cli::grants::{self, Allow};
use crate::cli::params::{self, Disk, GivenParam, GivenValue};
use crate::cli::store;
use crate::config::{Flags, Seed};
use crate::datastore::{Datastore, DatastoreUrl};
use crate::model::artifact::MediaType;
use crate::model::grant::Grants;
use crate::model::graph::FlowGraph;
use crate::model::header::ExecutorKind;
use crate::model::name::{ArtifactName, Tag};
use crate::runtime::elsewhere;
use crate::runtime::start::{self, Given, Settings};

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
    /// Where attempts are made: `local` or `batch`
    ///
    /// Steps of which `wrun.toml` says `executor` are executed there.
    #[arg(long = "with", value_name = "EXECUTOR")]
    executor: Option<ExecutorKind>,
    /// How many tasks run side by side; as many as there are cores when left out
    #[arg(long, short = 'j', value_name = "N")]
    max_workers: Option<usize>,
    /// Where all chance comes from: a number, or `random` for another one each time
    #[arg(long, value_name = "SEED")]
    seed: Option<String>,
    /// Tag the run; can be given many times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,
    #[command(flatten)]
    allow: Allow,
    /// Take results of earlier runs where nothing that they depend on has changed
    #[arg(long)]
    cache: bool,
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
        .with("executor", args.executor)
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
    let grants = args.allow.with(&workshop.settings, cx).await?;
    let url: DatastoreUrl = workshop.settings.datastore.parse()?;
    let access = store::access(&workshop.settings);
    let datastore = Datastore::open_or_create_with(&url, &access).await?;
    let datastore = datastore.with_level(workshop.settings.compression_level);
    let program = workshop.program(&datastore, &prepared).await?;
    let imports = program.compiled.first().map_or(&[][..], |it| it.imports());
    grants::check_http(imports, &grants)?;
    let mut settings = settings(workshop, parameters, grants);
    settings.tags = args.tags.clone();
    settings.cache = args.cache;
    let executor = workshop.settings.executor;
    elsewhere::assign(&prepared.graph, &mut settings.steps, executor);
    let stage = Stage::new(&workshop.settings, cx)?;
    let started = start::create(&datastore, program, settings, &stage.machine).await?;
    stage.drive(cx, started).await
}

/// Every parameter that has a value: those that were given, and the defaults of the others.
fn parameters(graph: &FlowGraph, raw: &[OsString]) -> Result<Vec<(ArtifactName, Given)>, CliError> {
    let mut values = given(params::parse(graph, raw, &Disk)?);
    for param in graph.parameters() {
        let given = values.iter().any(|(name, _)| *name == param.name);
        if let (false, Some(default)) = (given, &param.default) {
            values.push((param.name.clone(), Given::Cbor(default.clone())));
        }
    }
    Ok(values)
}

/// Parameters as the runtime takes them.
pub(super) fn given(parsed: Vec<GivenParam>) -> Vec<(ArtifactName, Given)> {
    let value = |value| match value {
        GivenValue::Cbor(bytes) => Given::Cbor(bytes.into()),
        GivenValue::Text(text) => Given::Text(text.into()),
        GivenValue::Files(files) => Given::Files(files),
        GivenValue::File(path) => Given::File(path, MediaType::new(MediaType::BYTES)),
    };
    let given = parsed.into_iter();
    given.map(|it| (it.name, value(it.value))).collect()
}

fn settings(
    workshop: &Workshop,
    parameters: Vec<(ArtifactName, Given)>,
    grants: Grants,
) -> Settings {
    let seed = match workshop.settings.seed {
        Seed::Fixed(seed) => seed,
        Seed::Random => random_seed(),
    };
    Settings {
        parameters,
        seed,
        limits: workshop.settings.limits.clone(),
        steps: workshop.settings.steps.clone(),
        grants,
        tags: Vec::new(),
        user: user(),
        workers: workshop.settings.max_workers,
        clock: None,
        cache: false,
        origin: None,
    }
}

/// Chance from the system, in a number short enough to be typed again.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // The standard library keys every `RandomState` from the system's random numbers.
    RandomState::new().hash_one("seed of a run") >> 24
}

/// The name of whoever starts the run; a number where the environment gives no name.
pub(super) fn user() -> String {
    let named = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let named = named.filter(|name| !name.is_empty());
    named.unwrap_or_else(|| match rustix::process::getuid().as_raw() {
        0 => "root".to_owned(),
        number => format!("user {number}"),
    })
}

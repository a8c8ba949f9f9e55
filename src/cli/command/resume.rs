//! `wrun resume`.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::drive::Stage;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::flow::{self, FlowAt};
use crate::cli::grants::{self, Allow};
use crate::cli::params::{self, Disk};
use crate::cli::select;
use crate::cli::store::{RunState, Store};
use crate::config::{Flags, Settings as Config};
use crate::datastore::Run;
use crate::model::grant::Grants;
use crate::model::graph::FlowGraph;
use crate::model::header::ExecutorKind;
use crate::model::name::{ArtifactName, StepName, Tag};
use crate::model::pathspec::RunSelector;
use crate::report::human;
use crate::runtime::elsewhere;
use crate::runtime::past::Program;
use crate::runtime::resume;
use crate::runtime::reuse::{Rules, Taken};
use crate::runtime::start::{Given, Settings};

/// Which code executes what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum CodeChoice {
    /// Today's: the flow is built when its sources changed
    #[default]
    Today,
    /// That of the run, from its snapshot
    Original,
}

/// Continue a run in a new one
///
/// What succeeded is taken over in milliseconds; what did not, and what reads something else than
/// before, is executed with today's code. Parameters are those of the run; one that is given anew,
/// as `--name value`, makes those tasks run again that depend on it.
#[derive(Debug, clap::Args)]
#[command(override_usage = "wrun resume [OPTIONS] [RUN] [--PARAMETER VALUE]...")]
pub(crate) struct ResumeArgs {
    /// Which run
    #[arg(value_name = "RUN", default_value = "latest", add = complete::runs())]
    run: RunSelector,
    /// The flow's directory, where it is not the one that you are in
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    path: Option<PathBuf>,
    /// Use this module instead of building one
    #[arg(long, value_name = "FILE.wasm", value_hint = clap::ValueHint::FilePath, conflicts_with = "path")]
    module: Option<PathBuf>,
    /// Which code executes what is left
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    code: CodeChoice,
    /// Execute this step and those behind it again, whatever became of them
    #[arg(long, value_name = "STEP")]
    from: Option<StepName>,
    /// Execute again what was made by other code than today's
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    allow: Allow,
    /// Where attempts are made: `local` or `batch`
    #[arg(long = "with", value_name = "EXECUTOR")]
    executor: Option<ExecutorKind>,
    /// How many tasks run side by side; as many as there are cores when left out
    #[arg(long, short = 'j', value_name = "N")]
    max_workers: Option<usize>,
    /// Tag the run, besides the tags of the run that it continues; can be given many times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,
    /// Parameters to change, as `--name value`
    #[arg(last = true, value_name = "PARAMETERS", hide = true)]
    parameters: Vec<OsString>,
}

impl ResumeArgs {
    /// Whether something is asked for that a finished run does not have.
    fn asks_for_more(&self) -> bool {
        self.from.is_some() || self.strict || !self.parameters.is_empty()
    }

    fn rules(&self) -> Rules {
        Rules {
            from: self.from.clone(),
            strict: self.strict,
        }
    }
}

/// Continues the run and says what was taken over.
pub(crate) fn run(cx: &Context, args: &ResumeArgs) -> Result<u8, CliError> {
    let flags = Flags::default()
        .with("max-workers", args.max_workers)
        .with("executor", args.executor);
    let at = FlowAt {
        path: args.path.clone(),
        module: args.module.clone(),
    };
    let workshop = at.workshop(cx, flags)?;
    let store = cx.store_of(&workshop.settings)?;
    let origin = store.run(&select::run(&store, &args.run)?)?;
    if is_done(cx, &store, &origin)? && !args.asks_for_more() {
        cx.out.say(&format!(
            "run {} has succeeded: there is nothing to resume (`--from STEP` executes a step again)",
            origin.id()
        ));
        return Ok(exit::OK);
    }
    let tags = store.tags(origin.id())?;
    let grants = cx
        .runtime()?
        .block_on(args.allow.with(&workshop.settings, cx))?;
    tell_missing(cx, &origin, &grants);
    let (datastore, runtime) = store.parts();
    runtime.block_on(async {
        let datastore = datastore
            .clone()
            .with_level(workshop.settings.compression_level);
        let program = match args.code {
            CodeChoice::Original => {
                let modules = flow::modules(&workshop.settings)?;
                Program::of(&datastore, &modules, origin.header()).await?
            }
            CodeChoice::Today => {
                let prepared = workshop.prepare().await?;
                check_flow(&origin, &prepared.graph)?;
                workshop.program(&datastore, &prepared).await?
            }
        };
        let imports = program.compiled.first().map_or(&[][..], |it| it.imports());
        grants::check_http_again(imports, origin.id(), &origin.header().grants, &grants)?;
        let anew = params::parse_some(&program.graph, &args.parameters, &Disk)?;
        let parameters = resume::parameters(&origin, &program.graph, super::run::given(anew));
        params_complete(&program.graph, &parameters)?;
        let mut settings = settings(&workshop.settings, &origin, parameters);
        settings.grants = grants;
        let executor = workshop.settings.executor;
        elsewhere::assign(&program.graph, &mut settings.steps, executor);
        settings.tags = tags.iter().chain(&args.tags).cloned().collect();
        let stage = Stage::new(&workshop.settings, cx)?;
        let machine = &stage.machine;
        let resumed = resume::resume(
            &datastore,
            &origin,
            program,
            settings,
            args.rules(),
            machine,
        );
        let (started, taken) = resumed.await?;
        let code = stage.drive(cx, started).await?;
        let taken = taken
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        cx.out.say(told(&taken, &origin).trim_end());
        Ok(code)
    })
}

fn is_done(cx: &Context, store: &Store, origin: &Run) -> Result<bool, CliError> {
    let facts = store.facts(origin.id(), cx.now())?;
    Ok(facts.state == RunState::Succeeded)
}

/// Says what the run was granted and its continuation is not: grants are those of today, because
/// nobody but who starts a run opens the machine to it.
fn tell_missing(cx: &Context, origin: &Run, now: &Grants) {
    for line in grants::missing(&origin.header().grants, now) {
        let run = origin.id();
        cx.out.say(&format!(
            "{run} was granted `{line}`, this run is not (`--allow` grants it again)"
        ));
    }
}

/// Refuses to continue a run of another flow.
fn check_flow(origin: &Run, graph: &FlowGraph) -> Result<(), CliError> {
    let (run, flow) = (origin.id(), graph.name());
    if run.flow == *flow {
        return Ok(());
    }
    Err(
        CliError::usage(format!("`{run}` is no run of flow `{flow}`"))
            .hint(format!(
                "go to the directory of `{}`, or name it with `--path DIR`",
                run.flow
            ))
            .hint("`--code original` executes the code that the run was made with"),
    )
}

/// Refuses when today's flow wants a parameter that neither the run nor the command line gives.
fn params_complete(graph: &FlowGraph, given: &[(ArtifactName, Given)]) -> Result<(), CliError> {
    let missing = graph
        .parameters()
        .iter()
        .find(|param| !given.iter().any(|(name, _)| *name == param.name));
    match missing {
        None => Ok(()),
        Some(param) => Err(
            CliError::usage(format!("parameter `{}` is missing", param.name))
                .cause("the flow of today has it, the run that is continued has not")
                .hint(format!("give it: `--{} VALUE`", param.name)),
        ),
    }
}

fn settings(config: &Config, origin: &Run, parameters: Vec<(ArtifactName, Given)>) -> Settings {
    Settings {
        parameters,
        seed: origin.header().seed,
        limits: config.limits.clone(),
        steps: config.steps.clone(),
        grants: Grants::default(),
        tags: Vec::new(),
        user: super::run::user(),
        workers: config.max_workers,
        clock: None,
        cache: false,
        origin: None,
    }
}

/// What was taken over and why the rest was not, in lines.
fn told(taken: &Taken, origin: &Run) -> String {
    let run = origin.id();
    let mut text = match taken.reused {
        0 => format!("nothing was taken over from {run}\n"),
        reused => format!("took over {} from {run}\n", human::count(reused, "task")),
    };
    if taken.other_code > 0 {
        text += &format!(
            "  {} made by other code than today's; `--strict` executes what other code made\n",
            match taken.other_code {
                all if all == taken.reused => "all of it was".to_owned(),
                some => format!("{some} of them were"),
            }
        );
    }
    for (why, (count, first)) in &taken.again {
        let tasks = match count {
            1 => format!("{first}"),
            many => format!("{first} and {} more", many - 1),
        };
        text += &format!("  executed {tasks}: {}\n", why.words());
    }
    for (step, count) in &taken.gone {
        let tasks = human::count(*count, "task");
        text += &format!("  left {tasks} of `{step}` behind: the flow has no such step any more\n");
    }
    text
}

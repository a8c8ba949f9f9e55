//! `wrun replay`.

use std::sync::Arc;

use serde_json::json;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::counting::Counting;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::flow;
use crate::cli::select;
use crate::config::Flags;
use crate::model::id::RunId;
use crate::model::pathspec::{PathSpec, Within};
use crate::report::history::History;
use crate::report::{human, json as shape};
use crate::runtime::clock::SystemClock;
use crate::runtime::replay::{self, Found, Machine, Report, Scope};
use crate::sandbox::call::Backend;

/// The most differences that are shown without `--all`.
const SHOWN: usize = 1;

/// Execute a run again and compare every byte
///
/// Executes the recorded code on the recorded inputs, all tasks side by side, and compares what
/// comes out with what was kept. Needs the datastore and nothing else: no sources, no toolchain, no
/// network. Writes nothing. Exits with 9 when something differs.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// What: a run, a step of it, or a task
    #[arg(
        value_name = "RUN[/STEP[/TASK]]",
        default_value = "latest",
        value_parser = PathSpec::typed,
        add = complete::tasks()
    )]
    target: PathSpec,
    /// How many tasks run side by side; as many as there are cores when left out
    #[arg(long, short = 'j', value_name = "N")]
    max_workers: Option<usize>,
    /// Execute by another engine than runs do, to prove that no result depends on it
    #[arg(long, value_enum, default_value_t = Engine::Native)]
    engine: Engine,
    /// Show every difference, not only the first
    #[arg(long)]
    all: bool,
}

/// What executes modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Engine {
    /// Optimised code of this processor, as in runs
    Native,
    /// Code that is not optimised, for processors of a generation before
    Plain,
    /// An interpreter, the same on every processor; takes many times as long
    Pulley,
}

impl Engine {
    fn backend(self) -> Backend {
        match self {
            Self::Native => Backend::Native,
            Self::Plain => Backend::Plain,
            Self::Pulley => Backend::Pulley,
        }
    }
}

/// Replays the run and says what came out.
pub(crate) fn run(cx: &Context, args: &ReplayArgs) -> Result<u8, CliError> {
    let settings = cx.settings_with(Flags::default().with("max-workers", args.max_workers))?;
    let store = cx.store_of(&settings)?;
    let id = select::run(&store, &args.target.run())?;
    let run = store.run(&id)?;
    let scope = match args.target.within() {
        Within::Run => Scope::default(),
        within => {
            let (events, _) = store.events_from(&id, 0)?;
            select_scope(&id, &History::of(&events), &within, args)?
        }
    };
    let whole = scope.step.is_none();
    let modules = flow::modules(&settings)?.executed_by(args.engine.backend());
    let counting = Counting::new(cx, "replayed", "attempt");
    let machine = Machine {
        modules: &modules,
        launcher: flow::launcher(&settings)?,
        clock: Arc::new(SystemClock),
        workers: settings.max_workers,
        compared: counting.counter(),
        at_hand: cx.at_hand.clone(),
    };
    let (datastore, runtime) = store.parts();
    let report = runtime.block_on(replay::replay(datastore, &run, &scope, &machine));
    drop(counting);
    let report = report?;
    if cx.out.json {
        cx.out.json(&to_json(&id, &report))?;
    } else {
        cx.out.text(&text(cx, &id, &report, (whole, args.all)))?;
    }
    // Of a run that is going on, what there is was proven. One that nobody drives should have an end:
    // it was interrupted, or somebody has taken its end away, and nothing tells which.
    let is_cut = whole && report.ended.is_none() && !store.is_held(&id, cx.now())?;
    Ok(match report.different {
        0 if !is_cut => exit::OK,
        _ => exit::DIFFERENT,
    })
}

fn select_scope(
    run: &RunId,
    history: &History,
    within: &Within,
    args: &ReplayArgs,
) -> Result<Scope, CliError> {
    match within {
        Within::Run => Ok(Scope::default()),
        Within::Step(step) => {
            select::check_step(run, history, step)?;
            Ok(Scope {
                step: Some(step.clone()),
                place: None,
            })
        }
        Within::Task(step, place) => {
            let task = select::task(run, history, step, Some(place))?;
            Ok(Scope {
                step: Some(task.step),
                place: Some(task.place),
            })
        }
        Within::StepArtifact(..) | Within::Artifact(..) => {
            Err(CliError::usage("an artifact is replayed with its task")
                .hint(format!("leave the last part of `{}` out", args.target)))
        }
    }
}

fn text(cx: &Context, run: &RunId, report: &Report, (whole, all): (bool, bool)) -> String {
    let style = &cx.out.style;
    let compared = format!(
        "{}, {}",
        human::count(report.tasks, "task"),
        human::count(report.artifacts, "artifact")
    );
    let mut text = match report.different {
        0 => format!("{}: {compared}\n", style.succeeded("identical")),
        _ => {
            let many = human::count(report.different, "difference");
            format!("{}: {many} in {compared}\n", style.failed("different"))
        }
    };
    let shown = if all { usize::MAX } else { SHOWN };
    for found in report.differences.iter().take(shown) {
        text += &difference(cx, run, found);
    }
    let more = report.different.saturating_sub(shown as u64);
    if more > 0 && !all {
        text += &format!(
            "  {more} more: {}\n",
            style.hint(format!("wrun replay {run} --all"))
        );
    }
    if report.other_engine > 0 {
        let many = human::count(report.other_engine, "attempt");
        text += &format!("  {many} first executed by another engine, compared all the same\n");
    }
    if whole && report.ended.is_none() {
        text += &format!(
            "  the journal of {run} has no end: it was interrupted or cut, and nothing is proven of what came after; {} goes on\n",
            style.hint(format!("wrun attach {run}"))
        );
    }
    for (task, attempt, why) in &report.left_out {
        let which = attempt + 1;
        text += &format!("  {task}, attempt {which}, proves nothing: it ended by {why}\n");
    }
    text
}

fn difference(cx: &Context, run: &RunId, found: &Found) -> String {
    let style = &cx.out.style;
    let name = style.name(format!("{run}/{}", found.task));
    let attempt = match found.attempt {
        0 => String::new(),
        more => format!(", attempt {}", more + 1),
    };
    let line = |text: &str| crate::report::clean::line(text).into_owned();
    let difference = &found.difference;
    let mut text = format!("  {name}{attempt}: {}\n", line(&difference.what));
    text += &format!("    recorded  {}\n", line(&difference.before));
    text += &format!("    replayed  {}\n", line(&difference.now));
    if let Some((before, now)) = &found.engines {
        text += &format!("    by engine {} and now {}\n", before.short(), now.short());
    }
    text
}

/// A replay: `run`, `identical`, `tasks`, `attempts`, `artifacts`, `ended` (how the run ended; null
/// when its journal has no end, or a part of it was replayed), `other_engine`, `different`,
/// `differences` (`task`, `attempt`, `what`, `recorded`, `replayed`, and `engines` where they
/// differ), `left_out` (`task`, `attempt`, `why`).
fn to_json(run: &RunId, report: &Report) -> serde_json::Value {
    let difference = |found: &Found| {
        let mut it = json!({
            "task": found.task,
            "attempt": found.attempt,
            "what": found.difference.what,
            "recorded": found.difference.before,
            "replayed": found.difference.now,
        });
        if let Some((before, now)) = &found.engines {
            it["engines"] = json!([before, now]);
        }
        it
    };
    let ended = report.ended;
    let left_out = report
        .left_out
        .iter()
        .map(|(task, attempt, why)| json!({"task": task, "attempt": attempt, "why": why}));
    shape::object([
        ("run", json!(run)),
        ("identical", (report.different == 0).into()),
        ("tasks", report.tasks.into()),
        ("attempts", report.attempts.into()),
        ("artifacts", report.artifacts.into()),
        ("ended", json!(ended)),
        ("other_engine", report.other_engine.into()),
        ("different", report.different.into()),
        (
            "differences",
            report.differences.iter().map(difference).collect(),
        ),
        ("left_out", left_out.collect()),
    ])
    .into()
}

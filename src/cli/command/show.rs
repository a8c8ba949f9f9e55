//! `wrun show`.

mod run;
mod task;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::select;
use crate::cli::store::Store;
use crate::model::event::Event;
use crate::model::id::RunId;
use crate::model::pathspec::{PathSpec, Within};
use crate::report::history::History;

/// Show what a run, a step or a task did
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// What: `flow/run`, `flow/run/step` or `flow/run/step/task`
    #[arg(
        value_name = "RUN[/STEP[/TASK]]",
        default_value = "latest",
        value_parser = PathSpec::typed,
        add = complete::tasks()
    )]
    target: PathSpec,
    /// List all tasks of a step, not only the first fifty and those that failed
    #[arg(long)]
    all: bool,
}

/// A run with all that its journal says.
struct Seen<'a> {
    store: &'a Store,
    run: RunId,
    events: Vec<Event>,
    history: History,
}

/// Shows a run, a step or a task.
pub(crate) fn run(cx: &Context, args: &ShowArgs) -> Result<u8, CliError> {
    let store = cx.store()?;
    let run = select::run(&store, &args.target.run())?;
    let (events, _) = store.events_from(&run, 0)?;
    let history = History::of(&events);
    let seen = Seen {
        store: &store,
        run,
        events,
        history,
    };
    match args.target.within() {
        Within::Run => run::show(cx, &seen)?,
        Within::Step(step) => run::show_step(cx, &seen, &step, args.all)?,
        Within::Task(step, place) => {
            let task = select::task(&seen.run, &seen.history, &step, Some(&place))?;
            task::show(cx, &seen, &task)?;
        }
        Within::StepArtifact(..) | Within::Artifact(..) => {
            return Err(CliError::usage("an artifact is shown by `wrun get`")
                .hint(format!("`wrun get {}`", args.target)));
        }
    }
    Ok(exit::OK)
}

//! `wrun batch`: the jobs that runs have in AWS Batch, and the image of their containers.

mod image;

use std::collections::BTreeSet;

use serde_json::json;

use super::logs::{self, Wanted};
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::{select, suggest};
use crate::config::Settings;
use crate::datastore::Run;
use crate::executor::batch::check::CheckError;
use crate::executor::batch::client::Client;
use crate::executor::batch::list::{self, Listed, Queues};
use crate::model::id::{RunId, TaskId};
use crate::model::pathspec::RunSelector;
use crate::report::table::{Align, Cell, Table};
use crate::report::{human, json};
use crate::runtime::heard;

/// Build the image for AWS Batch, look at the jobs that runs have there, and end them
#[derive(Debug, clap::Args)]
pub(crate) struct BatchArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Image(image::ImageArgs),
    /// List jobs, newest first
    ///
    /// Those that wait or run, of all runs whose jobs are in the queue.
    List {
        /// Only jobs of this run
        #[arg(value_name = "RUN", add = complete::runs())]
        run: Option<RunSelector>,
        /// Also those that have ended, as long as Batch remembers them
        #[arg(long)]
        all: bool,
    },
    /// End all jobs of a run
    ///
    /// A driver of the run that is still there cancels it; without one, `wrun attach` goes on with
    /// what was not executed.
    Kill {
        /// Which run
        #[arg(value_name = "RUN", add = complete::runs())]
        run: RunSelector,
    },
    /// Show what tasks have printed in their containers
    ///
    /// As the workers have left it in the datastore, whether or not a driver hears them.
    Logs {
        #[command(flatten)]
        wanted: Wanted,
    },
}

/// Does what the verb says.
pub(crate) fn run(cx: &Context, args: &BatchArgs) -> Result<u8, CliError> {
    match &args.verb {
        Verb::Image(args) => image::run(cx, args),
        Verb::List { run, all } => show_list(cx, run.as_ref(), *all),
        Verb::Kill { run } => kill(cx, run),
        Verb::Logs { wanted } => show_logs(cx, wanted),
    }
}

/// The run that is meant; one that is named in full need not be in the datastore.
fn meant(cx: &Context, selector: &RunSelector) -> Result<RunId, CliError> {
    select::run(&cx.store()?, selector)
}

/// The jobs in the queue of the settings; those of a run also where they were submitted to before the
/// settings were changed. Where they are in another region, that is said.
async fn listed(
    cx: &Context,
    client: &Client,
    settings: &Settings,
    run: (Option<&RunId>, Option<&Run>),
) -> Result<Vec<Listed>, CliError> {
    let sent = match run.1 {
        Some(run) => list::queues(client, run).await?,
        None => Queues::default(),
    };
    let mut queues = sent.here.clone();
    // One that somebody names by its ARN is the same one, and its jobs are not to be listed twice.
    let is_known = |queue: &String| sent.here.iter().any(|known| short(known) == short(queue));
    let queue = settings.batch.queue.clone();
    queues.extend(queue.filter(|queue| !is_known(queue)));
    if queues.is_empty() && sent.elsewhere.is_empty() {
        return Err(CheckError::NotSet { key: "batch.queue" }.into());
    }
    let mut jobs = Vec::new();
    for queue in queues {
        match list::jobs(client, &queue, run.0).await {
            Ok(Some(found)) => jobs.extend(found),
            // A queue that was deleted has taken its jobs along.
            Ok(None) if sent != Queues::default() => {}
            Ok(None) => return Err(CheckError::NoQueue { queue }.into()),
            Err(source) => return Err(CheckError::Request { queue, source }.into()),
        }
    }
    for sent in &sent.elsewhere {
        let region = sent.region.as_deref().unwrap_or_default();
        let there = format!(
            "jobs of the run were submitted to the queue `{}` of the region `{region}`, where this does not look",
            sent.queue
        );
        let hint = format!("`AWS_REGION={region}` in front of the command looks there");
        match jobs.is_empty() {
            true => return Err(CliError::usage(there).hint(hint)),
            false => cx.out.warn(&format!("{there}: {hint}")),
        }
    }
    match (run, jobs.is_empty()) {
        // Says that there is no such run, and which there are.
        ((Some(run), None), true) => cx.store()?.run(run).map(|_| jobs),
        _ => Ok(jobs),
    }
}

/// The name of a queue, which may be named by its ARN.
fn short(queue: &str) -> &str {
    queue.rsplit('/').next().unwrap_or(queue)
}

/// The run in the datastore; none when there is nothing of it.
fn known(cx: &Context, run: Option<&RunId>) -> Option<Run> {
    cx.store().ok()?.run(run?).ok()
}

fn show_list(cx: &Context, run: Option<&RunSelector>, all: bool) -> Result<u8, CliError> {
    let settings = cx.settings()?;
    let run = run.map(|run| meant(cx, run)).transpose()?;
    let known = known(cx, run.as_ref());
    let jobs = cx.runtime()?.block_on(async {
        let client = Client::new(settings.batch.requests_per_second).await;
        listed(cx, &client, &settings, (run.as_ref(), known.as_ref())).await
    })?;
    let jobs: Vec<_> = jobs.iter().filter(|it| all || !it.has_ended()).collect();
    if cx.out.json {
        for job in &jobs {
            cx.out.json(&to_json(job))?;
        }
    } else if jobs.is_empty() {
        cx.out.say("no jobs");
    } else {
        cx.out.text(&table(cx, &jobs))?;
    }
    Ok(exit::OK)
}

fn table(cx: &Context, jobs: &[&Listed]) -> String {
    let mut table = Table::new(&[
        ("run", Align::Left),
        ("status", Align::Left),
        ("attempts", Align::Right),
        ("submitted (UTC)", Align::Left),
        ("job", Align::Left),
    ]);
    let style = &cx.out.style;
    for job in jobs {
        let run = job.run.to_string();
        table.row([
            Cell::painted(&run, style.name(&run)),
            job.status.to_lowercase().into(),
            job.attempts.to_string().into(),
            human::time(job.created_at).into(),
            job.id.clone().into(),
        ]);
    }
    table.render(style, 0)
}

/// A job: `run`, `job`, `id`, `status`, `attempts`, `created_at`.
fn to_json(job: &Listed) -> serde_json::Value {
    json::object([
        ("run", json!(job.run)),
        ("job", job.job.as_str().into()),
        ("id", job.id.as_str().into()),
        ("status", job.status.to_lowercase().into()),
        ("attempts", job.attempts.into()),
        ("created_at", json!(job.created_at)),
    ])
    .into()
}

fn kill(cx: &Context, run: &RunSelector) -> Result<u8, CliError> {
    let settings = cx.settings()?;
    let run = meant(cx, run)?;
    let known = known(cx, Some(&run));
    let ended = cx.runtime()?.block_on(async {
        let client = Client::new(settings.batch.requests_per_second).await;
        let mut jobs = listed(cx, &client, &settings, (Some(&run), known.as_ref())).await?;
        jobs.retain(|job| !job.has_ended());
        for job in &jobs {
            list::end(&client, job).await.map_err(|trouble| {
                let message = format!("job `{}` could not be ended", job.id);
                CliError::new(Kind::Unavailable, message)
                    .caused_by(&trouble)
                    .hint(trouble.hint())
            })?;
        }
        Ok::<_, CliError>(jobs.len())
    })?;
    cx.out.say(&match ended {
        0 => format!("{run} has no jobs that wait or run"),
        ended => format!("ended {} of {run}", human::count(ended as u64, "job")),
    });
    Ok(exit::OK)
}

/// Refuses to say of tasks that were never in Batch that they have printed nothing there.
fn must_have(run: &Run, tasks: &BTreeSet<TaskId>, wanted: &Wanted) -> Result<(), CliError> {
    if tasks.iter().any(|task| wanted.names(task)) {
        return Ok(());
    }
    let run = run.id();
    let steps: BTreeSet<&str> = tasks.iter().map(|task| task.step.as_str()).collect();
    let error = match tasks.is_empty() {
        true => CliError::new(Kind::NotFound, format!("run `{run}` had no jobs in Batch")),
        false => {
            let what = format!("run `{run}` had no job for `{}` in Batch", wanted.target);
            let steps = suggest::list(steps);
            CliError::new(Kind::NotFound, what).cause(format!("it had some for {steps}"))
        }
    };
    Err(error.hint(format!(
        "`wrun logs {run}` shows what all tasks have printed"
    )))
}

fn show_logs(cx: &Context, wanted: &Wanted) -> Result<u8, CliError> {
    wanted.check()?;
    let store = cx.store()?;
    let run = select::run(&store, &wanted.target.run())?;
    let run = store.run(&run)?;
    let (_, runtime) = store.parts();
    let events = runtime.block_on(heard::heard(&run))?;
    if !logs::print(cx, wanted, &store, &events)? {
        must_have(&run, &runtime.block_on(heard::tasks(&run))?, wanted)?;
        cx.out.say("nothing was printed");
    }
    Ok(exit::OK)
}

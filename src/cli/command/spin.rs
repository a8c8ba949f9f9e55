//! `wrun spin`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::flow::{self, FlowAt};
use crate::cli::grants::{self, Allow};
use crate::cli::select;
use crate::cli::value;
use crate::config::Flags;
use crate::datastore::Datastore;
use crate::model::id::TaskId;
use crate::model::pathspec::PathSpec;
use crate::model::record::{LogChunk, Logs, Record};
use crate::report::loglines;
use crate::report::table::{Align, Cell, Table};
use crate::report::{clean, failure, human, json as shape};
use crate::runtime::clock::SystemClock;
use crate::runtime::spin::{self, Spun};
use crate::task::host::Listener;

/// The largest value, in bytes, that is shown on its line.
const MAX_PREVIEW: u64 = 64 * 1024;

/// Execute one task again, with today's code on the recorded inputs
///
/// For finding out whether a change does what it should, without running all that comes before.
/// Nothing is kept. Exits with 1 when the task fails.
#[derive(Debug, clap::Args)]
pub(crate) struct SpinArgs {
    /// Which task
    #[arg(value_name = "RUN/STEP[/TASK]", value_parser = PathSpec::typed, add = complete::tasks())]
    target: PathSpec,
    /// The flow's directory, where it is not the one that you are in
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    path: Option<PathBuf>,
    /// Use this module instead of building one
    #[arg(long, value_name = "FILE.wasm", value_hint = clap::ValueHint::FilePath, conflicts_with = "path")]
    module: Option<PathBuf>,
    #[command(flatten)]
    allow: Allow,
}

/// Shows on standard error what the task prints while it runs.
struct Printer<'a>(&'a Context);

impl Printer<'_> {
    fn print(&self, chunks: &[LogChunk]) {
        for line in loglines::of(chunks) {
            self.0.out.say(&clean::line(&line.text));
        }
    }
}

impl Listener for Printer<'_> {
    fn progress(&self, _: u64, _: u64, _: String) {}

    fn logs(&self, chunks: Vec<LogChunk>) {
        self.print(&chunks);
    }
}

/// Executes the task and says what came out.
pub(crate) fn run(cx: &Context, args: &SpinArgs) -> Result<u8, CliError> {
    let at = FlowAt {
        path: args.path.clone(),
        module: args.module.clone(),
    };
    let workshop = at.workshop(cx, Flags::default())?;
    let store = cx.store_of(&workshop.settings)?;
    let (id, task) = select::one_task(&store, &args.target)?;
    let run = store.run(&id)?;
    // Only what this step was granted is opened, and values of secrets are asked for when it is executed.
    let granted = run.header().grants.only(&task.step);
    grants::consent(
        run.id(),
        &granted,
        &args.allow.named(&workshop.settings, cx)?,
    )?;
    let (datastore, runtime) = store.parts();
    let printer = Printer(cx);
    let spun = runtime.block_on(async {
        let prepared = workshop.prepare().await?;
        let program = workshop
            .executable(&prepared, run.header().snapshot)
            .await?;
        let machine = (
            &flow::launcher(&workshop.settings)?,
            Arc::new(SystemClock) as _,
        );
        let spun = spin::spin(datastore, &run, &task, program, machine, &printer);
        Ok::<_, CliError>(spun.await?)
    })?;
    let text = runtime.block_on(shown(cx, &task, &spun))?;
    if let Logs::Inline(chunks) = &spun.record.logs {
        printer.print(chunks);
    }
    cx.out.text(&text)?;
    Ok(match spun.record.result {
        Ok(_) => exit::OK,
        Err(_) => exit::RUN_FAILED,
    })
}

async fn shown(cx: &Context, task: &TaskId, spun: &Spun) -> Result<String, CliError> {
    if cx.out.json {
        return Ok(format!("{}\n", shape::line(&to_json(task, spun))));
    }
    let style = &cx.out.style;
    let took = human::duration(spun.record.usage.wall_us);
    let name = style.name(task);
    let mut text = match &spun.record.result {
        Ok(_) => format!("{name} {} in {took}\n", style.succeeded("succeeded")),
        Err(why) => format!(
            "{name} {} in {took}: {}\n{}",
            style.failed("failed"),
            failure::headline(why, style),
            failure::details(why, style)
        ),
    };
    text += &match &spun.difference {
        None => "the result is the recorded one\n".to_owned(),
        Some(found) => format!(
            "the result is another: {}\n  recorded  {}\n  now       {}\n",
            clean::line(&found.what),
            clean::line(&found.before),
            clean::line(&found.now)
        ),
    };
    if !spun.record.artifacts.is_empty() {
        text += &format!("\n{}", artifacts(cx, &spun.record, &spun.scratch).await?);
    }
    Ok(text)
}

async fn artifacts(
    cx: &Context,
    record: &Record,
    datastore: &Datastore,
) -> Result<String, CliError> {
    let style = &cx.out.style;
    let mut table = Table::new(&[
        ("artifact", Align::Left),
        ("size", Align::Right),
        ("value", Align::Left),
    ]);
    let room = cx.out.width().saturating_sub(40).max(20);
    for artifact in &record.artifacts {
        let value = &artifact.value;
        let shown = if value.size > MAX_PREVIEW {
            value::essence(&value.media).to_owned()
        } else {
            let bytes = datastore.load(value).await?;
            value::preview(&value.media, &bytes, room)
        };
        table.row([
            Cell::painted(artifact.name.as_str(), style.name(&artifact.name)),
            human::bytes(value.size).into(),
            shown.into(),
        ]);
    }
    Ok(table.render(style, 0))
}

/// A spin: `task`, the members of a record, and `difference` (`what`, `recorded`, `now`) where the
/// result is not the recorded one.
fn to_json(task: &TaskId, spun: &Spun) -> Json {
    let mut it = shape::object([("task", json!(task))]);
    it.extend(shape::record(&spun.record));
    if let Some(found) = &spun.difference {
        let json = json!({"what": found.what, "recorded": found.before, "now": found.now});
        it.insert("difference".into(), json);
    }
    it.into()
}

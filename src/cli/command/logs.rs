//! `wrun logs`.

use std::collections::BTreeMap;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::select;
use crate::cli::store::Store;
use crate::model::event::Event;
use crate::model::id::{RunId, TaskId};
use crate::model::pathspec::{PathSpec, Within};
use crate::model::record::{LogChunk, Logs, Record, Stream};
use crate::model::time::Timestamp;
use crate::report::history::History;
use crate::report::loglines::{self, Line};
use crate::report::{clean, human, json};

/// The pause between two looks at a run that goes on.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(300);

/// Show what tasks printed
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    wanted: Wanted,
    /// Go on until the run ends
    #[arg(long, short)]
    follow: bool,
}

/// What is wanted of what was printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Wanted {
    /// Whose: `flow/run`, `flow/run/step` or `flow/run/step/task`
    #[arg(value_name = "RUN[/STEP[/TASK]]", default_value = "latest", value_parser = PathSpec::typed, add = complete::tasks())]
    pub(crate) target: PathSpec,
    /// Only this attempt, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Only standard output
    #[arg(long)]
    stdout: bool,
    /// Only standard error and log lines
    #[arg(long)]
    stderr: bool,
    /// Lead every line by when it was received, in UTC
    #[arg(long)]
    timestamps: bool,
}

impl Wanted {
    fn wants(&self, stream: Stream) -> bool {
        let all = self.stdout == self.stderr;
        all || self.stdout == (stream == Stream::Stdout)
    }

    pub(crate) fn wants_task(&self, task: &TaskId, attempt: u32) -> bool {
        self.names(task) && self.attempt.is_none_or(|wanted| wanted == attempt + 1)
    }
}

impl Wanted {
    /// Whether `task` is meant.
    pub(crate) fn names(&self, task: &TaskId) -> bool {
        match self.target.within() {
            Within::Step(step) => step == task.step,
            Within::Task(step, place) => step == task.step && place == task.place,
            _ => true,
        }
    }
}

/// What one attempt printed at one time.
struct Piece<'a> {
    task: &'a TaskId,
    attempt: u32,
    at: Timestamp,
    chunks: Vec<LogChunk>,
}

/// Shows what tasks printed.
pub(crate) fn run(cx: &Context, args: &LogsArgs) -> Result<u8, CliError> {
    let wanted = &args.wanted;
    wanted.check()?;
    let store = cx.store()?;
    let run = select::run(&store, &wanted.target.run())?;
    let mut segment = 0;
    let mut first = true;
    let mut silent = true;
    loop {
        let (events, next) = store.events_from(&run, segment)?;
        segment = next;
        if first && !args.follow {
            check(&run, &events, wanted)?;
        }
        first = false;
        silent &= !print(cx, wanted, &store, &events)?;
        let over = events
            .iter()
            .any(|event| matches!(event, Event::RunEnded { .. }));
        if over || !args.follow {
            if silent {
                cx.out.say("nothing was printed");
            }
            return Ok(exit::OK);
        }
        wait();
    }
}

impl Wanted {
    /// Refuses what prints nothing.
    pub(crate) fn check(&self) -> Result<(), CliError> {
        match self.target.within() {
            Within::StepArtifact(..) | Within::Artifact(..) => {
                Err(CliError::usage("an artifact prints nothing; a task does")
                    .hint(format!("`wrun get {}` shows the artifact", self.target)))
            }
            _ => Ok(()),
        }
    }
}

/// Shows what is wanted of what was printed in `events`, and says whether there was any.
pub(crate) fn print(
    cx: &Context,
    wanted: &Wanted,
    store: &Store,
    events: &[Event],
) -> Result<bool, CliError> {
    let void = void(events);
    let mut any = false;
    for (at, event) in events.iter().enumerate() {
        if let Some(piece) = piece(store, event)?
            && void
                .get(&(piece.task, piece.attempt))
                .is_none_or(|end| at > *end)
        {
            any |= show(cx, wanted, &piece)?;
        }
    }
    Ok(any)
}

/// Up to where what attempts printed is void, because they were made anew.
fn void(events: &[Event]) -> BTreeMap<(&TaskId, u32), usize> {
    let anew = events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| match event {
            Event::Log {
                task,
                attempt,
                chunks,
                ..
            } if chunks.is_empty() => Some(((task, *attempt), at)),
            _ => None,
        });
    anew.collect()
}

/// Refuses steps and tasks that the run does not have.
fn check(run: &RunId, events: &[Event], args: &Wanted) -> Result<(), CliError> {
    let history = History::of(events);
    match args.target.within() {
        Within::Task(step, place) => select::task(run, &history, &step, Some(&place)).map(drop),
        Within::Step(step) => select::check_step(run, &history, &step),
        _ => Ok(()),
    }
}

fn piece<'a>(store: &Store, event: &'a Event) -> Result<Option<Piece<'a>>, CliError> {
    if let Event::Log {
        task,
        attempt,
        at,
        chunks,
    } = event
    {
        return Ok(Some(Piece {
            task,
            attempt: *attempt,
            at: *at,
            chunks: chunks.clone(),
        }));
    }
    let Some((task, attempt, record)) = event.ending() else {
        return Ok(None);
    };
    let usage = &record.usage;
    Ok(Some(Piece {
        task,
        attempt,
        at: Timestamp(usage.started_at.0.saturating_add(usage.wall_us)),
        chunks: chunks(store, record)?,
    }))
}

fn chunks(store: &Store, record: &Record) -> Result<Vec<LogChunk>, CliError> {
    match &record.logs {
        Logs::None => Ok(Vec::new()),
        Logs::Inline(chunks) => Ok(chunks.clone()),
        Logs::Blob(value) => store.long_logs(value),
    }
}

/// Shows what is wanted of a piece, and says whether there was any.
fn show(cx: &Context, args: &Wanted, piece: &Piece<'_>) -> Result<bool, CliError> {
    if !args.wants_task(piece.task, piece.attempt) {
        return Ok(false);
    }
    let wanted = |chunk: &&LogChunk| args.wants(chunk.stream);
    let chunks: Vec<_> = piece.chunks.iter().filter(wanted).cloned().collect();
    if cx.out.json {
        chunks
            .iter()
            .try_for_each(|chunk| cx.out.json(&to_json(piece, chunk)))?;
        return Ok(!chunks.is_empty());
    }
    let lines: String = loglines::of(&chunks)
        .iter()
        .map(|line| text(cx, args, piece, line))
        .collect();
    cx.out.text(&lines)?;
    Ok(!lines.is_empty())
}

fn text(cx: &Context, args: &Wanted, piece: &Piece<'_>, line: &Line) -> String {
    let style = &cx.out.style;
    let mut text = String::new();
    if args.timestamps {
        text += &style.faint(human::time(piece.at));
        text.push(' ');
    }
    if !matches!(args.target.within(), Within::Task(..)) {
        text += &style.lane(&format!("{} |", piece.task));
        text.push(' ');
    }
    text + &clean::line(&line.text) + "\n"
}

/// A piece of the log: `task`, `attempt` (from 0), `at`, `stream`, and `text` or `base64`.
fn to_json(piece: &Piece<'_>, chunk: &LogChunk) -> serde_json::Value {
    let mut it = json::object([
        ("task", piece.task.to_string().into()),
        ("attempt", piece.attempt.into()),
        ("at", piece.at.0.into()),
        ("stream", serde_json::json!(chunk.stream)),
    ]);
    it.extend(json::bytes(&chunk.bytes));
    it.into()
}

#[allow(
    clippy::disallowed_methods,
    reason = "following a run waits for real time to pass"
)]
fn wait() {
    std::thread::sleep(LOOK_AGAIN);
}

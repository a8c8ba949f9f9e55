//! `wrun worker`: what the containers of Batch execute.

use std::io::Write;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::flow;
use crate::model::job::JobId;
use crate::model::record::LogChunk;
use crate::runtime::clock::SystemClock;
use crate::runtime::worker::{Around, Worker, WorkerError};
use crate::task::site::Slot;

/// Which child of an array job this is.
const ARRAY_INDEX: &str = "AWS_BATCH_JOB_ARRAY_INDEX";
/// What Batch calls this job; a child's ends with `:` and its index.
const JOB_ID: &str = "AWS_BATCH_JOB_ID";

/// How much a worker says in the log of its container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Level {
    /// Only what went wrong
    Error,
    /// Also what it does
    #[default]
    Info,
    /// Also what the task prints
    All,
}

/// Make an attempt of a job
///
/// Executed in the containers of Batch. The attempt is that of the variable
/// `AWS_BATCH_JOB_ARRAY_INDEX`, the first of the job when it is not set.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkerArgs {
    /// Which job: `flow/run/job`
    #[arg(value_name = "JOB")]
    job: JobId,
    /// How much it says
    #[arg(
        long,
        value_name = "LEVEL",
        env = "WRUN_BATCH_LOG_LEVEL",
        hide_env_values = true,
        value_enum,
        default_value_t
    )]
    log_level: Level,
}

/// Makes the attempt; 1 is the exit code when it failed and its record is kept.
pub(crate) fn run(cx: &Context, args: &WorkerArgs) -> Result<u8, CliError> {
    let settings = cx.settings()?;
    let store = cx.store_of(&settings)?;
    let modules = flow::modules(&settings)?;
    let launcher = flow::launcher(&settings)?;
    let (datastore, runtime) = store.parts();
    let index = index()?;
    let level = args.log_level;
    let around = Around {
        clock: &SystemClock,
        job: std::env::var(JOB_ID).ok(),
        echo: &move |chunks| echo(level, chunks),
    };
    runtime.block_on(async {
        let stop = stop();
        let datastore = datastore.clone().with_level(settings.compression_level);
        let worker = Worker::new(&datastore, args.job.clone(), modules, launcher).await?;
        let mut slot = Slot::default();
        let made = worker.make(index, &mut slot, &around, stop).await?;
        let (text, code) = match &made.record.result {
            Ok(_) => ("succeeded".to_owned(), exit::OK),
            Err(failure) => (failure.to_string(), exit::RUN_FAILED),
        };
        if level != Level::Error {
            cx.out.say(&format!("{} #{index}: {text}", args.job));
        }
        Ok(code)
    })
}

/// Which attempt of the job is to be made.
fn index() -> Result<usize, CliError> {
    let given = std::env::var(ARRAY_INDEX)
        .ok()
        .map(|text| (ARRAY_INDEX, text));
    let named = || {
        let id = std::env::var(JOB_ID).ok()?;
        Some((JOB_ID, id.rsplit_once(':')?.1.to_owned()))
    };
    let Some((name, text)) = given.or_else(named) else {
        return Ok(0);
    };
    text.parse().map_err(|_| {
        CliError::usage(format!("`{name}` ends with `{text}`, which is no index"))
            .hint("Batch sets it in the children of an array job; take it away elsewhere")
    })
}

/// Completes when the host asks the worker to end, which is followed by the end some seconds later.
fn stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

fn echo(level: Level, chunks: &[LogChunk]) {
    if level == Level::All {
        let mut out = std::io::stdout().lock();
        for chunk in chunks {
            // The log of the container is a courtesy: the datastore has all of it.
            let _ = out.write_all(&chunk.bytes);
        }
        let _ = out.flush();
    }
}

impl From<WorkerError> for CliError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Run(error) => error.into(),
            WorkerError::NoJob(_) => Self::from_error(Kind::NotFound, &error)
                .hint("`WRUN_DATASTORE` of the container must be that of the driver"),
            WorkerError::NoAttempt { .. } => Self::from_error(Kind::NotFound, &error),
        }
    }
}

//! What every command may use: where it was started, how to write, and what time it is.

use std::path::{Path, PathBuf};

use super::args::Global;
use super::error::{CliError, Kind};
use super::explain;
use super::output::{Color, Output};
use crate::config::{Environment, Flags, Settings};
use crate::model::time::Timestamp;
use crate::task::at_hand::AtHand;

/// What every command may use.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where the command was started.
    pub directory: PathBuf,
    /// The datastore that was named by `--datastore` or `WRUN_DATASTORE`.
    pub datastore_flag: Option<String>,
    /// Where to write.
    pub out: Output,
    /// Values of secrets that services were asked for.
    pub at_hand: AtHand,
}

impl Context {
    /// Looks around.
    ///
    /// # Errors
    /// When the working directory does not exist any more.
    pub fn new(global: &Global) -> Result<Self, CliError> {
        let directory = std::env::current_dir().map_err(|error| {
            CliError::new(Kind::Unavailable, "the working directory cannot be used")
                .caused_by(&error)
                .hint("change to a directory that exists")
        })?;
        Ok(Self {
            directory,
            datastore_flag: global.datastore.clone(),
            out: Output::new(global.color, global.json, global.quiet),
            at_hand: AtHand::default(),
        })
    }

    /// A context for completing values: no flags, and nobody to talk to.
    pub fn for_completion() -> Result<Self, CliError> {
        let datastore = std::env::var("WRUN_DATASTORE")
            .ok()
            .filter(|it| !it.is_empty());
        Self::new(&Global {
            datastore,
            color: Color::Never,
            json: false,
            quiet: true,
        })
    }

    /// The settings for the directory in which the command was started.
    ///
    /// # Errors
    /// When a file, a variable or a flag is wrong.
    pub fn settings(&self) -> Result<Settings, CliError> {
        self.settings_at(&self.directory)
    }

    /// The settings for whoever works in `directory`.
    ///
    /// # Errors
    /// When a file, a variable or a flag is wrong.
    pub fn settings_at(&self, directory: &Path) -> Result<Settings, CliError> {
        let flags = Flags::default().with("datastore", self.datastore_flag.as_ref());
        Ok(Settings::load(
            directory,
            &flags,
            &Environment::of_process(),
        )?)
    }

    /// The settings for the directory in which the command was started, with more flags.
    ///
    /// # Errors
    /// When a file, a variable or a flag is wrong.
    pub fn settings_with(&self, flags: Flags) -> Result<Settings, CliError> {
        let flags = flags.with("datastore", self.datastore_flag.as_ref());
        let environment = Environment::of_process();
        Ok(Settings::load(&self.directory, &flags, &environment)?)
    }

    /// A runtime that works on this thread, for what waits for files and processes.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn runtime(&self) -> Result<tokio::runtime::Runtime, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                CliError::new(Kind::Unavailable, "the system gives no event loop")
                    .caused_by(&error)
                    .hint_if(explain::system_hint(&error))
            })?;
        write_errors_are_told(&runtime);
        Ok(runtime)
    }

    /// The time of the machine.
    #[allow(
        clippy::disallowed_methods,
        reason = "the front door through which time comes in"
    )]
    pub fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |elapsed| elapsed.as_micros() as u64))
    }
}

/// Makes a file that grows beyond `ulimit -f` an error like others, which would end the process.
fn write_errors_are_told(runtime: &tokio::runtime::Runtime) {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};
    let _guard = runtime.enter();
    // Once somebody listens, the signal itself does nothing; where nobody can, all is as it was.
    let _ = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
}

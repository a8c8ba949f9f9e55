//! What every command may use: where it was started, how to write, and what time it is.

use std::path::PathBuf;

use super::args::Global;
use super::error::{CliError, Kind};
use super::output::Output;
use crate::model::time::Timestamp;

/// What every command may use.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where the command was started.
    pub directory: PathBuf,
    /// The datastore that was named by `--datastore` or `WRUN_DATASTORE`.
    pub datastore_flag: Option<String>,
    /// Where to write.
    pub out: Output,
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
        })
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

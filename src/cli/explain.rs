//! Explains what the rooms `snapshot` and `config` could not do: kind, exit code and hints.

use super::error::{CliError, Kind};
use crate::config::ConfigError;
use crate::snapshot::{BuildError, RestoreError, SnapshotError};

fn with_hints(error: CliError, hints: Vec<String>) -> CliError {
    hints.into_iter().fold(error, CliError::hint)
}

impl From<BuildError> for CliError {
    fn from(error: BuildError) -> Self {
        let kind = match &error {
            BuildError::NoPath { .. }
            | BuildError::NoManifest { .. }
            | BuildError::NoFlow { .. } => Kind::NotFound,
            BuildError::NotAFlow { .. } | BuildError::SeveralFlows { .. } => Kind::Usage,
            BuildError::NoCargo | BuildError::NoTarget { .. } | BuildError::Spawn { .. } => {
                Kind::Unavailable
            }
            BuildError::NotCdylib { .. }
            | BuildError::Metadata { .. }
            | BuildError::MetadataForm { .. }
            | BuildError::Cargo { .. }
            | BuildError::NoModule { .. } => Kind::BuildFailed,
        };
        with_hints(Self::from_error(kind, &error), error.hints())
    }
}

impl From<SnapshotError> for CliError {
    fn from(error: SnapshotError) -> Self {
        with_hints(Self::from_error(error_kind(&error), &error), error.hints())
    }
}

fn error_kind(error: &SnapshotError) -> Kind {
    match error {
        SnapshotError::Gather(_) | SnapshotError::Reduce(_) => Kind::BuildFailed,
        SnapshotError::Module { .. } => Kind::NotFound,
    }
}

impl From<RestoreError> for CliError {
    fn from(error: RestoreError) -> Self {
        let (kind, hint) = match &error {
            RestoreError::NotEmpty { .. } => {
                (Kind::Usage, "name a directory that does not exist yet".to_owned())
            }
            RestoreError::Refused { .. } | RestoreError::TooMuch => (
                Kind::Damaged,
                "nothing was written: whoever can write to the datastore may have changed the snapshot".to_owned(),
            ),
            RestoreError::Write { .. } => (Kind::Unavailable, "name another directory with `--to`".to_owned()),
        };
        Self::from_error(kind, &error).hint(hint)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let kind = match &error {
            ConfigError::Read { .. } => Kind::Unavailable,
            ConfigError::Syntax { .. }
            | ConfigError::Unknown { .. }
            | ConfigError::Value { .. } => Kind::Usage,
        };
        with_hints(Self::from_error(kind, &error), error.hints())
    }
}

//! Explains what the rooms below could not do: kind, exit code and hints, by the type of the error.

mod check;

use super::error::{CliError, Kind};
use crate::config::ConfigError;
use crate::datastore::copy::CopyError;
use crate::datastore::gc::GcError;
use crate::datastore::object::StoreError;
use crate::datastore::url::DatastoreUrlError;
use crate::datastore::{BlobError, DatastoreError, JournalError, RunError};
use crate::model::digest::Digest;
use crate::model::event::RunStatus;
use crate::model::validate::Problems;
use crate::runtime::attach::AttachError;
use crate::runtime::copy::CopyRunError;
use crate::runtime::diff::DiffError;
use crate::runtime::drive::DriveError;
use crate::runtime::fsck::FsckError;
use crate::runtime::past::PastError;
use crate::runtime::prepare::PrepareError;
use crate::runtime::repair::RepairError;
use crate::runtime::replay::ReplayError;
use crate::runtime::resume::ResumeError;
use crate::runtime::spin::SpinError;
use crate::runtime::start::StartError;
use crate::sandbox::ModuleError;
use crate::snapshot::{BuildError, ManifestError, RestoreError, SnapshotError};

/// The most problems of a flow that an error lists.
const MAX_PROBLEMS: usize = 5;

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
        let hint = match &error {
            SnapshotError::Store(source) => Some(store_hint(source)),
            _ => None,
        };
        with_hints(Self::from_error(error_kind(&error), &error), error.hints()).hint_if(hint)
    }
}

fn error_kind(error: &SnapshotError) -> Kind {
    match error {
        SnapshotError::Gather(_) | SnapshotError::Reduce(_) => Kind::BuildFailed,
        SnapshotError::Module { .. } => Kind::NotFound,
        SnapshotError::Store(_) => Kind::Unavailable,
    }
}

impl From<ManifestError> for CliError {
    fn from(error: ManifestError) -> Self {
        let hint = match &error {
            ManifestError::TooNew { .. } => {
                "use the version of wrun that made the run, or a later one"
            }
            ManifestError::Form(_) | ManifestError::Read { .. } => {
                "restore the datastore from a copy, or run the flow again"
            }
        };
        Self::from_error(Kind::Damaged, &error).hint(hint)
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
            RestoreError::Read { .. } => (
                Kind::Damaged,
                "restore the datastore from a copy, or run the flow again".to_owned(),
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

impl From<ModuleError> for CliError {
    fn from(error: ModuleError) -> Self {
        let kind = match &error {
            ModuleError::NotWasm { .. }
            | ModuleError::CoreModule
            | ModuleError::WrongWorld { .. }
            | ModuleError::Contract { .. }
            | ModuleError::Import { .. }
            | ModuleError::TooLarge { .. }
            | ModuleError::CompileFailed { .. }
            | ModuleError::CompileTimeout
            | ModuleError::DescribeFailed { .. } => Kind::InvalidFlow,
            ModuleError::Machine { .. }
            | ModuleError::Cache { .. }
            | ModuleError::Read { .. }
            | ModuleError::Cell(_) => Kind::Unavailable,
            ModuleError::Damaged { .. } => Kind::Damaged,
        };
        let mut it = Self::from_error(kind, &error);
        if let ModuleError::DescribeFailed { failure } = &error {
            it = failure.causes.iter().fold(it, |it, cause| it.cause(cause));
        }
        it.hint_if(module_hint(&error).map(str::to_owned))
    }
}

fn module_hint(error: &ModuleError) -> Option<&'static str> {
    match error {
        ModuleError::NotWasm { .. } => Some("`wrun build` makes a module of a flow's directory"),
        ModuleError::CoreModule => {
            Some("build it with `--target wasm32-wasip2`, as `wrun build` does")
        }
        ModuleError::WrongWorld { .. } => {
            Some("a flow exports `describe` and `run`: `#[flow]` of wrun-sdk does so")
        }
        ModuleError::Contract { .. } => Some(
            "build it again with the SDK of this wrun, which `wrun new` writes into a new flow; or run it with the wrun that came with its SDK",
        ),
        ModuleError::DescribeFailed { .. } => Some(
            "`describe` must say what the flow is, at once and without reading or writing anything: `#[flow]` of wrun-sdk writes one that does",
        ),
        ModuleError::Machine { .. } | ModuleError::Cell(_) => {
            Some("`wrun doctor` checks the machine")
        }
        ModuleError::Cache { .. } => {
            Some("`code-cache` in `wrun.toml`, or `WRUN_CODE_CACHE`, names another directory")
        }
        _ => None,
    }
}

impl From<Problems> for CliError {
    fn from(problems: Problems) -> Self {
        let many = crate::report::human::count(problems.count() as u64, "problem");
        let mut it = Self::new(
            Kind::InvalidFlow,
            format!("the flow cannot run: it has {many}"),
        );
        for problem in problems.iter().take(MAX_PROBLEMS) {
            it = it.cause(problem.to_string());
        }
        it.hint("`wrun check` shows them all")
    }
}

impl From<DatastoreError> for CliError {
    fn from(error: DatastoreError) -> Self {
        let (kind, hint) = match &error {
            DatastoreError::Missing { .. } => (
                Kind::NotFound,
                Some(
                    "`wrun run` in a flow's directory makes one; `--datastore URL` looks elsewhere",
                ),
            ),
            DatastoreError::NotADatastore { .. } | DatastoreError::NotADirectory { .. } => (
                Kind::Usage,
                Some("`--datastore URL` or `WRUN_DATASTORE` names another"),
            ),
            DatastoreError::Newer { .. } | DatastoreError::Damaged { .. } => (Kind::Damaged, None),
            DatastoreError::Unconditional { .. } => (
                Kind::Unavailable,
                Some("use a server that knows conditional writes, as S3 does since 2024"),
            ),
            DatastoreError::Store(source) => {
                let hint = store_hint(source);
                return Self::from_error(Kind::Unavailable, &error).hint(hint);
            }
        };
        Self::from_error(kind, &error).hint_if(hint.map(str::to_owned))
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::from_error(Kind::Unavailable, &error).hint(store_hint(&error))
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        let kind = match &error {
            RunError::Missing { .. } | RunError::Removed { .. } => Kind::NotFound,
            RunError::Damaged { .. } | RunError::Newer { .. } | RunError::Headless { .. } => {
                Kind::Damaged
            }
            RunError::TooLarge { .. } => Kind::Usage,
            RunError::Busy { .. } | RunError::Store(_) => Kind::Unavailable,
        };
        let hint = match &error {
            RunError::Missing { .. } | RunError::Removed { .. } => {
                Some("`wrun runs` lists the runs".to_owned())
            }
            RunError::Damaged { run, .. } => Some(format!(
                "`wrun fsck --repair {run}` gets it back where that can be done; otherwise put the file back from a copy of the datastore; other runs can be used"
            )),
            RunError::Headless { run } => Some(format!(
                "`wrun fsck --repair {run}` takes it from the journal"
            )),
            RunError::TooLarge { .. } => {
                Some("put what is large into artifacts or files, and say less here".to_owned())
            }
            RunError::Store(source) => Some(store_hint(source)),
            _ => None,
        };
        Self::from_error(kind, &error).hint_if(hint)
    }
}

impl From<GcError> for CliError {
    fn from(error: GcError) -> Self {
        match error {
            GcError::Run(error) => error.into(),
            GcError::Journal(error) => error.into(),
            GcError::Store(error) => error.into(),
            GcError::Driven { ref run } => Self::from_error(Kind::Usage, &error)
                .hint(format!("wait until `{run}` has ended, or use `--grace 1h`")),
        }
    }
}

impl From<FsckError> for CliError {
    fn from(error: FsckError) -> Self {
        match error {
            FsckError::Run(error) => error.into(),
            FsckError::Journal(error) => error.into(),
            FsckError::Store(error) => error.into(),
            FsckError::Past(error) => error.into(),
        }
    }
}

impl From<RepairError> for CliError {
    fn from(error: RepairError) -> Self {
        let kind = match &error {
            RepairError::File { source, .. } => of_io(source),
            _ => Kind::Unavailable,
        };
        match error {
            RepairError::Fsck(error) => error.into(),
            error => {
                Self::from_error(kind, &error).hint("what was repaired before stays so; try again")
            }
        }
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        let kind = match &error {
            JournalError::Damaged { .. }
            | JournalError::Missing { .. }
            | JournalError::Newer { .. } => Kind::Damaged,
            _ => Kind::Unavailable,
        };
        Self::from_error(kind, &error).hint_if(journal_hint(&error))
    }
}

impl From<BlobError> for CliError {
    fn from(error: BlobError) -> Self {
        let kind = match &error {
            BlobError::Missing { .. } | BlobError::Damaged { .. } | BlobError::Newer { .. } => {
                Kind::Damaged
            }
            BlobError::InRecord { .. } => Kind::Internal,
            _ => Kind::Unavailable,
        };
        Self::from_error(kind, &error).hint_if(blob_hint(&error))
    }
}

fn blob_hint(error: &BlobError) -> Option<String> {
    let place = |digest: &Digest| {
        let name = digest.to_string();
        format!("blobs/{}/{name}", &name[..2])
    };
    match error {
        BlobError::Missing { digest } => Some(format!(
            "`wrun fsck --repair` gets it back where that can be; or put `{}` of the datastore back from a copy",
            place(digest)
        )),
        BlobError::Damaged { digest, .. } => Some(format!(
            "`wrun fsck --data --repair` gets it back where that can be; or put `{}` of the datastore back from a copy",
            place(digest)
        )),
        BlobError::Store(source) => Some(store_hint(source)),
        _ => None,
    }
}

impl From<PrepareError> for CliError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Build(error) => error.into(),
            PrepareError::Snapshot(error) => error.into(),
            PrepareError::Module {
                source: ref why @ ModuleError::Contract { .. },
                ..
            } => Self::from_error(Kind::InvalidFlow, &error)
                .hint_if(module_hint(why).map(str::to_owned)),
            PrepareError::Module { source, .. } => source.into(),
            PrepareError::Invalid(problems) => problems.into(),
            PrepareError::NoStep(_) => Self::from_error(Kind::Usage, &error)
                .hint("`wrun graph` shows the steps; correct the name in `wrun.toml`"),
            PrepareError::Read { ref source, .. } => Self::from_error(of_io(source), &error),
        }
    }
}

fn of_io(error: &std::io::Error) -> Kind {
    match error.kind() {
        std::io::ErrorKind::NotFound => Kind::NotFound,
        _ => Kind::Unavailable,
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        let error = match error {
            StartError::Elsewhere(error) => return error.into(),
            error => error,
        };
        let (kind, hint) = match &error {
            StartError::File { source, .. } => (of_io(source), None),
            StartError::Parameter { source, .. } | StartError::Known(source) => {
                (Kind::Unavailable, Some(store_hint(source)))
            }
            StartError::Run(RunError::Store(source)) => {
                (Kind::Unavailable, Some(store_hint(source)))
            }
            StartError::Run(_) => (Kind::Damaged, None),
            StartError::Elsewhere(_) => (Kind::Unavailable, None),
            StartError::Journal(error) => (Kind::Unavailable, journal_hint(error)),
            StartError::Drive {
                source: DriveError::Journal(error),
                ..
            } => (Kind::Unavailable, journal_hint(error)),
            StartError::Drive {
                source: DriveError::Illegal(_),
                ..
            } => (Kind::Internal, None),
        };
        let it = Self::from_error(kind, &error).hint_if(hint);
        match &error {
            StartError::Drive { run, .. } => it.hint(format!(
                "`wrun show {run}` shows what was kept: all that was shown as done"
            )),
            _ => it,
        }
    }
}

impl From<PastError> for CliError {
    fn from(error: PastError) -> Self {
        let restore = "restore it from a copy of the datastore; `wrun run` makes a new run";
        match error {
            PastError::Run(error) => error.into(),
            PastError::Journal(error) => error.into(),
            PastError::Illegal { .. }
            | PastError::Snapshot { .. }
            | PastError::Code { .. }
            | PastError::Mixed { .. } => Self::from_error(Kind::Damaged, &error).hint(restore),
            PastError::Flow { .. }
            | PastError::Module {
                source: ModuleError::Contract { .. },
                ..
            } => Self::from_error(Kind::InvalidFlow, &error)
                .hint("use the version of wrun that made the run: `wrun show` names it"),
            PastError::Module { ref source, .. } => {
                let kind = match source {
                    ModuleError::Damaged { .. } | ModuleError::Read { .. } => Kind::Damaged,
                    ModuleError::Machine { .. } | ModuleError::Cell(_) => Kind::Unavailable,
                    _ => Kind::InvalidFlow,
                };
                let hint = match kind {
                    Kind::Unavailable => module_hint(source).unwrap_or(restore),
                    _ => restore,
                };
                Self::from_error(kind, &error).hint(hint)
            }
        }
    }
}

impl From<AttachError> for CliError {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Past(error) => error.into(),
            AttachError::Elsewhere(error) => error.into(),
            AttachError::Store(error) => error.into(),
            AttachError::Ended { ref run, status } => {
                let hint = match status {
                    RunStatus::Succeeded => format!("`wrun show {run}` shows it"),
                    _ => format!("`wrun resume {run}` continues it in a new run"),
                };
                Self::from_error(Kind::Usage, &error).hint(hint)
            }
            AttachError::Driven { ref run, .. } => Self::from_error(Kind::Unavailable, &error)
                .hint(format!("`wrun logs -f {run}` follows it from here"))
                .hint("once that process is gone, the same command works"),
        }
    }
}

impl From<ResumeError> for CliError {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Origin(error) => error.into(),
            ResumeError::Start(error) => error.into(),
            ResumeError::NoStep(_) => {
                Self::from_error(Kind::Usage, &error).hint("`wrun graph` shows the steps")
            }
        }
    }
}

impl From<DiffError> for CliError {
    fn from(error: DiffError) -> Self {
        match error {
            DiffError::Past(error) => error.into(),
            DiffError::Blob(error) => error.into(),
        }
    }
}

impl From<CopyError> for CliError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Run(error) => error.into(),
            CopyError::Journal(error) => error.into(),
            CopyError::Store(error) => error.into(),
            CopyError::Another { .. } => Self::from_error(Kind::Usage, &error).hint(
                "runs keep their names: copy it to another datastore, e.g. below another prefix",
            ),
            CopyError::Unended { ref run } => Self::from_error(Kind::Unavailable, &error).hint(
                format!("`wrun attach {run}` goes on where its driver is gone"),
            ),
        }
    }
}

impl From<CopyRunError> for CliError {
    fn from(error: CopyRunError) -> Self {
        match error {
            CopyRunError::Past(error) => error.into(),
            CopyRunError::Copy(error) => error.into(),
            CopyRunError::Blob { ref source, .. } => {
                let kind = match source {
                    BlobError::Store(_) => Kind::Unavailable,
                    _ => Kind::Damaged,
                };
                Self::from_error(kind, &error).hint_if(blob_hint(source))
            }
        }
    }
}

impl From<SpinError> for CliError {
    fn from(error: SpinError) -> Self {
        match error {
            SpinError::Past(error) => error.into(),
            SpinError::Blob(error) => error.into(),
            SpinError::NoStep(_) => {
                Self::from_error(Kind::Usage, &error).hint("`wrun graph` shows the steps")
            }
            SpinError::NoTask(_) => Self::from_error(Kind::NotFound, &error)
                .hint("`wrun show` lists the tasks of a run"),
            SpinError::Scratch(_) => Self::from_error(Kind::Unavailable, &error)
                .hint("`TMPDIR` names a directory that can be written"),
        }
    }
}

impl From<ReplayError> for CliError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Past(error) => error.into(),
            ReplayError::Scratch(_) => Self::from_error(Kind::Unavailable, &error)
                .hint("`TMPDIR` names a directory that can be written"),
            ReplayError::NotExecuted { ref failure, .. } => {
                let mut it = Self::from_error(Kind::Unavailable, &error);
                it = failure.causes.iter().fold(it, |it, cause| it.cause(cause));
                it.hint("nothing is proven or disproven; `wrun doctor` checks the machine")
            }
        }
    }
}

fn journal_hint(error: &JournalError) -> Option<String> {
    match error {
        JournalError::Store(error) => Some(store_hint(error)),
        JournalError::Removed { .. } => Some("run the flow again".to_owned()),
        _ => None,
    }
}

/// What to do about an error of the system, where that is known.
pub(crate) fn system_hint(error: &std::io::Error) -> Option<String> {
    let remedy = crate::datastore::object::remedy(error)?;
    Some(format!("{remedy}, then run again"))
}

fn store_hint(error: &StoreError) -> String {
    match error {
        StoreError::Full { .. } => "free some space, then run again".to_owned(),
        StoreError::ReadOnly { .. } | StoreError::Denied { .. } => {
            "`--datastore DIR` names a datastore that can be written".to_owned()
        }
        StoreError::Remote { place, source, .. } => source.hint_for(place),
        error => match error.remedy() {
            Some(remedy) => format!("{remedy}, then run again"),
            None => "`wrun doctor` checks the datastore".to_owned(),
        },
    }
}

impl From<DatastoreUrlError> for CliError {
    fn from(error: DatastoreUrlError) -> Self {
        Self::from_error(Kind::Usage, &error)
            .hint("`--datastore` takes a directory or `s3://bucket/prefix`")
    }
}

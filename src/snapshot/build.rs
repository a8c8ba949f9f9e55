//! Compiles a flow with plain cargo.
//!
//! The command is `cargo build --release --target wasm32-wasip2 -p NAME`, run in the package's
//! directory, so that configuration and toolchain are those that its author gets there. Everything
//! cargo says goes to standard error untouched.
//!
//! One thing is added: the directory of downloaded packages is replaced in the messages that
//! panics carry, because it names the home of whoever builds, and the same sources must build to
//! the same module on every machine. Cargo keeps what it compiled with and without it side by
//! side: after a `cargo build` by hand only the package itself is compiled again.
//!
//! Uses nothing of this crate but [`super::locate`] and [`super::toolchain`].

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};

use serde::Deserialize;

use super::locate::FlowPackage;
use super::stamp;
use super::toolchain::Toolchain;
use super::{TARGET, config_files};

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The path leads nowhere.
    #[error("there is no `{}`", path.display())]
    NoPath {
        /// What was given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The path is a file that is no `Cargo.toml`.
    #[error("`{}` is neither a flow's directory nor its `Cargo.toml`", path.display())]
    NotAFlow {
        /// What was given.
        path: PathBuf,
    },
    /// There is no `Cargo.toml` at the path and none above.
    #[error("there is no `Cargo.toml` in `{}` or above it", path.display())]
    NoManifest {
        /// Where the search began.
        path: PathBuf,
    },
    /// The workspace has no package that can become a module.
    #[error("no package of the workspace `{}` is a flow", manifest.display())]
    NoFlow {
        /// The workspace's manifest.
        manifest: PathBuf,
    },
    /// The workspace has several flows, and the path does not say which.
    #[error("`{}` has {} flows, and it is not said which is meant", manifest.display(), packages.len())]
    SeveralFlows {
        /// The workspace's manifest.
        manifest: PathBuf,
        /// Their directories, sorted.
        packages: Vec<PathBuf>,
    },
    /// The package's library is not of the kind that becomes a module.
    #[error("package `{package}` does not build a module: it is not a `cdylib`")]
    NotCdylib {
        /// The package's name.
        package: String,
        /// Its manifest, to which the lines must be added.
        manifest: PathBuf,
    },
    /// There is no `cargo` in the path.
    #[error("`cargo` was not found")]
    NoCargo,
    /// `cargo` could not be started, or its output could not be read.
    #[error("could not run `cargo`")]
    Spawn {
        /// What the system said.
        source: std::io::Error,
    },
    /// Cargo refuses the manifest.
    #[error("cargo cannot read `{}`\n{message}", manifest.display())]
    Metadata {
        /// The manifest.
        manifest: PathBuf,
        /// Cargo's own words.
        message: String,
    },
    /// Cargo's description of the workspace is not of the form that it promises.
    #[error("cargo describes `{}` in a form that is not understood", manifest.display())]
    MetadataForm {
        /// The manifest.
        manifest: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The standard library for WebAssembly is not installed.
    #[error("the target `{TARGET}` is not installed for {toolchain}")]
    NoTarget {
        /// The compiler, e.g. `rustc 1.95.0`.
        toolchain: String,
    },
    /// Cargo did not succeed; it has said why.
    #[error("package `{package}` does not build: `cargo` ended with {status}")]
    Cargo {
        /// The package.
        package: String,
        /// How cargo ended.
        status: ExitStatus,
    },
    /// Cargo succeeded, but nothing it made is a module.
    #[error("cargo built package `{package}`, but no `.wasm` file")]
    NoModule {
        /// The package.
        package: String,
    },
}

impl BuildError {
    pub(super) fn from_spawn(source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::NoCargo,
            _ => Self::Spawn { source },
        }
    }

    /// What whoever sees this error can type next.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoPath { .. } | Self::NoManifest { .. } | Self::NotAFlow { .. } => vec![
                "`wrun new my-flow` makes a flow that builds".into(),
                "give the directory of a flow, or `--module FILE.wasm` for one that is built"
                    .into(),
            ],
            Self::SeveralFlows { manifest, packages } => {
                let root = manifest.parent().unwrap_or(manifest);
                let names = packages
                    .iter()
                    .map(|dir| dir.strip_prefix(root).unwrap_or(dir));
                let names: Vec<_> = names.map(|dir| format!("`{}`", dir.display())).collect();
                vec![format!(
                    "name one of them, below `{}`: {}",
                    root.display(),
                    names.join(", ")
                )]
            }
            Self::NotCdylib { manifest, .. } => vec![format!(
                "add these two lines to `{}`:\n[lib]\ncrate-type = [\"cdylib\"]",
                manifest.display()
            )],
            Self::NoFlow { .. } => vec![
                "a flow is a package with `crate-type = [\"cdylib\"]` in its `[lib]`".into(),
                "`wrun new my-flow` makes one".into(),
            ],
            Self::NoCargo => vec!["install Rust from https://rustup.rs".into()],
            Self::NoTarget { .. } => vec![format!("`rustup target add {TARGET}`")],
            Self::NoModule { .. } => vec!["`wrun doctor` checks the toolchain".into()],
            Self::Spawn { .. }
            | Self::Metadata { .. }
            | Self::MetadataForm { .. }
            | Self::Cargo { .. } => Vec::new(),
        }
    }
}

/// How to build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Show only what goes wrong.
    pub quiet: bool,
}

/// A module that was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The module's file.
    pub module: PathBuf,
    /// Whether cargo found nothing to do.
    pub fresh: bool,
    /// The command, with `$CARGO_HOME` where a directory of this machine stood.
    pub command: Vec<String>,
    /// What `rustc -Vv` says.
    pub toolchain: String,
    /// Files that went in, as cargo tells: absolute, sorted, those in the target directory left out.
    pub inputs: Vec<PathBuf>,
    /// Where the compiler and its standard library lie.
    pub(super) sysroot: Toolchain,
    /// When the build began, by the clock of the file system: what is younger may not be in it.
    pub(super) began: stamp::Moment,
}

/// Builds the module of `package`.
///
/// Blocks until cargo has ended. Cargo's messages go to standard error.
///
/// # Errors
/// [`BuildError::Cargo`] when cargo did not succeed; it has then said why itself.
/// [`BuildError::NoTarget`] when the reason is that the target is missing.
pub fn build(package: &FlowPackage, options: Options) -> Result<Built, BuildError> {
    let dir = package.dir.clone();
    let asking = std::thread::spawn(move || Toolchain::of(&dir));
    let arguments = arguments(package);
    let (outcome, began) = run_settled(package, &arguments, options);
    let sysroot = asking.join().unwrap_or_default();
    let made = match outcome {
        Err(BuildError::Cargo { .. }) if is_target_missing(&sysroot) => {
            return Err(BuildError::NoTarget {
                toolchain: sysroot.short().to_owned(),
            });
        }
        other => other?,
    };
    let inputs = super::depinfo::read(&made.module.with_extension("d"), package);
    Ok(Built {
        module: made.module,
        fresh: made.fresh,
        command: arguments.shown,
        toolchain: sysroot.version.clone(),
        inputs,
        sysroot,
        began,
    })
}

fn is_target_missing(toolchain: &Toolchain) -> bool {
    !toolchain.version.is_empty() && !toolchain.has_target(TARGET)
}

/// Arguments as they are given, and as they are recorded.
struct Arguments {
    given: Vec<String>,
    shown: Vec<String>,
}

fn arguments(package: &FlowPackage) -> Arguments {
    let plain = [
        "build",
        "--release",
        "--target",
        TARGET,
        "-p",
        &package.name,
    ];
    let mut given: Vec<String> = plain.map(str::to_owned).into();
    let mut shown: Vec<String> = ["cargo".to_owned()]
        .into_iter()
        .chain(given.clone())
        .collect();
    let own_flags = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"];
    let home = config_files::cargo_home();
    if let (Some(home), false) = (
        home,
        own_flags.iter().any(|v| std::env::var_os(v).is_some()),
    ) {
        let key = config_files::rustflags_key(&package.dir);
        let setting = |home: &str| {
            let flag = |sub: &str| format!("'--remap-path-prefix={home}/{sub}=/cargo/{sub}'");
            format!(
                "{key}=[{}, {}]",
                flag("registry/src"),
                flag("git/checkouts")
            )
        };
        if let Some(home) = home.to_str().filter(|home| !home.contains(['\'', '='])) {
            given.extend(["--config".to_owned(), setting(home)]);
            shown.extend(["--config".to_owned(), setting("$CARGO_HOME")]);
        }
    }
    Arguments { given, shown }
}

struct Made {
    module: PathBuf,
    fresh: bool,
}

/// Runs cargo until it leaves the lock file alone. Says when the last time began.
///
/// A lock file that cargo has just made is younger than the build, as if somebody had changed it
/// meanwhile. Asked once more, which costs it a look, cargo says that the module is of that lock file.
fn run_settled(
    package: &FlowPackage,
    arguments: &Arguments,
    options: Options,
) -> (Result<Made, BuildError>, stamp::Moment) {
    let lock = || stamp::Stat::look(&package.workspace_root.join("Cargo.lock"));
    let (before, began) = (lock(), stamp::Moment::now(&package.workspace_root));
    match run_cargo(package, arguments, options) {
        Ok(first) if lock() != before => {
            let began = stamp::Moment::now(&package.workspace_root);
            let again = run_cargo(package, arguments, Options { quiet: true });
            let fresh = first.fresh;
            (again.map(|made| Made { fresh, ..made }), began)
        }
        outcome => (outcome, began),
    }
}

fn run_cargo(
    package: &FlowPackage,
    arguments: &Arguments,
    options: Options,
) -> Result<Made, BuildError> {
    let mut child = Command::new("cargo")
        .args(&arguments.given)
        .args(["--message-format", "json-render-diagnostics"])
        .args(options.quiet.then_some("--quiet"))
        .current_dir(&package.dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(BuildError::from_spawn)?;
    let made = child
        .stdout
        .take()
        .map(|out| read_messages(out, package))
        .transpose();
    let status = child
        .wait()
        .map_err(|source| BuildError::Spawn { source })?;
    if !status.success() {
        return Err(BuildError::Cargo {
            package: package.name.clone(),
            status,
        });
    }
    made.map_err(|source| BuildError::Spawn { source })?
        .flatten()
        .ok_or_else(|| BuildError::NoModule {
            package: package.name.clone(),
        })
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

/// Reads cargo's messages to their end, for the module among them.
fn read_messages(out: ChildStdout, package: &FlowPackage) -> std::io::Result<Option<Made>> {
    let manifest = package.manifest();
    let mut made = None;
    for line in BufReader::new(out).lines() {
        let Ok(message) = serde_json::from_str::<Message>(&line?) else {
            continue;
        };
        if message.reason != "compiler-artifact" || message.manifest_path != manifest {
            continue;
        }
        let is_module = |file: &&PathBuf| file.extension().is_some_and(|e| e == "wasm");
        if let Some(module) = message.filenames.iter().find(is_module) {
            made = Some(Made {
                module: module.clone(),
                fresh: message.fresh,
            });
        }
    }
    Ok(made)
}

/// The bytes of a module's file, refused when they are too many to be one.
pub(super) fn read_module(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    File::open(path)?
        .take(super::gather::MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > super::gather::MAX_FILE {
        let message = format!("it is larger than {} MiB", super::gather::MAX_FILE >> 20);
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            message,
        ));
    }
    Ok(bytes)
}

//! Settings, each knowing where it came from.
//!
//! Flags come before `WRUN_*` variables, these before `wrun.toml` beside the flow's `Cargo.toml`, that
//! before `wrun.toml` at the root of its workspace, that before the user's
//! `$XDG_CONFIG_HOME/wrun/config.toml`, and that before what is built in. [`keys`] is the list of all settings, [`project`] finds
//! the files, [`file`](mod@file) reads one, [`quantity`] reads sizes and times,
//! [`batch`] is what is told to AWS Batch.
//!
//! A key that is not known is an error with the file and the line: a setting that is misspelt would
//! otherwise be one that is silently not there.
//!
//! Uses `model`, and `aws` for one kind of setting. Reads files and nothing else: the environment is given to it.

pub mod batch;
pub mod file;
pub mod keys;
pub mod project;
pub mod quantity;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::aws::PathStyle;
use crate::model::confinement::Confinement;
use crate::model::grant::Grants;
use crate::model::header::{ExecutorKind, Limits, StepSettings};
use crate::model::name::StepName;

use batch::Batch;
use file::Raw;
use project::Project;

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// It is built in.
    #[default]
    Default,
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// The command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::File { path, line } => f.pad(&format!("{}:{line}", path.display())),
            Self::Variable(name) => f.pad(name),
            Self::Flag(name) => f.pad(name),
        }
    }
}

/// Where the chance of a run comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// Always the same.
    Fixed(u64),
    /// Another one for each run, recorded with it.
    Random,
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(seed) => f.pad(&seed.to_string()),
            Self::Random => f.pad("random"),
        }
    }
}

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The datastore: an absolute path, or a URL with `://`.
    pub datastore: String,
    /// How many tasks run side by side on this machine.
    pub max_workers: usize,
    /// The level of zstd with which blobs are compressed.
    pub compression_level: i32,
    /// The directory of compiled modules, absolute.
    pub code_cache: PathBuf,
    /// The directory of blobs that were read from S3, absolute.
    pub blob_cache: PathBuf,
    /// How much that directory may hold, in MiB.
    pub blob_cache_mib: u64,
    /// How old something is at least that is removed because nothing refers to it, in milliseconds.
    pub gc_grace_ms: u64,
    /// How buckets are addressed.
    pub path_style: PathStyle,
    /// Where chance comes from.
    pub seed: Seed,
    /// How much cells must be confined.
    pub confinement: Confinement,
    /// The limits of every sandbox.
    pub limits: Limits,
    /// What the operator says about single steps.
    pub steps: BTreeMap<StepName, StepSettings>,
    /// What steps may touch; values of variables are not looked at yet.
    pub grants: Grants,
    /// Where attempts are made, of steps of which nothing else is said.
    pub executor: ExecutorKind,
    /// What AWS Batch is told about jobs.
    pub batch: Batch,
    /// The project that was found.
    pub project: Project,
    origins: BTreeMap<String, Origin>,
}

/// One setting for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key, e.g. `limits.memory`.
    pub key: String,
    /// The value.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not TOML.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// There is no such setting.
    #[error("{origin}: there is no setting `{key}`")]
    Unknown {
        /// Where it stands.
        origin: Origin,
        /// The key as it was written.
        key: String,
        /// The most similar one.
        similar: Option<String>,
    },
    /// The value of a setting is not allowed.
    #[error("{} {reason}", subject(origin, key))]
    Value {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// What a sentence about a value begins with: what was typed, or the line in which it stands.
fn subject(origin: &Origin, key: &str) -> String {
    match origin {
        Origin::Flag(name) | Origin::Variable(name) => format!("`{name}`"),
        Origin::File { .. } | Origin::Default => format!("{origin}: `{key}`"),
    }
}

impl ConfigError {
    /// What whoever sees this error can do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Unknown {
                similar: Some(similar),
                ..
            } => vec![format!("did you mean `{similar}`?")],
            Self::Unknown {
                similar: None, key, ..
            } => {
                let names = keys::names_beside(key).join("`, `");
                vec![format!("there are `{names}`")]
            }
            _ => Vec::new(),
        }
    }
}

/// The variables of the environment that settings depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Those of this process.
    pub fn of_process() -> Self {
        let of_interest = |name: &str| {
            name.starts_with("WRUN_")
                || ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"].contains(&name)
        };
        let text = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self(
            text.filter(|(name, value)| of_interest(name) && !value.is_empty())
                .collect(),
        )
    }

    /// Exactly these.
    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect(),
        )
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Variables named `WRUN_…` that are no setting.
    pub fn unknown(&self) -> Vec<&str> {
        let names = self.0.keys().map(String::as_str);
        names
            .filter(|name| name.starts_with("WRUN_") && keys::of_variable(name).is_none())
            .collect()
    }

    /// A directory of the user's: what the variable says, or `below` the home.
    fn directory(&self, variable: &str, below: &str) -> Option<PathBuf> {
        let set = self
            .get(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        set.or_else(|| Some(Path::new(self.get("HOME")?).join(below)))
    }

    /// The user's own configuration file, whether it exists or not.
    pub fn user_file(&self) -> Option<PathBuf> {
        Some(
            self.directory("XDG_CONFIG_HOME", ".config")?
                .join("wrun/config.toml"),
        )
    }
}

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(Vec<(&'static str, String)>);

impl Flags {
    /// Also this: `key` as in [`keys`], without dashes before it; nothing when there is no value.
    pub fn with(mut self, key: &'static str, value: Option<impl ToString>) -> Self {
        self.0.extend(value.map(|value| (key, value.to_string())));
        self
    }
}

impl Settings {
    /// The settings for whoever works in `directory`: the flow's, or that of the command.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and line, the variable or the flag that is wrong.
    pub fn load(
        directory: &Path,
        flags: &Flags,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let project = Project::find(directory);
        let mut it = Self::built_in(project, environment);
        let mut files: Vec<_> = environment.user_file().into_iter().collect();
        files.extend(it.project.files());
        for path in files {
            it.apply_file(&path)?;
        }
        for key in keys::all() {
            let name = keys::variable_of(key.name);
            if let Some(value) = environment.get(&name) {
                let origin = Origin::Variable(name.clone());
                it.apply(key.name, &Raw::Text(value.to_owned()), directory, origin)?;
            }
        }
        for (key, value) in &flags.0 {
            it.apply_flag(key, value, directory, environment)?;
        }
        Ok(it)
    }

    fn built_in(project: Project, environment: &Environment) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cache = environment.directory("XDG_CACHE_HOME", ".cache");
        let (code_cache, blob_cache) = match cache {
            Some(cache) => (cache.join("wrun/code"), cache.join("wrun/blobs")),
            None => (project.home().join("code"), project.home().join("cache")),
        };
        Self {
            datastore: project.datastore().to_string_lossy().into_owned(),
            max_workers: cores,
            compression_level: 1,
            code_cache,
            blob_cache,
            blob_cache_mib: 4096,
            gc_grace_ms: 7 * 24 * 60 * 60 * 1000,
            path_style: PathStyle::Auto,
            seed: Seed::Fixed(0),
            confinement: Confinement::default(),
            limits: Limits::default(),
            steps: BTreeMap::new(),
            grants: Grants::default(),
            executor: ExecutorKind::Local,
            batch: Batch::default(),
            project,
            origins: BTreeMap::new(),
        }
    }

    fn apply_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        for entry in file::read(path)? {
            // All of its lines may be comments.
            if entry.value == Raw::Empty && keys::is_table(&entry.key) {
                continue;
            }
            let origin = Origin::File {
                path: path.to_owned(),
                line: entry.line,
            };
            self.apply(&entry.key, &entry.value, directory, origin)?;
        }
        Ok(())
    }

    fn apply_flag(
        &mut self,
        key: &'static str,
        value: &str,
        directory: &Path,
        environment: &Environment,
    ) -> Result<(), ConfigError> {
        // A parser of command lines may fill a flag from its variable.
        let variable = keys::variable_of(key);
        let origin = if environment.get(&variable) == Some(value) {
            Origin::Variable(variable)
        } else {
            Origin::Flag(match key {
                "executor" => "--with".to_owned(),
                _ => format!("--{}", key.replace('.', "-")),
            })
        };
        self.apply(key, &Raw::Text(value.to_owned()), directory, origin)
    }

    /// Sets one value; relative paths in it are taken from `directory`.
    fn apply(
        &mut self,
        key: &str,
        value: &Raw,
        directory: &Path,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        let result = match keys::find(key) {
            Some(found) => (found.set)(self, value, directory),
            None => match keys::step_key(key) {
                Some((step, field)) => keys::set_step(self, step, field, value, directory),
                None => {
                    let similar = keys::similar(key);
                    return Err(ConfigError::Unknown {
                        origin,
                        key: key.to_owned(),
                        similar,
                    });
                }
            },
        };
        if let Err(reason) = result {
            return Err(ConfigError::Value {
                origin,
                key: key.to_owned(),
                reason,
            });
        }
        self.origins.insert(key.to_owned(), origin);
        Ok(())
    }

    /// Where the value of `key` came from, e.g. of `limits.memory`.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or_default()
    }

    /// The value of `key`, as it would be written; none when there is no such setting.
    pub fn value(&self, key: &str) -> Option<String> {
        keys::find(key).map(|key| (key.show)(self))
    }

    /// Every setting, in the order of [`keys::all`], then what is said about steps.
    pub fn shown(&self) -> Vec<Shown> {
        let mut shown: Vec<_> = keys::all()
            .map(|key| Shown {
                key: key.name.to_owned(),
                value: (key.show)(self),
                origin: self.origin(key.name),
            })
            .collect();
        for (step, settings) in &self.steps {
            for (field, value) in keys::show_step(settings) {
                let key = format!("steps.{step}.{field}");
                shown.push(Shown {
                    origin: self.origin(&key),
                    key,
                    value,
                });
            }
        }
        for (step, grants) in &self.grants.steps {
            let key = format!("steps.{step}.grants");
            shown.push(Shown {
                origin: self.origin(&key),
                key,
                value: keys::show_grants(grants),
            });
        }
        shown
    }
}

#[cfg(test)]
mod tests;

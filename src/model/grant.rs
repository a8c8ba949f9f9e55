//! What an operator lets a step touch, and how exact a step can be.
//!
//! A step touches nothing but its artifacts. A [`Grant`] opens one thing; [`Grants`] are those of
//! a run, fixed when it starts. [`Class`] follows from what a module imports and what was granted.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::name::StepName;
use super::origin::{Origin, OriginError};
use super::secret::{Source, is_variable};

/// Where a step finds its scratch directory.
pub const SCRATCH: &str = "/tmp";
/// The largest scratch directory, in MiB.
pub const MAX_SCRATCH_MIB: u32 = 4096;
/// The longest name of a granted directory, in bytes.
const MAX_NAME: usize = 64;

/// One thing that is opened for a step.
///
/// As text: `scratch=64MiB`, `read:NAME=PATH`, `env:NAME=VALUE`, `env:NAME`, `secret:NAME`,
/// `secret:NAME=SOURCE`, `http=https://HOST`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A directory `/tmp` in memory, empty at the beginning of every attempt.
    Scratch {
        /// How much fits into it, in MiB.
        mib: u32,
    },
    /// A directory of the machine, which the step reads as `/NAME`.
    Read {
        /// Its name for the step.
        name: String,
        /// Where it is.
        path: String,
    },
    /// A variable of the environment.
    Env {
        /// Its name.
        name: String,
        /// Its value; until the run starts none where it is that of whoever starts it.
        value: Option<String>,
    },
    /// A variable of the environment whose value is not recorded.
    Secret {
        /// Its name.
        name: String,
        /// Where its value is; none where that is the variable of its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
        /// What the value is known by; none until the run starts.
        digest: Option<Digest>,
    },
    /// Whom it may ask over HTTP.
    Http {
        /// Scheme, host and port.
        origin: Origin,
    },
}

/// What a grant opens: of two grants that open the same, the later one holds.
type Thing<'a> = (u8, &'a str);

impl Grant {
    fn thing(&self) -> Thing<'_> {
        match self {
            Self::Scratch { .. } => (0, ""),
            Self::Read { name, .. } => (1, name),
            // Both are variables, of which there is one of each name.
            Self::Env { name, .. } | Self::Secret { name, .. } => (2, name),
            Self::Http { origin } => (3, origin.as_str()),
        }
    }

    /// The path of the machine in it.
    pub fn path_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Read { path, .. }
            | Self::Secret {
                source: Some(Source::File(path)),
                ..
            } => Some(path),
            _ => None,
        }
    }

    /// What of it may decide about a result: all but where on the machine a directory is.
    pub fn identity(&self) -> String {
        match self {
            Self::Read { name, .. } => format!("read:{name}"),
            Self::Secret { name, digest, .. } => match digest {
                Some(digest) => format!("secret:{name}={digest}"),
                None => format!("secret:{name}"),
            },
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scratch { mib } => write!(f, "scratch={mib}MiB"),
            Self::Read { name, path } => write!(f, "read:{name}={path}"),
            Self::Env { name, value: None } => write!(f, "env:{name}"),
            Self::Env {
                name,
                value: Some(value),
            } => write!(f, "env:{name}={value}"),
            Self::Secret {
                name, source: None, ..
            } => write!(f, "secret:{name}"),
            Self::Secret {
                name,
                source: Some(source),
                ..
            } => write!(f, "secret:{name}={source}"),
            Self::Http { origin } => write!(f, "http={origin}"),
        }
    }
}

/// Why a text is no grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It begins with nothing that can be granted.
    #[error(
        "`{0}` is no grant; there are `scratch=SIZE`, `read:NAME=PATH`, `env:NAME`, `env:NAME=VALUE`, `secret:NAME`, `secret:NAME=SOURCE` and `http=https://HOST`"
    )]
    Unknown(String),
    /// A size that is none, or none that can be granted.
    #[error("`{0}` is no size of a scratch directory: it has 1 MiB to 4 GiB, e.g. `scratch=64MiB`")]
    Size(String),
    /// A directory without name or path.
    #[error("`{0}` needs a name and a path, e.g. `read:corpus=data/corpus`")]
    Directory(String),
    /// A name that no directory can have.
    #[error(
        "a granted directory cannot be called `{0}`: lower-case letters, digits, `_` and `-` are allowed, a letter comes first, and `tmp` is the scratch directory"
    )]
    Name(String),
    /// A variable that cannot exist.
    #[error("`{0}` names no variable: a name has letters, digits and `_`, e.g. `env:LANG`")]
    Variable(String),
    /// A value that no variable can have.
    #[error(
        "the value of `env:{0}` has a NUL byte, where programs take a variable to end: leave it out"
    )]
    Nul(String),
    /// A secret that stands in clear text where it would be kept.
    #[error(
        "the value of a secret is not written down: grant `secret:{0}` and set the variable `{0}` of the environment, or say where the value is, e.g. `secret:{0}=file:PATH`, `secret:{0}=aws-sm:NAME` or `secret:{0}=aws-ssm:NAME`"
    )]
    SecretValue(String),
    /// What is asked over HTTP, named wrongly.
    #[error("`http=` takes whom a step may ask, e.g. `http=https://api.example.com`: {0}")]
    Origin(#[from] OriginError),
    /// A URL and nothing else.
    #[error("`{0}` is granted as `http={0}`")]
    Url(String),
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        if let Some(size) = text.strip_prefix("scratch=") {
            let mib = mebibytes(size).ok_or_else(|| GrantError::Size(size.to_owned()))?;
            return Ok(Self::Scratch { mib });
        }
        if let Some(origin) = text.strip_prefix("http=") {
            let origin = origin.parse()?;
            return Ok(Self::Http { origin });
        }
        if let Ok(origin) = text.parse::<Origin>() {
            return Err(GrantError::Url(origin.to_string()));
        }
        let unknown = || GrantError::Unknown(text.chars().take(200).collect());
        let (kind, rest) = text.split_once(':').ok_or_else(unknown)?;
        let (name, value) = match rest.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (rest.to_owned(), None),
        };
        match (kind, value) {
            ("read", Some(path)) if !path.is_empty() && !name.is_empty() => Ok(Self::Read {
                name: directory(name)?,
                path,
            }),
            ("read", _) => Err(GrantError::Directory(text.to_owned())),
            ("env", Some(value)) if value.contains('\0') => Err(GrantError::Nul(variable(name)?)),
            ("env", value) => Ok(Self::Env {
                name: variable(name)?,
                value,
            }),
            ("secret", None) => Ok(Self::Secret {
                name: variable(name)?,
                source: None,
                digest: None,
            }),
            ("secret", Some(text)) => secret(variable(name)?, &text),
            _ => Err(unknown()),
        }
    }
}

fn mebibytes(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u32 = text[..digits].parse().ok()?;
    let mib = match text[digits..].trim() {
        "MiB" => number,
        "GiB" => number.checked_mul(1024)?,
        _ => return None,
    };
    (1..=MAX_SCRATCH_MIB).contains(&mib).then_some(mib)
}

fn directory(name: String) -> Result<String, GrantError> {
    let letter = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let is_one = letter && name.len() <= MAX_NAME && name.chars().all(rest);
    if is_one && format!("/{name}") != SCRATCH {
        return Ok(name);
    }
    Err(GrantError::Name(name))
}

fn variable(name: String) -> Result<String, GrantError> {
    match is_variable(&name) {
        true => Ok(name),
        false => Err(GrantError::Variable(name)),
    }
}

/// A secret whose value is where `text` says. What says nothing of the kind may be the value itself.
fn secret(name: String, text: &str) -> Result<Grant, GrantError> {
    let Ok(source) = text.parse() else {
        return Err(GrantError::SecretValue(name));
    };
    Ok(Grant::Secret {
        name,
        source: Some(source),
        digest: None,
    })
}

/// The grants of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grants {
    /// Those of every step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Grant>,
    /// Those of single steps besides.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<StepName, Vec<Grant>>,
}

impl Grants {
    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.steps.values().all(Vec::is_empty)
    }

    /// Whether any step may ask anybody over HTTP.
    pub fn has_http(&self) -> bool {
        let mut all = self.all.iter().chain(self.steps.values().flatten());
        all.any(|grant| matches!(grant, Grant::Http { .. }))
    }

    /// What `step` was granted, in one order: its own grants come before those of all.
    pub fn of(&self, step: &StepName) -> Vec<&Grant> {
        let own = self.steps.get(step).map_or(&[][..], Vec::as_slice);
        let things: BTreeMap<Thing<'_>, &Grant> = self
            .all
            .iter()
            .chain(own)
            .map(|grant| (grant.thing(), grant))
            .collect();
        things.into_values().collect()
    }

    /// What one step was granted, and no other.
    pub fn only(&self, step: &StepName) -> Self {
        let own = self.steps.get_key_value(step);
        Self {
            all: self.all.clone(),
            steps: own
                .map(|(step, own)| (step.clone(), own.clone()))
                .into_iter()
                .collect(),
        }
    }

    /// Every grant, whoever has it.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Grant> {
        self.all.iter_mut().chain(self.steps.values_mut().flatten())
    }

    /// Everything that is granted, in words: first what all steps have, then `step: grant`.
    pub fn lines(&self) -> Vec<String> {
        let all = self.all.iter().map(Grant::to_string);
        let steps = self.steps.iter().flat_map(|(step, grants)| {
            let line = move |grant: &Grant| format!("{step}: {grant}");
            grants.iter().map(line)
        });
        all.chain(steps).collect()
    }
}

/// The import by which a module asks over HTTP, if it has it.
pub fn asks_over_http(imports: &[String]) -> Option<&str> {
    let mut imports = imports.iter().map(String::as_str);
    imports.find(|import| *import == "wasi:http/outgoing-handler")
}

/// How exact a step can be, from its module's imports and its grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It sees its artifacts and nothing else: exact by construction.
    Pure,
    /// It also sees clocks, chance, its own name, scratch files or variables: exact, because these
    /// follow from what is recorded of the run.
    Virtual,
    /// It also sees the world: exact, because what it saw is in its trace.
    Recorded,
}

impl Class {
    /// The class of a step of a module with these imports, e.g. `wasi:clocks/wall-clock`, and with
    /// these grants.
    pub fn of<'a>(imports: &[String], grants: impl IntoIterator<Item = &'a Grant>) -> Self {
        let has = |interface: &str| imports.iter().any(|import| import.starts_with(interface));
        let granted = grants.into_iter().map(|grant| match grant {
            Grant::Read { .. } if has("wasi:filesystem/") => Self::Recorded,
            Grant::Http { .. } if has("wasi:http/") => Self::Recorded,
            Grant::Scratch { .. } if has("wasi:filesystem/") => Self::Virtual,
            Grant::Env { .. } | Grant::Secret { .. } if has("wasi:cli/environment") => {
                Self::Virtual
            }
            _ => Self::Pure,
        });
        let surroundings = [
            "wasi:clocks/",
            "wasi:random/random",
            "wasi:random/insecure",
            "wrun:flow/task",
        ];
        // The order of hash maps is a constant of the engine.
        let of_imports = imports.iter().any(|import| {
            import != "wasi:random/insecure-seed"
                && surroundings.iter().any(|known| import.starts_with(known))
        });
        let own = if of_imports {
            Self::Virtual
        } else {
            Self::Pure
        };
        granted.fold(own, Self::max)
    }

    /// What it means, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pure => "sees only artifacts",
            Self::Virtual => "what else it sees follows from the run's record",
            Self::Recorded => "what it sees of the world is recorded in its trace",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pure => "pure",
            Self::Virtual => "virtual",
            Self::Recorded => "recorded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Grant {
        text.parse().expect("a grant")
    }

    #[test]
    fn a_grant_reads_what_it_prints() {
        for text in [
            "scratch=64MiB",
            "read:corpus=/srv/data=2/corpus",
            "env:LANG",
            "env:MODE=a=b c",
            "env:EMPTY=",
            "secret:API_TOKEN",
            "secret:API_TOKEN=file:/run/secrets/token",
            "secret:API_TOKEN=aws-sm:prod/api#token",
            "http=https://api.example.com",
            "http=http://127.0.0.1:8080",
        ] {
            assert_eq!(grant(text).to_string(), text);
        }
        assert_eq!(grant("scratch=1 GiB"), grant("scratch=1024MiB"));
    }

    #[test]
    fn what_is_no_grant_says_what_would_be_one() {
        let said: Vec<String> = [
            "network",
            "write:out=/srv",
            "scratch=0MiB",
            "scratch=5GiB",
            "scratch=64",
            "read:corpus",
            "read:tmp=/srv",
            "read:Corpus=/srv",
            "env:A B",
            "env:A=\0",
            "secret:TOKEN=hunter2",
            "http=api.example.com",
            "http=https://api.example.com/v1",
            "https://api.example.com",
        ]
        .iter()
        .map(|text| text.parse::<Grant>().expect_err(text).to_string())
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        `network` is no grant; there are `scratch=SIZE`, `read:NAME=PATH`, `env:NAME`, `env:NAME=VALUE`, `secret:NAME`, `secret:NAME=SOURCE` and `http=https://HOST`
        `write:out=/srv` is no grant; there are `scratch=SIZE`, `read:NAME=PATH`, `env:NAME`, `env:NAME=VALUE`, `secret:NAME`, `secret:NAME=SOURCE` and `http=https://HOST`
        `0MiB` is no size of a scratch directory: it has 1 MiB to 4 GiB, e.g. `scratch=64MiB`
        `5GiB` is no size of a scratch directory: it has 1 MiB to 4 GiB, e.g. `scratch=64MiB`
        `64` is no size of a scratch directory: it has 1 MiB to 4 GiB, e.g. `scratch=64MiB`
        `read:corpus` needs a name and a path, e.g. `read:corpus=data/corpus`
        a granted directory cannot be called `tmp`: lower-case letters, digits, `_` and `-` are allowed, a letter comes first, and `tmp` is the scratch directory
        a granted directory cannot be called `Corpus`: lower-case letters, digits, `_` and `-` are allowed, a letter comes first, and `tmp` is the scratch directory
        `A B` names no variable: a name has letters, digits and `_`, e.g. `env:LANG`
        the value of `env:A` has a NUL byte, where programs take a variable to end: leave it out
        the value of a secret is not written down: grant `secret:TOKEN` and set the variable `TOKEN` of the environment, or say where the value is, e.g. `secret:TOKEN=file:PATH`, `secret:TOKEN=aws-sm:NAME` or `secret:TOKEN=aws-ssm:NAME`
        `http=` takes whom a step may ask, e.g. `http=https://api.example.com`: `api.example.com` begins neither with `http://` nor with `https://`
        `http=` takes whom a step may ask, e.g. `http=https://api.example.com`: `api.example.com/v1` is more than a host and a port
        `https://api.example.com` is granted as `http=https://api.example.com`
        ");
    }

    #[test]
    fn of_two_grants_for_one_thing_the_later_one_holds() {
        let fit: StepName = "fit".parse().expect("a name");
        let grants = Grants {
            all: ["scratch=1MiB", "env:A=1", "secret:B", "env:B=2"]
                .map(grant)
                .into(),
            steps: BTreeMap::from([(fit.clone(), vec![grant("scratch=8MiB")])]),
        };
        let of = |step: &StepName| {
            let texts: Vec<String> = grants.of(step).into_iter().map(Grant::to_string).collect();
            texts.join(" ")
        };
        assert_eq!(of(&fit), "scratch=8MiB env:A=1 env:B=2");
        let other = "other".parse().expect("a name");
        assert_eq!(of(&other), "scratch=1MiB env:A=1 env:B=2");
    }

    #[test]
    fn a_secret_is_known_by_its_digest_and_a_directory_by_its_name() {
        let digest = Digest::of(b"what is kept of it");
        let secret = Grant::Secret {
            name: "TOKEN".into(),
            source: Some(Source::Env("OTHER".into())),
            digest: Some(digest),
        };
        assert_eq!(secret.identity(), format!("secret:TOKEN={digest}"));
        assert_eq!(secret.to_string(), "secret:TOKEN=env:OTHER");
        assert_eq!(grant("read:corpus=/a").identity(), "read:corpus");
    }

    #[test]
    fn the_class_follows_from_imports_and_grants() {
        let imports = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let plain = imports(&[
            "wrun:flow/artifacts",
            "wasi:cli/environment",
            "wasi:random/insecure-seed",
        ]);
        let clock = imports(&["wasi:clocks/wall-clock"]);
        let files = imports(&["wasi:filesystem/types", "wasi:cli/environment"]);
        let all = [
            grant("read:corpus=/a"),
            grant("scratch=1MiB"),
            grant("env:A=1"),
        ];
        let http = imports(&["wasi:http/outgoing-handler", "wasi:clocks/wall-clock"]);
        let origin = [grant("http=https://api.example.com")];
        let cases = [
            (&http, &origin[..0], Class::Virtual),
            (&http, &origin[..], Class::Recorded),
            (&plain, &origin[..], Class::Pure),
            (&plain, &all[..0], Class::Pure),
            (&plain, &all[..2], Class::Pure),
            (&plain, &all[2..], Class::Virtual),
            (&clock, &all[..2], Class::Virtual),
            (&files, &all[..0], Class::Pure),
            (&files, &all[1..2], Class::Virtual),
            (&files, &all[..], Class::Recorded),
        ];
        for (imports, grants, expected) in cases {
            assert_eq!(
                Class::of(imports, grants),
                expected,
                "{imports:?} {grants:?}"
            );
        }
    }
}

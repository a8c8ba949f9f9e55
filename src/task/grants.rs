//! What a step was granted, made ready for its cell.
//!
//! The values of secrets are nowhere but in the environment of whoever starts a run and in the
//! memory of the agent and of the cell: the header has a digest by which a value is recognised. It
//! hides a token; a word that can be guessed is found by trying words.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::digest::Digest;
use crate::model::failure::{Failure, FailureKind};
use crate::model::grant::{Grant, Grants};
use crate::model::header::RunHeader;
use crate::model::name::StepName;
use crate::model::origin::Origin;
use crate::sandbox::call::Granted;

/// A granted variable that has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{grant}` is granted, and the variable `{name}` is not set")]
pub struct NotSet {
    /// The grant.
    pub grant: String,
    /// The variable.
    pub name: String,
}

/// Gives granted variables the values that they have now, and secrets their digests.
///
/// # Errors
/// [`NotSet`] when `variable` knows no value.
pub fn fill(grants: &mut Grants, variable: impl Fn(&str) -> Option<String>) -> Result<(), NotSet> {
    for grant in grants.iter_mut() {
        let text = grant.to_string();
        let not_set = |name: &String| NotSet {
            grant: text.clone(),
            name: name.clone(),
        };
        match grant {
            Grant::Env { name, value } if value.is_none() => {
                *value = Some(variable(name).ok_or_else(|| not_set(name))?);
            }
            Grant::Secret { name, digest } => {
                let value = variable(name).ok_or_else(|| not_set(name))?;
                *digest = Some(known_by(name, &value));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The digest by which the value of a secret is recognised: BLAKE3 in its key-derivation mode over
/// its name and its value.
fn known_by(name: &str, value: &str) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("wrun 2026-11 value of a secret");
    hasher.update(&(name.len() as u64).to_le_bytes());
    hasher.update(name.as_bytes());
    hasher.update(value.as_bytes());
    hasher.finalize().into()
}

/// The values of the secrets of a run, as far as they are at hand.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<Digest, String>);

impl fmt::Debug for Secrets {
    /// Says how many there are and nothing else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// Those that `grants` name and that `variable` has with the values that the run started with.
    pub fn of(grants: &Grants, variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut known = BTreeMap::new();
        let all = grants.all.iter().chain(grants.steps.values().flatten());
        for grant in all {
            if let Grant::Secret {
                name,
                digest: Some(digest),
            } = grant
                && let Some(value) = variable(name)
                && known_by(name, &value) == *digest
            {
                known.insert(*digest, value);
            }
        }
        Self(known)
    }
}

/// What `step` was granted, as its cell is told.
///
/// # Errors
/// A failure when a secret is not at hand.
pub fn granted(header: &RunHeader, secrets: &Secrets, step: &StepName) -> Result<Granted, Failure> {
    let mut granted = Granted::default();
    for grant in header.grants.of(step) {
        match grant {
            Grant::Scratch { mib } => granted.scratch_mib = *mib,
            Grant::Read { name, .. } => granted.directories.push(name.clone()),
            Grant::Env { name, value } => {
                let value = value.clone().unwrap_or_default();
                granted.environment.push((name.clone(), value));
            }
            Grant::Secret { name, digest } => {
                let value = digest.as_ref().and_then(|digest| secrets.0.get(digest));
                let value = value.ok_or_else(|| not_at_hand(name))?;
                granted.environment.push((name.clone(), value.clone()));
            }
            Grant::Http { origin } => granted.origins.push(origin.clone()),
        }
    }
    Ok(granted)
}

fn not_at_hand(name: &str) -> Failure {
    let message = format!("the secret `{name}` is not at hand: its value is not recorded");
    Failure::new(FailureKind::Infrastructure, message).with_hint(format!(
        "set the variable `{name}` to the value with which the run started"
    ))
}

/// The secrets of `step` with their values, as far as they are at hand, the longest first.
pub fn secrets<'a>(
    header: &'a RunHeader,
    secrets: &'a Secrets,
    step: &StepName,
) -> Vec<(&'a str, &'a str)> {
    let grants = header.grants.of(step).into_iter();
    let known = grants.filter_map(|grant| match grant {
        Grant::Secret {
            name,
            digest: Some(digest),
        } => {
            let value = secrets.0.get(digest)?;
            Some((name.as_str(), value.as_str()))
        }
        _ => None,
    });
    let mut known: Vec<_> = known.filter(|(_, value)| !value.is_empty()).collect();
    known.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    known
}

/// The directories that `step` may read, in the order of [`Granted::directories`]: name and path.
pub fn directories<'a>(header: &'a RunHeader, step: &StepName) -> Vec<(&'a str, &'a str)> {
    let grants = header.grants.of(step).into_iter();
    let directories = grants.filter_map(|grant| match grant {
        Grant::Read { name, path } => Some((name.as_str(), path.as_str())),
        _ => None,
    });
    directories.collect()
}

/// Whom `step` may ask over HTTP, sorted.
pub fn origins(header: &RunHeader, step: &StepName) -> Vec<Origin> {
    let grants = header.grants.of(step).into_iter();
    let origins = grants.filter_map(|grant| match grant {
        Grant::Http { origin } => Some(origin.clone()),
        _ => None,
    });
    origins.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(texts: &[&str]) -> Grants {
        Grants {
            all: texts
                .iter()
                .map(|text| text.parse().expect("a grant"))
                .collect(),
            steps: BTreeMap::new(),
        }
    }

    fn machine(name: &str) -> Option<String> {
        let known = [("LANG", "de"), ("TOKEN", "hunter2")];
        let found = known.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn variables_are_filled_in_and_secrets_are_not() {
        let mut grants = grants(&["env:LANG", "env:MODE=fast", "secret:TOKEN"]);
        fill(&mut grants, machine).expect("all are set");
        assert_eq!(
            grants.lines(),
            ["env:LANG=de", "env:MODE=fast", "secret:TOKEN"]
        );
        let text = format!("{grants:?}");
        assert!(!text.contains("hunter2"), "{text}");
        let secrets = Secrets::of(&grants, machine);
        assert_eq!(format!("{secrets:?}"), "1 secrets");
        let other = |name: &str| machine(name).map(|value| value + "!");
        assert_eq!(format!("{:?}", Secrets::of(&grants, other)), "0 secrets");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = fill(&mut grants(&["secret:OTHER"]), machine).expect_err("it is not set");
        assert_eq!(
            error.to_string(),
            "`secret:OTHER` is granted, and the variable `OTHER` is not set"
        );
    }
}

//! What a step was granted, made ready for its cell.
//!
//! The values of secrets are where grants say ([`super::secret`]), in the memory of the agent, and in
//! that of the cell once a step asks for them: the header has a digest by which a value is
//! recognised. It hides a token; a word that can be guessed is found by trying words.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::redact::Redactor;
use super::secret::{Absent, Surroundings};

use crate::model::digest::Digest;
use crate::model::failure::{Failure, FailureKind};
use crate::model::grant::{Grant, Grants};
use crate::model::header::RunHeader;
use crate::model::name::StepName;
use crate::model::origin::Origin;
use crate::sandbox::call::Granted;

/// A granted variable that has no value.
#[derive(Debug, thiserror::Error)]
#[error("`{grant}` is granted, and {why}")]
pub struct NoValue {
    /// The grant.
    pub grant: String,
    /// Why there is none.
    pub why: Absent,
}

/// Gives granted variables the values that they have now, and secrets their digests.
///
/// # Errors
/// [`NoValue`] when there is none.
pub async fn fill(grants: &mut Grants, around: &Surroundings<'_>) -> Result<(), NoValue> {
    for grant in grants.iter_mut() {
        let text = grant.to_string();
        let no_value = |why| NoValue { grant: text, why };
        match grant {
            Grant::Env { name, value } if value.is_none() => {
                *value = Some(around.variable(name).map_err(no_value)?);
            }
            Grant::Secret {
                name,
                source,
                digest,
            } => {
                let value = around.secret(name, source.as_ref()).await;
                *digest = Some(known_by(name, &value.map_err(no_value)?));
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
///
/// Cheap to clone. Values are overwritten when the last clone goes.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Known>);

#[derive(Default)]
struct Known {
    values: BTreeMap<Digest, Zeroizing<String>>,
    /// Why others are not at hand.
    absent: BTreeMap<Digest, Absent>,
    redactor: Redactor,
}

impl fmt::Debug for Secrets {
    /// Says how many there are and nothing else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.values.len())
    }
}

impl Secrets {
    /// Those that `grants` name, or only those of `step`, whose values are those that the run started
    /// with.
    pub async fn of(grants: &Grants, step: Option<&StepName>, around: &Surroundings<'_>) -> Self {
        let mut known = Known::default();
        let all: Vec<&Grant> = match step {
            Some(step) => grants.of(step),
            None => {
                let all = grants.all.iter().chain(grants.steps.values().flatten());
                all.collect()
            }
        };
        let mut named = Vec::new();
        for grant in all {
            let Grant::Secret {
                name,
                source,
                digest: Some(digest),
            } = grant
            else {
                continue;
            };
            match around.secret(name, source.as_ref()).await {
                Ok(value) if known_by(name, &value) == *digest => {
                    known.values.insert(*digest, value);
                    named.push((name.as_str(), *digest));
                }
                Ok(_) => {}
                Err(why) => {
                    known.absent.insert(*digest, why);
                }
            }
        }
        let values = named
            .iter()
            .map(|(name, digest)| (*name, known.values[digest].as_str()));
        let redactor = Redactor::new(values);
        known.redactor = redactor;
        Self(Arc::new(known))
    }

    /// Finds their values in what is kept and shown.
    pub fn redactor(&self) -> &Redactor {
        &self.0.redactor
    }

    fn value(&self, digest: Option<&Digest>) -> Option<&Zeroizing<String>> {
        self.0.values.get(digest?)
    }

    fn not_at_hand(&self, name: &str, digest: Option<&Digest>) -> Failure {
        let message = format!("the secret `{name}` is not at hand: its value is not recorded");
        let why = digest.and_then(|digest| self.0.absent.get(digest));
        let kind = match why {
            Some(why) if why.may_pass() => FailureKind::Infrastructure,
            _ => FailureKind::Misconfigured,
        };
        let failure = Failure::new(kind, message);
        let Some(why) = why.filter(|why| !matches!(why, Absent::NotSet(_))) else {
            return failure.with_hint(format!(
                "set the variable `{name}` to the value with which the run started"
            ));
        };
        let source = std::error::Error::source(why).map(ToString::to_string);
        let mut failure = failure.with_hint(why.hint());
        failure.causes = [why.to_string()].into_iter().chain(source).collect();
        failure
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
            Grant::Secret { name, digest, .. } => {
                // Its value is sent when the step asks for it.
                if secrets.value(digest.as_ref()).is_none() {
                    return Err(secrets.not_at_hand(name, digest.as_ref()));
                }
                granted.secrets.push(name.clone());
            }
            Grant::Http { origin } => granted.origins.push(origin.clone()),
        }
    }
    Ok(granted)
}

/// The secrets of `step` with their values, as far as they are at hand, sorted by name.
pub fn secrets(
    header: &RunHeader,
    secrets: &Secrets,
    step: &StepName,
) -> Vec<(String, Zeroizing<String>)> {
    let grants = header.grants.of(step).into_iter();
    let known = grants.filter_map(|grant| match grant {
        Grant::Secret { name, digest, .. } => {
            let value = secrets.value(digest.as_ref())?;
            Some((name.clone(), value.clone()))
        }
        _ => None,
    });
    known.collect()
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
    use crate::model::time::Timestamp;

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

    fn around() -> Surroundings<'static> {
        Surroundings::new(&machine, Timestamp(0))
    }

    #[tokio::test]
    async fn variables_are_filled_in_and_secrets_are_not() {
        let mut grants = grants(&["env:LANG", "env:MODE=fast", "secret:TOKEN"]);
        fill(&mut grants, &around()).await.expect("all are set");
        assert_eq!(
            grants.lines(),
            ["env:LANG=de", "env:MODE=fast", "secret:TOKEN"]
        );
        let text = format!("{grants:?}");
        assert!(!text.contains("hunter2"), "{text}");
        let secrets = Secrets::of(&grants, None, &around()).await;
        assert_eq!(format!("{secrets:?}"), "1 secrets");
        let other = |name: &str| machine(name).map(|value| value + "!");
        let other = Surroundings::new(&other, Timestamp(0));
        let none = Secrets::of(&grants, None, &other).await;
        assert_eq!(format!("{none:?}"), "0 secrets");
    }

    #[tokio::test]
    async fn a_variable_that_is_not_set_is_named() {
        let mut grants = grants(&["secret:OTHER"]);
        let error = fill(&mut grants, &around())
            .await
            .expect_err("it is not set");
        assert_eq!(
            error.to_string(),
            "`secret:OTHER` is granted, and the variable `OTHER` is not set"
        );
    }
}

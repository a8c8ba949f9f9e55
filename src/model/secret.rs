//! Where the value of a secret is.
//!
//! A grant says where a value is and never what it is: whatever is written in a file of settings or
//! on a command line is kept and shown.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where the value of a secret is.
///
/// As text: `env:NAME`, `file:PATH`, `aws-sm:NAME`, `aws-sm:NAME#KEY`, `aws-ssm:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// In a variable of the environment.
    Env(String),
    /// In a file of this machine.
    File(String),
    /// In Secrets Manager of AWS.
    SecretsManager {
        /// The name or the ARN of the secret.
        id: String,
        /// The member of it, where it is an object in JSON.
        key: Option<String>,
    },
    /// In the Parameter Store of AWS: the name or the ARN of the parameter.
    Parameter(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::SecretsManager { id, key: None } => write!(f, "aws-sm:{id}"),
            Self::SecretsManager { id, key: Some(key) } => write!(f, "aws-sm:{id}#{key}"),
            Self::Parameter(name) => write!(f, "aws-ssm:{name}"),
        }
    }
}

/// A text that says of no place where a value is. It may be the value: it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value is in `env:NAME`, `file:PATH`, `aws-sm:NAME` or `aws-ssm:NAME`")]
pub struct SourceError;

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (kind, rest) = text.split_once(':').ok_or(SourceError)?;
        let rest = Some(rest).filter(|rest| !rest.is_empty() && !rest.contains(char::is_control));
        let rest = rest.ok_or(SourceError)?.to_owned();
        match kind {
            "env" if is_variable(&rest) => Ok(Self::Env(rest)),
            "file" => Ok(Self::File(rest)),
            "aws-sm" => match rest.split_once('#') {
                Some((id, key)) if is_of_aws(id) && !key.is_empty() => Ok(Self::SecretsManager {
                    id: id.to_owned(),
                    key: Some(key.to_owned()),
                }),
                None if is_of_aws(&rest) => Ok(Self::SecretsManager {
                    id: rest,
                    key: None,
                }),
                _ => Err(SourceError),
            },
            "aws-ssm" if is_of_aws(&rest) => Ok(Self::Parameter(rest)),
            _ => Err(SourceError),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

/// Whether a variable of the environment can have this name.
pub(super) fn is_variable(name: &str) -> bool {
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    let is_one = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !digit && name.chars().all(is_one)
}

/// Whether AWS has such names of secrets and parameters, or ARNs.
fn is_of_aws(name: &str) -> bool {
    let is_one = |c: char| c.is_ascii_alphanumeric() || "/_+=.@:-".contains(c);
    !name.is_empty() && name.len() <= 2048 && name.chars().all(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_what_it_prints() {
        for text in [
            "env:OTHER_TOKEN",
            "file:/run/secrets/token=1",
            "aws-sm:prod/api",
            "aws-sm:prod/api#password",
            "aws-sm:arn:aws:secretsmanager:eu-central-1:123456789012:secret:api-AbCdEf#a#b",
            "aws-ssm:/prod/token",
            "aws-ssm:arn:aws:ssm:eu-central-1:123456789012:parameter/prod/token:3",
        ] {
            let source: Source = text.parse().expect(text);
            assert_eq!(source.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_source_is_not_repeated() {
        for text in [
            "hunter2",
            "file:",
            "env:A B",
            "aws-sm:#key",
            "aws-sm:name#",
            "aws-sm:a b",
            "vault:x",
            "aws-ssm:",
        ] {
            let error = text.parse::<Source>().expect_err(text);
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}

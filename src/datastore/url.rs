//! Where a datastore is: a directory or, later, a place in S3.
//!
//! Only text in and out; nothing in here touches a disk or a network.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a datastore is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatastoreUrl {
    /// A directory, given as a path or as `file:///absolute/path`.
    Directory(PathBuf),
    /// A place in S3: `s3://bucket/prefix`.
    S3 {
        /// The bucket.
        bucket: String,
        /// What all keys begin with, without slashes at the ends; may be empty.
        prefix: String,
    },
}

/// A text that does not say where a datastore is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatastoreUrlError {
    /// The text has no characters.
    #[error("a datastore cannot be the empty text; give a directory, e.g. `.wrun`")]
    Empty,
    /// A `file://` URL with a host or a relative path.
    #[error("`{0}` is not a file URL that can be used: `file:///absolute/path` is expected")]
    File(String),
    /// An `s3://` URL without a bucket.
    #[error("`{0}` has no bucket: `s3://bucket/prefix` is expected")]
    Bucket(String),
    /// Some other scheme.
    #[error("`{0}` has a scheme that is not known; a directory, `file://` and `s3://` are")]
    Scheme(String),
}

impl DatastoreUrl {
    /// The datastore in the directory `path`.
    pub fn directory(path: impl AsRef<Path>) -> Self {
        Self::Directory(path.as_ref().to_owned())
    }
}

impl fmt::Display for DatastoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl FromStr for DatastoreUrl {
    type Err = DatastoreUrlError;

    fn from_str(text: &str) -> Result<Self, DatastoreUrlError> {
        if text.is_empty() {
            return Err(DatastoreUrlError::Empty);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::directory(text));
        };
        match scheme {
            "file" if rest.starts_with('/') => Ok(Self::directory(rest)),
            "file" => Err(DatastoreUrlError::File(text.to_owned())),
            "s3" => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(DatastoreUrlError::Bucket(text.to_owned()));
                }
                let prefix = prefix.trim_matches('/').to_owned();
                Ok(Self::S3 {
                    bucket: bucket.to_owned(),
                    prefix,
                })
            }
            _ => Err(DatastoreUrlError::Scheme(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_printed_as_it_can_be_given() {
        for text in ["/var/lib/wrun", ".wrun", "s3://team", "s3://team/a/b"] {
            assert_eq!(text.parse::<DatastoreUrl>().unwrap().to_string(), text);
        }
        assert_eq!("file:///x/y".parse(), Ok(DatastoreUrl::directory("/x/y")));
        assert_eq!(
            "s3://b/p/".parse::<DatastoreUrl>().unwrap().to_string(),
            "s3://b/p"
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text: &str| text.parse::<DatastoreUrl>().unwrap_err();
        assert_eq!(wrong(""), DatastoreUrlError::Empty);
        assert_eq!(
            wrong("file://host/x"),
            DatastoreUrlError::File("file://host/x".into())
        );
        assert_eq!(
            wrong("s3:///x"),
            DatastoreUrlError::Bucket("s3:///x".into())
        );
        assert_eq!(wrong("gs://x"), DatastoreUrlError::Scheme("gs://x".into()));
    }
}

//! Finds the values of secrets where grants say that they are.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::at_hand::AtHand;
use crate::aws::{self, Kind, SdkConfig, Trouble};
use crate::model::secret::Source;
use crate::model::time::Timestamp;

/// The largest file of a secret, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// Why a granted variable has no value.
#[derive(Debug, thiserror::Error)]
pub enum Absent {
    /// It is to come from a variable that is not set.
    #[error("the variable `{0}` is not set")]
    NotSet(String),
    /// The file cannot be read.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Everybody on this machine can read or change the file.
    #[error("`{path}` is open to everybody on this machine")]
    Open {
        /// The file.
        path: String,
    },
    /// The file is not what a secret is in.
    #[error("`{path}` {why}")]
    Unfit {
        /// The file.
        path: String,
        /// What it is instead.
        why: &'static str,
    },
    /// AWS did not give it.
    #[error("`{place}` cannot be read")]
    Aws {
        /// What was asked for, e.g. `aws-sm:prod/api`.
        place: String,
        /// What AWS said.
        source: Box<Trouble>,
    },
}

impl Absent {
    /// Whether there may be a value a little later, without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Aws { source, .. } if source.kind.may_pass())
    }

    /// What can be done about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotSet(name) => {
                format!("set it: `{name}=… wrun run`, or take the grant away")
            }
            Self::Unreadable { .. } | Self::Unfit { .. } => {
                "put the value into a file of text, or correct the path".to_owned()
            }
            Self::Open { path } => format!("`chmod 600 {path}`"),
            // AWS has answered, and what it has is no value.
            Self::Aws { source, .. } if source.kind == Kind::Refused && source.code.is_none() => {
                "correct the name, or what is kept under it".to_owned()
            }
            Self::Aws { source, .. } => source.hint(),
        }
    }
}

/// Where values come from on this machine.
pub struct Surroundings<'a> {
    variable: &'a (dyn Fn(&str) -> Option<String> + Sync),
    now: SystemTime,
    aws: OnceCell<SdkConfig>,
    at_hand: AtHand,
}

impl<'a> Surroundings<'a> {
    /// The surroundings in which `variable` knows the variables, and requests are signed with `now`.
    pub fn new(variable: &'a (dyn Fn(&str) -> Option<String> + Sync), now: Timestamp) -> Self {
        Self {
            variable,
            now: UNIX_EPOCH + Duration::from_micros(now.0),
            aws: OnceCell::new(),
            at_hand: AtHand::default(),
        }
    }

    /// The same, where services are not asked for what is `at_hand`, and their answers are put there.
    pub fn holding(mut self, at_hand: &AtHand) -> Self {
        self.at_hand = at_hand.clone();
        self
    }

    /// The value of the variable `name` of the environment.
    ///
    /// # Errors
    /// [`Absent::NotSet`].
    pub fn variable(&self, name: &str) -> Result<String, Absent> {
        (self.variable)(name).ok_or_else(|| Absent::NotSet(name.to_owned()))
    }

    /// The value of the secret `name`, which is at `source`, or else in the variable of its name.
    ///
    /// # Errors
    /// [`Absent`] says why there is none.
    pub async fn secret(
        &self,
        name: &str,
        source: Option<&Source>,
    ) -> Result<Zeroizing<String>, Absent> {
        let Some(source) = source else {
            return self.variable(name).map(Zeroizing::new);
        };
        if let Some(value) = self.at_hand.get(source) {
            return Ok(value);
        }
        let value = self.asked(source).await?;
        if matches!(source, Source::SecretsManager { .. } | Source::Parameter(_)) {
            self.at_hand.put(source, &value);
        }
        Ok(value)
    }

    /// The value that is at `source` now.
    async fn asked(&self, source: &Source) -> Result<Zeroizing<String>, Absent> {
        let place = source.to_string();
        let refused = |source| Absent::Aws {
            place,
            source: Box::new(source),
        };
        match source {
            Source::Env(other) => self.variable(other).map(Zeroizing::new),
            Source::File(path) => file(path),
            Source::SecretsManager { id, key } => {
                let value = aws::secret::secret(self.aws().await, id, key.as_deref(), self.now);
                value.await.map_err(refused)
            }
            Source::Parameter(name) => {
                let value = aws::secret::parameter(self.aws().await, name, self.now);
                value.await.map_err(refused)
            }
        }
    }

    async fn aws(&self) -> &SdkConfig {
        self.aws.get_or_init(aws::config).await
    }
}

/// What is in the file, without the end of its last line.
fn file(path: &str) -> Result<Zeroizing<String>, Absent> {
    let unreadable = |source| Absent::Unreadable {
        path: path.to_owned(),
        source,
    };
    let unfit = |why| Absent::Unfit {
        path: path.to_owned(),
        why,
    };
    // Looked at before it is opened: a pipe would be waited for.
    let found = Path::new(path).metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err(unfit("is no file"));
    }
    if found.mode() & 0o007 != 0 {
        let path = path.to_owned();
        return Err(Absent::Open { path });
    }
    if found.len() > MAX_FILE {
        return Err(unfit("is larger than any secret: more than 64 KiB"));
    }
    let mut text = Zeroizing::new(String::new());
    let mut bytes = Zeroizing::new(std::fs::read(path).map_err(unreadable)?);
    match std::str::from_utf8(&bytes) {
        Ok(read) => text.push_str(read.strip_suffix('\n').unwrap_or(read)),
        Err(_) => return Err(unfit("is no text in UTF-8")),
    }
    bytes.clear();
    if text.ends_with('\r') {
        text.pop();
    }
    match text.is_empty() {
        true => Err(unfit("is empty")),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(bytes: &[u8], mode: u32) -> Result<String, String> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        fs::write(&path, bytes).expect("it is written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
        let path = path.to_str().expect("text");
        let read = file(path).map(|value| value.to_string());
        read.map_err(|error| error.to_string().replace(path, "token"))
    }

    #[test]
    fn a_file_has_one_value_without_the_end_of_its_line() {
        assert_eq!(read(b"hunter2\n", 0o600), Ok("hunter2".into()));
        assert_eq!(read(b"hunter2\r\n", 0o640), Ok("hunter2".into()));
        assert_eq!(read(b"a\nb\n", 0o400), Ok("a\nb".into()));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let said = |bytes: &[u8], mode| read(bytes, mode).expect_err("it is refused");
        assert_eq!(
            said(b"x", 0o644),
            "`token` is open to everybody on this machine"
        );
        assert_eq!(
            said(b"x", 0o602),
            "`token` is open to everybody on this machine"
        );
        assert_eq!(said(b"\n", 0o600), "`token` is empty");
        assert_eq!(said(b"\xff", 0o600), "`token` is no text in UTF-8");
        let large = vec![b'x'; MAX_FILE as usize + 1];
        assert!(said(&large, 0o600).contains("64 KiB"));
        assert!(
            file("/")
                .expect_err("a directory")
                .to_string()
                .contains("is no file")
        );
        assert!(matches!(file("/no/such"), Err(Absent::Unreadable { .. })));
    }
}

//! Writes the sources of a snapshot to a directory.
//!
//! A manifest is data from a datastore that others may write to, so nothing in it is trusted: paths are
//! checked, files are created through cap-std below the directory and never through a link, and
//! every blob is verified against its digest when it is read.
//!
//! Uses `datastore` and [`super::manifest`].

use std::io::Write;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::gather::{MAX_FILE, MAX_FILES, MAX_TOTAL};
use super::manifest::Manifest;

/// Why the sources of a snapshot could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is something in the directory already.
    #[error("`{}` is not empty", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The manifest names a file that no snapshot has.
    #[error("the snapshot names the file `{path}`, which {reason}")]
    Refused {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The manifest names more than a snapshot holds.
    #[error("the snapshot is larger than any that wrun makes")]
    TooMuch,
    /// A file could not be written.
    #[error("could not write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Checks every path of the manifest.
pub(super) fn check(manifest: &Manifest) -> Result<(), RestoreError> {
    let total = manifest
        .files
        .iter()
        .map(|file| file.size)
        .fold(0, u64::saturating_add);
    // The original of a reduced manifest comes on top of what was weighed.
    if manifest.files.len() > MAX_FILES + 100 || total > MAX_TOTAL + MAX_FILE {
        return Err(RestoreError::TooMuch);
    }
    for file in &manifest.files {
        if let Some(reason) = refusal(&file.path) {
            return Err(RestoreError::Refused {
                path: file.path.clone(),
                reason,
            });
        }
    }
    for pair in manifest.files.windows(2) {
        if pair[0].path >= pair[1].path {
            let reason = "is there twice or out of order";
            return Err(RestoreError::Refused {
                path: pair[1].path.clone(),
                reason,
            });
        }
    }
    Ok(())
}

/// Why a path may not be written.
fn refusal(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.len() > 1024 {
        return Some("has no name, or one that is too long");
    }
    if path.contains(['\0', '\\', ':']) {
        return Some("has a character that leads elsewhere on some systems");
    }
    if path.starts_with('/') {
        return Some("is absolute");
    }
    let names = || path.split('/');
    if names().any(|name| name.is_empty() || name == "." || name == "..") {
        return Some("leads out of its directory");
    }
    if names().any(|name| name.eq_ignore_ascii_case(".git")) {
        return Some("would be taken for version control");
    }
    None
}

/// Makes the directory, which must be empty if it is there.
pub(super) fn open_empty(path: &Path) -> Result<Dir, RestoreError> {
    let wrong = |source| RestoreError::Write {
        path: path.to_owned(),
        source,
    };
    std::fs::create_dir_all(path).map_err(wrong)?;
    let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(wrong)?;
    if dir.entries().map_err(wrong)?.next().is_some() {
        return Err(RestoreError::NotEmpty {
            path: path.to_owned(),
        });
    }
    Ok(dir)
}

/// Writes one new file below `dir`.
pub(super) fn write(dir: &Dir, path: &str, bytes: &[u8], executable: bool) -> std::io::Result<()> {
    if let Some((parent, _)) = path.rsplit_once('/') {
        dir.create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        options.mode(if executable { 0o777 } else { 0o666 });
    }
    #[cfg(not(unix))]
    let _ = executable;
    dir.open_with(path, &options)?.write_all(bytes)
}

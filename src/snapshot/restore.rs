//! Writes the sources of a snapshot to a directory.
//!
//! A manifest is data from a datastore that others may write to, so nothing in it is trusted: paths are
//! checked, files are created through cap-std below the directory and never through a link, and
//! every blob is verified against its digest when it is read.
//!
//! Uses `model`, `datastore` and [`super::manifest`].

use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::gather::{MAX_FILE, MAX_FILES, MAX_TOTAL};
use super::manifest::Manifest;
use crate::datastore::{BlobError, Datastore};
use crate::model::digest::Digest;
use crate::model::name::FlowName;

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
    /// The contents of a file are not in the datastore or damaged there.
    #[error("could not read the contents of `{path}`")]
    Read {
        /// The file.
        path: String,
        /// What the datastore said.
        source: BlobError,
    },
    /// A file could not be written.
    #[error("could not write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Writes the sources and the module of `manifest` to the directory `to` and returns the module's path.
///
/// The directory is made if it is not there and must be empty. The module is put beside the sources
/// as `FLOW.wasm`. When this fails, the directory may hold a part of the files.
///
/// # Errors
/// [`RestoreError::Refused`] when the manifest is not one that wrun makes; nothing was written then.
pub async fn restore(
    ds: &Datastore,
    manifest: &Manifest,
    to: &Path,
) -> Result<PathBuf, RestoreError> {
    check(manifest)?;
    let dir = open_empty(to)?;
    for file in &manifest.files {
        let bytes = read(ds, &file.path, &file.digest).await?;
        write(&dir, &file.path, &bytes, file.executable).map_err(|source| RestoreError::Write {
            path: to.join(&file.path),
            source,
        })?;
    }
    let name = module_name(manifest);
    let bytes = read(ds, &name, &manifest.module.digest).await?;
    let path = to.join(&name);
    write(&dir, &name, &bytes, false).map_err(|source| RestoreError::Write {
        path: path.clone(),
        source,
    })?;
    Ok(path)
}

async fn read(ds: &Datastore, path: &str, digest: &Digest) -> Result<Bytes, RestoreError> {
    let wrong = |source| RestoreError::Read {
        path: path.to_owned(),
        source,
    };
    ds.blobs()
        .get_bounded(digest, MAX_FILE)
        .await
        .map_err(wrong)
}

/// The name of the module's file: the flow's, when that is a name and not taken by a source.
fn module_name(manifest: &Manifest) -> String {
    let flow = FlowName::new(&manifest.definition.name).ok();
    let name = flow.map_or("module.wasm".to_owned(), |flow| format!("{flow}.wasm"));
    match manifest.files.iter().any(|file| file.path == name) {
        true => format!("snapshot-{name}"),
        false => name,
    }
}

/// Checks every path of the manifest.
fn check(manifest: &Manifest) -> Result<(), RestoreError> {
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
fn open_empty(path: &Path) -> Result<Dir, RestoreError> {
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
fn write(dir: &Dir, path: &str, bytes: &[u8], executable: bool) -> std::io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::manifest::tests::sample;

    /// The sample with its blobs in a datastore.
    async fn stored() -> (Datastore, Manifest) {
        let ds = Datastore::memory().await;
        let manifest = sample();
        for file in &manifest.files {
            ds.blobs()
                .put(Bytes::from(file.path.clone()))
                .await
                .unwrap();
        }
        ds.blobs().put(Bytes::from_static(b"module")).await.unwrap();
        (ds, manifest)
    }

    #[tokio::test]
    async fn files_come_back_with_their_contents_and_permissions() {
        let (ds, manifest) = stored().await;
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("new/place");
        let module = restore(&ds, &manifest, &to).await.unwrap();
        assert_eq!(std::fs::read(module).unwrap(), b"module");
        assert_eq!(std::fs::read(to.join("Cargo.toml")).unwrap(), b"Cargo.toml");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |name| {
                std::fs::metadata(to.join(name))
                    .unwrap()
                    .permissions()
                    .mode()
            };
            assert_eq!(mode("run.sh") & 0o100, 0o100);
            assert_eq!(mode("Cargo.toml") & 0o111, 0);
        }
        let again = restore(&ds, &manifest, &to).await.unwrap_err();
        assert!(matches!(again, RestoreError::NotEmpty { .. }));
    }

    #[tokio::test]
    async fn hostile_paths_are_refused_before_anything_is_written() {
        let (ds, manifest) = stored().await;
        let dir = tempfile::tempdir().unwrap();
        let mut said = String::new();
        for path in [
            "/etc/passwd",
            "../up",
            "a/../../up",
            "a//b",
            "./a",
            "",
            "a\\b",
            "C:x",
            "a\0b",
            ".git/hooks/x",
            "sub/.GIT/config",
        ] {
            let mut hostile = manifest.clone();
            hostile.files = vec![manifest.files[0].clone()];
            hostile.files[0].path = path.to_owned();
            let to = dir.path().join("to");
            let error = restore(&ds, &hostile, &to).await.unwrap_err();
            assert!(!to.exists(), "{path}");
            said += &format!("{}\n", error.to_string().escape_default());
        }
        insta::assert_snapshot!(said, @"");
    }

    #[tokio::test]
    async fn a_path_that_is_there_twice_is_refused() {
        let (ds, mut manifest) = stored().await;
        manifest.files.push(manifest.files[1].clone());
        let dir = tempfile::tempdir().unwrap();
        let error = restore(&ds, &manifest, &dir.path().join("to"))
            .await
            .unwrap_err();
        assert!(matches!(error, RestoreError::Refused { .. }));
    }

    #[tokio::test]
    async fn contents_that_are_gone_are_named() {
        let (_, manifest) = stored().await;
        let ds = Datastore::memory().await;
        let dir = tempfile::tempdir().unwrap();
        let error = restore(&ds, &manifest, dir.path()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "could not read the contents of `Cargo.toml`"
        );
    }
}

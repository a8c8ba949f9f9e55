//! How old a file is, making it young, and removing it when it still is as old as it was.
//!
//! Whoever refreshes a file, puts another in its place or removes it because of its age holds a lock
//! on it meanwhile. The lock is the file's and not the name's, so whoever has it looks whether the name
//! still means that file. A process that is killed lets its locks go, and leaves nothing half done:
//! each of the three is one call of the system.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use rustix::fs::{FlockOperation, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use super::is_absent;
use crate::failpoint;
use crate::model::time::Timestamp;

/// When a file was written or refreshed.
pub(super) fn modified(metadata: &Metadata) -> io::Result<Timestamp> {
    let since = metadata.modified()?.duration_since(UNIX_EPOCH);
    Ok(Timestamp(since.map_or(0, |since| since.as_micros() as u64)))
}

/// The length of a file and when it was written or refreshed.
pub(super) fn look(path: &Path) -> io::Result<(u64, Timestamp)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.len(), modified(&metadata)?))
}

/// Keeps others from removing or refreshing the file at `path`, where there is one, until it is dropped.
pub(super) fn hold(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    // Without locks nothing is ever removed because of its age.
    rustix::fs::flock(&file, FlockOperation::LockExclusive).ok()?;
    Some(file)
}

/// Makes the file at `path` young; false when it is gone, or belongs to somebody who does not allow it.
pub(super) fn refresh(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(e) if is_absent(&e) => return Ok(false),
        other => other?,
    };
    // Where there are no locks, nobody removes it either.
    let _ = rustix::fs::flock(&file, FlockOperation::LockExclusive);
    // The clock is that of the file system, which may be another machine's.
    let nanoseconds = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: nanoseconds(UTIME_OMIT),
        last_modification: nanoseconds(UTIME_NOW),
    };
    match rustix::fs::futimens(&file, &times).map_err(io::Error::from) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        other => other?,
    }
    is_still(path, &file)
}

/// Removes the file at `path` unless it was written or refreshed after `seen`, and directories below
/// `root` that become empty; true when it is gone.
pub(super) fn remove(root: &Path, path: &Path, seen: Timestamp) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(e) if is_absent(&e) => return Ok(true),
        other => other?,
    };
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    if modified(&file.metadata()?)? > seen || !is_still(path, &file)? {
        return Ok(!path.try_exists()?);
    }
    fs::remove_file(path)?;
    failpoint::reach("local.removed", path.display());
    // Whoever wants an empty directory makes it again.
    let mut above = path.ancestors().skip(1).take_while(|dir| *dir != root);
    while above.next().is_some_and(|dir| fs::remove_dir(dir).is_ok()) {}
    Ok(true)
}

/// Whether `path` still means the file that was opened.
fn is_still(path: &Path, file: &File) -> io::Result<bool> {
    let (now, opened) = match fs::metadata(path) {
        Err(e) if is_absent(&e) => return Ok(false),
        now => (now?, file.metadata()?),
    };
    Ok((now.dev(), now.ino()) == (opened.dev(), opened.ino()))
}

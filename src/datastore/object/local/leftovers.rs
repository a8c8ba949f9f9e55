//! Removes what killed processes left in `tmp/`.
//!
//! Whoever writes a temporary file holds a lock on it, which the system lets go when the process
//! ends, however it ends. So a file that can be locked has no writer any more; only one that is
//! quite new may be about to be locked. A file system without locks keeps what is left.

use std::fs::{self, DirEntry, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::FlockOperation;

use super::super::{Cleaning, Leftovers};
use super::age;
use crate::failpoint;
use crate::model::time::Timestamp;

/// How the names of temporary files begin.
pub(super) const PREFIX: &str = "w";

/// How long a file is left alone: far longer than it takes from its making to its lock.
const ALONE: Duration = Duration::from_secs(60 * 60);

/// Says that `file` has a writer, as long as it is open.
pub(super) fn claim(file: &File) {
    // Without locks nothing is ever removed, so that this need not succeed.
    let _ = rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive);
}

/// Removes the files in `dir` that nobody writes any more. What cannot be removed stays.
pub(super) fn remove(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    let mut left = entries.flatten().filter(is_temporary).peekable();
    if left.peek().is_none() {
        return;
    }
    let Ok(now) = now(dir) else { return };
    for entry in left {
        // Another process may be doing the same.
        let _ = remove_left(&entry, now);
    }
}

/// What killed writers have left in `dir` before `before`; removed where that is asked for.
pub(super) fn of(dir: &Path, before: Timestamp, cleaning: Cleaning) -> io::Result<Leftovers> {
    let mut found = Leftovers::default();
    let entries = match fs::read_dir(dir) {
        Err(e) if super::is_absent(&e) => return Ok(found),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if !is_temporary(&entry) {
            continue;
        }
        // One that is gone meanwhile was no leftover.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if !metadata.is_file() || age::modified(&metadata)? >= before {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else {
            continue;
        };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        if cleaning == Cleaning::Remove {
            clean(&entry.path())?;
        }
        found.count += 1;
        found.bytes += metadata.len();
    }
    Ok(found)
}

fn is_temporary(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// Now, by the clock that also dates the files, which may be that of another machine.
fn now(dir: &Path) -> io::Result<SystemTime> {
    tempfile::tempfile_in(dir)?.metadata()?.modified()
}

fn remove_left(entry: &DirEntry, now: SystemTime) -> io::Result<()> {
    let metadata = entry.metadata()?;
    let age = now.duration_since(metadata.modified()?);
    // What is younger than now has no age.
    if !metadata.is_file() || age.unwrap_or_default() < ALONE {
        return Ok(());
    }
    let file = File::open(entry.path())?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    clean(&entry.path())
}

fn clean(path: &Path) -> io::Result<()> {
    failpoint::pass("local.clean", path.display())?;
    fs::remove_file(path)
}

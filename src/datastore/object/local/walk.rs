//! Lists files as keys, in the order of their bytes, without looking at more than it must.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::{Key, Prefix};
use super::TMP;

type Failed = (PathBuf, io::Error);

/// Up to `limit` keys below `root` that begin with `prefix` and come after `after`.
pub(super) fn list(
    root: &Path,
    prefix: &Prefix,
    after: Option<&Key>,
    limit: usize,
) -> Result<Vec<Key>, Failed> {
    let mut walk = Walk {
        after: after.map_or("", Key::as_str),
        limit,
        found: Vec::new(),
    };
    walk.directory(&root.join(prefix.as_str()), prefix.as_str())?;
    Ok(walk.found)
}

struct Walk<'a> {
    after: &'a str,
    limit: usize,
    found: Vec<Key>,
}

impl Walk<'_> {
    /// Visits `dir`, whose keys all begin with `prefix` (empty, or ending with `/`).
    fn directory(&mut self, dir: &Path, prefix: &str) -> Result<(), Failed> {
        for name in self.names(dir, prefix)? {
            if self.found.len() >= self.limit {
                return Ok(());
            }
            if name.ends_with('/') {
                self.directory(&dir.join(&name), &format!("{prefix}{name}"))?;
            } else if let Ok(key) = Key::new(&format!("{prefix}{name}")) {
                self.found.push(key);
            }
        }
        Ok(())
    }

    /// The names in `dir` that may lead to a key after `after`, in the order of keys; those of
    /// directories end with `/`, because that is how they sort.
    fn names(&self, dir: &Path, prefix: &str) -> Result<Vec<String>, Failed> {
        let failed = |e| (dir.to_owned(), e);
        let entries = match fs::read_dir(dir) {
            Err(e) if super::is_absent(&e) => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(mut name) = entry.file_name().into_string() else {
                continue;
            };
            if prefix.is_empty() && name == TMP || name.starts_with('.') {
                continue;
            }
            if entry.file_type().map_err(failed)?.is_dir() {
                name.push('/');
            }
            if self.may_follow(prefix, &name) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn may_follow(&self, prefix: &str, name: &str) -> bool {
        let whole = prefix.bytes().chain(name.bytes());
        if name.ends_with('/') {
            // All keys below begin with `whole`; some may follow if `after` begins with it too.
            let len = prefix.len() + name.len();
            whole.ge(self.after.bytes().take(len))
        } else {
            whole.gt(self.after.bytes())
        }
    }
}

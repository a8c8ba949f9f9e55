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
        let mut names = self.names(dir, prefix)?;
        let (mut rest, mut many) = (&mut names[..], 0);
        // Of many names a few may be wanted: only as many are put in order. A directory may have no
        // key in it, and then it is more.
        while !rest.is_empty() && self.found.len() < self.limit {
            many = (self.limit - self.found.len())
                .max(2 * many)
                .min(rest.len());
            if many < rest.len() {
                rest.select_nth_unstable(many);
            }
            let (next, later) = rest.split_at_mut(many);
            next.sort_unstable();
            for name in next.iter() {
                self.visit(dir, prefix, name)?;
            }
            rest = later;
        }
        Ok(())
    }

    fn visit(&mut self, dir: &Path, prefix: &str, name: &str) -> Result<(), Failed> {
        if self.found.len() >= self.limit {
            return Ok(());
        }
        if name.ends_with('/') {
            self.directory(&dir.join(name), &format!("{prefix}{name}"))?;
        } else if let Ok(key) = Key::new(&format!("{prefix}{name}")) {
            self.found.push(key);
        }
        Ok(())
    }

    /// The names in `dir` that may lead to a key after `after`, in any order; those of directories end
    /// with `/`, because that is how they sort.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_part_of_the_whole_list_however_few_are_wanted() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..40 {
            let name = format!("{:02}", number * 7 % 40);
            match number % 4 {
                0 => fs::create_dir(directory.path().join(name)).unwrap(),
                1 => {
                    let dir = directory.path().join(name);
                    fs::create_dir(&dir).unwrap();
                    fs::write(dir.join("b"), "").unwrap();
                    fs::write(dir.join("a"), "").unwrap();
                }
                _ => fs::write(directory.path().join(name), "").unwrap(),
            }
        }
        let list = |after: Option<&Key>, limit| {
            list(directory.path(), &Prefix::all(), after, limit).unwrap()
        };
        let all = list(None, usize::MAX);
        assert_eq!(all.len(), 40);
        assert!(all.is_sorted());
        for limit in 0..45 {
            assert_eq!(list(None, limit), all[..limit.min(40)]);
            for (number, after) in all.iter().enumerate() {
                let rest = &all[number + 1..];
                assert_eq!(list(Some(after), limit), rest[..limit.min(rest.len())]);
            }
        }
    }
}

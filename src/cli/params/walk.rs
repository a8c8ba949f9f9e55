//! The files that a directory or a path means.

use std::collections::BTreeMap;
use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};

/// A directory that cannot be given as it is.
fn refuse(what: &str, path: &Path) -> io::Error {
    io::Error::other(format!("{what}: `{}`", path.display()))
}

/// The files below `path` by their paths below it, with `/` between the parts; a file itself by its
/// name.
///
/// What begins with `.` is left out. `path` may be a link, but what lies below it may not: a link could
/// lead out of the directory.
///
/// # Errors
/// When something cannot be read, is neither a file nor a directory, or has a name that is not UTF-8.
pub(super) fn files(path: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    if !std::fs::metadata(path)?.is_dir() {
        let full = std::path::absolute(path)?;
        let name = full.file_name().unwrap_or(full.as_os_str());
        let name = name
            .to_str()
            .ok_or_else(|| refuse("its name is not UTF-8", path))?;
        files.insert(name.to_owned(), path.to_owned());
        return Ok(files);
    }
    let mut open = vec![(String::new(), path.to_owned())];
    while let Some((above, directory)) = open.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let name = name
                .to_str()
                .ok_or_else(|| refuse("a name in it is not UTF-8", &path))?;
            let below = format!("{above}{name}");
            match entry.file_type()? {
                kind if kind.is_dir() => open.push((below + "/", path)),
                kind if kind.is_file() => drop(files.insert(below, path)),
                kind => return Err(refuse(odd(kind), &path)),
            }
        }
    }
    Ok(files)
}

fn odd(kind: FileType) -> &'static str {
    if kind.is_symlink() {
        "a link in it is not followed; give what it leads to"
    } else {
        "something in it is no file"
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_is_its_files_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/deep")).unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        for file in ["c", "b/deep/x", "b.txt", "a", ".hidden", ".git/config"] {
            fs::write(dir.path().join(file), file).unwrap();
        }
        let found = files(dir.path()).unwrap();
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "b.txt", "b/deep/x", "c"]);
        assert!(
            found
                .iter()
                .all(|(name, path)| fs::read_to_string(path).unwrap() == *name)
        );
        let itself = files(&dir.path().join("b/deep/x")).unwrap();
        assert_eq!(itself.keys().collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn a_link_below_a_directory_is_refused_and_named() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("out")).unwrap();
        let error = files(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("a link in it is not followed"), "{error}");
        assert!(error.ends_with("/out`"), "{error}");
        assert!(files(&dir.path().join("none")).is_err());
    }
}

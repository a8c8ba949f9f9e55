//! Looks at a granted directory of the machine, for a step that asks.
//!
//! Nothing outside of it can be reached: every path is resolved by cap-std below the directory,
//! whatever links there are. A link to a file inside is that file. A link to a directory, one that
//! leads outside or nowhere, and what is neither file nor directory are not there.

use std::fs::File;
use std::io;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};

use crate::sandbox::call::{Kind, Look, Not};

/// What there is to see.
#[derive(Debug)]
pub enum Sight {
    /// What is there, and how large.
    Stat(Kind, u64),
    /// The names in a directory, sorted by their bytes.
    List(Vec<(String, Kind)>),
    /// A file to be read.
    File(File),
    /// Nothing, and why.
    Not(Not),
}

/// Opens a directory of the machine. Blocks.
///
/// # Errors
/// What the system says.
pub fn open(path: &str) -> io::Result<Arc<Dir>> {
    Dir::open_ambient_dir(path, ambient_authority()).map(Arc::new)
}

/// Looks at `path` in `root`. Blocks.
///
/// # Errors
/// What the system says, where that is not one of [`Not`].
pub fn look(root: &Dir, path: &str, look: Look) -> io::Result<Sight> {
    let path = if path.is_empty() { "." } else { path };
    let seen = match (look, kind(root, path)) {
        (_, Err(error)) => Err(error),
        (_, Ok(None)) => return Ok(Sight::Not(Not::There)),
        (Look::Stat, Ok(Some((kind, size)))) => Ok(Sight::Stat(kind, size)),
        (Look::List, Ok(Some((Kind::Directory, _)))) => list(root, path).map(Sight::List),
        (Look::List, Ok(Some((Kind::File, _)))) => return Ok(Sight::Not(Not::Directory)),
        (Look::Open, Ok(Some((Kind::File, _)))) => {
            root.open(path).map(|file| Sight::File(file.into_std()))
        }
        (Look::Open, Ok(Some((Kind::Directory, _)))) => return Ok(Sight::Not(Not::File)),
    };
    seen.or_else(|error| why_not(error).map(Sight::Not))
}

fn why_not(error: io::Error) -> io::Result<Not> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(Not::There),
        io::ErrorKind::NotADirectory => Ok(Not::Directory),
        io::ErrorKind::PermissionDenied => Ok(Not::Allowed),
        _ => Err(error),
    }
}

/// What is at `path`; none when that is nothing that a step can see.
fn kind(root: &Dir, path: &str) -> io::Result<Option<(Kind, u64)>> {
    let own = root.symlink_metadata(path)?;
    if !own.is_symlink() {
        return Ok(kind_of(&own));
    }
    // Where it leads: an error means nowhere, or outside.
    let target = root.metadata(path).ok();
    let file = target.as_ref().and_then(kind_of);
    Ok(file.filter(|(kind, _)| *kind == Kind::File))
}

fn kind_of(metadata: &Metadata) -> Option<(Kind, u64)> {
    if metadata.is_dir() {
        Some((Kind::Directory, 0))
    } else if metadata.is_file() {
        Some((Kind::File, metadata.len()))
    } else {
        None
    }
}

fn list(root: &Dir, path: &str) -> io::Result<Vec<(String, Kind)>> {
    let directory = root.open_dir(path)?;
    let mut names = Vec::new();
    for entry in directory.entries()? {
        let name = entry?.file_name().into_string().map_err(|name| {
            let text = format!("the name {name:?} is not UTF-8, so that no step can say it");
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        // What was removed meanwhile is not there.
        if let Ok(Some((kind, _))) = kind(&directory, &name) {
            names.push((name, kind));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn sample() -> (tempfile::TempDir, Arc<Dir>) {
        let outside = tempfile::tempdir().expect("a directory");
        let root = outside.path().join("root");
        fs::create_dir_all(root.join("sub")).expect("it is made");
        fs::write(outside.path().join("secret"), "s").expect("it is written");
        for (name, text) in [("b.txt", "bb"), ("a.txt", "a"), ("sub/c.txt", "ccc")] {
            fs::write(root.join(name), text).expect("it is written");
        }
        for (to, name) in [
            ("sub/c.txt", "file"),
            ("sub", "directory"),
            ("../secret", "outside"),
            ("/etc/passwd", "absolute"),
            ("nothing", "broken"),
        ] {
            symlink(to, root.join(name)).expect("it is linked");
        }
        let root = open(root.to_str().expect("text")).expect("it is there");
        (outside, root)
    }

    #[test]
    fn a_listing_is_sorted_and_has_what_can_be_read() {
        let (_kept, root) = sample();
        let Ok(Sight::List(names)) = look(&root, "", Look::List) else {
            panic!("it is a directory");
        };
        let (file, directory) = (Kind::File, Kind::Directory);
        let expected = [
            ("a.txt", file),
            ("b.txt", file),
            ("file", file),
            ("sub", directory),
        ];
        let expected = expected.map(|(name, kind)| (name.to_owned(), kind));
        assert_eq!(names, expected);
    }

    #[test]
    fn nothing_outside_is_seen() {
        let (_kept, root) = sample();
        for path in [
            "outside",
            "absolute",
            "broken",
            "directory",
            "none",
            "none/x",
        ] {
            let seen = look(&root, path, Look::Open).expect("an answer");
            assert!(matches!(seen, Sight::Not(Not::There)), "{path}: {seen:?}");
        }
        let above = look(&root, "../secret", Look::Open).expect("an answer");
        assert!(matches!(above, Sight::Not(Not::Allowed)), "{above:?}");
    }

    #[test]
    fn what_is_asked_for_must_be_what_is_there() {
        let (_kept, root) = sample();
        let seen = |path, how| look(&root, path, how).expect("an answer");
        assert!(matches!(seen("sub", Look::Open), Sight::Not(Not::File)));
        assert!(matches!(
            seen("a.txt", Look::List),
            Sight::Not(Not::Directory)
        ));
        assert!(matches!(
            seen("a.txt/x", Look::Stat),
            Sight::Not(Not::Directory)
        ));
        assert!(matches!(
            seen("file", Look::Stat),
            Sight::Stat(Kind::File, 3)
        ));
        assert!(matches!(
            seen("", Look::Stat),
            Sight::Stat(Kind::Directory, 0)
        ));
    }
}

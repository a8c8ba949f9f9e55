//! Files, by the standard library.

use std::fmt::Debug;
use std::fs;
use std::io;
use std::path::Path;

use crate::{Told, Verb};

pub const VERBS: &[Verb] = &[
    ("read", |it| told(fs::read(&it[0]).map(shown))),
    ("write", |it| told(fs::write(&it[0], "abuse"))),
    ("append", |it| told(append(&it[0]))),
    ("list", |it| told(list(&it[0]))),
    ("stat", |it| told(fs::metadata(&it[0]).map(|it| it.len()))),
    ("lstat", |it| {
        told(fs::symlink_metadata(&it[0]).map(|it| it.file_type()))
    }),
    ("mkdir", |it| told(fs::create_dir_all(&it[0]))),
    ("rmdir", |it| told(fs::remove_dir_all(&it[0]))),
    ("remove", |it| told(fs::remove_file(&it[0]))),
    ("rename", |it| told(fs::rename(&it[0], &it[1]))),
    ("copy", |it| told(fs::copy(&it[0], &it[1]))),
    ("hardlink", |it| told(fs::hard_link(&it[0], &it[1]))),
    ("canon", |it| told(fs::canonicalize(&it[0]))),
    ("readlink", |it| told(fs::read_link(&it[0]))),
    ("chdir", |it| told(chdir(&it[0]))),
    ("times", |it| told(times(&it[0]))),
    ("escape", |it| told(escape(&it[0]))),
    ("race", |it| race(&it[0])),
    ("over", |it| told(over(&it[0]))),
];

/// The value, or the kind of the error: its text is of the guest's own library.
pub fn told<T: Debug>(result: io::Result<T>) -> Told {
    match result {
        Ok(value) => format!("got {value:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
}

fn shown(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

fn append(path: &str) -> io::Result<()> {
    fs::OpenOptions::new().append(true).open(path).map(|_| ())
}

fn list(path: &str) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(path)?;
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into());
    entries.map(name).collect()
}

fn chdir(path: &str) -> io::Result<String> {
    std::env::set_current_dir(path)?;
    fs::read("etc/passwd").map(shown)
}

/// All that the metadata of a file could tell of the machine.
fn times(path: &str) -> io::Result<String> {
    let it = fs::metadata(path)?;
    Ok(format!(
        "{:?} {:?} {:?}",
        it.modified()?,
        it.accessed()?,
        it.created().is_ok()
    ))
}

/// Climbs out of the directory from a file inside, one level at a time.
fn escape(path: &str) -> io::Result<String> {
    let mut path = Path::new(path).to_owned();
    let mut last = Err(io::ErrorKind::NotFound.into());
    for _ in 0..40 {
        path.push("..");
        last = fs::read(path.join("secret")).map(shown);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Everything that a file ever was while somebody changed it, sorted.
fn race(path: &str) -> Told {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2_000 {
        seen.insert(told(fs::read(path).map(shown)));
        seen.insert(told(list(path)));
        seen.insert(told(fs::metadata(path).map(|_| "something")));
    }
    seen.into_iter().collect::<Vec<_>>().join("; ")
}

/// Makes a file in the scratch directory and puts it in the place of another.
fn over(path: &str) -> io::Result<()> {
    fs::write("/tmp/mine", "abuse")?;
    fs::rename("/tmp/mine", path)
}

//! Reads what cargo says went into a module.
//!
//! Beside every artifact cargo writes a `.d` file in the form of a makefile rule: the artifact, a
//! colon, and the files that went in, with blanks in names escaped by a backslash.
//!
//! Uses nothing of this crate but [`super::locate`].

use std::path::{Component, Path, PathBuf};

use super::locate::FlowPackage;

/// The files that went in, absolute and sorted, those that cargo made itself left out.
///
/// Empty when there is no such file or it cannot be read: then only what lies in the packages'
/// directories is known to have gone in.
pub(super) fn read(file: &Path, package: &FlowPackage) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut inputs: Vec<PathBuf> = parse(&text)
        .into_iter()
        .map(|path| plain(&package.workspace_root.join(path)))
        .filter(|path| !path.starts_with(&package.target_dir))
        .collect();
    inputs.sort();
    inputs.dedup();
    inputs
}

/// The names after the first colon of each rule.
fn parse(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        // `: `, because on Windows a name has a colon after the drive.
        let Some((_, inputs)) = line.split_once(": ") else {
            continue;
        };
        names.extend(split(inputs));
    }
    names
}

fn split(inputs: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut rest = inputs.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.peek() == Some(&' ') => {
                name.push(' ');
                rest.next();
            }
            ' ' => names.push(std::mem::take(&mut name)),
            _ => name.push(c),
        }
    }
    names.push(name);
    names.retain(|name| !name.is_empty());
    names
}

/// The path without `.` and `..`, by its text alone, as the compiler was given it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_are_one_name() {
        let text = "/t/a.wasm: /w/src/lib.rs /w/my\\ data/x.csv  /w/b\n\n# env-dep:X=a: b\n";
        assert_eq!(parse(text), ["/w/src/lib.rs", "/w/my data/x.csv", "/w/b"]);
    }

    #[test]
    fn the_way_up_is_taken_out_of_names() {
        assert_eq!(
            plain(Path::new("/w/src/../data/./x")),
            Path::new("/w/data/x")
        );
    }
}

//! Finds the libraries that a program is linked to, as the loader of the system would.
//!
//! In the image there is no cache of the loader and, in cells, no environment. What is found in a directory of the
//! system is therefore put into that directory, where the loader looks by itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::elf::Elf;

/// What glibc before 2.34 loads by itself, when it looks for the address of a host.
const LOADED_LATER: [&str; 2] = ["libnss_dns.so.2", "libnss_files.so.2"];

/// A file that an image needs beside its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Where it is in the image.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// What is missing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    /// The loader.
    #[error("its loader `{0}` is not there, or for another kind of processor")]
    NoLoader(String),
    /// A library.
    #[error("its library `{name}` is in none of {}", list(searched))]
    Missing {
        /// What it is called.
        name: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
}

fn list(directories: &[PathBuf]) -> String {
    let shown = directories.iter().map(|it| format!("`{}`", it.display()));
    shown.collect::<Vec<_>>().join(", ")
}

/// The directories of the system in which loaders look by themselves.
pub fn directories() -> Vec<PathBuf> {
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    let names = [
        format!("/lib/{triple}"),
        format!("/usr/lib/{triple}"),
        "/lib64".to_owned(),
        "/usr/lib64".to_owned(),
        "/lib".to_owned(),
        "/usr/lib".to_owned(),
    ];
    names.map(PathBuf::from).to_vec()
}

/// The loader of `program` and all libraries that it and they are linked to, in the order of their paths.
///
/// Nothing is executed. Nothing is found for a program that is linked statically.
///
/// # Errors
/// When one of them is not there for the processors of `program`.
pub fn find(program: &Elf, directories: &[PathBuf]) -> Result<Vec<Library>, LibraryError> {
    let Some(loader) = &program.loader else {
        return Ok(Vec::new());
    };
    let mut search = Search {
        program,
        directories,
        found: BTreeMap::new(),
    };
    let bytes = search.fitting(Path::new(loader));
    let (_, bytes) = bytes.ok_or_else(|| LibraryError::NoLoader(loader.clone()))?;
    search.take(file_name(loader), loader.clone(), bytes);
    search.follow(program)?;
    let is_glibc = search.found.contains_key("libc.so.6");
    for name in LOADED_LATER.iter().filter(|_| is_glibc) {
        if let Some((elf, ..)) = search.look(name, &[]) {
            search.follow_one(name, &[])?;
            search.follow(&elf)?;
        }
    }
    let mut libraries: Vec<_> = search.found.into_values().collect();
    libraries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(libraries)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

struct Search<'a> {
    program: &'a Elf,
    directories: &'a [PathBuf],
    /// By the names under which they are asked for.
    found: BTreeMap<String, Library>,
}

impl Search<'_> {
    /// Finds what `elf` is linked to, and what that is linked to.
    fn follow(&mut self, elf: &Elf) -> Result<(), LibraryError> {
        for name in &elf.needed {
            self.follow_one(name, &elf.paths)?;
        }
        Ok(())
    }

    fn follow_one(&mut self, name: &str, paths: &[String]) -> Result<(), LibraryError> {
        if self.found.contains_key(name) {
            return Ok(());
        }
        let found = self.look(name, paths);
        let (elf, path, bytes) = found.ok_or_else(|| LibraryError::Missing {
            name: name.to_owned(),
            searched: self.searched(paths),
        })?;
        self.take(name, path, bytes);
        self.follow(&elf)
    }

    fn take(&mut self, name: &str, path: String, bytes: Vec<u8>) {
        self.found.insert(name.to_owned(), Library { path, bytes });
    }

    fn searched(&self, paths: &[String]) -> Vec<PathBuf> {
        // `$ORIGIN` and the like speak of a place that the image does not have.
        let own = paths.iter().filter(|it| it.starts_with('/'));
        let own = own.map(PathBuf::from);
        own.chain(self.directories.iter().cloned()).collect()
    }

    /// The first library of this name that fits, and where it is to be in the image.
    fn look(&self, name: &str, paths: &[String]) -> Option<(Elf, String, Vec<u8>)> {
        self.searched(paths).into_iter().find_map(|directory| {
            let (elf, bytes) = self.fitting(&directory.join(name))?;
            // `/lib64` is on many systems another name of the directory in which the loader looks.
            let real = match self.directories.contains(&directory) {
                true => directory.canonicalize().ok()?,
                false => directory,
            };
            Some((elf, real.join(name).to_str()?.to_owned(), bytes))
        })
    }

    /// What is in a file, when it is for the processors of the program.
    fn fitting(&self, path: &Path) -> Option<(Elf, Vec<u8>)> {
        let bytes = std::fs::read(path).ok()?;
        let elf = Elf::read(&bytes).ok()?;
        (elf.architecture == self.program.architecture).then_some((elf, bytes))
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    fn here() -> Elf {
        Elf::read(&std::fs::read("/proc/self/exe").unwrap()).unwrap()
    }

    #[test]
    fn everything_that_this_program_is_linked_to_is_found() {
        let program = here();
        let found = find(&program, &directories()).unwrap();
        let paths: Vec<_> = found.iter().map(|it| it.path.as_str()).collect();
        assert!(paths.is_sorted() && paths.contains(&program.loader.as_deref().unwrap()));
        for needed in &program.needed {
            let is_there = paths.iter().any(|path| file_name(path) == needed);
            assert!(is_there, "{needed} is not in {paths:?}");
        }
        // Where the loader of the system finds them, there they are.
        let mapped = std::fs::read_to_string("/proc/self/maps").unwrap();
        for path in paths
            .iter()
            .filter(|path| !path.contains("nss") && !path.contains("resolv"))
        {
            let real = Path::new(path).canonicalize().unwrap();
            assert!(
                mapped.contains(real.to_str().unwrap()),
                "{path} is not mapped"
            );
        }
    }

    #[test]
    fn what_is_missing_is_said_with_where_it_was_looked_for() {
        let nowhere = [PathBuf::from("/nowhere")];
        let error = find(&here(), &nowhere).unwrap_err().to_string();
        assert!(
            error.starts_with("its library `lib") && error.ends_with("is in none of `/nowhere`"),
            "{error}"
        );
        let program = Elf {
            loader: Some("/nowhere/ld.so".into()),
            ..here()
        };
        let error = find(&program, &directories()).unwrap_err();
        assert_eq!(error, LibraryError::NoLoader("/nowhere/ld.so".into()));
    }

    #[test]
    fn libraries_of_another_processor_are_passed_over() {
        let program = Elf {
            architecture: match here().architecture {
                super::super::Architecture::Amd64 => super::super::Architecture::Arm64,
                super::super::Architecture::Arm64 => super::super::Architecture::Amd64,
            },
            ..here()
        };
        let error = find(&program, &directories()).unwrap_err();
        assert!(matches!(error, LibraryError::NoLoader(_)), "{error}");
    }

    #[test]
    fn a_static_program_needs_nothing() {
        let program = Elf {
            loader: None,
            ..here()
        };
        assert_eq!(find(&program, &[]), Ok(vec![]));
    }
}

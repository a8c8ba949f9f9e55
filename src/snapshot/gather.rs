//! Decides which files belong to a flow, and reads them.
//!
//! Of every local package: all files of its directory that `.gitignore` does not exclude, without
//! the packages below it, without what cargo built, without version control. Besides: what the
//! compiler says it read, and the files of the workspace that decide how it is built.
//!
//! Files are opened through cap-std from the root of the tree, so that no link leads out of it. A
//! link to a file inside the tree is kept as a file with the same contents; a link that leads out is
//! left out, and is refused only when the compiler read through it.
//!
//! Uses nothing of this crate but [`super::locate`] and [`super::config_files`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::locate::FlowPackage;
use super::{HOME, config_files};

/// The largest file of a snapshot, in bytes.
pub const MAX_FILE: u64 = 64 << 20;
/// The most bytes of all files of a snapshot together.
pub const MAX_TOTAL: u64 = 512 << 20;
/// The most files of a snapshot.
pub const MAX_FILES: usize = 50_000;

/// Why the files of a flow cannot be gathered.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// Some files are too large to be source code.
    #[error(
        "too large for a code snapshot (at most {} MiB each): {}",
        MAX_FILE >> 20,
        files.iter().map(|(path, size)| format!("`{path}` ({} MiB)", size >> 20)).collect::<Vec<_>>().join(", ")
    )]
    TooLarge {
        /// The files and their sizes in bytes.
        files: Vec<(String, u64)>,
    },
    /// All files together are too large to be source code.
    #[error(
        "the package's files are {} MiB together, too large for a code snapshot (at most {} MiB); the largest are {}",
        total >> 20,
        MAX_TOTAL >> 20,
        largest.iter().map(|(path, size)| format!("`{path}` ({} MiB)", size >> 20)).collect::<Vec<_>>().join(", ")
    )]
    TooMuch {
        /// The sum in bytes.
        total: u64,
        /// The largest of them and their sizes in bytes.
        largest: Vec<(String, u64)>,
    },
    /// There are too many files.
    #[error("the package has more than {MAX_FILES} files, among them all of `{directory}`")]
    TooMany {
        /// The directory with the most.
        directory: String,
    },
    /// The compiler read a file through a link that leads out of the tree.
    #[error("`{path}` is read by the compiler through a link that leads out of `{}`", root.display())]
    LinkOutside {
        /// The file, relative to the root of the tree.
        path: String,
        /// The root of the tree.
        root: PathBuf,
    },
    /// A name is not text.
    #[error("`{}` has a name that is not UTF-8", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The files of a flow, not yet read, and where to look for new ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// The directory to which all paths are relative.
    pub root: PathBuf,
    /// The files, with `/` between names, sorted.
    pub files: BTreeSet<String>,
    /// The directories that were looked through, absolute and sorted.
    pub directories: BTreeSet<PathBuf>,
    /// What was found and left out, and why, sorted.
    pub left_out: BTreeMap<String, String>,
}

/// The contents of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether it can be executed.
    pub executable: bool,
}

/// Finds the files of `package`; `inputs` are the files that the compiler read.
///
/// # Errors
/// [`GatherError`] names every file that is too large, or the first that cannot be kept.
pub fn gather(package: &FlowPackage, inputs: &[PathBuf]) -> Result<Gathered, GatherError> {
    let mut it = Gathered {
        root: package.tree_root(),
        ..Gathered::default()
    };
    let dir = open_root(&it.root)?;
    for local in &package.closure {
        walk(&mut it, &local.dir, package)?;
        for name in ["Cargo.toml", "Cargo.lock"] {
            it.add_existing(&local.workspace_root.join(name))?;
        }
        let above = local
            .dir
            .ancestors()
            .take_while(|dir| dir.starts_with(&it.root));
        for file in above.flat_map(config_files::inside).collect::<Vec<_>>() {
            it.add_existing(&file)?;
        }
    }
    let found = it.files.clone();
    for input in inputs {
        it.add_input(input)?;
    }
    it.sort_out_links(&dir, &found)?;
    it.weigh(&dir)?;
    Ok(it)
}

/// Opens the root of the tree, from which nothing leads out.
pub(super) fn open_root(root: &Path) -> Result<Dir, GatherError> {
    Dir::open_ambient_dir(root, ambient_authority()).map_err(|source| GatherError::Read {
        path: root.to_owned(),
        source,
    })
}

/// Reads one gathered file.
pub(super) fn read(root: &Path, dir: &Dir, path: &str) -> Result<Content, GatherError> {
    let wrong = |source| GatherError::Read {
        path: root.join(path),
        source,
    };
    let file = dir.open(path).map_err(wrong)?;
    let metadata = file.metadata().map_err(wrong)?;
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_FILE) as usize);
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(wrong)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(GatherError::TooLarge {
            files: vec![(path.to_owned(), bytes.len() as u64)],
        });
    }
    Ok(Content {
        bytes,
        executable: is_executable(&metadata),
    })
}

#[cfg(unix)]
fn is_executable(metadata: &cap_std::fs::Metadata) -> bool {
    use cap_std::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &cap_std::fs::Metadata) -> bool {
    false
}

/// Adds the files of one package's directory.
fn walk(it: &mut Gathered, dir: &Path, package: &FlowPackage) -> Result<(), GatherError> {
    let target = package.target_dir.clone();
    let walk = ignore::WalkBuilder::new(dir)
        .standard_filters(false)
        .git_ignore(true)
        .parents(true)
        .require_git(false)
        .follow_links(false)
        .filter_entry(move |entry| entry.depth() == 0 || !is_foreign(entry, &target))
        .build();
    for entry in walk {
        let entry = entry.map_err(|error| {
            let source = error
                .into_io_error()
                .unwrap_or_else(|| std::io::ErrorKind::Other.into());
            GatherError::Read {
                path: dir.to_owned(),
                source,
            }
        })?;
        match entry.file_type() {
            Some(kind) if kind.is_dir() => {
                it.directories.insert(entry.into_path());
            }
            Some(kind) if kind.is_file() || kind.is_symlink() => it.add(entry.path())?,
            _ => {
                let path = it.relative(entry.path())?.unwrap_or_default();
                it.left_out
                    .insert(path, "neither a file nor a directory".to_owned());
            }
        }
        if it.files.len() > MAX_FILES {
            return Err(it.too_many());
        }
    }
    Ok(())
}

/// Whether a directory in a package is not of the package: it was built, keeps versions, is a
/// datastore, or is another package.
fn is_foreign(entry: &ignore::DirEntry, target: &Path) -> bool {
    let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
    if !is_dir {
        return entry.file_name() == ".git";
    }
    is_kept_apart(&entry.file_name().to_string_lossy())
        || entry.path() == target
        || entry.path().join("CACHEDIR.TAG").is_file()
        || entry.path().join("Cargo.toml").is_file()
}

/// Whether directories of this name are never of a package.
pub(super) fn is_kept_apart(name: &str) -> bool {
    [".git", ".hg", ".jj", ".svn", HOME].contains(&name)
}

impl Gathered {
    /// The path relative to the root; none when it is not below it.
    fn relative(&self, path: &Path) -> Result<Option<String>, GatherError> {
        let Ok(below) = path.strip_prefix(&self.root) else {
            return Ok(None);
        };
        let mut names = Vec::new();
        for component in below.components() {
            let Component::Normal(name) = component else {
                return Ok(None);
            };
            let name = name.to_str().ok_or_else(|| GatherError::Name {
                path: path.to_owned(),
            })?;
            names.push(name);
        }
        Ok(Some(names.join("/")))
    }

    fn add(&mut self, path: &Path) -> Result<(), GatherError> {
        if let Some(relative) = self.relative(path)? {
            self.files.insert(relative);
        }
        Ok(())
    }

    fn add_existing(&mut self, path: &Path) -> Result<(), GatherError> {
        if path.is_file() {
            self.add(path)
        } else {
            Ok(())
        }
    }

    fn add_input(&mut self, path: &Path) -> Result<(), GatherError> {
        match self.relative(path)? {
            // A build script may name a whole directory as its input.
            Some(_) if path.is_dir() => {}
            Some(relative) => {
                self.files.insert(relative);
            }
            None => {
                let reason = "read by the compiler, but not below the workspace".to_owned();
                self.left_out
                    .insert(path.to_string_lossy().into_owned(), reason);
            }
        }
        Ok(())
    }

    /// Takes out what cannot be opened from the root; `found` are the files that were seen in the
    /// packages' directories, the others were read by the compiler.
    fn sort_out_links(&mut self, dir: &Dir, found: &BTreeSet<String>) -> Result<(), GatherError> {
        for path in self.files.clone() {
            let reason = match dir.metadata(&path) {
                Ok(metadata) if metadata.is_file() => continue,
                Ok(_) => "a link to a directory",
                Err(_) if found.contains(&path) => {
                    "a link that leads to nothing or out of the workspace"
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    "gone since it was compiled"
                }
                Err(_) => {
                    return Err(GatherError::LinkOutside {
                        path,
                        root: self.root.clone(),
                    });
                }
            };
            self.files.remove(&path);
            self.left_out.insert(path, reason.to_owned());
        }
        Ok(())
    }

    /// Refuses what is too large, by name.
    fn weigh(&self, dir: &Dir) -> Result<(), GatherError> {
        let mut sizes = Vec::with_capacity(self.files.len());
        for path in &self.files {
            let wrong = |source| GatherError::Read {
                path: self.root.join(path),
                source,
            };
            sizes.push((path.clone(), dir.metadata(path).map_err(wrong)?.len()));
        }
        let large: Vec<_> = sizes
            .iter()
            .filter(|(_, size)| *size > MAX_FILE)
            .cloned()
            .collect();
        if !large.is_empty() {
            return Err(GatherError::TooLarge { files: large });
        }
        let total = sizes.iter().map(|(_, size)| size).sum();
        if total > MAX_TOTAL {
            sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
            sizes.truncate(5);
            return Err(GatherError::TooMuch {
                total,
                largest: sizes,
            });
        }
        Ok(())
    }

    fn too_many(&self) -> GatherError {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for path in &self.files {
            *counts
                .entry(path.rsplit_once('/').map_or("", |(dir, _)| dir))
                .or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|&(_, count)| count);
        let directory = most.map_or("", |(directory, _)| directory).to_owned();
        GatherError::TooMany { directory }
    }
}

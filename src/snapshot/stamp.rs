//! Remembers a build and its snapshot, so that unchanged code costs only a look at its files.
//!
//! A stamp lists everything on which module and snapshot depend: the sizes, times and inodes of all
//! files that went in, the names in all directories that were looked through, the files that tell cargo and
//! rustup how to build (also those that do not exist), the compiler, the variables of the environment,
//! and the module itself. While all of that is as it was, cargo would find nothing to do either.
//!
//! As in git's index, a file counts as unchanged by its size, times and inode. A file that was
//! changed after the build began may not be in the module, and one that is changed twice within a tick
//! of the clock keeps its time: so a stamp is written only when everything in it is older than the
//! beginning of the build, by the clock of the file system itself. The run after an edit during a
//! build asks cargo once more; nothing else is lost.
//!
//! Stamps lie in `$XDG_CACHE_HOME/wrun/build`, because they are about places on this machine and about its
//! compiler. They may be deleted at any time.
//!
//! Uses `model`; knows no datastore.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::build::Built;
use super::collect::Snapshot;
use super::gather::is_kept_apart;
use super::locate::{self, FlowPackage};
use super::{TARGET, config_files};
use crate::failpoint;
use crate::model::definition::Definition;
use crate::model::digest::Digest;

/// The first bytes of a stamp; changed with its form.
const MAGIC: &[u8; 8] = b"wrunst01";
/// How much older than the build a file must be: more than a tick of any clock that stamps files.
const TICK_NS: i128 = 20_000_000;

/// What is known without starting anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warm {
    /// The flow's directory.
    pub dir: PathBuf,
    /// The workspace's directory.
    pub workspace_root: PathBuf,
    /// The module's file.
    pub module: PathBuf,
    /// The digest of the module.
    pub module_digest: Digest,
    /// The module's size in bytes.
    pub module_size: u64,
    /// What the module says about itself.
    pub definition: Definition,
    /// The snapshot.
    pub snapshot: Digest,
    /// The datastore in which the snapshot was stored, as [`remember`] was told.
    pub datastore: String,
}

/// A point in time by the clock of a file system, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i128);

impl Moment {
    /// Now, by the clock of the file system on which `workspace` lies.
    ///
    /// The beginning of all time when nothing can be written there: then no stamp is written.
    pub(super) fn now(workspace: &Path) -> Self {
        // A file without a name, where the system has such: no directory changes for it.
        let touch = tempfile::tempfile_in(workspace).and_then(|file| file.metadata());
        Self(touch.map_or(i128::MIN, |metadata| Stat::of(&metadata).modified_ns))
    }
}

/// What tells a changed file from an unchanged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stat {
    size: u64,
    modified_ns: i128,
    changed_ns: i128,
    inode: u64,
}

impl Stat {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            size: metadata.size(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let since = |time: std::time::SystemTime| {
            let elapsed = time.duration_since(std::time::UNIX_EPOCH);
            elapsed.map_or(0, |elapsed| elapsed.as_nanos() as i128)
        };
        let modified_ns = metadata.modified().map_or(0, since);
        Self {
            size: metadata.len(),
            modified_ns,
            changed_ns: modified_ns,
            inode: 0,
        }
    }

    /// The state of the file; none when there is none.
    pub(super) fn look(path: &Path) -> Option<Self> {
        std::fs::metadata(path)
            .ok()
            .map(|metadata| Self::of(&metadata))
    }

    fn is_older_than(&self, moment: Moment) -> bool {
        self.modified_ns.max(self.changed_ns) < moment.0.saturating_sub(TICK_NS)
    }
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    /// The flow's directory, absolute: a stamp that was copied elsewhere with its tree is not valid there.
    dir: PathBuf,
    workspace_root: PathBuf,
    /// The variables that cargo and the compiler look at.
    environment: Digest,
    files: Vec<(PathBuf, Option<Stat>)>,
    directories: Vec<(PathBuf, Digest)>,
    module: PathBuf,
    module_stat: Stat,
    module_digest: Digest,
    module_size: u64,
    definition: Definition,
    snapshot: Digest,
    datastore: String,
}

/// What is known of the flow at `path`, when nothing on which it depends has changed: see [`Stamps::warm`].
pub fn warm(path: &Path) -> Option<Warm> {
    Stamps::of_user()?.warm(path)
}

/// Remembers that `package` was built and that its snapshot is in `datastore`: see [`Stamps::remember`].
pub fn remember(
    package: &FlowPackage,
    built: &Built,
    snapshot: &Snapshot,
    datastore: &str,
) -> bool {
    Stamps::of_user().is_some_and(|stamps| stamps.remember(package, built, snapshot, datastore))
}

/// A directory of stamps.
#[derive(Clone, Debug)]
pub struct Stamps {
    directory: PathBuf,
}

impl Stamps {
    /// The user's: `$XDG_CACHE_HOME/wrun/build`, or `~/.cache/wrun/build`; none without a home.
    pub fn of_user() -> Option<Self> {
        let set = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || Some(std::env::home_dir()?.join(".cache"));
        let cache = set.filter(|path| path.is_absolute()).or_else(home)?;
        Some(Self::in_directory(&cache.join("wrun/build")))
    }

    /// Those in `directory`, which is made when something is remembered.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// What is known of the flow at `path`, when nothing on which it depends has changed.
    ///
    /// `path` is what [`locate`](locate::locate) takes. Only looks at files and starts nothing. The
    /// snapshot was stored in [`Warm::datastore`]: whether it is still there is for the caller to see.
    pub fn warm(&self, path: &Path) -> Option<Warm> {
        let manifest = locate::find_manifest(path).ok()?;
        let dir = manifest.parent()?;
        let stamp = read(&self.file(dir))?;
        if stamp.dir != dir || !stamp.holds() {
            return None;
        }
        Some(Warm {
            dir: stamp.dir,
            workspace_root: stamp.workspace_root,
            module: stamp.module,
            module_digest: stamp.module_digest,
            module_size: stamp.module_size,
            definition: stamp.definition,
            snapshot: stamp.snapshot,
            datastore: stamp.datastore,
        })
    }

    /// Remembers that `package` was built and that its snapshot is in `datastore`.
    ///
    /// Says whether it did. Nothing is remembered, and nothing is wrong, when a file changed since
    /// the build began or the stamp cannot be written: the next run asks cargo again.
    pub fn remember(
        &self,
        package: &FlowPackage,
        built: &Built,
        snapshot: &Snapshot,
        datastore: &str,
    ) -> bool {
        let stamp = Stamp::of(package, built, snapshot, datastore);
        stamp.is_some_and(|stamp| write(&self.file(&package.dir), &stamp).is_ok())
    }

    /// Where the stamp of the flow in `dir` lies.
    fn file(&self, dir: &Path) -> PathBuf {
        self.directory
            .join(Digest::of(dir.as_os_str().as_encoded_bytes()).short())
    }
}

impl Stamp {
    /// The state of everything now; none when anything is younger than the build.
    fn of(
        package: &FlowPackage,
        built: &Built,
        snapshot: &Snapshot,
        datastore: &str,
    ) -> Option<Self> {
        let seen = &snapshot.seen;
        let files = dependencies(package, built, seen.files.iter().map(|f| seen.root.join(f)));
        let files: Vec<_> = files.into_iter().map(|f| (Stat::look(&f), f)).collect();
        if !files
            .iter()
            .all(|(stat, _)| stat.is_none_or(|s| s.is_older_than(built.began)))
        {
            return None;
        }
        let directories = seen
            .directories
            .iter()
            .map(|dir| Some((dir.clone(), listing(dir)?)));
        let module_stat = Stat::look(&built.module)?;
        if module_stat.size != snapshot.manifest.module.size {
            return None;
        }
        Some(Self {
            dir: package.dir.clone(),
            workspace_root: package.workspace_root.clone(),
            environment: environment(),
            files: files.into_iter().map(|(stat, file)| (file, stat)).collect(),
            directories: directories.collect::<Option<_>>()?,
            module: built.module.clone(),
            module_stat,
            module_digest: snapshot.module,
            module_size: snapshot.manifest.module.size,
            definition: snapshot.manifest.definition.clone(),
            snapshot: snapshot.digest,
            datastore: datastore.to_owned(),
        })
    }

    /// Whether everything is as it was.
    fn holds(&self) -> bool {
        self.environment == environment()
            && Stat::look(&self.module) == Some(self.module_stat)
            && self
                .files
                .iter()
                .all(|(file, stat)| Stat::look(file) == *stat)
            && self
                .directories
                .iter()
                .all(|(dir, names)| listing(dir) == Some(*names))
    }
}

/// Every file on which module and snapshot depend, whether it exists or not.
fn dependencies(
    package: &FlowPackage,
    built: &Built,
    gathered: impl Iterator<Item = PathBuf>,
) -> BTreeSet<PathBuf> {
    let mut files: BTreeSet<PathBuf> = gathered.chain(built.inputs.iter().cloned()).collect();
    files.extend(config_files::all_for(&package.dir));
    for local in &package.closure {
        files.extend(["Cargo.toml", "Cargo.lock"].map(|name| local.workspace_root.join(name)));
        // What is ignored decides what is gathered.
        files.extend(local.dir.ancestors().map(|dir| dir.join(".gitignore")));
    }
    files.insert(built.sysroot.compiler());
    files.insert(built.sysroot.library(TARGET));
    files
}

/// The names in a directory, without those that are never looked at.
///
/// None when it cannot be read. By names and not by the time of the directory, so that an editor's
/// temporary file that has come and gone is no change.
fn listing(dir: &Path) -> Option<Digest> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).ok()? {
        let name = entry.ok()?.file_name().into_encoded_bytes();
        if name != b"target" && !std::str::from_utf8(&name).is_ok_and(is_kept_apart) {
            names.push(name);
        }
    }
    names.sort();
    Some(Digest::of(&names.join(&0)))
}

/// The variables that cargo and the compiler look at, without those that cargo sets for its children.
fn environment() -> Digest {
    let for_children = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_MAKEFLAGS",
        "CARGO_TERM_",
    ];
    let mut text = String::new();
    let variables: BTreeSet<_> = std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| {
            (name.starts_with("CARGO") || name.starts_with("RUST"))
                && !for_children.iter().any(|prefix| name.starts_with(prefix))
        })
        .collect();
    for (name, value) in variables {
        text += &format!("{name}={value}\0");
    }
    Digest::of(text.as_bytes())
}

fn read(file: &Path) -> Option<Stamp> {
    let bytes = std::fs::read(file).ok()?;
    let body = bytes.strip_prefix(MAGIC)?;
    let (digest, body) = body.split_at_checked(32)?;
    if Digest::of(body).as_bytes() != digest {
        return None;
    }
    postcard::from_bytes(body).ok()
}

/// Writes the stamp in one piece: whoever reads it sees the old one or the new one.
fn write(file: &Path, stamp: &Stamp) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(dir)?;
    let body = postcard::to_stdvec(stamp).map_err(std::io::Error::other)?;
    failpoint::pass("stamp.write", file.display())?;
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    new.write_all(MAGIC)?;
    new.write_all(Digest::of(&body).as_bytes())?;
    new.write_all(&body)?;
    failpoint::pass("stamp.rename", file.display())?;
    new.persist(file)?;
    failpoint::reach("stamp.stored", file.display());
    Ok(())
}

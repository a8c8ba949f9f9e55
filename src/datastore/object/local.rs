//! Objects as files in a directory.
//!
//! A key is a path below the root. Writing an object is always the same row of steps: a file in
//! `tmp/` (the same file system), its bytes, fsync, rename to the final name, fsync of the
//! directory. So a final name never shows half an object, whenever the process or the power ends.
//! What a killed process leaves in `tmp/` has no key, and goes when a later one begins to write.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{FlockOperation, RenameFlags};
use tempfile::NamedTempFile;

use super::{
    Cleaning, Created, Key, Leftovers, Listed, Object, ObjectStore, Part, Prefix, Replaced,
    StoreError, Upload, Version,
};
use crate::failpoint;
use crate::model::digest::Digest;
use crate::model::time::Timestamp;

mod age;
mod leftovers;
mod upload;
mod walk;

/// The directory of files that have no final name yet. No key begins with it.
pub(crate) const TMP: &str = "tmp";

/// How often a directory that is missing is made, when others remove it as soon as it is made.
const MAKINGS: usize = 16;

/// One step of writing, told to a probe before it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A temporary file is made.
    Temp,
    /// Bytes are written to it.
    Write,
    /// It is flushed to the disk.
    SyncFile,
    /// It gets its final name, relative to the root.
    Rename(String),
    /// A directory is made, relative to the root.
    MakeDir(String),
    /// A directory is flushed to the disk, relative to the root.
    SyncDir(String),
}

/// Is told every step of writing before it is taken, and may make it fail.
pub type Probe = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

/// Objects as files in a directory. Clones share it.
#[derive(Clone)]
pub struct LocalStore(Arc<Root>);

struct Root {
    path: PathBuf,
    probe: Option<Probe>,
    /// Done before the first temporary file is made.
    cleaned: Once,
    /// Held while directories are made, until their names are durable.
    making: Mutex<()>,
    /// Shared by those who have given a name that is not durable yet.
    naming: RwLock<()>,
}

impl std::fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LocalStore").field(&self.0.path).finish()
    }
}

impl LocalStore {
    /// The store in the directory `path`, which need not exist before the first write.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Root {
            path: path.into(),
            probe: None,
            cleaned: Once::new(),
            making: Mutex::default(),
            naming: RwLock::default(),
        }))
    }

    /// The same, with a probe that sees every step of writing.
    pub fn with_probe(path: impl Into<PathBuf>, probe: Probe) -> Self {
        Self(Arc::new(Root {
            path: path.into(),
            probe: Some(probe),
            cleaned: Once::new(),
            making: Mutex::default(),
            naming: RwLock::default(),
        }))
    }

    /// Does `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let root = self.0.clone();
        super::join(tokio::task::spawn_blocking(move || work(&root)).await)
    }
}

impl Root {
    fn file(&self, key: &Key) -> PathBuf {
        self.path.join(key.as_str())
    }

    fn step(&self, step: impl FnOnce() -> Step) -> io::Result<()> {
        match &self.probe {
            Some(probe) => probe(step()),
            None => Ok(()),
        }
    }

    fn is_empty(&self) -> io::Result<bool> {
        let entries = match fs::read_dir(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
            other => other?,
        };
        for entry in entries {
            // Another process that makes the datastore right now has its temporary files there.
            if entry?.file_name() != TMP {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.path)
            .unwrap_or(path)
            .display()
            .to_string()
    }

    fn open(&self, key: &Key) -> Result<Option<(File, u64)>, StoreError> {
        let path = self.file(key);
        let opened = File::open(&path).and_then(|file| {
            let meta = file.metadata()?;
            Ok(meta.is_file().then_some((file, meta.len())))
        });
        match opened {
            Err(e) if is_absent(&e) => Ok(None),
            other => other.map_err(|e| StoreError::of("read", path.display(), e)),
        }
    }

    fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        let Some((mut file, size)) = self.open(key)? else {
            return Ok(None);
        };
        let place = self.file(key);
        if size > limit {
            return Err(StoreError::TooLarge {
                place: place.display().to_string(),
                size,
                limit,
            });
        }
        let mut bytes = Vec::with_capacity(size as usize + 1);
        // A file that grows while it is read is not one of ours; it must not fill the memory.
        let read = file
            .by_ref()
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes);
        read.map_err(|e| StoreError::of("read", place.display(), e))?;
        let version = Version(Digest::of(&bytes).to_string());
        Ok(Some(Object {
            bytes: bytes.into(),
            version,
        }))
    }

    fn get_range(&self, key: &Key, offset: u64, len: usize) -> Result<Option<Part>, StoreError> {
        let Some((file, total)) = self.open(key)? else {
            return Ok(None);
        };
        let len = total.saturating_sub(offset).min(len as u64) as usize;
        let bytes = read_exact_at(&file, offset, len)
            .map_err(|e| StoreError::of("read", self.file(key).display(), e))?;
        Ok(Some(Part {
            bytes: bytes.into(),
            total,
        }))
    }

    /// A temporary file that vanishes when it is dropped, and is known to have a writer until then.
    fn temp(&self, what: &str) -> io::Result<NamedTempFile> {
        failpoint::pass("local.temp", what)?;
        let dir = self.path.join(TMP);
        self.cleaned.call_once(|| leftovers::remove(&dir));
        let temp = self.make_temp(&dir)?;
        leftovers::claim(temp.as_file());
        Ok(temp)
    }

    fn make_temp(&self, dir: &Path) -> io::Result<NamedTempFile> {
        self.step(|| Step::Temp)?;
        let make = || {
            tempfile::Builder::new()
                .prefix(leftovers::PREFIX)
                .permissions(fs::Permissions::from_mode(0o644))
                .tempfile_in(dir)
        };
        match make() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.make_dir(dir)?;
                make()
            }
            other => other,
        }
    }

    /// Makes `dir` and what is missing above it, each durable before the next.
    ///
    /// Whoever finds a directory there that this process has made waits until its name is durable:
    /// see [`Root::settle`].
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        let _made = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_missing(dir)
    }

    fn make_missing(&self, dir: &Path) -> io::Result<()> {
        let Some(parent) = dir.parent() else {
            return Ok(());
        };
        if !parent.as_os_str().is_empty() && !parent.is_dir() {
            self.make_missing(parent)?;
        }
        failpoint::pass("local.make-dir", dir.display())?;
        self.step(|| Step::MakeDir(self.relative(dir)))?;
        match fs::create_dir(dir) {
            Ok(()) => self.sync_dir(parent),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        failpoint::pass("local.sync-dir", dir.display())?;
        self.step(|| Step::SyncDir(self.relative(dir)))?;
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        File::open(dir)?.sync_all()
    }

    fn fill(&self, key: &Key, bytes: &[u8]) -> io::Result<NamedTempFile> {
        let temp = self.temp(key.as_str())?;
        failpoint::pass("local.write", key)?;
        self.step(|| Step::Write)?;
        temp.as_file().write_all_at(bytes, 0)?;
        Ok(temp)
    }

    /// Flushes `temp`, gives it its final name and makes the name durable.
    ///
    /// Without `over`, false when the name is taken.
    fn settle(&self, temp: NamedTempFile, key: &Key, over: bool) -> io::Result<bool> {
        failpoint::pass("local.sync-file", key)?;
        self.step(|| Step::SyncFile)?;
        temp.as_file().sync_all()?;
        let path = self.file(key);
        let dir = path
            .parent()
            .expect("a file below the root has a directory");
        let mut temp = temp.into_temp_path();
        let naming = self.naming.read().unwrap_or_else(PoisonError::into_inner);
        let mut named = self.rename(&temp, &path, over);
        for _ in 0..MAKINGS {
            match named {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                _ => break,
            }
            // Whoever removes the last file of a directory removes that too.
            match self.make_dir(dir) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                made => made?,
            }
            named = self.rename(&temp, &path, over);
        }
        match named {
            Ok(Named::Moved) => temp.disable_cleanup(true),
            Ok(Named::Linked) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(e) => return Err(e),
        }
        // A directory that another thread has just made may have no durable name itself.
        drop(self.making.lock().unwrap_or_else(PoisonError::into_inner));
        self.sync_dir(dir)?;
        drop(naming);
        failpoint::reach("local.durable", key);
        Ok(true)
    }

    fn rename(&self, from: &Path, to: &Path, over: bool) -> io::Result<Named> {
        failpoint::pass("local.rename", to.display())?;
        self.step(|| Step::Rename(self.relative(to)))?;
        if over {
            // Whoever removes what is there looks at it first, and must not remove what comes now.
            let _there = age::hold(to);
            return fs::rename(from, to).map(|()| Named::Moved);
        }
        move_new(from, to)
    }

    fn create(&self, key: &Key, bytes: &[u8]) -> io::Result<Created> {
        if self.file(key).try_exists().is_ok_and(|there| there) {
            return Ok(self.exists());
        }
        let temp = self.fill(key, bytes)?;
        Ok(match self.settle(temp, key, false)? {
            true => Created::New,
            false => self.exists(),
        })
    }

    /// Says that an object exists once it is durable, whichever thread of this process named it.
    fn exists(&self) -> Created {
        drop(self.naming.write().unwrap_or_else(PoisonError::into_inner));
        Created::Exists
    }

    fn put(&self, key: &Key, bytes: &[u8]) -> io::Result<()> {
        let temp = self.fill(key, bytes)?;
        self.settle(temp, key, true).map(|_| ())
    }

    /// Replacements are rare and small, so one lock serves all of them, in all processes.
    fn lock(&self, key: &Key) -> io::Result<File> {
        failpoint::pass("local.lock", key)?;
        let dir = self.path.join(TMP);
        if !dir.is_dir() {
            self.make_dir(&dir)?;
        }
        let path = dir.join("replace.lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }

    fn replace(&self, key: &Key, version: &Version, bytes: &[u8]) -> Result<Replaced, StoreError> {
        let wrong = |e| StoreError::of("write", self.file(key).display(), e);
        let lock = self.lock(key).map_err(wrong)?;
        let found = self.get(key, u64::MAX)?.map(|object| object.version);
        let done = if found.as_ref() == Some(version) {
            self.put(key, bytes).map_err(wrong)?;
            Replaced::Done
        } else {
            Replaced::Changed
        };
        drop(lock);
        Ok(done)
    }

    fn survey(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let keys = walk::list(&self.path, prefix, after, limit)
            .map_err(|(path, e)| StoreError::of("list", path.display(), e))?;
        let mut listed = Vec::with_capacity(keys.len());
        for key in keys {
            let path = self.file(&key);
            match age::look(&path) {
                Ok((size, modified)) => listed.push(Listed {
                    key,
                    size,
                    modified,
                }),
                // Gone meanwhile.
                Err(e) if is_absent(&e) => {}
                Err(e) => return Err(StoreError::of("list", path.display(), e)),
            }
        }
        Ok(listed)
    }

    fn delete(&self, key: &Key) -> io::Result<()> {
        let path = self.file(key);
        failpoint::pass("local.delete", key)?;
        match fs::remove_file(&path) {
            Err(e) if is_absent(&e) => return Ok(()),
            other => other?,
        }
        self.sync_dir(
            path.parent()
                .expect("a file below the root has a directory"),
        )
    }
}

/// How a file got its final name.
#[derive(Debug)]
enum Named {
    /// Its temporary name is gone.
    Moved,
    /// It still has its temporary name too.
    Linked,
}

#[cfg(target_os = "linux")]
fn move_new(from: &Path, to: &Path) -> io::Result<Named> {
    use rustix::fs::CWD;
    use rustix::io::Errno;
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Named::Moved),
        // Some file systems cannot do this; all that matter have links.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_new(from, to),
        Err(e) => Err(e.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn move_new(from: &Path, to: &Path) -> io::Result<Named> {
    link_new(from, to)
}

fn link_new(from: &Path, to: &Path) -> io::Result<Named> {
    fs::hard_link(from, to).map(|()| Named::Linked)
}

/// The `len` bytes from `offset` on, in memory that nobody cleared first.
fn read_exact_at(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let at = offset + bytes.len() as u64;
        let room = rustix::buffer::spare_capacity(&mut bytes);
        match rustix::io::pread(file, room, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // There may be room for more than was asked for.
    bytes.truncate(len);
    Ok(bytes)
}

fn is_absent(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[async_trait]
impl ObjectStore for LocalStore {
    fn place(&self) -> String {
        self.0.path.display().to_string()
    }

    /// Asks the directory itself: what somebody else keeps there need not have names that are keys.
    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.blocking(|root| {
            root.is_empty()
                .map_err(|e| StoreError::of("list", root.path.display(), e))
        })
        .await
    }

    async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        let key = key.clone();
        self.blocking(move |root| root.get(&key, limit)).await
    }

    async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError> {
        let key = key.clone();
        self.blocking(move |root| root.get_range(&key, offset, len))
            .await
    }

    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError> {
        let key = key.clone();
        self.blocking(move |root| root.writing(&key, |root| root.create(&key, &bytes)))
            .await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let key = key.clone();
        self.blocking(move |root| root.writing(&key, |root| root.put(&key, &bytes)))
            .await
    }

    async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError> {
        let (key, version) = (key.clone(), version.clone());
        self.blocking(move |root| root.replace(&key, &version, &bytes))
            .await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        let (prefix, after) = (prefix.clone(), after.cloned());
        self.blocking(move |root| {
            walk::list(&root.path, &prefix, after.as_ref(), limit)
                .map_err(|(path, e)| StoreError::of("list", path.display(), e))
        })
        .await
    }

    async fn survey(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let (prefix, after) = (prefix.clone(), after.cloned());
        self.blocking(move |root| root.survey(&prefix, after.as_ref(), limit))
            .await
    }

    async fn refresh(&self, key: &Key) -> Result<bool, StoreError> {
        let key = key.clone();
        self.blocking(move |root| root.writing(&key, |root| age::refresh(&root.file(&key))))
            .await
    }

    async fn remove(&self, seen: &Listed) -> Result<bool, StoreError> {
        let seen = seen.clone();
        self.blocking(move |root| {
            let path = root.file(&seen.key);
            let wrong = |e| StoreError::of("delete", path.display(), e);
            failpoint::pass("local.remove", &seen.key).map_err(wrong)?;
            age::remove(&root.path, &path, seen.modified).map_err(wrong)
        })
        .await
    }

    async fn leftovers(
        &self,
        before: Timestamp,
        cleaning: Cleaning,
    ) -> Result<Leftovers, StoreError> {
        self.blocking(move |root| {
            let dir = root.path.join(TMP);
            leftovers::of(&dir, before, cleaning)
                .map_err(|e| StoreError::of("list", dir.display(), e))
        })
        .await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let key = key.clone();
        self.blocking(move |root| {
            let wrong = |e| StoreError::of("delete", root.file(&key).display(), e);
            root.delete(&key).map_err(wrong)
        })
        .await
    }

    async fn upload(&self, head: usize) -> Result<Box<dyn Upload>, StoreError> {
        let root = self.0.clone();
        self.blocking(move |_| upload::LocalUpload::begin(root, head))
            .await
    }
}

impl Root {
    fn writing<T>(
        &self,
        key: &Key,
        work: impl FnOnce(&Self) -> io::Result<T>,
    ) -> Result<T, StoreError> {
        work(self).map_err(|e| StoreError::of("write", self.file(key).display(), e))
    }
}

#[cfg(test)]
mod tests;

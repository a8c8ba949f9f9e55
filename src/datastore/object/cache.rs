//! A store over another that keeps what it has read of immutable objects on this machine.
//!
//! An object is kept in blocks of 1 MiB, each a file of its own that says how long the object is and
//! carries a digest of all of it: a file that is not what was written is thrown away and read anew.
//! Several processes may share the directory: files get their names when they are whole, and whoever
//! finds one gone reads the store below.
//!
//! What is kept proves nothing about the store below: [`ObjectStore::uncached`] asks that itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::{
    Created, Key, Object, ObjectStore, Pace, Part, Prefix, Replaced, StoreError, Upload, Version,
};
use crate::failpoint;

/// The length of a block of an object.
const BLOCK: u64 = 1 << 20;
/// What a file begins with.
const MAGIC: &[u8; 8] = b"wruncac1";
/// The length of what stands before the block: magic, length of the object, digest.
const HEAD: usize = 8 + 8 + 32;
/// After this part of the bound was written, the directory is looked at again.
const LOOK_AFTER: u64 = 16;
/// Down to this part of the bound, in percent, the oldest files go.
const DOWN_TO: u64 = 80;

/// Where copies are kept, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// The directory; it is made when it is needed.
    pub directory: PathBuf,
    /// How many bytes may lie there, or a little more while several processes write.
    pub bytes: u64,
}

/// Which objects never change once they are there.
pub type Immutable = fn(&Key) -> bool;

/// A store that keeps what it has read.
#[derive(Clone)]
pub struct CacheStore {
    inner: Arc<dyn ObjectStore>,
    kept: Arc<Kept>,
    immutable: Immutable,
}

impl std::fmt::Debug for CacheStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheStore")
            .field("inner", &self.inner)
            .field("shelf", &self.kept.shelf)
            .finish()
    }
}

impl CacheStore {
    /// Wraps `inner`; only what is `immutable` is kept.
    pub fn new(inner: Arc<dyn ObjectStore>, shelf: Shelf, immutable: Immutable) -> Self {
        let place = inner.place();
        // The first writing looks at the directory, whatever others have left there.
        let written = AtomicU64::new(shelf.bytes);
        let kept = Arc::new(Kept {
            shelf,
            place,
            written,
        });
        Self {
            inner,
            kept,
            immutable,
        }
    }

    /// The block `index` of an object, and the length of all of it, where it is kept.
    async fn kept(&self, key: &Key, index: u64) -> Option<(Bytes, u64)> {
        let path = self.kept.file(key, index);
        super::join(tokio::task::spawn_blocking(move || take(&path, index)).await)
    }

    /// Keeps the blocks of `bytes`, which begin at block `first` of an object of `total` bytes.
    async fn keep(&self, key: &Key, first: u64, bytes: Bytes, total: u64) {
        let (kept, key) = (self.kept.clone(), key.clone());
        let keep = move || {
            for (block, index) in bytes.chunks(BLOCK as usize).zip(first..) {
                // The last block may end early, no other.
                if block.len() as u64 != block_len(index, total) {
                    return;
                }
                // A copy that cannot be kept is read again: nothing is lost by it.
                let _ = kept.put(&key, index, block, total);
            }
        };
        super::join(tokio::task::spawn_blocking(keep).await);
    }

    /// Reads all blocks from `first` to `last` from below, and keeps them.
    async fn fetch(&self, key: &Key, first: u64, last: u64) -> Result<Option<Part>, StoreError> {
        let len = ((last + 1 - first) * BLOCK) as usize;
        let part = self.inner.get_range(key, first * BLOCK, len).await?;
        if let Some(part) = &part {
            self.keep(key, first, part.bytes.clone(), part.total).await;
        }
        Ok(part)
    }
}

/// How long block `index` of an object of `total` bytes is.
fn block_len(index: u64, total: u64) -> u64 {
    total.saturating_sub(index * BLOCK).min(BLOCK)
}

/// The directory, as this process uses it.
struct Kept {
    shelf: Shelf,
    /// Which store is below: others may share the directory.
    place: String,
    /// How many bytes were written since the directory was last looked at.
    written: AtomicU64,
}

impl Kept {
    fn file(&self, key: &Key, index: u64) -> PathBuf {
        let mut name = blake3::Hasher::new();
        name.update(self.place.as_bytes()).update(&[0]);
        name.update(key.as_str().as_bytes()).update(&[0]);
        name.update(&index.to_le_bytes());
        let name = name.finalize().to_hex();
        self.shelf.directory.join(&name[..2]).join(&name[2..])
    }

    fn put(&self, key: &Key, index: u64, block: &[u8], total: u64) -> io::Result<()> {
        let path = self.file(key, index);
        let directory = path.parent().expect("it was joined to a directory");
        if !directory.is_dir() {
            make_directory(directory)?;
        }
        let size = (HEAD + block.len()) as u64;
        if self.written.fetch_add(size, Ordering::Relaxed) + size > self.shelf.bytes / LOOK_AFTER {
            self.written.store(0, Ordering::Relaxed);
            make_room(&self.shelf)?;
        }
        let mut content = Vec::with_capacity(HEAD + block.len());
        content.extend_from_slice(MAGIC);
        content.extend_from_slice(&total.to_le_bytes());
        content.extend_from_slice(digest(index, total, block).as_bytes());
        content.extend_from_slice(block);
        failpoint::pass("cache.write", path.display())?;
        let file = tempfile::NamedTempFile::new_in(directory)?;
        fs::write(file.path(), &content)?;
        failpoint::pass("cache.rename", path.display())?;
        file.persist(&path)?;
        Ok(())
    }
}

/// Makes a directory that nobody else can look into.
fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn digest(index: u64, total: u64, block: &[u8]) -> blake3::Hash {
    let mut digest = blake3::Hasher::new();
    digest.update(&index.to_le_bytes());
    digest.update(&total.to_le_bytes());
    digest.update(block);
    digest.finalize()
}

/// Reads a block that was kept; removes one that is not what was written.
fn take(path: &Path, index: u64) -> Option<(Bytes, u64)> {
    let content = Bytes::from(fs::read(path).ok()?);
    let head = content.get(..HEAD)?;
    let total = u64::from_le_bytes(head[8..16].try_into().ok()?);
    let block = content.slice(HEAD..);
    let intact = &head[..8] == MAGIC
        && digest(index, total, &block).as_bytes() == &head[16..]
        && block.len() as u64 == block_len(index, total);
    if !intact {
        let _ = fs::remove_file(path);
        return None;
    }
    // So that what is used is younger than what is not.
    let now = file_time_now();
    let _ = fs::File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(now));
    Some((block, total))
}

/// The clock that the times of files are taken from.
#[allow(
    clippy::disallowed_methods,
    reason = "compared with times of files only, and reaches nothing that is kept"
)]
fn file_time_now() -> SystemTime {
    SystemTime::now()
}

/// Removes the files that were used longest ago until few enough bytes are left.
fn make_room(shelf: &Shelf) -> io::Result<()> {
    let mut files = Vec::new();
    for directory in fs::read_dir(&shelf.directory)? {
        let Ok(entries) = fs::read_dir(directory?.path()) else {
            continue;
        };
        // What another process has just removed is of no interest.
        let metadata = entries.flatten().filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        });
        files.extend(metadata);
    }
    let mut sum: u64 = files.iter().map(|(_, len, _)| len).sum();
    if sum <= shelf.bytes {
        return Ok(());
    }
    files.sort_unstable();
    for (_, len, path) in files {
        if sum <= shelf.bytes / 100 * DOWN_TO {
            break;
        }
        let _ = fs::remove_file(path);
        sum -= len;
    }
    Ok(())
}

#[async_trait]
impl ObjectStore for CacheStore {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn pace(&self) -> Pace {
        self.inner.pace()
    }

    fn uncached(&self) -> Option<Arc<dyn ObjectStore>> {
        Some(self.inner.clone())
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.inner.is_empty().await
    }

    async fn get(&self, key: &Key, limit: u64) -> Result<Option<Object>, StoreError> {
        // Versions are the store's own, and whoever wants a whole object rarely wants it twice.
        self.inner.get(key, limit).await
    }

    async fn get_range(
        &self,
        key: &Key,
        offset: u64,
        len: usize,
    ) -> Result<Option<Part>, StoreError> {
        if len == 0 || !(self.immutable)(key) {
            return self.inner.get_range(key, offset, len).await;
        }
        let end = offset.saturating_add(len as u64);
        let (first, mut last) = (offset / BLOCK, (end - 1) / BLOCK);
        let mut out = BytesMut::new();
        let mut index = first;
        let mut length = None;
        while index <= last {
            if let Some((block, total)) = self.kept(key, index).await {
                last = last.min(total.saturating_sub(1) / BLOCK);
                length = Some(total);
                cut(&mut out, index, &block, offset, end);
                index += 1;
                continue;
            }
            // All that is missing in a row is fetched at once.
            let mut until = index;
            while until < last && !self.kept.file(key, until + 1).exists() {
                until += 1;
            }
            let Some(part) = self.fetch(key, index, until).await? else {
                return Ok(None);
            };
            last = last.min(part.total.saturating_sub(1) / BLOCK);
            length = Some(part.total);
            cut(&mut out, index, &part.bytes, offset, end);
            index = until + 1;
        }
        match length {
            Some(total) => Ok(Some(Part {
                bytes: out.freeze(),
                total,
            })),
            None => self.inner.get_range(key, offset, len).await,
        }
    }

    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError> {
        let created = self.inner.create(key, bytes.clone()).await?;
        if created == Created::New && (self.immutable)(key) {
            let total = bytes.len() as u64;
            self.keep(key, 0, bytes, total).await;
        }
        Ok(created)
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.inner.put(key, bytes).await
    }

    async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError> {
        self.inner.replace(key, version, bytes).await
    }

    async fn list(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn upload(&self, head: usize) -> Result<Box<dyn Upload>, StoreError> {
        self.inner.upload(head).await
    }
}

/// Appends what of `bytes`, which begin at block `first`, lies between `offset` and `end`.
fn cut(out: &mut BytesMut, first: u64, bytes: &[u8], offset: u64, end: u64) {
    let base = first * BLOCK;
    let from = offset.saturating_sub(base).min(bytes.len() as u64) as usize;
    let until = end.saturating_sub(base).min(bytes.len() as u64) as usize;
    out.extend_from_slice(&bytes[from..until.max(from)]);
}

#[cfg(test)]
mod tests {
    use super::super::fault::FaultStore;
    use super::super::memory::MemoryStore;
    use super::*;

    struct Bench {
        store: CacheStore,
        below: FaultStore,
        memory: MemoryStore,
        directory: tempfile::TempDir,
    }

    fn bench(bytes: u64) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let memory = MemoryStore::new();
        let below = FaultStore::new(Arc::new(memory.clone()), Arc::new(|_, _| None));
        let shelf = Shelf {
            directory: directory.path().join("kept"),
            bytes,
        };
        let immutable: Immutable = |key| key.as_str().starts_with("fixed/");
        Bench {
            store: CacheStore::new(Arc::new(below.clone()), shelf, immutable),
            below,
            memory,
            directory,
        }
    }

    fn files(bench: &Bench) -> Vec<PathBuf> {
        let directories = fs::read_dir(bench.directory.path().join("kept")).unwrap();
        let files = directories.flat_map(|it| fs::read_dir(it.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }

    fn noise(len: usize) -> Bytes {
        (0..len).map(|i| (i ^ i >> 8 ^ i >> 16) as u8).collect()
    }

    #[tokio::test]
    async fn the_suite_passes() {
        let Bench { store, .. } = bench(1 << 30);
        super::super::conformance::all(Arc::new(store)).await;
    }

    #[tokio::test]
    async fn what_was_read_is_read_once_and_is_the_same() {
        let bench = bench(1 << 30);
        let key = Key::new("fixed/x").unwrap();
        let all = noise(5 * BLOCK as usize / 2);
        bench.memory.put(&key, all.clone()).await.unwrap();
        let part = async |offset: u64, len: usize| {
            let part = bench
                .store
                .get_range(&key, offset, len)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(part.total, all.len() as u64);
            let from = (offset as usize).min(all.len());
            assert_eq!(part.bytes, all.slice(from..(from + len).min(all.len())));
        };
        part(10, 100).await;
        assert_eq!(bench.below.calls().len(), 1);
        part(0, 10 * BLOCK as usize).await;
        assert_eq!(bench.below.calls().len(), 2);
        for (offset, len) in [(0, 1), (BLOCK - 1, 2), (2 * BLOCK, 5), (3, usize::MAX)] {
            part(offset, len.min(1 << 30)).await;
        }
        assert_eq!(bench.below.calls().len(), 2);
        part(u64::MAX, 7).await;
        // Who wants to know what is really there asks below.
        bench.memory.delete(&key).await.unwrap();
        let below = bench.store.uncached().unwrap();
        assert_eq!(below.get_range(&key, 0, 1).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_may_change_is_not_kept() {
        let bench = bench(1 << 30);
        let key = Key::new("other/x").unwrap();
        bench.store.create(&key, "one".into()).await.unwrap();
        for text in ["one", "two"] {
            bench.store.put(&key, text.into()).await.unwrap();
            let part = bench.store.get_range(&key, 0, 9).await.unwrap().unwrap();
            assert_eq!(part.bytes, text);
        }
        assert!(!bench.directory.path().join("kept").exists());
    }

    #[tokio::test]
    async fn a_copy_that_was_damaged_is_read_anew() {
        let bench = bench(1 << 30);
        let key = Key::new("fixed/x").unwrap();
        let all = noise(1000);
        bench.store.create(&key, all.clone()).await.unwrap();
        let file = files(&bench).pop().unwrap();
        let good = fs::read(&file).unwrap();
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&file, bad).unwrap();
            let part = bench.store.get_range(&key, 0, 2000).await.unwrap().unwrap();
            assert_eq!((part.bytes, part.total), (all.clone(), 1000), "byte {at}");
            assert_eq!(fs::read(&file).unwrap(), good);
        }
        fs::write(&file, &good[..20]).unwrap();
        assert!(
            bench
                .store
                .get_range(&key, 0, 2000)
                .await
                .unwrap()
                .is_some()
        );
    }

    #[tokio::test]
    async fn the_directory_stays_small_and_keeps_what_is_used() {
        let bench = bench(8 * BLOCK);
        let key = |n: u64| Key::new(&format!("fixed/{n}")).unwrap();
        let block = noise(BLOCK as usize / 2);
        for n in 0..60 {
            bench.store.create(&key(n), block.clone()).await.unwrap();
            // The first is used all the time.
            bench.store.get_range(&key(0), 0, 1).await.unwrap().unwrap();
        }
        let sum: u64 = files(&bench)
            .iter()
            .map(|it| fs::metadata(it).unwrap().len())
            .sum();
        assert!(sum <= 9 * BLOCK, "{sum}");
        assert!(sum >= 4 * BLOCK, "{sum}");
        let before = bench.below.calls().len();
        bench.store.get_range(&key(0), 0, 1).await.unwrap().unwrap();
        assert_eq!(bench.below.calls().len(), before);
    }
}

//! The directory of compiled code: files, seals, and the key that makes them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ModuleError;
use crate::failpoint;
use crate::model::definition::Definition;

/// The name of the file with the key.
const KEY: &str = "key";
/// The length of keys and seals.
const SEAL: usize = 32;
/// What a module says it is.
const DEFINITION: &str = "definition";
/// What a module imports.
const IMPORTS: &str = "imports";

/// A directory of sealed files.
pub struct Shelf {
    directory: PathBuf,
    key: OnceLock<[u8; SEAL]>,
}

impl Shelf {
    /// A shelf in `directory`.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            key: OnceLock::new(),
        }
    }

    /// Compiled code, open, and its size; none when it is not there or not as it was stored.
    pub fn find_code(&self, name: &str) -> Result<Option<(File, u64)>, ModuleError> {
        self.found(self.open_code(name))
    }

    /// Stores compiled code and opens it.
    pub fn store_code(&self, name: &str, code: &[u8]) -> Result<(File, u64), ModuleError> {
        let store = || {
            let seal = self.seal("code", name, code)?;
            self.write(&format!("{name}.code"), code)?;
            self.write(&format!("{name}.seal"), &seal)?;
            self.open_code(name)?
                .ok_or_else(|| io::Error::other("what was written is not there"))
        };
        store().map_err(|source| self.error(source))
    }

    /// A module's description of itself; none when it is not there or not as it was stored.
    pub fn find_definition(&self, name: &str) -> Result<Option<Definition>, ModuleError> {
        self.found(self.find(DEFINITION, name))
    }

    /// Stores a module's description of itself.
    pub fn store_definition(&self, name: &str, definition: &Definition) -> Result<(), ModuleError> {
        let stored = self.store(DEFINITION, name, definition);
        stored.map_err(|source| self.error(source))
    }

    /// What a module imports; none when it is not there or not as it was stored.
    pub fn find_imports(&self, name: &str) -> Result<Option<Vec<String>>, ModuleError> {
        self.found(self.find(IMPORTS, name))
    }

    /// Stores what a module imports.
    pub fn store_imports(&self, name: &str, imports: &[String]) -> Result<(), ModuleError> {
        let stored = self.store(IMPORTS, name, imports);
        stored.map_err(|source| self.error(source))
    }

    fn find<T: DeserializeOwned>(&self, kind: &str, name: &str) -> io::Result<Option<T>> {
        let Some(sealed) = self.read(&format!("{name}.{kind}"))? else {
            return Ok(None);
        };
        let Some((seal, bytes)) = sealed.split_first_chunk::<SEAL>() else {
            return Ok(None);
        };
        if !same(seal, &self.seal(kind, name, bytes)?) {
            return Ok(None);
        }
        Ok(postcard::from_bytes(bytes).ok())
    }

    fn store<T: Serialize + ?Sized>(&self, kind: &str, name: &str, what: &T) -> io::Result<()> {
        let bytes = postcard::to_stdvec(what).map_err(io::Error::other)?;
        let mut sealed = self.seal(kind, name, &bytes)?.to_vec();
        sealed.extend_from_slice(&bytes);
        self.write(&format!("{name}.{kind}"), &sealed)
    }

    fn error(&self, source: io::Error) -> ModuleError {
        ModuleError::Cache {
            path: self.directory.display().to_string(),
            source,
        }
    }

    fn found<T>(&self, result: io::Result<Option<T>>) -> Result<Option<T>, ModuleError> {
        result.map_err(|source| self.error(source))
    }

    fn open_code(&self, name: &str) -> io::Result<Option<(File, u64)>> {
        let Some(seal) = self.read(&format!("{name}.seal"))? else {
            return Ok(None);
        };
        let mut file = match File::open(self.directory.join(format!("{name}.code"))) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // The seal is checked over this open file, which is the one that cells will load.
        let mut hasher = self.hasher("code", name)?;
        let mut buffer = vec![0; 256 << 10];
        let mut size = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            size += read as u64;
            hasher.update(&buffer[..read]);
        }
        let matches = same(&seal, hasher.finalize().as_bytes());
        Ok(matches.then_some((file, size)))
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.directory.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a file of this user alone, so that readers see all of it or none.
    ///
    /// Not synchronised: what a power failure damages does not match its seal.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        failpoint::pass("code.write", name)?;
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(&self.directory)?;
        file.write_all(bytes)?;
        failpoint::pass("code.rename", name)?;
        file.persist(self.directory.join(name))
            .map_err(|error| error.error)?;
        failpoint::reach("code.stored", name);
        Ok(())
    }

    fn seal(&self, kind: &str, name: &str, bytes: &[u8]) -> io::Result<[u8; SEAL]> {
        Ok(*self.hasher(kind, name)?.update(bytes).finalize().as_bytes())
    }

    /// Seals say what a file is and of which module, so that none passes for another.
    fn hasher(&self, kind: &str, name: &str) -> io::Result<blake3::Hasher> {
        let key = match self.key.get() {
            Some(key) => *key,
            None => {
                let key = self.load_key()?;
                *self.key.get_or_init(|| key)
            }
        };
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher
            .update(kind.as_bytes())
            .update(b"/")
            .update(name.as_bytes())
            .update(b"/");
        Ok(hasher)
    }

    /// Reads the key, or makes it: whoever links it into place first decides.
    fn load_key(&self) -> io::Result<[u8; SEAL]> {
        self.make_directory()?;
        let path = self.directory.join(KEY);
        loop {
            match OpenOptions::new()
                .read(true)
                .custom_flags(no_follow())
                .open(&path)
            {
                Ok(mut file) => {
                    private(&file.metadata()?, &path)?;
                    let mut key = [0; SEAL];
                    file.read_exact(&mut key)?;
                    return Ok(key);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            failpoint::pass("code.key", KEY)?;
            let mut key = [0; SEAL];
            File::open("/dev/urandom")?.read_exact(&mut key)?;
            let mut file = tempfile::Builder::new()
                .prefix(".new-")
                .tempfile_in(&self.directory)?;
            file.write_all(&key)?;
            failpoint::pass("code.key.rename", KEY)?;
            match file.persist_noclobber(&path) {
                Ok(_) => {}
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.error),
            }
        }
    }

    fn make_directory(&self) -> io::Result<()> {
        if let Some(parent) = self.directory.parent() {
            fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(&self.directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let metadata = fs::symlink_metadata(&self.directory)?;
        if !metadata.is_dir() {
            return Err(io::Error::other("it is not a directory"));
        }
        private(&metadata, &self.directory)
    }
}

fn no_follow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits() as i32
}

/// Refuses what other users could have written or read.
fn private(metadata: &fs::Metadata, path: &std::path::Path) -> io::Result<()> {
    let owner = rustix::process::geteuid().as_raw();
    if metadata.uid() == owner && metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("`{path}` must belong to you alone; `chmod go= {path}` or remove it"),
    ))
}

/// Compares without telling by its time where the difference is.
fn same(one: &[u8], other: &[u8]) -> bool {
    let (Ok(one), Ok(other)) = (<[u8; SEAL]>::try_from(one), <[u8; SEAL]>::try_from(other)) else {
        return false;
    };
    blake3::Hash::from_bytes(one) == blake3::Hash::from_bytes(other)
}

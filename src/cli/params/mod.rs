//! The parameters of a flow on the command line: `--name value`, after the flow's own schema.
//!
//! [`split`] tells them from the flags of `wrun run`, [`parse`] checks them and makes them values,
//! [`help`] lists them. What a file parameter names is not stored here, only looked at.

mod help;
mod parse;
mod split;
mod value;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub use help::{command, help};
pub use parse::{parse, parse_some};
pub use split::split;

use crate::model::name::ArtifactName;

/// A parameter and what it was given as.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenParam {
    /// The parameter.
    pub name: ArtifactName,
    /// What it was given as.
    pub value: GivenValue,
}

/// What a parameter was given as.
#[derive(Clone, Debug, PartialEq)]
pub enum GivenValue {
    /// A value, in deterministic CBOR.
    Cbor(Vec<u8>),
    /// The contents of a text file, kept as they are.
    Text(String),
    /// A file that becomes a blob. It is there and can be read; the path is absolute or starts in
    /// the working directory.
    File(PathBuf),
    /// Files that become one archive, by their names in it. They are there and can be read.
    Files(BTreeMap<String, PathBuf>),
}

/// The files that parameters name.
pub trait Files {
    /// The whole contents of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Says whether `path` is a file that can be opened.
    fn check(&self, path: &Path) -> io::Result<()>;

    /// The files that `path` means, by their names: those below a directory, or the file itself.
    fn list(&self, path: &Path) -> io::Result<BTreeMap<String, PathBuf>>;
}

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        let meta = std::fs::File::open(path)?.metadata()?;
        if meta.is_dir() {
            Err(io::ErrorKind::IsADirectory.into())
        } else {
            Ok(())
        }
    }

    fn list(&self, path: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
        let files = walk::files(path)?;
        files.values().try_for_each(|file| self.check(file))?;
        Ok(files)
    }
}

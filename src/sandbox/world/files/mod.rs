//! Files: `wasi:filesystem`.
//!
//! Without a grant there is no directory: `open("x")` in a guest ends in its own standard library
//! with an ordinary error. A granted scratch directory is `/tmp`, see [`scratch`]; a granted
//! directory of the machine is `/NAME`, read-only, see [`given`]. No guest can tell two executions
//! apart by them: names are sorted by their bytes, all times are the beginning of 1970, link counts
//! are 1, what a file is known by follows from its place, readings are full, and errors are those
//! of a fixed table. Setting a time is accepted and changes nothing. There are no symbolic links.
//!
//! Not taken from `wasmtime-wasi`, which gives what the system gives: the order and the identities
//! of a real directory, its times, and answers that nobody has recorded.

pub mod abi;
pub mod given;
mod link;
pub mod path;
pub mod scratch;
pub mod stream;

use std::vec::IntoIter;

pub use self::link::link;

use self::abi::{
    DescriptorFlags, DescriptorType, DirectoryEntry, ErrorCode, How, MetadataHash, OpenFlags, Stat,
};
use self::given::{Given, Trouble};
use self::scratch::{ROOT, Scratch};
use self::stream::{Incoming, Outgoing};
use super::agent::Agent;
use super::handles::Handles;
use super::stop::Stop;
use crate::model::grant::SCRATCH;
use crate::sandbox::call::{Granted, Kind};

/// Advice for whoever tried to change a granted directory.
const READ_ONLY: &str = "granted directories can be read and not changed: `--allow scratch=64MiB` gives the step `/tmp` to write to, and what is to be kept is an artifact";
/// Advice for whoever tried to leave a directory.
const NO_WAY_OUT: &str = "no path and no link leads out of a granted directory: `--allow read:NAME=PATH` grants what is meant by a name of its own";
/// Advice for whoever was granted nothing.
const NONE_GRANTED: &str = "steps have the files that they were granted: `--allow read:NAME=PATH` lets them read a directory as `/NAME`, `--allow scratch=64MiB` gives them `/tmp`";

/// Something that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// In the scratch directory.
    Scratch {
        /// Which file or directory.
        node: u32,
        /// What may be done with it.
        access: DescriptorFlags,
    },
    /// In a granted directory.
    Given {
        /// The position in [`Granted::directories`].
        directory: u32,
        /// Where in it.
        path: String,
        /// The number and the size of a file; none for a directory.
        file: Option<(u32, u64)>,
    },
}

/// The listing of a directory, as far as it was not yet read.
pub type Listing = IntoIter<(String, DescriptorType)>;

/// All files of one instance.
#[derive(Debug)]
pub struct Files {
    scratch: Option<Scratch>,
    given: Given,
    sought: bool,
    /// What is open.
    pub descriptors: Handles<Descriptor>,
    /// Directories that are being listed.
    pub listings: Handles<Listing>,
    /// Files that are read as streams.
    pub incoming: Handles<Incoming>,
    /// Files that are written as streams.
    pub outgoing: Handles<Outgoing>,
}

type Result<T> = std::result::Result<T, Trouble>;

fn code<T>(code: ErrorCode) -> Result<T> {
    Err(Trouble::Code(code))
}

impl Files {
    /// The files of a task that was granted these.
    pub fn new(granted: &Granted) -> Self {
        Self {
            scratch: (granted.scratch_mib > 0).then(|| Scratch::new(granted.scratch_mib)),
            given: Given::new(granted.directories.clone()),
            sought: false,
            descriptors: Handles::default(),
            listings: Handles::default(),
            incoming: Handles::default(),
            outgoing: Handles::default(),
        }
    }

    /// The directories that are open from the beginning, and their paths.
    pub fn preopened(&mut self) -> Vec<(u32, String)> {
        self.sought = true;
        let mut all = Vec::new();
        if let Some(scratch) = &mut self.scratch {
            scratch.hold(ROOT);
            let descriptor = Descriptor::Scratch {
                node: ROOT,
                access: DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY,
            };
            all.push((self.descriptors.add(descriptor), SCRATCH.to_owned()));
        }
        for (directory, name) in (0..).zip(self.given.names()) {
            let descriptor = Descriptor::Given {
                directory,
                path: String::new(),
                file: None,
            };
            all.push((self.descriptors.add(descriptor), format!("/{name}")));
        }
        all
    }

    /// Advice for whoever failed with `text`, which is all that the guest's own library says.
    pub fn advice(&self, text: &str) -> Option<String> {
        let none = self.scratch.is_none() && self.given.names().is_empty();
        if self.sought && none && text.contains("No such file or directory") {
            return Some(NONE_GRANTED.to_owned());
        }
        if let Some(advice) = self
            .sought
            .then(|| self.advice_beside_granted(text))
            .flatten()
        {
            return Some(advice);
        }
        let full = self.scratch.as_ref().and_then(Scratch::overflowed)?;
        // Of a stream that cannot go on the library of C says no more than this.
        let told = ["I/O error", "No space left on device"];
        let is_told = told.iter().any(|told| text.contains(told));
        is_told.then(|| format!("`{SCRATCH}` has room for {full} MiB: `scratch=…MiB` grants more"))
    }

    /// Advice for whoever was granted something, and failed beside it.
    fn advice_beside_granted(&self, text: &str) -> Option<String> {
        if text.contains("Read-only file system") {
            return Some(READ_ONLY.to_owned());
        }
        if text.contains("Operation not permitted") {
            return Some(NO_WAY_OUT.to_owned());
        }
        let scratch = self.scratch.as_ref().map(|_| format!("`{SCRATCH}`"));
        let given = self
            .given
            .names()
            .into_iter()
            .map(|name| format!("`/{name}`"));
        let all: Vec<_> = scratch.into_iter().chain(given).collect();
        let is_there = !all.is_empty() && text.contains("No such file or directory");
        is_there.then(|| {
            let all = all.join(" and ");
            format!("of all files the step has {all}: `--allow read:NAME=PATH` lets it read another directory as `/NAME`")
        })
    }

    fn scratch(&mut self) -> Result<&mut Scratch> {
        self.scratch
            .as_mut()
            .ok_or(Trouble::Code(ErrorCode::BadDescriptor))
    }

    /// Closes a descriptor.
    pub fn close(&mut self, number: u32) {
        if let (Some(Descriptor::Scratch { node, .. }), Some(scratch)) =
            (self.descriptors.remove(number), &mut self.scratch)
        {
            scratch.release(node);
        }
    }

    fn descriptor(&mut self, number: u32) -> Result<Descriptor> {
        Ok(self.descriptors.get(number)?.clone())
    }

    /// The directory of the scratch tree behind a descriptor, which must allow changes.
    fn changeable(&mut self, number: u32) -> Result<u32> {
        match self.descriptor(number)? {
            Descriptor::Scratch { node, access } => {
                if access.contains(DescriptorFlags::MUTATE_DIRECTORY) {
                    return Ok(node);
                }
                code(ErrorCode::NotPermitted)
            }
            Descriptor::Given { .. } => code(ErrorCode::ReadOnly),
        }
    }

    /// The file of the scratch tree behind a descriptor, which must allow writing.
    fn writable(&mut self, number: u32) -> Result<u32> {
        match self.descriptor(number)? {
            Descriptor::Scratch { node, access } if access.contains(DescriptorFlags::WRITE) => {
                Ok(node)
            }
            _ => code(ErrorCode::BadDescriptor),
        }
    }

    /// What may be done with a descriptor.
    pub fn access(&mut self, number: u32) -> Result<DescriptorFlags> {
        Ok(match self.descriptor(number)? {
            Descriptor::Scratch { access, .. } => access,
            Descriptor::Given { .. } => DescriptorFlags::READ,
        })
    }

    /// What is behind a descriptor, and how large.
    pub fn stat(&mut self, agent: &mut dyn Agent, number: u32) -> Result<Stat> {
        match self.descriptor(number)? {
            Descriptor::Scratch { node, .. } => Ok(self.scratch()?.stat(node)?),
            Descriptor::Given {
                file: Some((_, size)),
                ..
            } => Ok(Stat::new(DescriptorType::RegularFile, size)),
            Descriptor::Given {
                directory, path, ..
            } => given::stat_of(self.given.stat(agent, directory, &path)?),
        }
    }

    /// What is at a path, and how large.
    pub fn stat_at(&mut self, agent: &mut dyn Agent, number: u32, below: &str) -> Result<Stat> {
        match self.descriptor(number)? {
            Descriptor::Scratch { node, .. } => {
                let scratch = self.scratch()?;
                let found = scratch.find(node, below)?;
                Ok(scratch.stat(found)?)
            }
            Descriptor::Given {
                directory, path, ..
            } => {
                let found = self.given.at(agent, directory, &path, below)?.1;
                given::stat_of(found)
            }
        }
    }

    /// What tells the file behind a descriptor from others.
    pub fn identity(&mut self, number: u32) -> Result<MetadataHash> {
        Ok(match self.descriptor(number)? {
            Descriptor::Scratch { node, .. } => MetadataHash::of(&format!("{SCRATCH}#{node}")),
            Descriptor::Given {
                directory, path, ..
            } => self.given.identity(directory, &path),
        })
    }

    /// What tells the file at a path from others.
    pub fn identity_at(
        &mut self,
        agent: &mut dyn Agent,
        number: u32,
        below: &str,
    ) -> Result<MetadataHash> {
        match self.descriptor(number)? {
            Descriptor::Scratch { node, .. } => {
                let found = self.scratch()?.find(node, below)?;
                Ok(MetadataHash::of(&format!("{SCRATCH}#{found}")))
            }
            Descriptor::Given {
                directory, path, ..
            } => {
                let (path, _) = self.given.at(agent, directory, &path, below)?;
                Ok(self.given.identity(directory, &path))
            }
        }
    }

    /// Opens what is at a path.
    pub fn open(
        &mut self,
        agent: &mut dyn Agent,
        number: u32,
        below: &str,
        how: How,
    ) -> Result<u32> {
        let opened = match self.descriptor(number)? {
            Descriptor::Scratch { node, access } => {
                let mutates = DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY;
                let may = access.contains(DescriptorFlags::MUTATE_DIRECTORY);
                if !may && (how.access.intersects(mutates) || how.changes()) {
                    return code(ErrorCode::NotPermitted);
                }
                let node = self.scratch()?.open(node, below, how)?;
                let mut access = how.access;
                if self.scratch()?.kind(node) == DescriptorType::Directory {
                    // Whoever may change a directory may change those below.
                    access |= DescriptorFlags::MUTATE_DIRECTORY;
                }
                Descriptor::Scratch { node, access }
            }
            Descriptor::Given {
                directory, path, ..
            } => {
                if how.access.intersects(DescriptorFlags::WRITE) || how.changes() {
                    return code(ErrorCode::ReadOnly);
                }
                self.open_given(agent, (directory, &path), below, how)?
            }
        };
        Ok(self.descriptors.add(opened))
    }

    fn open_given(
        &mut self,
        agent: &mut dyn Agent,
        (directory, path): (u32, &str),
        below: &str,
        how: How,
    ) -> Result<Descriptor> {
        let (path, (kind, _)) = self.given.at(agent, directory, path, below)?;
        let file = match kind {
            Kind::Directory => None,
            Kind::File if how.open.contains(OpenFlags::DIRECTORY) => {
                return code(ErrorCode::NotDirectory);
            }
            Kind::File => Some(self.given.open(agent, directory, &path)?),
        };
        Ok(Descriptor::Given {
            directory,
            path,
            file,
        })
    }

    /// The names in the directory behind a descriptor, sorted by their bytes.
    pub fn list(&mut self, agent: &mut dyn Agent, number: u32) -> Result<u32> {
        let names = match self.descriptor(number)? {
            Descriptor::Scratch { node, .. } => self.scratch()?.list(node)?,
            Descriptor::Given { file: Some(_), .. } => return code(ErrorCode::NotDirectory),
            Descriptor::Given {
                directory, path, ..
            } => self.given.list(agent, directory, &path)?,
        };
        Ok(self.listings.add(names.into_iter()))
    }

    /// The next name of a listing.
    pub fn next_name(&mut self, listing: u32) -> std::result::Result<Option<DirectoryEntry>, Stop> {
        let next = self.listings.get(listing)?.next();
        Ok(next.map(|(name, kind)| DirectoryEntry { kind, name }))
    }

    /// Up to `len` bytes of a file from `offset`, and whether the end was reached.
    pub fn read(
        &mut self,
        agent: &mut dyn Agent,
        number: u32,
        offset: u64,
        len: u64,
    ) -> Result<(Vec<u8>, bool)> {
        let source = self.reading(number)?;
        let bytes = self.read_from(agent, source, offset, len)?;
        let end = offset.saturating_add(bytes.len() as u64) >= self.size_of(source)?;
        Ok((bytes, end))
    }

    /// Writes to a file at `offset`.
    pub fn write(&mut self, number: u32, offset: u64, bytes: &[u8]) -> Result<u64> {
        let node = self.writable(number)?;
        self.scratch()?.write(node, offset, bytes)?;
        Ok(bytes.len() as u64)
    }

    /// Cuts a file off or fills it up.
    pub fn set_size(&mut self, number: u32, size: u64) -> Result<()> {
        let node = self.writable(number)?;
        Ok(self.scratch()?.set_size(node, size)?)
    }

    /// Makes a directory.
    pub fn make_directory(&mut self, number: u32, path: &str) -> Result<()> {
        let base = self.changeable(number)?;
        Ok(self.scratch()?.make_directory(base, path)?)
    }

    /// Removes an empty directory.
    pub fn remove_directory(&mut self, number: u32, path: &str) -> Result<()> {
        let base = self.changeable(number)?;
        Ok(self.scratch()?.remove_directory(base, path)?)
    }

    /// Removes a file.
    pub fn remove_file(&mut self, number: u32, path: &str) -> Result<()> {
        let base = self.changeable(number)?;
        Ok(self.scratch()?.remove_file(base, path)?)
    }

    /// Both ends of a renaming or a link.
    fn both(&mut self, from: u32, to: u32) -> Result<(u32, u32)> {
        let is_given = |files: &mut Self, number| -> Result<bool> {
            Ok(matches!(
                files.descriptor(number)?,
                Descriptor::Given { .. }
            ))
        };
        if is_given(self, from)? != is_given(self, to)? {
            return code(ErrorCode::CrossDevice);
        }
        Ok((self.changeable(from)?, self.changeable(to)?))
    }

    /// Renames a file or directory.
    pub fn rename(&mut self, from: (u32, &str), to: (u32, &str)) -> Result<()> {
        let (old, new) = self.both(from.0, to.0)?;
        Ok(self.scratch()?.rename((old, from.1), (new, to.1))?)
    }

    /// Gives a file a second name.
    pub fn link(&mut self, from: (u32, &str), to: (u32, &str)) -> Result<()> {
        let (old, new) = self.both(from.0, to.0)?;
        Ok(self.scratch()?.link((old, from.1), (new, to.1))?)
    }

    /// Whether two descriptors are of one file.
    pub fn are_same(&mut self, one: u32, other: u32) -> std::result::Result<bool, Stop> {
        let one = self.descriptors.get(one)?.clone();
        Ok(match (&one, &*self.descriptors.get(other)?) {
            (Descriptor::Scratch { node: a, .. }, Descriptor::Scratch { node: b, .. }) => a == b,
            (
                Descriptor::Given {
                    directory, path, ..
                },
                Descriptor::Given {
                    directory: other,
                    path: there,
                    ..
                },
            ) => (directory, path) == (other, there),
            _ => false,
        })
    }
}

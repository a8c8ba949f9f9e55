//! The scratch directory: a tree of files in the memory of the cell.
//!
//! Empty when an attempt begins, gone when it ends. What it does follows from what the guest does
//! alone: names are sorted by their bytes, there are no times, and how much fits into it is fixed,
//! so that it is full at the same point on every machine. There are no symbolic links.

use std::collections::BTreeMap;

use super::abi::{DescriptorFlags, DescriptorType, ErrorCode, How, OpenFlags, Stat};
use super::path::{self, Part};

/// The directory itself.
pub const ROOT: u32 = 0;
/// What a file or directory takes of the room besides its bytes.
const NODE: u64 = 256;
/// The most bytes that one reading gives.
const MAX_READ: u64 = 16 << 20;

type Result<T> = std::result::Result<T, ErrorCode>;

/// A tree of files.
#[derive(Debug)]
pub struct Scratch {
    nodes: BTreeMap<u32, Node>,
    /// Never given twice, so that it tells a file from every other.
    next: u32,
    used: u64,
    room: u64,
    /// Whether something did not fit.
    overflowed: bool,
}

#[derive(Debug)]
struct Node {
    content: Content,
    /// How many names it has.
    links: u32,
    /// How many descriptors and streams hold it.
    holders: u32,
}

#[derive(Debug)]
enum Content {
    File(Vec<u8>),
    Directory {
        names: BTreeMap<String, u32>,
        parent: u32,
    },
}

/// A place that a path leads to: a name in a directory, whether there is something or not.
struct Place {
    directory: u32,
    name: String,
    found: Option<u32>,
    must_be_directory: bool,
}

impl Scratch {
    /// An empty tree with room for `mib` MiB.
    pub fn new(mib: u32) -> Self {
        let root = Node {
            content: Content::Directory {
                names: BTreeMap::new(),
                parent: ROOT,
            },
            links: 1,
            holders: 0,
        };
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            used: 0,
            room: u64::from(mib) << 20,
            overflowed: false,
        }
    }

    /// The room in MiB, when something did not fit into it.
    pub fn overflowed(&self) -> Option<u64> {
        self.overflowed.then_some(self.room >> 20)
    }

    fn node(&self, node: u32) -> Result<&Node> {
        self.nodes.get(&node).ok_or(ErrorCode::BadDescriptor)
    }

    fn names(&self, directory: u32) -> Result<&BTreeMap<String, u32>> {
        match &self.node(directory)?.content {
            Content::Directory { names, .. } => Ok(names),
            Content::File(_) => Err(ErrorCode::NotDirectory),
        }
    }

    fn names_mut(&mut self, directory: u32) -> Result<&mut BTreeMap<String, u32>> {
        let node = self.nodes.get_mut(&directory);
        match &mut node.ok_or(ErrorCode::BadDescriptor)?.content {
            Content::Directory { names, .. } => Ok(names),
            Content::File(_) => Err(ErrorCode::NotDirectory),
        }
    }

    fn is_directory(&self, node: u32) -> bool {
        self.names(node).is_ok()
    }

    /// Takes `more` bytes of the room, or none.
    fn take(&mut self, more: u64) -> Result<()> {
        let used = self.used.saturating_add(more);
        if used > self.room {
            self.overflowed = true;
            return Err(ErrorCode::InsufficientSpace);
        }
        self.used = used;
        Ok(())
    }

    /// What `path` leads to from `base`: the node, or the place where it would be.
    fn walk(&self, base: u32, path: &str) -> Result<std::result::Result<u32, Place>> {
        let (parts, must_be_directory) = path::parts(path)?;
        // The base and what was passed since: nobody goes up beyond the base.
        let mut passed = vec![base];
        let mut rest = parts.as_slice();
        while let Some((part, after)) = rest.split_first() {
            rest = after;
            let here = *passed.last().expect("the base is never taken away");
            let name = match part {
                Part::Up if passed.len() == 1 => return Err(ErrorCode::NotPermitted),
                Part::Up => {
                    passed.pop();
                    continue;
                }
                Part::Name(name) => *name,
            };
            let found = self.names(here)?.get(name).copied();
            if rest.is_empty() {
                return Ok(Err(Place {
                    directory: here,
                    name: name.to_owned(),
                    found,
                    must_be_directory,
                }));
            }
            let found = found.ok_or(ErrorCode::NoEntry)?;
            if !self.is_directory(found) {
                return Err(ErrorCode::NotDirectory);
            }
            passed.push(found);
        }
        let last = *passed.last().expect("the base is never taken away");
        Ok(Ok(last))
    }

    /// The place that `path` names; a path to the base itself or to a directory above names none.
    fn place(&self, base: u32, path: &str) -> Result<Place> {
        self.walk(base, path)?
            .map_or_else(Ok, |_| Err(ErrorCode::Invalid))
    }

    /// What `path` leads to.
    pub fn find(&self, base: u32, path: &str) -> Result<u32> {
        let place = match self.walk(base, path)? {
            Ok(node) => return Ok(node),
            Err(place) => place,
        };
        let node = place.found.ok_or(ErrorCode::NoEntry)?;
        if place.must_be_directory && !self.is_directory(node) {
            return Err(ErrorCode::NotDirectory);
        }
        Ok(node)
    }

    /// Opens what `path` leads to, or makes it, and holds it.
    pub fn open(&mut self, base: u32, path: &str, how: How) -> Result<u32> {
        let make = how.open.contains(OpenFlags::CREATE);
        let writes = how.access.contains(DescriptorFlags::WRITE);
        let node = match self.walk(base, path)? {
            Ok(_) if make && how.open.contains(OpenFlags::EXCLUSIVE) => {
                return Err(ErrorCode::Exist);
            }
            Ok(node) => node,
            Err(place) => match place.found {
                Some(_) if make && how.open.contains(OpenFlags::EXCLUSIVE) => {
                    return Err(ErrorCode::Exist);
                }
                Some(node) if place.must_be_directory && !self.is_directory(node) => {
                    return Err(ErrorCode::NotDirectory);
                }
                Some(node) => node,
                None if !make => return Err(ErrorCode::NoEntry),
                None if place.must_be_directory || how.open.contains(OpenFlags::DIRECTORY) => {
                    return Err(ErrorCode::Invalid);
                }
                None => self.add(&place, Content::File(Vec::new()))?,
            },
        };
        let truncates = how.open.contains(OpenFlags::TRUNCATE);
        match self.is_directory(node) {
            true if writes || truncates || make => return Err(ErrorCode::IsDirectory),
            false if how.open.contains(OpenFlags::DIRECTORY) => {
                return Err(ErrorCode::NotDirectory);
            }
            false if truncates => self.set_size(node, 0)?,
            _ => {}
        }
        self.hold(node);
        Ok(node)
    }

    fn add(&mut self, place: &Place, content: Content) -> Result<u32> {
        if self.node(place.directory)?.links == 0 {
            // Removed while somebody has it open.
            return Err(ErrorCode::NoEntry);
        }
        self.take(NODE + place.name.len() as u64)?;
        let number = self.next;
        self.next += 1;
        let node = Node {
            content,
            links: 1,
            holders: 0,
        };
        self.nodes.insert(number, node);
        self.names_mut(place.directory)?
            .insert(place.name.clone(), number);
        Ok(number)
    }

    /// Keeps a node as long as somebody has it open.
    pub fn hold(&mut self, node: u32) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.holders += 1;
        }
    }

    /// Lets go of a node.
    pub fn release(&mut self, node: u32) {
        if let Some(held) = self.nodes.get_mut(&node) {
            held.holders = held.holders.saturating_sub(1);
            self.forget(node);
        }
    }

    /// Frees a node that has neither name nor holder.
    fn forget(&mut self, number: u32) {
        let unused = |node: &Node| node.links == 0 && node.holders == 0;
        if self.nodes.get(&number).is_some_and(unused)
            && let Some(node) = self.nodes.remove(&number)
        {
            let bytes = match &node.content {
                Content::File(bytes) => bytes.len() as u64,
                Content::Directory { .. } => 0,
            };
            self.used -= NODE + bytes;
        }
    }

    /// Takes a name away.
    fn remove(&mut self, place: &Place, node: u32) -> Result<()> {
        self.names_mut(place.directory)?.remove(&place.name);
        self.used -= place.name.len() as u64;
        if let Some(removed) = self.nodes.get_mut(&node) {
            removed.links -= 1;
        }
        self.forget(node);
        Ok(())
    }

    /// What it is, and how large.
    pub fn stat(&self, node: u32) -> Result<Stat> {
        Ok(match &self.node(node)?.content {
            Content::File(bytes) => Stat::new(DescriptorType::RegularFile, bytes.len() as u64),
            Content::Directory { .. } => Stat::new(DescriptorType::Directory, 0),
        })
    }

    /// What it is.
    pub fn kind(&self, node: u32) -> DescriptorType {
        match self.is_directory(node) {
            true => DescriptorType::Directory,
            false => DescriptorType::RegularFile,
        }
    }

    /// The names in a directory, sorted by their bytes.
    pub fn list(&self, directory: u32) -> Result<Vec<(String, DescriptorType)>> {
        let names = self.names(directory)?.iter();
        Ok(names
            .map(|(name, node)| (name.clone(), self.kind(*node)))
            .collect())
    }

    /// Makes a directory.
    pub fn make_directory(&mut self, base: u32, path: &str) -> Result<()> {
        let place = match self.walk(base, path)? {
            Ok(_) => return Err(ErrorCode::Exist),
            Err(place) => place,
        };
        if place.found.is_some() {
            return Err(ErrorCode::Exist);
        }
        let parent = place.directory;
        let names = BTreeMap::new();
        self.add(&place, Content::Directory { names, parent })?;
        Ok(())
    }

    /// Removes an empty directory.
    pub fn remove_directory(&mut self, base: u32, path: &str) -> Result<()> {
        let place = self.place(base, path)?;
        let node = place.found.ok_or(ErrorCode::NoEntry)?;
        if !self.names(node)?.is_empty() {
            return Err(ErrorCode::NotEmpty);
        }
        self.remove(&place, node)
    }

    /// Removes the name of a file.
    pub fn remove_file(&mut self, base: u32, path: &str) -> Result<()> {
        let place = self.place(base, path)?;
        let node = place.found.ok_or(ErrorCode::NoEntry)?;
        match self.is_directory(node) {
            true => Err(ErrorCode::IsDirectory),
            false if place.must_be_directory => Err(ErrorCode::NotDirectory),
            false => self.remove(&place, node),
        }
    }

    /// Gives a file a second name.
    pub fn link(&mut self, from: (u32, &str), to: (u32, &str)) -> Result<()> {
        let node = self.find(from.0, from.1)?;
        if self.is_directory(node) {
            return Err(ErrorCode::NotPermitted);
        }
        let place = self.place(to.0, to.1)?;
        if place.found.is_some() {
            return Err(ErrorCode::Exist);
        }
        if place.must_be_directory || self.node(place.directory)?.links == 0 {
            return Err(ErrorCode::NoEntry);
        }
        self.take(place.name.len() as u64)?;
        self.name(&place, node)
    }

    /// Gives a node a name that is free.
    fn name(&mut self, place: &Place, node: u32) -> Result<()> {
        self.names_mut(place.directory)?
            .insert(place.name.clone(), node);
        if let Some(named) = self.nodes.get_mut(&node) {
            named.links += 1;
        }
        Ok(())
    }

    /// Gives something another name, in place of what had it.
    pub fn rename(&mut self, from: (u32, &str), to: (u32, &str)) -> Result<()> {
        let (old, new) = (self.place(from.0, from.1)?, self.place(to.0, to.1)?);
        let node = old.found.ok_or(ErrorCode::NoEntry)?;
        let directory = self.is_directory(node);
        if !directory && (old.must_be_directory || new.must_be_directory) {
            return Err(ErrorCode::NotDirectory);
        }
        if new.found == Some(node) {
            return Ok(());
        }
        if directory && self.is_within(new.directory, node)? {
            return Err(ErrorCode::Invalid);
        }
        if self.node(new.directory)?.links == 0 {
            return Err(ErrorCode::NoEntry);
        }
        self.make_way(&new, directory)?;
        let (gained, lost) = (new.name.len() as u64, old.name.len() as u64);
        self.take(gained.saturating_sub(lost))?;
        self.used -= lost.saturating_sub(gained);
        self.names_mut(old.directory)?.remove(&old.name);
        self.names_mut(new.directory)?.insert(new.name, node);
        if let Some(Content::Directory { parent, .. }) =
            self.nodes.get_mut(&node).map(|moved| &mut moved.content)
        {
            *parent = new.directory;
        }
        Ok(())
    }

    /// Removes what a renamed file or directory replaces.
    fn make_way(&mut self, place: &Place, for_directory: bool) -> Result<()> {
        let Some(there) = place.found else {
            return Ok(());
        };
        match (for_directory, self.is_directory(there)) {
            (true, false) => Err(ErrorCode::NotDirectory),
            (false, true) => Err(ErrorCode::IsDirectory),
            (true, true) if !self.names(there)?.is_empty() => Err(ErrorCode::NotEmpty),
            _ => self.remove(place, there),
        }
    }

    /// Whether `directory` is `ancestor` or lies in it.
    fn is_within(&self, mut directory: u32, ancestor: u32) -> Result<bool> {
        while directory != ROOT {
            if directory == ancestor {
                return Ok(true);
            }
            match &self.node(directory)?.content {
                Content::Directory { parent, .. } => directory = *parent,
                Content::File(_) => return Err(ErrorCode::NotDirectory),
            }
        }
        Ok(ancestor == ROOT)
    }

    fn bytes(&self, file: u32) -> Result<&Vec<u8>> {
        match &self.node(file)?.content {
            Content::File(bytes) => Ok(bytes),
            Content::Directory { .. } => Err(ErrorCode::IsDirectory),
        }
    }

    fn bytes_mut(&mut self, file: u32) -> Result<&mut Vec<u8>> {
        let node = self.nodes.get_mut(&file);
        match &mut node.ok_or(ErrorCode::BadDescriptor)?.content {
            Content::File(bytes) => Ok(bytes),
            Content::Directory { .. } => Err(ErrorCode::IsDirectory),
        }
    }

    /// How many bytes a file has.
    pub fn size(&self, file: u32) -> Result<u64> {
        Ok(self.bytes(file)?.len() as u64)
    }

    /// Up to `len` bytes from `offset`; fewer only at the end, or where it is very many.
    pub fn read(&self, file: u32, offset: u64, len: u64) -> Result<Vec<u8>> {
        let bytes = self.bytes(file)?;
        let size = bytes.len() as u64;
        let from = offset.min(size);
        let to = from + len.min(MAX_READ).min(size - from);
        Ok(bytes[from as usize..to as usize].to_vec())
    }

    /// Writes all of `bytes` at `offset`; what lies between the end and there becomes zeroes.
    pub fn write(&mut self, file: u32, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return self.bytes(file).map(|_| ());
        }
        let end = offset.checked_add(bytes.len() as u64);
        let end = end.ok_or(ErrorCode::FileTooLarge)?;
        if end > self.size(file)? {
            self.set_size(file, end)?;
        }
        let from = offset as usize;
        self.bytes_mut(file)?[from..from + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    /// Cuts a file off, or fills it up with zeroes.
    pub fn set_size(&mut self, file: u32, size: u64) -> Result<()> {
        let before = self.size(file)?;
        self.take(size.saturating_sub(before))?;
        self.used -= before.saturating_sub(size);
        let bytes = self.bytes_mut(file)?;
        bytes.resize(size as usize, 0);
        if size < before / 2 {
            bytes.shrink_to_fit();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

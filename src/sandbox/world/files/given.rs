//! Granted directories of the machine: what the agent says is in them.
//!
//! Every answer of the agent is in the task's trace. What was answered once holds for the rest of
//! the attempt: a listing says what its names are, and a file that is opened again has the bytes
//! that it had.

use std::collections::BTreeMap;
use std::io;

use super::abi::{DescriptorType, ErrorCode, MetadataHash, Stat};
use super::path;
use crate::sandbox::call::{Kind, Look, Not, Question, Seen};
use crate::sandbox::world::agent::Agent;
use crate::sandbox::world::stop::Stop;

/// Why an operation on files did not succeed.
#[derive(Debug)]
pub enum Trouble {
    /// The guest is told.
    Code(ErrorCode),
    /// The task ends.
    Stop(Stop),
}

impl From<ErrorCode> for Trouble {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Not> for Trouble {
    fn from(not: Not) -> Self {
        Self::Code(match not {
            Not::There => ErrorCode::NoEntry,
            Not::Directory => ErrorCode::NotDirectory,
            Not::File => ErrorCode::IsDirectory,
            Not::Allowed => ErrorCode::Access,
        })
    }
}

type Result<T> = std::result::Result<T, Trouble>;

/// A place in a granted directory.
type At = (u32, String);

/// What a step was told about the directories that it may read.
#[derive(Debug)]
pub struct Given {
    names: Vec<String>,
    stats: BTreeMap<At, (Kind, u64)>,
    opened: BTreeMap<At, (u32, u64)>,
}

fn out_of_turn() -> Trouble {
    let error = io::Error::new(io::ErrorKind::InvalidData, "an answer to something else");
    Trouble::Stop(Stop::agent_gone(error))
}

fn descriptor_type(kind: Kind) -> DescriptorType {
    match kind {
        Kind::Directory => DescriptorType::Directory,
        Kind::File => DescriptorType::RegularFile,
    }
}

/// What WASI says about something of a kind and size.
pub fn stat_of((kind, size): (Kind, u64)) -> Result<Stat> {
    Ok(Stat::new(descriptor_type(kind), size))
}

impl Given {
    /// Directories of these names.
    pub fn new(names: Vec<String>) -> Self {
        Self {
            names,
            stats: BTreeMap::new(),
            opened: BTreeMap::new(),
        }
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn ask(agent: &mut dyn Agent, (directory, path): &At, look: Look) -> Result<Seen> {
        let question = Question {
            directory: *directory,
            path: path.clone(),
            look,
        };
        match agent.look(question) {
            Ok(Seen::Not(not)) => Err(not.into()),
            Ok(seen) => Ok(seen),
            Err(error) => Err(Trouble::Stop(Stop::agent_gone(error))),
        }
    }

    /// What is at `path`, and how many bytes it has.
    pub fn stat(
        &mut self,
        agent: &mut dyn Agent,
        directory: u32,
        path: &str,
    ) -> Result<(Kind, u64)> {
        let at = (directory, path.to_owned());
        if let Some((_, size)) = self.opened.get(&at) {
            return Ok((Kind::File, *size));
        }
        if let Some(known) = self.stats.get(&at) {
            return Ok(*known);
        }
        let Seen::Stat(kind, size) = Self::ask(agent, &at, Look::Stat)? else {
            return Err(out_of_turn());
        };
        self.stats.insert(at, (kind, size));
        Ok((kind, size))
    }

    /// The place that `below` leads to from `base`, and what is there.
    pub fn at(
        &mut self,
        agent: &mut dyn Agent,
        directory: u32,
        base: &str,
        below: &str,
    ) -> Result<(String, (Kind, u64))> {
        let path = path::below(base, below)?;
        let found = self.stat(agent, directory, &path)?;
        if found.0 == Kind::File && below.ends_with('/') {
            return Err(Trouble::Code(ErrorCode::NotDirectory));
        }
        Ok((path, found))
    }

    /// The number and the size of a file.
    pub fn open(
        &mut self,
        agent: &mut dyn Agent,
        directory: u32,
        path: &str,
    ) -> Result<(u32, u64)> {
        let at = (directory, path.to_owned());
        if let Some(opened) = self.opened.get(&at) {
            return Ok(*opened);
        }
        let Seen::Open(file, size) = Self::ask(agent, &at, Look::Open)? else {
            return Err(out_of_turn());
        };
        self.opened.insert(at, (file, size));
        Ok((file, size))
    }

    /// The names in a directory, sorted by their bytes.
    pub fn list(
        &mut self,
        agent: &mut dyn Agent,
        directory: u32,
        path: &str,
    ) -> Result<Vec<(String, DescriptorType)>> {
        let at = (directory, path.to_owned());
        let Seen::List(names) = Self::ask(agent, &at, Look::List)? else {
            return Err(out_of_turn());
        };
        let entry = |(name, kind)| (name, descriptor_type(kind));
        Ok(names.into_iter().map(entry).collect())
    }

    /// What tells a place from all others.
    pub fn identity(&self, directory: u32, path: &str) -> MetadataHash {
        let name = self.names.get(directory as usize);
        MetadataHash::of(&format!("/{}/{path}", name.map_or("", String::as_str)))
    }
}

//! One value that is read in pieces, or whole.

use bytes::Bytes;

use crate::model::artifact::MediaType;
use crate::model::failure::Limit;
use crate::sandbox::call::{Given, Source};
use crate::sandbox::world::agent::Agent;
use crate::sandbox::world::stop::Stop;

/// The most that is asked of the agent in one message.
pub const PIECE: u32 = 1 << 20;

/// An open value.
#[derive(Clone, Debug)]
pub struct Reading {
    source: Source,
    /// How many bytes it has.
    pub size: u64,
    /// What they are.
    pub media: MediaType,
    bytes: Option<Bytes>,
}

impl Reading {
    /// Opens what was given.
    pub fn new(source: Source, given: &Given) -> Self {
        Self {
            source,
            size: given.size,
            media: given.media.clone(),
            bytes: given.bytes.clone(),
        }
    }

    /// Where the bytes come from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Up to `len` bytes from `offset`; fewer only at the end.
    pub fn read_at(&self, agent: &mut dyn Agent, offset: u64, len: u32) -> Result<Vec<u8>, Stop> {
        let start = offset.min(self.size);
        let len = u64::from(len).min(self.size - start);
        if let Some(bytes) = &self.bytes {
            let part = bytes.get(start as usize..(start + len) as usize);
            return Ok(part.unwrap_or_default().to_vec());
        }
        if len <= u64::from(PIECE) {
            return self.piece(agent, start, len as u32);
        }
        let mut all = Vec::with_capacity(len as usize);
        while (all.len() as u64) < len {
            let done = all.len() as u64;
            let next = (len - done).min(u64::from(PIECE)) as u32;
            all.extend_from_slice(&self.piece(agent, start + done, next)?);
        }
        Ok(all)
    }

    fn piece(&self, agent: &mut dyn Agent, offset: u64, len: u32) -> Result<Vec<u8>, Stop> {
        if len == 0 {
            return Ok(Vec::new());
        }
        agent
            .read(self.source, offset, len, self.size)
            .map_err(Stop::agent_gone)
    }

    /// The whole value, if it can fit into `memory` bytes.
    pub fn whole(&self, agent: &mut dyn Agent, name: &str, memory: u64) -> Result<Vec<u8>, Stop> {
        if self.size > memory.min(u64::from(u32::MAX)) {
            let size = self.size.div_ceil(1 << 20);
            let message = format!(
                "the artifact `{name}` has {size} MiB, more than the step's {} MiB of memory",
                memory >> 20
            );
            return Err(Stop::limit(Limit::Memory, message).hint(
                "read it in pieces: take it as a `Blob`; or give the step more with `resources(memory = …)`",
            ));
        }
        self.read_at(agent, 0, self.size as u32)
    }
}

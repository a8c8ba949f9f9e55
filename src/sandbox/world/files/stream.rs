//! Files as streams: readings and writings that go on where the last one ended.

use super::abi::{DescriptorFlags, ErrorCode};
use super::given::Trouble;
use super::{Descriptor, Files, Result, code};
use crate::sandbox::call::Source;
use crate::sandbox::world::agent::Agent;
use crate::sandbox::world::stop::Stop;

/// The most bytes of a granted file that one reading gives.
const MAX_READ: u64 = 16 << 20;

/// Where the bytes of an open file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the scratch directory.
    Scratch(u32),
    /// With the agent: the number of the file and its size.
    Given(u32, u64),
}

/// A file that is read from one end to the other.
#[derive(Clone, Copy, Debug)]
pub struct Incoming {
    place: Place,
    offset: u64,
}

/// A file that is written from one end to the other.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    node: u32,
    /// None: at the end of the file, wherever that is.
    offset: Option<u64>,
}

impl Files {
    /// The bytes behind a descriptor, which must allow reading.
    pub(super) fn reading(&mut self, number: u32) -> Result<Place> {
        match self.descriptor(number)? {
            Descriptor::Scratch { node, access } if access.contains(DescriptorFlags::READ) => {
                self.scratch()?.size(node)?;
                Ok(Place::Scratch(node))
            }
            Descriptor::Scratch { .. } => code(ErrorCode::BadDescriptor),
            Descriptor::Given {
                file: Some((file, size)),
                ..
            } => Ok(Place::Given(file, size)),
            Descriptor::Given { .. } => code(ErrorCode::IsDirectory),
        }
    }

    pub(super) fn size_of(&mut self, place: Place) -> Result<u64> {
        match place {
            Place::Scratch(node) => Ok(self.scratch()?.size(node)?),
            Place::Given(_, size) => Ok(size),
        }
    }

    pub(super) fn read_from(
        &mut self,
        agent: &mut dyn Agent,
        place: Place,
        offset: u64,
        len: u64,
    ) -> Result<Vec<u8>> {
        match place {
            Place::Scratch(node) => Ok(self.scratch()?.read(node, offset, len)?),
            Place::Given(file, size) => {
                let len = len.min(MAX_READ).min(size.saturating_sub(offset));
                if len == 0 {
                    return Ok(Vec::new());
                }
                let read = agent.read(Source::File(file), offset, len as u32, size);
                read.map_err(|error| Trouble::Stop(Stop::agent_gone(error)))
            }
        }
    }

    /// Reads a file as a stream from `offset` on.
    pub fn stream_from(&mut self, number: u32, offset: u64) -> Result<u32> {
        let place = self.reading(number)?;
        if let (Place::Scratch(node), Some(scratch)) = (place, &mut self.scratch) {
            scratch.hold(node);
        }
        Ok(self.incoming.add(Incoming { place, offset }))
    }

    /// Reads what the agent took in under this number as a stream.
    pub fn stream_of(&mut self, number: u32, size: u64) -> u32 {
        let place = Place::Given(number, size);
        self.incoming.add(Incoming { place, offset: 0 })
    }

    /// Writes a file as a stream from `offset` on, or at its end where there is none.
    pub fn stream_to(&mut self, number: u32, offset: Option<u64>) -> Result<u32> {
        let node = self.writable(number)?;
        self.scratch()?.hold(node);
        Ok(self.outgoing.add(Outgoing { node, offset }))
    }

    /// The next bytes of a stream, up to `len`; none at the end.
    pub fn next_bytes(
        &mut self,
        agent: &mut dyn Agent,
        stream: u32,
        len: u64,
    ) -> Result<Option<Vec<u8>>> {
        let Incoming { place, offset } = *self.incoming.get(stream)?;
        let bytes = self.read_from(agent, place, offset, len)?;
        if bytes.is_empty() && len > 0 {
            return Ok(None);
        }
        self.incoming.get(stream)?.offset += bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// Appends to a stream.
    pub fn append(&mut self, stream: u32, bytes: &[u8]) -> Result<()> {
        let Outgoing { node, offset } = *self.outgoing.get(stream)?;
        let scratch = self.scratch()?;
        let at = match offset {
            Some(offset) => offset,
            None => scratch.size(node)?,
        };
        scratch.write(node, at, bytes)?;
        if offset.is_some() {
            self.outgoing.get(stream)?.offset = at.checked_add(bytes.len() as u64);
        }
        Ok(())
    }

    /// Ends a stream of readings.
    pub fn close_incoming(&mut self, stream: u32) {
        if let (Some(Place::Scratch(node)), Some(scratch)) = (
            self.incoming.remove(stream).map(|stream| stream.place),
            &mut self.scratch,
        ) {
            scratch.release(node);
        }
    }

    /// Ends a stream of writings.
    pub fn close_outgoing(&mut self, stream: u32) {
        if let (Some(Outgoing { node, .. }), Some(scratch)) =
            (self.outgoing.remove(stream), &mut self.scratch)
        {
            scratch.release(node);
        }
    }
}

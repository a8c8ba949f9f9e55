//! One value that is written in pieces.

use bytes::Bytes;

use crate::model::artifact::MediaType;
use crate::sandbox::call::Body;
use crate::sandbox::world::agent::Agent;
use crate::sandbox::world::stop::Stop;

/// Small writes are gathered up to this size before they are sent.
const GATHER: usize = 1 << 20;

/// An open writer.
#[derive(Debug)]
pub struct Writing {
    number: u32,
    /// What the bytes are.
    pub media: MediaType,
    gathered: Vec<u8>,
    sent: bool,
}

impl Writing {
    /// A writer with nothing in it; `number` is how the agent knows it.
    pub fn new(number: u32, media: MediaType) -> Self {
        Self {
            number,
            media,
            gathered: Vec::new(),
            sent: false,
        }
    }

    /// Appends `bytes`. Large pieces go to the agent from where they are.
    pub fn write(&mut self, agent: &mut dyn Agent, bytes: &[u8]) -> Result<(), Stop> {
        if self.gathered.len() + bytes.len() < GATHER {
            self.gathered.extend_from_slice(bytes);
            return Ok(());
        }
        self.send_gathered(agent)?;
        for piece in bytes.chunks(GATHER) {
            agent.write(self.number, piece).map_err(Stop::agent_gone)?;
        }
        Ok(())
    }

    fn send_gathered(&mut self, agent: &mut dyn Agent) -> Result<(), Stop> {
        if !self.sent {
            self.sent = true;
            agent
                .create(self.number, self.media.clone())
                .map_err(Stop::agent_gone)?;
        }
        if !self.gathered.is_empty() {
            agent
                .write(self.number, &self.gathered)
                .map_err(Stop::agent_gone)?;
            self.gathered.clear();
        }
        Ok(())
    }

    /// Ends the writer. What is at most `room` bytes and was not sent travels with the answer.
    pub fn finish(mut self, agent: &mut dyn Agent, room: usize) -> Result<Body, Stop> {
        if !self.sent && self.gathered.len() <= room {
            return Ok(Body::Bytes(Bytes::from(self.gathered)));
        }
        self.send_gathered(agent)?;
        Ok(Body::Written(self.number))
    }
}

//! What a guest prints: counted, searched for a panic's message, and handed on.

use wasmtime::StoreContextMut;
use wasmtime::component::WasmList;

use super::Guest;
use super::agent::Agent;
use super::stop::Stop;
use crate::model::failure::Limit;
use crate::model::header::Limits;
use crate::model::record::Stream;

/// What leads the line with which the SDK reports a panic.
const MARK: &[u8] = b"\x01wrun-panic\x01";
/// The longest such line.
const MAX_NOTE: usize = 64 << 10;
/// How much of standard error is kept to find the message of a panic without the SDK.
const TAIL: usize = 16 << 10;

/// What a panic said of itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct PanicNote {
    /// The message.
    pub message: String,
    /// The source file.
    #[serde(default)]
    pub file: String,
    /// The line, from 1.
    #[serde(default)]
    pub line: u32,
    /// The column, from 1.
    #[serde(default)]
    pub column: u32,
}

/// What a guest printed, as far as the host needs to remember it.
#[derive(Debug)]
pub struct Printed {
    limit: u64,
    total: u64,
    /// The beginning of what may become a panic's line; empty when there is none.
    held: Vec<u8>,
    note: Option<PanicNote>,
    tail: Vec<u8>,
}

impl Printed {
    /// Nothing yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limit: u64::from(limits.log_kib) << 10,
            total: 0,
            held: Vec::new(),
            note: None,
            tail: Vec::new(),
        }
    }

    /// What the last panic said by way of the SDK.
    pub fn note(&self) -> Option<&PanicNote> {
        self.note.as_ref()
    }

    /// The end of standard error.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Takes what was printed.
    ///
    /// # Errors
    /// When the limit is reached; nothing of `bytes` is kept then.
    pub fn print(
        &mut self,
        agent: &mut dyn Agent,
        stream: Stream,
        bytes: &[u8],
    ) -> Result<(), Stop> {
        self.total = self.total.saturating_add(bytes.len() as u64);
        if self.total > self.limit {
            let kib = self.limit >> 10;
            let message = format!("the step printed more than {kib} KiB");
            return Err(Stop::limit(Limit::Log, message).hint(
                "print less, write it to an artifact, or raise `limits.log` in `wrun.toml`",
            ));
        }
        match stream {
            Stream::Stderr => self.watch(agent, bytes),
            Stream::Stdout | Stream::Log => agent.print(stream, bytes),
        }
        .map_err(Stop::agent_gone)
    }

    /// Hands on what was held back.
    pub fn finish(&mut self, agent: &mut dyn Agent) -> std::io::Result<()> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            Ok(())
        } else {
            agent.print(Stream::Stderr, &held)
        }
    }

    /// Passes standard error on, without a panic's line.
    fn watch(&mut self, agent: &mut dyn Agent, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            if self.held.is_empty() {
                let start = bytes
                    .iter()
                    .position(|&b| b == MARK[0])
                    .unwrap_or(bytes.len());
                if start > 0 {
                    self.remember(&bytes[..start]);
                    agent.print(Stream::Stderr, &bytes[..start])?;
                }
                bytes = &bytes[start..];
                if bytes.is_empty() {
                    break;
                }
            }
            let end = bytes
                .iter()
                .position(|&b| b == b'\n')
                .map_or(bytes.len(), |at| at + 1);
            self.held.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            let known = self.held.len().min(MARK.len());
            if self.held[..known] != MARK[..known] || self.held.len() > MAX_NOTE {
                self.release(agent)?;
            } else if self.held.ends_with(b"\n") {
                self.parse(agent)?;
            }
        }
        Ok(())
    }

    fn parse(&mut self, agent: &mut dyn Agent) -> std::io::Result<()> {
        match serde_json::from_slice(&self.held[MARK.len()..]) {
            Ok(note) => {
                self.note = Some(note);
                self.held.clear();
                Ok(())
            }
            Err(_) => self.release(agent),
        }
    }

    fn release(&mut self, agent: &mut dyn Agent) -> std::io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.remember(&held);
        agent.print(Stream::Stderr, &held)
    }

    fn remember(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }
}

/// Prints what lies in the guest's memory.
pub fn print_list(
    store: &mut StoreContextMut<'_, Guest>,
    stream: Stream,
    bytes: &WasmList<u8>,
) -> wasmtime::Result<()> {
    // A copy, but of a few lines; bounded, because the limit would refuse more anyway.
    let room = store
        .data()
        .printed
        .limit
        .saturating_add(1)
        .min(usize::MAX as u64) as usize;
    let slice = bytes.as_le_slice(&*store);
    let bytes = slice[..slice.len().min(room)].to_vec();
    let guest = store.data_mut();
    guest.printed.print(guest.agent.as_mut(), stream, &bytes)?;
    Ok(())
}

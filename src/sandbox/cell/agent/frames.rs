//! The agent's end of the socket: sends and receives side by side.
//!
//! The cell may be writing a piece of an artifact while an answer to it is on its way. If either
//! side waited for the other to read first, both would wait forever; so this one never does.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use bytes::{Buf, Bytes, BytesMut};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;

use crate::sandbox::wire::{MAX_HEAD_FROM_CELL, PREFIX, ToAgent, lengths, message};

/// What is read from the socket at once.
const READ: usize = 64 << 10;

/// Frames to and from a cell.
pub struct Frames {
    socket: UnixStream,
    received: BytesMut,
    waiting: VecDeque<Bytes>,
    max_body: usize,
}

impl Frames {
    /// Frames over `socket`, without bodies.
    pub fn new(socket: UnixStream) -> Self {
        let received = BytesMut::with_capacity(READ);
        Self {
            socket,
            received,
            waiting: VecDeque::new(),
            max_body: 0,
        }
    }

    /// Accepts bodies up to `max_body` bytes from now on.
    pub fn accept(&mut self, max_body: usize) {
        self.max_body = max_body;
    }

    /// Closes the socket in both directions.
    pub fn close(&mut self) {
        // An error means that the cell has closed it already.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }

    /// Queues a frame; [`Frames::next`] sends it.
    pub fn push(&mut self, head: Vec<u8>, body: Bytes) {
        self.waiting.push_back(Bytes::from(head));
        if !body.is_empty() {
            self.waiting.push_back(body);
        }
    }

    /// Sends a frame together with an open file.
    pub async fn send_with_file(&mut self, frame: &[u8], file: &File) -> io::Result<()> {
        let mut sent = 0;
        while sent < frame.len() {
            let rest = &frame[sent..];
            // The file goes with the first bytes, and only with them.
            let with_file = sent == 0;
            sent += self
                .socket
                .async_io(Interest::WRITABLE, || {
                    send_some(&self.socket, rest, with_file.then_some(file))
                })
                .await?;
        }
        Ok(())
    }

    /// The next frame from the cell. Sends what is queued meanwhile.
    ///
    /// # Errors
    /// `InvalidData` when the frame breaks a rule; anything else when the socket is gone.
    pub async fn next(&mut self) -> io::Result<(ToAgent, Bytes)> {
        loop {
            if let Some(frame) = self.parse()? {
                return Ok(frame);
            }
            let (mut reading, mut writing) = self.socket.split();
            let Some(first) = self.waiting.front_mut() else {
                receive(&mut reading, &mut self.received).await?;
                continue;
            };
            // Usually there is room in the socket, and nothing to read before this is sent.
            tokio::select! {
                biased;
                written = writing.write(first) => {
                    first.advance(written?);
                    if first.is_empty() {
                        self.waiting.pop_front();
                    }
                }
                received = receive(&mut reading, &mut self.received) => received?,
            }
        }
    }

    /// Takes a whole frame out of what was received; otherwise makes room for the rest of it.
    fn parse(&mut self) -> io::Result<Option<(ToAgent, Bytes)>> {
        let Some(prefix) = self.received.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let (head, body) = lengths(*prefix);
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        if head > MAX_HEAD_FROM_CELL || body > self.max_body {
            return Err(invalid(format!(
                "it sent a message of {head} and {body} bytes"
            )));
        }
        let all = PREFIX + head + body;
        if self.received.len() < all {
            self.received.reserve(all - self.received.len());
            return Ok(None);
        }
        let mut frame = self.received.split_to(all);
        let message = message(&frame[PREFIX..PREFIX + head])
            .map_err(|error| invalid(format!("it sent a message that is none: {error}")))?;
        frame.advance(PREFIX + head);
        Ok(Some((message, frame.freeze())))
    }
}

async fn receive(from: &mut tokio::net::unix::ReadHalf<'_>, into: &mut BytesMut) -> io::Result<()> {
    if into.capacity() == into.len() {
        into.reserve(READ);
    }
    match from.read_buf(into).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn send_some(socket: &UnixStream, bytes: &[u8], file: Option<&File>) -> io::Result<usize> {
    let files = file.map(|file| [file.as_fd()]);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if let Some(files) = &files {
        ancillary.push(SendAncillaryMessage::ScmRights(files));
    }
    Ok(sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::empty(),
    )?)
}

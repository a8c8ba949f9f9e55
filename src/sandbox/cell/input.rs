//! The cell's end of the socket, for reading: frames, and files that come along.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use zeroize::Zeroize;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::sandbox::wire::{MAX_HEAD, PREFIX, ToCell, lengths, message};

const BUFFER: usize = 64 << 10;

/// Reads frames, blocking.
pub struct Input {
    socket: UnixStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    files: VecDeque<OwnedFd>,
}

impl Input {
    /// Reads from `socket`.
    pub fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            files: VecDeque::new(),
        }
    }

    /// The next message and its body.
    pub fn next(&mut self) -> io::Result<(ToCell, Vec<u8>)> {
        let mut prefix = [0; PREFIX];
        self.fill(&mut prefix)?;
        let (head, body) = lengths(prefix);
        if head > MAX_HEAD {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a message is too long",
            ));
        }
        let message = self.message(head)?;
        let mut bytes = vec![0; body];
        self.fill(&mut bytes)?;
        Ok((message, bytes))
    }

    /// Overwrites what was read and is still in the buffer.
    pub fn forget(&mut self) {
        self.buffer[..self.start].zeroize();
    }

    /// The file that came along with the last message.
    pub fn file(&mut self) -> io::Result<File> {
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "no file came along");
        self.files.pop_front().map(File::from).ok_or_else(missing)
    }

    fn message(&mut self, len: usize) -> io::Result<ToCell> {
        if self.end - self.start >= len {
            // Nearly always: the whole message came in one piece.
            let head = &self.buffer[self.start..self.start + len];
            self.start += len;
            return message(head);
        }
        let mut head = vec![0; len];
        self.fill(&mut head)?;
        message(&head)
    }

    fn fill(&mut self, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            if self.start == self.end && into.len() >= BUFFER {
                let read = receive(&self.socket, into, &mut self.files)?;
                into = &mut into[read..];
                continue;
            }
            if self.start == self.end {
                self.start = 0;
                self.end = receive(&self.socket, &mut self.buffer, &mut self.files)?;
            }
            let ready = into.len().min(self.end - self.start);
            into[..ready].copy_from_slice(&self.buffer[self.start..self.start + ready]);
            self.start += ready;
            into = &mut into[ready..];
        }
        Ok(())
    }
}

fn receive(
    socket: &UnixStream,
    into: &mut [u8],
    files: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(
            socket,
            &mut [IoSliceMut::new(into)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            files.extend(received);
        }
    }
    match received.bytes {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        bytes => Ok(bytes),
    }
}

//! The line from a running guest to its agent, inside the cell.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::input::Input;
use super::shelf::{SLOTS, Shelf};
use crate::model::artifact::MediaType;
use crate::model::record::{LogChunk, Stream};
use crate::sandbox::call::{Given, Question, Seen, Source};
use crate::sandbox::fetch::{Fetch, Fetched};
use crate::sandbox::wire::{self, MAX_PIECE, ToAgent, ToCell};
use crate::sandbox::world::agent::Agent;

/// What was printed is sent when it is this much, in bytes.
const PRINT_AT_ONCE: usize = 64 << 10;
/// Pieces that are asked for before the guest wants them, when it reads one after the other. With the
/// one that it reads they are fewer than there are slots.
const AHEAD: usize = 4;
const _: () = assert!(AHEAD + 1 < SLOTS as usize);
/// How many bytes of branches' values are asked for at once.
const BRANCH_BUDGET: u32 = 1 << 20;
/// Progress is told at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// The end of the socket for writing, and what waits to be written.
///
/// Shared with the thread that sends what a long task has printed.
pub struct Outbox {
    socket: UnixStream,
    printed: Vec<(Stream, Vec<u8>)>,
    bytes: usize,
}

impl Outbox {
    /// Writes to `socket`.
    pub fn new(socket: UnixStream) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            socket,
            printed: Vec::new(),
            bytes: 0,
        }))
    }

    /// Sends a message with its body.
    pub fn send(&mut self, message: &ToAgent, body: &[u8]) -> io::Result<()> {
        let head = wire::head(message, body.len())?;
        if body.is_empty() {
            return self.socket.write_all(&head);
        }
        let mut slices = [IoSlice::new(&head), IoSlice::new(body)];
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            match self.socket.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what was printed and not sent.
    pub fn take_printed(&mut self) -> Vec<LogChunk> {
        self.bytes = 0;
        let chunk = |(stream, bytes)| LogChunk {
            stream,
            bytes: Bytes::from(bytes),
        };
        std::mem::take(&mut self.printed)
            .into_iter()
            .map(chunk)
            .collect()
    }

    /// Sends what was printed, if anything was.
    pub fn send_printed(&mut self) -> io::Result<()> {
        if self.printed.is_empty() {
            return Ok(());
        }
        let chunks = self.take_printed();
        self.send(&ToAgent::Logs(chunks), &[])
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(MAX_PIECE) {
            match self.printed.last_mut() {
                Some((last, text)) if *last == stream => text.extend_from_slice(piece),
                _ => self.printed.push((stream, piece.to_vec())),
            }
            self.bytes += piece.len();
            if self.bytes >= PRINT_AT_ONCE {
                self.send_printed()?;
            }
        }
        Ok(())
    }
}

/// A piece that was asked for.
struct Piece {
    source: Source,
    offset: u64,
    len: u32,
    /// Where it lies, or will.
    slot: u32,
    /// Whether it has come.
    here: bool,
}

impl Piece {
    fn end(&self) -> u64 {
        self.offset + u64::from(self.len)
    }
}

/// What the agent has not answered yet.
#[derive(Clone, Copy)]
enum Due {
    /// The first piece that is not here.
    Piece,
    /// Writing what lies in a slot.
    Taken(u32),
}

/// Both ends of the socket, and the memory beside it.
pub struct Channel {
    input: Input,
    output: Arc<Mutex<Outbox>>,
    /// None until the greeting.
    shelf: Option<Shelf>,
    /// Slots that are used for nothing.
    free: Vec<u32>,
    /// Pieces in the order in which they were asked for: first those that are here, then those that are not.
    pieces: VecDeque<Piece>,
    /// In the order in which it will be answered.
    due: VecDeque<Due>,
    /// Where the last reading ended.
    read_until: Option<(Source, u64)>,
    /// How many readings in a row went on where the one before ended.
    onward: usize,
    progress: Option<Instant>,
    /// Whether an answer was none: then the process ends with the task.
    broken: bool,
}

impl Channel {
    /// A channel over the two ends.
    pub fn new(input: Input, output: Arc<Mutex<Outbox>>) -> Self {
        Self {
            input,
            output,
            shelf: None,
            free: (0..SLOTS).collect(),
            pieces: VecDeque::new(),
            due: VecDeque::new(),
            read_until: None,
            onward: 0,
            progress: None,
            broken: false,
        }
    }

    /// Moves pieces through `shelf` from now on.
    pub fn share(&mut self, shelf: Shelf) {
        self.shelf = Some(shelf);
    }

    fn shelf(&self) -> io::Result<&Shelf> {
        self.shelf.as_ref().ok_or_else(out_of_turn)
    }

    /// The end for reading.
    pub fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    /// The end for writing.
    pub fn output(&self) -> MutexGuard<'_, Outbox> {
        self.output
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Forgets one task: waits for the answers that it did not wait for.
    pub fn settle(&mut self) -> io::Result<()> {
        self.catch_up()?;
        while let Some(piece) = self.pieces.pop_front() {
            self.free.push(piece.slot);
        }
        self.read_until = None;
        self.progress = None;
        Ok(())
    }

    /// Waits for all answers to pieces.
    fn catch_up(&mut self) -> io::Result<()> {
        while !self.due.is_empty() {
            self.hear()?;
        }
        Ok(())
    }

    /// Waits for the next answer to a piece.
    fn hear(&mut self) -> io::Result<()> {
        if self.broken {
            return Err(out_of_turn());
        }
        let answer = self.input.next();
        let awaited = self.pieces.iter_mut().find(|piece| !piece.here);
        match (self.due.pop_front(), answer, awaited) {
            (Some(Due::Piece), Ok((ToCell::Piece { len }, _)), Some(piece)) if len == piece.len => {
                piece.here = true;
            }
            (Some(Due::Taken(slot)), Ok((ToCell::Taken, _)), _) => self.free.push(slot),
            // What comes next is anybody's guess, so nothing more is waited for.
            (_, answer, _) => {
                self.broken = true;
                return Err(answer.err().unwrap_or_else(out_of_turn));
            }
        }
        Ok(())
    }

    /// A slot that is used for nothing. There always is one once all is answered, because reading
    /// takes fewer than there are.
    fn slot(&mut self) -> io::Result<u32> {
        loop {
            if let Some(slot) = self.free.pop() {
                return Ok(slot);
            }
            if self.due.is_empty() {
                return Err(out_of_turn());
            }
            self.hear()?;
        }
    }

    fn drop_piece(&mut self) -> io::Result<()> {
        self.arrive()?;
        if let Some(piece) = self.pieces.pop_front() {
            self.free.push(piece.slot);
        }
        Ok(())
    }

    /// Waits for the first piece.
    fn arrive(&mut self) -> io::Result<()> {
        while self.pieces.front().is_some_and(|piece| !piece.here) {
            self.hear()?;
        }
        Ok(())
    }

    fn ask_piece(&mut self, source: Source, offset: u64, len: u32) -> io::Result<()> {
        let slot = self.slot()?;
        let question = ToAgent::Read {
            source,
            offset,
            len,
            slot,
        };
        self.output().send(&question, &[])?;
        self.due.push_back(Due::Piece);
        self.pieces.push_back(Piece {
            source,
            offset,
            len,
            slot,
            here: false,
        });
        Ok(())
    }

    /// Asks for the pieces after `from`, up to [`AHEAD`] besides the one that is wanted.
    fn ask_ahead(&mut self, source: Source, from: u64, size: u64) -> io::Result<()> {
        let mut next = self.pieces.back().map_or(from, Piece::end);
        while self.pieces.len() <= self.onward.min(AHEAD) && next < size {
            let len = (size - next).min(MAX_PIECE as u64);
            self.ask_piece(source, next, len as u32)?;
            next += len;
        }
        Ok(())
    }

    fn read(&mut self, source: Source, offset: u64, len: u32, size: u64) -> io::Result<Vec<u8>> {
        // Whoever jumps about gets nothing ahead; whoever reads on gets more and more.
        self.onward = match self.read_until {
            Some(end) if end == (source, offset) => self.onward + 1,
            _ => usize::from(offset == 0),
        };
        let mut all = Vec::with_capacity(len as usize);
        while all.len() < len as usize {
            let at = offset + all.len() as u64;
            let wanted = len as usize - all.len();
            let covers = |p: &Piece| p.source == source && p.offset <= at && at < p.end();
            while self.pieces.front().is_some_and(|piece| !covers(piece)) {
                self.drop_piece()?;
            }
            if self.pieces.is_empty() {
                self.ask_piece(source, at, wanted.min(MAX_PIECE) as u32)?;
            }
            self.ask_ahead(source, at, size)?;
            self.arrive()?;
            self.take(at, wanted, &mut all)?;
        }
        self.read_until = Some((source, offset + u64::from(len)));
        Ok(all)
    }

    /// Takes up to `wanted` bytes from the first piece, which covers `at`.
    fn take(&mut self, at: u64, wanted: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let Some(first) = self.pieces.front() else {
            return Ok(());
        };
        let from = (at - first.offset) as usize;
        let part = wanted.min(first.len as usize - from);
        self.shelf()?.append(first.slot, from, part, into);
        if from + part == first.len as usize {
            self.drop_piece()?;
        }
        Ok(())
    }

    /// Has the agent append `bytes` to a writer, later.
    fn write(&mut self, writer: u32, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(MAX_PIECE) {
            let slot = self.slot()?;
            self.shelf()?.put(slot, piece);
            let len = piece.len() as u32;
            self.output()
                .send(&ToAgent::Write { writer, slot, len }, &[])?;
            self.due.push_back(Due::Taken(slot));
        }
        Ok(())
    }

    fn question(&mut self, question: &ToAgent) -> io::Result<ToCell> {
        // Answers come in order, so those to pieces are in front of this one.
        self.catch_up()?;
        self.output().send(question, &[])?;
        Ok(self.input.next()?.0)
    }

    fn progress(&mut self, done: u64, total: u64, message: String) -> io::Result<()> {
        let now = Instant::now();
        if self
            .progress
            .is_some_and(|last| now - last < PROGRESS_EVERY)
        {
            return Ok(());
        }
        self.progress = Some(now);
        self.output().send(
            &ToAgent::Progress {
                done,
                total,
                message,
            },
            &[],
        )
    }
}

fn out_of_turn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message came out of turn")
}

/// The channel as a guest's world has it.
#[derive(Clone)]
pub struct Line(pub Rc<RefCell<Channel>>);

impl Agent for Line {
    fn read(&mut self, source: Source, offset: u64, len: u32, size: u64) -> io::Result<Vec<u8>> {
        self.0.borrow_mut().read(source, offset, len, size)
    }

    fn branches(&mut self, name: u32, first: u32) -> io::Result<Vec<Option<Given>>> {
        let question = ToAgent::Branches {
            name,
            first,
            budget: BRANCH_BUDGET,
        };
        match self.0.borrow_mut().question(&question)? {
            ToCell::Branches(values) if !values.is_empty() => Ok(values),
            _ => Err(out_of_turn()),
        }
    }

    fn branch_task(&mut self, branch: u32) -> io::Result<String> {
        match self
            .0
            .borrow_mut()
            .question(&ToAgent::BranchTask { branch })?
        {
            ToCell::BranchTask(task) => Ok(task),
            _ => Err(out_of_turn()),
        }
    }

    fn look(&mut self, question: Question) -> io::Result<Seen> {
        match self.0.borrow_mut().question(&ToAgent::Look(question))? {
            ToCell::Seen(seen) => Ok(seen),
            _ => Err(out_of_turn()),
        }
    }

    fn fetch(&mut self, fetch: Fetch) -> io::Result<Fetched> {
        let question = ToAgent::Fetch(Box::new(fetch));
        match self.0.borrow_mut().question(&question)? {
            ToCell::Fetched(fetched) => Ok(*fetched),
            _ => Err(out_of_turn()),
        }
    }

    fn create(&mut self, writer: u32, media: MediaType) -> io::Result<()> {
        self.0
            .borrow()
            .output()
            .send(&ToAgent::Create { writer, media }, &[])
    }

    fn write(&mut self, writer: u32, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().write(writer, bytes)
    }

    fn progress(&mut self, done: u64, total: u64, message: String) -> io::Result<()> {
        self.0.borrow_mut().progress(done, total, message)
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow().output().print(stream, bytes)
    }
}

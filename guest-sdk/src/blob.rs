//! Large artifacts, read and written in pieces.

use std::fmt;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use crate::abi::{self, Reader, Writer};
use crate::error::{Error, Result};
use crate::host::Host;

/// How many bytes cross the border between step and host at a time.
const PIECE: usize = 1 << 20;

/// The media type of bytes of no known kind.
const BYTES: &str = "application/octet-stream";

/// An artifact that is read in pieces and never wholly in memory unless asked for.
///
/// It may be larger than the memory of a step, which ends at 4 GiB. Reads through [`Read`],
/// [`BufRead`] and [`Seek`] share one position and one piece of 1 MiB, so no `BufReader` is needed:
///
/// ```
/// use wrun_sdk::prelude::*;
///
/// fn rows(table: Blob) -> Result<usize> {
///     let mut rows = 0;
///     for line in table.lines() {
///         rows += usize::from(!line?.is_empty());
///     }
///     Ok(rows)
/// }
///
/// assert_eq!(rows(Blob::from_bytes("a\n\nb\n")).unwrap(), 2);
/// ```
///
/// Returned under another name, a blob that was read is not copied. Clones share the bytes, and each
/// has a position of its own.
#[derive(Clone)]
pub struct Blob {
    body: Body,
    media_type: Option<Arc<str>>,
    position: u64,
    piece: Piece,
}

#[derive(Clone)]
enum Body {
    Memory(Arc<Vec<u8>>),
    Given(Arc<Reader>, u64),
    /// A part of another: from where, and how long.
    Part(Arc<Body>, u64, u64),
    /// None once it was given a name.
    Written(Arc<Mutex<Option<Writer>>>, u64),
}

/// The bytes that were read last.
#[derive(Default)]
struct Piece {
    offset: u64,
    bytes: Vec<u8>,
}

/// A clone reads for itself.
impl Clone for Piece {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Piece {
    /// The bytes from `position` on, if they are here.
    fn from(&self, position: u64) -> &[u8] {
        let skip = position
            .checked_sub(self.offset)
            .and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.bytes.get(skip..)).unwrap_or(&[])
    }
}

impl Body {
    fn len(&self) -> u64 {
        match self {
            Body::Memory(bytes) => bytes.len() as u64,
            Body::Given(_, len) | Body::Part(_, _, len) | Body::Written(_, len) => *len,
        }
    }

    fn fetch(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = len.min(left);
        if len == 0 {
            return Ok(Vec::new());
        }
        match self {
            Body::Memory(bytes) => {
                // Not beyond the end of the slice, whose length is a `usize`.
                let from = offset as usize;
                Ok(bytes[from..from + len].to_vec())
            }
            Body::Given(reader, _) if len <= PIECE => Ok(reader.read_at(offset, len as u32)),
            Body::Given(reader, _) => {
                let mut all = Vec::with_capacity(len);
                while all.len() < len {
                    let piece = PIECE.min(len - all.len()) as u32;
                    all.extend_from_slice(&reader.read_at(offset + all.len() as u64, piece));
                }
                Ok(all)
            }
            Body::Part(of, from, _) => of.fetch(from + offset, len),
            Body::Written(..) => Err(io::Error::other(
                "a blob cannot be read by the task that wrote it; a later step can read it",
            )),
        }
    }
}

impl Blob {
    /// A blob of these bytes, for small ones and for tests.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of(Body::Memory(Arc::new(bytes.into())))
    }

    /// Writes a blob in pieces.
    pub fn writer() -> BlobWriter {
        BlobWriter::new()
    }

    fn of(body: Body) -> Self {
        Self {
            body,
            media_type: None,
            position: 0,
            piece: Piece::default(),
        }
    }

    pub(crate) fn given(reader: Reader) -> Self {
        let len = reader.len();
        Self::of(Body::Given(Arc::new(reader), len))
    }

    /// The `len` bytes from `offset` on, as a blob of their own; fewer only at the end.
    ///
    /// Nothing is copied before the part is returned as an artifact.
    #[must_use]
    pub fn part(&self, offset: u64, len: u64) -> Self {
        let offset = offset.min(self.len());
        let len = len.min(self.len() - offset);
        Self::of(Body::Part(Arc::new(self.body.clone()), offset, len))
    }

    /// The same blob, said to be of this kind, e.g. `text/csv`.
    ///
    /// A blob that was read keeps the kind that it has.
    #[must_use]
    pub fn with_media_type(mut self, media_type: &str) -> Self {
        self.media_type = Some(media_type.into());
        self
    }

    /// What the bytes are, e.g. `application/octet-stream`.
    pub fn media_type(&self) -> String {
        match (&self.body, &self.media_type) {
            (Body::Given(reader, _), _) => reader.media_type(),
            (_, Some(media_type)) => media_type.to_string(),
            (_, None) => BYTES.to_owned(),
        }
    }

    /// The number of bytes.
    pub fn len(&self) -> u64 {
        self.body.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to `len` bytes from `offset`; fewer only at the end. The position does not move.
    ///
    /// # Errors
    /// When the blob was written by this very task: only later steps can read it.
    pub fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        Ok(self.fetch(offset, len)?)
    }

    fn fetch(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.body.fetch(offset, len)
    }

    /// All bytes at once. A step's memory ends at 4 GiB, and one `Vec` at 2 GiB.
    ///
    /// # Errors
    /// When the blob was written by this very task, or is larger than a `Vec` may be.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        match usize::try_from(self.len()) {
            Ok(len) if len <= isize::MAX as usize => self.read_at(0, len),
            _ => Err(Error::new(format_args!(
                "a blob of {} bytes does not fit into memory; read it in pieces",
                self.len()
            ))
            .fatal()),
        }
    }

    /// All bytes at once, as text.
    ///
    /// # Errors
    /// As for [`to_vec`](Blob::to_vec), and when the bytes are not UTF-8.
    pub fn to_text(&self) -> Result<String> {
        Ok(String::from_utf8(self.to_vec()?)?)
    }

    /// The lines from the position on, without their ends. Reads one piece at a time.
    pub fn lines(self) -> io::Lines<Blob> {
        BufRead::lines(self)
    }

    pub(crate) fn write(self, to: &dyn Host, name: &str) -> Result<()> {
        match &self.body {
            Body::Memory(bytes) => {
                to.put(name, self.media_type.as_deref().unwrap_or(BYTES), bytes);
            }
            Body::Given(reader, _) => to.pass(name, reader),
            Body::Part(..) => return self.copy()?.write(to, name),
            Body::Written(writer, _) => {
                let mut writer = writer
                    .lock()
                    .expect("nothing panics while it holds the lock");
                let Some(writer) = writer.take() else {
                    return Err(Error::new(format_args!(
                        "the blob for `{name}` was already returned under another name; write it once, and read it in a later step"
                    ))
                    .fatal());
                };
                to.save(name, writer);
            }
        }
        Ok(())
    }
}

impl Blob {
    /// The same bytes, written anew.
    fn copy(mut self) -> Result<Self> {
        let mut copy = BlobWriter {
            media_type: self.media_type.take(),
            ..BlobWriter::new()
        };
        self.rewind()?;
        io::copy(&mut self, &mut copy)?;
        Ok(copy.finish())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl BufRead for Blob {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece.from(self.position).is_empty() {
            // The old piece goes first: only one is ever in memory.
            self.piece = Piece::default();
            let bytes = self.fetch(self.position, PIECE)?;
            self.piece = Piece {
                offset: self.position,
                bytes,
            };
        }
        Ok(self.piece.from(self.position))
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount as u64;
    }
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let n = there.len().min(buffer.len());
        buffer[..n].copy_from_slice(&there[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl Seek for Blob {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "seek to before the start of a blob",
            )
        })?;
        Ok(self.position)
    }
}

/// Writes a [`Blob`] in pieces of 1 MiB, however large it becomes.
///
/// Only the piece being filled is in the step's memory. Dropped without [`finish`](Self::finish),
/// it leaves nothing.
///
/// ```
/// use std::io::Write;
/// use wrun_sdk::prelude::*;
///
/// fn table() -> Result<Blob> {
///     let mut table = BlobWriter::new().with_media_type("text/csv");
///     writeln!(table, "n,square")?;
///     for n in 1..=3u64 {
///         writeln!(table, "{n},{}", n * n)?;
///     }
///     Ok(table.finish())
/// }
///
/// assert_eq!(table().unwrap().to_text().unwrap(), "n,square\n1,1\n2,4\n3,9\n");
/// ```
#[derive(Default)]
pub struct BlobWriter {
    piece: Vec<u8>,
    writer: Option<Writer>,
    written: u64,
    media_type: Option<Arc<str>>,
}

impl BlobWriter {
    /// A writer that has written nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same writer, whose bytes are said to be of this kind, e.g. `text/csv`.
    ///
    /// # Panics
    /// When more than 1 MiB was written before.
    #[must_use]
    pub fn with_media_type(mut self, media_type: &str) -> Self {
        assert!(
            self.writer.is_none(),
            "the media type of a blob is said before it is written"
        );
        self.media_type = Some(media_type.into());
        self
    }

    /// How many bytes were written.
    pub fn len(&self) -> u64 {
        self.written + self.piece.len() as u64
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The blob of what was written.
    ///
    /// It is an artifact once a step returns it. The task that wrote it cannot read it when it is
    /// larger than 1 MiB; in a native test it can always be read.
    pub fn finish(mut self) -> Blob {
        if self.writer.is_some() {
            self.hand_over();
        }
        let body = match self.writer {
            Some(writer) => Body::Written(Arc::new(Mutex::new(Some(writer))), self.written),
            None => Body::Memory(Arc::new(self.piece)),
        };
        Blob {
            media_type: self.media_type,
            ..Blob::of(body)
        }
    }

    fn hand_over(&mut self) {
        let media_type = self.media_type.as_deref().unwrap_or(BYTES);
        let writer = self.writer.get_or_insert_with(|| Writer::new(media_type));
        if !self.piece.is_empty() {
            writer.write(&self.piece);
        }
        self.written += self.piece.len() as u64;
        self.piece.clear();
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !abi::IN_MODULE {
            self.piece.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        if self.piece.len() >= PIECE {
            self.hand_over();
        }
        let n = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    /// Does nothing: pieces are handed over when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alphabet() -> Blob {
        Blob::from_bytes("abcdefghij")
    }

    #[test]
    fn reading_goes_on_where_it_stopped() {
        let mut blob = alphabet();
        let mut four = [0; 4];

        assert_eq!(blob.read(&mut four).unwrap(), 4);
        assert_eq!(blob.read(&mut four).unwrap(), 4);
        assert_eq!(&four, b"efgh");
        assert_eq!(blob.read(&mut four).unwrap(), 2);
        assert_eq!(blob.read(&mut four).unwrap(), 0);
    }

    #[test]
    fn reading_at_a_place_is_cut_at_the_end_and_moves_nothing() {
        let mut blob = alphabet();

        assert_eq!(blob.read_at(7, 100).unwrap(), b"hij");
        assert_eq!(blob.read_at(10, 1).unwrap(), b"");
        assert_eq!(blob.read_at(u64::MAX, usize::MAX).unwrap(), b"");
        let mut all = String::new();
        blob.read_to_string(&mut all).unwrap();
        assert_eq!(all, "abcdefghij");
    }

    #[test]
    fn seeking_is_from_start_end_and_here() {
        let mut blob = alphabet();
        let rest = |blob: &mut Blob| {
            let mut rest = String::new();
            blob.read_to_string(&mut rest).unwrap();
            rest
        };

        blob.seek(SeekFrom::End(-3)).unwrap();
        assert_eq!(rest(&mut blob), "hij");
        blob.seek(SeekFrom::Start(8)).unwrap();
        assert_eq!(rest(&mut blob), "ij");
        blob.seek(SeekFrom::Current(-1)).unwrap();
        assert_eq!(rest(&mut blob), "j");
        blob.seek(SeekFrom::Start(1000)).unwrap();
        assert_eq!(rest(&mut blob), "");
        assert!(blob.seek(SeekFrom::Current(-1001)).is_err());
    }

    #[test]
    fn a_part_is_a_blob_of_its_own() {
        let mut part = alphabet().part(2, 4);
        assert_eq!((part.len(), part.to_text().unwrap().as_str()), (4, "cdef"));
        assert_eq!(part.read_at(3, 9).unwrap(), b"f");
        assert_eq!(part.part(1, 99).to_text().unwrap(), "def");
        assert!(alphabet().part(11, 1).is_empty());
        part.read_exact(&mut [0; 3]).unwrap();
        let host = crate::memory::Memory::new();
        part.with_media_type("text/plain")
            .write(&host, "copy")
            .unwrap();
        let stored = &host.take_writes()["copy"];
        assert_eq!(
            (stored.bytes.as_slice(), stored.media_type.as_str()),
            (&b"cdef"[..], "text/plain")
        );
    }

    #[test]
    fn clones_have_a_position_of_their_own() {
        let mut first = alphabet();
        first.read_exact(&mut [0; 5]).unwrap();
        let mut second = first.clone();
        second.read_exact(&mut [0; 3]).unwrap();

        let mut rest = String::new();
        first.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "fghij");
    }

    #[test]
    fn lines_have_no_ends() {
        let lines: io::Result<Vec<_>> = Blob::from_bytes("a\r\nb\n\nc").lines().collect();
        assert_eq!(lines.unwrap(), ["a", "b", "", "c"]);
    }

    #[test]
    fn what_is_written_is_read_and_its_kind_is_kept() {
        let mut writer = BlobWriter::new().with_media_type("text/csv");
        assert!(writer.is_empty());
        write!(writer, "a,").unwrap();
        write!(writer, "b").unwrap();
        assert_eq!(writer.len(), 3);
        let blob = writer.finish();

        assert_eq!(blob.to_text().unwrap(), "a,b");
        assert_eq!(blob.media_type(), "text/csv");
        assert_eq!(alphabet().media_type(), BYTES);
    }
}

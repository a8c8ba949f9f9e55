//! Pieces of what tasks print, put together to lines.

use std::collections::BTreeMap;

use crate::model::record::{LogChunk, Stream};

/// A line longer than this many bytes is cut into several.
const MAX_LINE: usize = 16 * 1024;

/// One line that a task printed, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it was printed.
    pub stream: Stream,
    /// What was printed; bytes that are not UTF-8 are replaced. Not yet safe for a terminal.
    pub text: String,
}

/// The lines of one task that are not complete yet.
#[derive(Clone, Debug, Default)]
pub struct LineBuffer {
    open: BTreeMap<Stream, Vec<u8>>,
}

impl LineBuffer {
    /// Adds a piece and gives the lines that are complete now.
    pub fn push(&mut self, chunk: &LogChunk) -> Vec<Line> {
        let open = self.open.entry(chunk.stream).or_default();
        let mut lines = Vec::new();
        for piece in chunk.bytes.split_inclusive(|&byte| byte == b'\n') {
            open.extend_from_slice(piece);
            if piece.ends_with(b"\n") || open.len() >= MAX_LINE {
                lines.push(line(chunk.stream, open));
                open.clear();
            }
        }
        lines
    }

    /// What is left when nothing more comes.
    pub fn finish(&mut self) -> Vec<Line> {
        let open = std::mem::take(&mut self.open);
        let left = open.iter().filter(|(_, bytes)| !bytes.is_empty());
        left.map(|(&stream, bytes)| line(stream, bytes)).collect()
    }
}

/// The lines of pieces that are all there.
pub fn of(chunks: &[LogChunk]) -> Vec<Line> {
    let mut buffer = LineBuffer::default();
    let mut lines: Vec<_> = chunks.iter().flat_map(|chunk| buffer.push(chunk)).collect();
    lines.extend(buffer.finish());
    lines
}

fn line(stream: Stream, bytes: &[u8]) -> Line {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    Line {
        stream,
        text: String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(stream: Stream, text: &str) -> LogChunk {
        LogChunk {
            stream,
            bytes: bytes::Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    #[test]
    fn lines_are_whole_however_they_were_cut() {
        let chunks = [
            chunk(Stream::Stdout, "one\ntw"),
            chunk(Stream::Stderr, "bad"),
            chunk(Stream::Stdout, "o\r\n\nthree"),
        ];
        let texts: Vec<_> = of(&chunks)
            .into_iter()
            .map(|line| (line.stream, line.text))
            .collect();
        let out = |text: &str| (Stream::Stdout, text.to_owned());
        let expected = [
            out("one"),
            out("two"),
            out(""),
            out("three"),
            (Stream::Stderr, "bad".to_owned()),
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_line_without_an_end_does_not_grow_for_ever() {
        let mut buffer = LineBuffer::default();
        let piece = "x".repeat(1000);
        let lines: usize = (0..100)
            .map(|_| buffer.push(&chunk(Stream::Stdout, &piece)).len())
            .sum();
        assert_eq!(lines, 5);
    }
}

//! The format of a blob's file.
//!
//! ```text
//! header    skippable frame 0x184D2A57: "wrunblob", version, shape, frame size as a power of two,
//!           5 zero bytes, plain length, stored length, digest                     80 bytes
//! frames    one for a blob below 8 MiB, else one per MiB of plain bytes
//! subtrees  skippable frame 0x184D2A58: the BLAKE3 chaining value of each frame   only with frames
//! seek      skippable frame 0x184D2A5E: the seek table                            only with frames
//! ```
//!
//! The seek table is that of the Zstandard seekable format, version 0.1.0
//! (`contrib/seekable_format` of facebook/zstd). BLAKE3 is a tree: a frame of 2^20 bytes is a whole
//! subtree, whose chaining value can be computed apart, and the root of all of them is the digest.
//! So the list is proven by the blob's name, and each frame by the list. See "BLAKE3: one function,
//! fast everywhere", sections 2.1 and 6.4.

use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};
use bytes::Bytes;

use super::super::codec::{self, SKIP_HEAD};
use super::super::sealed::array;
use super::BlobError;
use crate::model::digest::Digest;

const HEADER_MAGIC: u32 = 0x184D_2A57;
const SUBTREES_MAGIC: u32 = 0x184D_2A58;
const SEEK_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE: u32 = 0x8F92_EAB1;
const VERSION: u8 = 1;
const FRAME_LOG: u8 = 20;

/// The length of the header.
pub const HEADER: usize = 80;
/// The plain bytes of each frame but the last.
pub const FRAME: usize = 1 << FRAME_LOG;
/// From this length on a blob has a frame per [`FRAME`] bytes.
pub const FRAMED_FROM: u64 = 8 << 20;

const ENTRY: usize = 8;
const FOOTER: usize = 9;

/// How the bytes of a blob are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// In one frame.
    Whole,
    /// In frames of [`FRAME`] bytes.
    Framed,
}

/// What a blob's file says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) shape: Shape,
    /// Plain bytes.
    pub(crate) length: u64,
    /// Bytes of the file.
    pub(crate) stored: u64,
}

impl Header {
    pub(crate) fn write(&self, digest: &Digest) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        codec::skip_head(HEADER_MAGIC, HEADER - SKIP_HEAD, &mut out);
        out.extend_from_slice(b"wrunblob");
        let (shape, log) = match self.shape {
            Shape::Whole => (0, 0),
            Shape::Framed => (1, FRAME_LOG),
        };
        out.extend_from_slice(&[VERSION, shape, log, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.stored.to_le_bytes());
        out.extend_from_slice(digest.as_bytes());
        out
    }

    /// Reads the header of the blob `digest` from the beginning of its file of `total` bytes.
    pub(crate) fn parse(digest: &Digest, bytes: &[u8], total: u64) -> Result<Self, BlobError> {
        let damaged = |what: &str| BlobError::damaged(digest, what);
        let Some(bytes) = bytes.get(..HEADER) else {
            return Err(BlobError::damaged(
                digest,
                format!("only {total} bytes of it are left"),
            ));
        };
        let length = u64::from_le_bytes(array(&bytes[32..40]));
        let stored = u64::from_le_bytes(array(&bytes[40..48]));
        let framed = length >= FRAMED_FROM;
        let header = Self {
            shape: if framed { Shape::Framed } else { Shape::Whole },
            length,
            stored,
        };
        if bytes[..16] != header.write(digest)[..16] {
            return Err(damaged("its file does not begin as a blob does"));
        }
        if bytes[16] > VERSION {
            return Err(BlobError::Newer {
                digest: *digest,
                version: bytes[16],
            });
        }
        // Everything in a header follows from its lengths and its name.
        if bytes != header.write(digest) {
            return Err(damaged("its header is not that of this blob"));
        }
        if stored != total {
            let what = format!("its file has {total} bytes instead of {stored}");
            return Err(BlobError::damaged(digest, what));
        }
        if framed
            && header
                .tables()
                .is_none_or(|tables| tables + HEADER as u64 > stored)
        {
            return Err(damaged("its file is too short for its tables"));
        }
        Ok(header)
    }

    /// How many frames there are.
    pub(crate) fn frames(&self) -> u64 {
        match self.shape {
            Shape::Whole => 1,
            Shape::Framed => self.length.div_ceil(FRAME as u64),
        }
    }

    /// The length of both tables together; none when no file could hold them.
    pub(crate) fn tables(&self) -> Option<u64> {
        let frames = self.frames();
        if frames > u64::from(u32::MAX) / 64 {
            return None;
        }
        let subtrees = SKIP_HEAD as u64 + frames * 32;
        let seek = SKIP_HEAD as u64 + (frames + 2) * ENTRY as u64 + FOOTER as u64;
        Some(subtrees + seek)
    }

    /// The plain length of frame `index`.
    pub(crate) fn frame_len(&self, index: u64) -> usize {
        (self.length - index * FRAME as u64).min(FRAME as u64) as usize
    }
}

/// Packs a whole small blob.
pub(crate) fn pack_whole(level: i32, plain: &[u8]) -> (Digest, Bytes) {
    let digest = Digest::of(plain);
    let mut out = Vec::with_capacity(HEADER + plain.len() / 2 + 64);
    out.resize(HEADER, 0);
    codec::pack(level, plain, &mut out);
    let header = Header {
        shape: Shape::Whole,
        length: plain.len() as u64,
        stored: out.len() as u64,
    };
    out[..HEADER].copy_from_slice(&header.write(&digest));
    (digest, out.into())
}

/// The chaining value of frame `index`.
pub(crate) fn subtree(index: u64, plain: &[u8]) -> ChainingValue {
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(index * FRAME as u64);
    hasher.update(plain);
    hasher.finalize_non_root()
}

/// The digest of at least two frames with these chaining values and `length` bytes in all.
pub(crate) fn root(subtrees: &[ChainingValue], length: u64) -> Digest {
    let (left, right) = halves(subtrees, length);
    let left_len = hazmat::left_subtree_len(length);
    let (left, right) = (node(left, left_len), node(right, length - left_len));
    hazmat::merge_subtrees_root(&left, &right, Mode::Hash).into()
}

fn halves(subtrees: &[ChainingValue], length: u64) -> (&[ChainingValue], &[ChainingValue]) {
    subtrees.split_at((hazmat::left_subtree_len(length) / FRAME as u64) as usize)
}

fn node(subtrees: &[ChainingValue], length: u64) -> ChainingValue {
    if let [one] = subtrees {
        return *one;
    }
    let (left, right) = halves(subtrees, length);
    let left_len = hazmat::left_subtree_len(length);
    let (left, right) = (node(left, left_len), node(right, length - left_len));
    hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash)
}

/// Both tables: where each frame is, and what proves it.
#[derive(Debug)]
pub(crate) struct Tables {
    /// The packed length of each frame.
    pub(crate) packed: Vec<u32>,
    pub(crate) subtrees: Vec<ChainingValue>,
}

impl Tables {
    pub(crate) fn write(&self, length: u64) -> Vec<u8> {
        let subtrees_len = SKIP_HEAD + self.subtrees.len() * 32;
        let mut out = Vec::with_capacity(subtrees_len + self.packed.len() * ENTRY + 64);
        codec::skip_head(SUBTREES_MAGIC, subtrees_len - SKIP_HEAD, &mut out);
        self.subtrees
            .iter()
            .for_each(|value| out.extend_from_slice(value));
        let entries = self.packed.len() + 2;
        codec::skip_head(SEEK_MAGIC, entries * ENTRY + FOOTER, &mut out);
        let mut entry = |packed: u32, plain: u32| {
            out.extend_from_slice(&packed.to_le_bytes());
            out.extend_from_slice(&plain.to_le_bytes());
        };
        entry(HEADER as u32, 0);
        let mut left = length;
        for packed in &self.packed {
            let plain = left.min(FRAME as u64);
            entry(*packed, plain as u32);
            left -= plain;
        }
        entry(subtrees_len as u32, 0);
        out.extend_from_slice(&(entries as u32).to_le_bytes());
        out.push(0);
        out.extend_from_slice(&SEEKABLE.to_le_bytes());
        out
    }

    /// Reads the tables and proves them by the blob's name.
    pub(crate) fn parse(digest: &Digest, header: &Header, bytes: &[u8]) -> Result<Self, BlobError> {
        let damaged = |what: &str| BlobError::damaged(digest, what);
        let frames = header.frames() as usize;
        let seek_at = SKIP_HEAD + frames * 32;
        if header.tables() != Some(bytes.len() as u64) {
            return Err(damaged("its tables are not whole"));
        }
        let subtrees = bytes[SKIP_HEAD..seek_at]
            .chunks_exact(32)
            .map(array)
            .collect();
        let entries = &bytes[seek_at + SKIP_HEAD + ENTRY..];
        let packed = entries.chunks_exact(ENTRY).take(frames);
        let packed = packed
            .map(|entry| u32::from_le_bytes(array(&entry[..4])))
            .collect();
        let tables = Self { packed, subtrees };
        // All else in the tables follows from these two lists.
        if tables.write(header.length) != bytes {
            return Err(damaged("its tables contradict its header"));
        }
        let sum: u64 = tables.packed.iter().map(|len| u64::from(*len)).sum();
        if HEADER as u64 + sum + bytes.len() as u64 != header.stored {
            return Err(damaged("its frames do not fill its file"));
        }
        if tables
            .packed
            .iter()
            .any(|len| *len as usize > FRAME + FRAME / 8)
        {
            return Err(damaged("one of its frames is longer than any frame can be"));
        }
        if root(&tables.subtrees, header.length) != *digest {
            return Err(damaged("its list of frames is not that of this blob"));
        }
        Ok(tables)
    }
}

/// Unpacks frame `index`, which holds `len` bytes, and verifies it.
pub(crate) fn unpack_frame(
    index: u64,
    packed: &[u8],
    expected: &ChainingValue,
    len: usize,
) -> Result<Vec<u8>, String> {
    let plain = codec::unpack(packed, len).map_err(|e| format!("frame {index}: {e}"))?;
    if subtree(index, &plain) != *expected {
        return Err(format!("frame {index} has other bytes than were stored"));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn the_root_of_the_frames_is_the_digest(frames in 1_usize..9, last in 1..=FRAME) {
            let plain: Vec<u8> =
                (0..frames * FRAME + last).map(|i| (i ^ i >> 8 ^ i >> 16) as u8).collect();
            let subtrees: Vec<_> =
                plain.chunks(FRAME).enumerate().map(|(i, c)| subtree(i as u64, c)).collect();
            prop_assert_eq!(root(&subtrees, plain.len() as u64), Digest::of(&plain));
        }
    }
}

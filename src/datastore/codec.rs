//! Packs bytes into zstd frames and unpacks them, with bounds on all that is not trusted.
//!
//! Formats: RFC 8878 for frames, blocks and skippable frames. What does not shrink is wrapped into
//! raw blocks, so everything stays a valid `.zst`. Knows nothing of what the bytes are.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

/// The level at which bytes are packed unless told otherwise: the knee between speed and size.
pub const DEFAULT_LEVEL: i32 = 1;

/// The most bytes that are packed to learn whether the rest will shrink.
const PROBE: usize = 64 * 1024;
/// The fewest; in between it is the 64th part, so that asking costs less than 2 %.
const PROBE_MIN: usize = 16 * 1024;
/// The largest block of a frame (RFC 8878, 3.1.1.2.4).
const BLOCK: usize = 128 * 1024;
/// The largest window that a reader accepts, as a power of two. Frames of ours need far less.
const WINDOW_LOG_MAX: u32 = 27;
/// The length of the head of a skippable frame.
pub(crate) const SKIP_HEAD: usize = 8;

/// Bytes that are not a frame, or not one of the expected length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CodecError(pub(crate) String);

thread_local! {
    // A context is a megabyte of tables; making one costs more than packing a small value.
    static PACKER: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn with_packer<T>(level: i32, work: impl FnOnce(&mut Compressor<'static>) -> io::Result<T>) -> T {
    PACKER.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(had, _)| *had != level) {
            let packer = Compressor::new(level).expect("zstd makes a context unless memory ends");
            *slot = Some((level, packer));
        }
        let (_, packer) = slot.as_mut().expect("it was just put there");
        work(packer).expect("packing into a large enough buffer cannot fail")
    })
}

/// Whether `plain` is worth packing: a probe from its middle shrinks by at least 3 %.
pub(crate) fn shrinks(level: i32, plain: &[u8]) -> bool {
    let len = (plain.len() / 64).clamp(PROBE_MIN, PROBE).min(plain.len());
    let start = (plain.len() - len) / 2;
    let probe = &plain[start..start + len];
    let packed = with_packer(level, |packer| packer.compress(probe)).len();
    packed * 100 < probe.len() * 97
}

/// Appends one frame with `plain` to `out`.
pub(crate) fn pack(level: i32, plain: &[u8], out: &mut Vec<u8>) {
    if plain.len() > PROBE && !shrinks(level, plain) {
        return pack_raw(plain, out);
    }
    let start = out.len();
    out.reserve(zstd::zstd_safe::compress_bound(plain.len()));
    // Behind what is there, into memory that nobody has to clear first.
    let mut rest = io::Cursor::new(std::mem::take(out));
    rest.set_position(start as u64);
    let packed = with_packer(level, |packer| packer.compress_to_buffer(plain, &mut rest));
    *out = rest.into_inner();
    if packed * 100 >= plain.len() * 97 && plain.len() > PROBE {
        out.truncate(start);
        pack_raw(plain, out);
    }
}

/// Appends one frame with `plain` in raw blocks to `out`: a memory copy.
fn pack_raw(plain: &[u8], out: &mut Vec<u8>) {
    out.reserve(plain.len() + 16 + 3 * plain.len().div_ceil(BLOCK));
    out.extend_from_slice(&0xFD2F_B528_u32.to_le_bytes());
    // Frame header descriptor: content size in 8 bytes, single segment, no checksum.
    out.push(0b1110_0000);
    out.extend_from_slice(&(plain.len() as u64).to_le_bytes());
    let mut blocks = plain.chunks(BLOCK).peekable();
    while let Some(block) = blocks.next() {
        let last = u32::from(blocks.peek().is_none());
        let head = (block.len() as u32) << 3 | last;
        out.extend_from_slice(&head.to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
}

fn new_unpacker() -> io::Result<Decompressor<'static>> {
    let mut unpacker = Decompressor::new()?;
    unpacker.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
    Ok(unpacker)
}

/// Unpacks frames that hold exactly `length` bytes; the caller has bounded `length`.
pub(crate) fn unpack(packed: &[u8], length: usize) -> Result<Vec<u8>, CodecError> {
    // A block of 4 bytes may stand for 128 KiB, and nothing shrinks further than that.
    if length / BLOCK > packed.len() / 3 {
        return Err(CodecError(format!(
            "{} bytes cannot hold {length}",
            packed.len()
        )));
    }
    // Memory that nobody has to clear first.
    let mut plain = Vec::with_capacity(length);
    let done = UNPACKER.with_borrow_mut(|slot| {
        let unpacker = match slot {
            Some(unpacker) => unpacker,
            None => slot.insert(new_unpacker()?),
        };
        unpacker.decompress_to_buffer(packed, &mut plain)
    });
    match done {
        Ok(unpacked) if unpacked == length => Ok(plain),
        Ok(unpacked) => Err(CodecError(format!(
            "{unpacked} bytes came out instead of {length}"
        ))),
        Err(e) => Err(CodecError(format!("zstd cannot unpack it: {e}"))),
    }
}

/// Appends the head of a skippable frame with `len` bytes of content.
pub(crate) fn skip_head(magic: u32, len: usize, out: &mut Vec<u8>) {
    let len = u32::try_from(len).expect("frames that are skipped are small");
    out.extend_from_slice(&magic.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        pack(DEFAULT_LEVEL, plain, &mut out);
        out
    }

    /// Bytes without any order, the same each time.
    pub(crate) fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new()
            .update(b"noise")
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    #[test]
    fn what_does_not_shrink_is_still_a_frame() {
        for len in [PROBE + 1, BLOCK, BLOCK + 1, 3 * BLOCK, 1 << 20] {
            let plain = noise(len);
            let packed = packed(&plain);
            assert!(packed.len() <= plain.len() + 64 + 3 * plain.len().div_ceil(BLOCK));
            assert_eq!(zstd::stream::decode_all(&packed[..]).unwrap(), plain);
            assert_eq!(unpack(&packed, len).unwrap(), plain);
        }
    }

    #[test]
    fn a_length_that_is_not_true_is_refused() {
        let packed = packed(b"hello hello hello");
        assert!(unpack(&packed, 16).is_err());
        assert!(unpack(&packed, 18).is_err());
        assert!(unpack(&packed, usize::MAX / 2).is_err());
        assert!(unpack(b"", 1).is_err());
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(plain in proptest::collection::vec(0_u8..4, 0..5000)) {
            let packed = packed(&plain);
            prop_assert_eq!(&unpack(&packed, plain.len()).unwrap(), &plain);
            prop_assert_eq!(zstd::stream::decode_all(&packed[..]).unwrap(), plain);
        }

        #[test]
        fn garbage_is_an_error_or_bytes(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = unpack(&garbage, 1000);
        }
    }
}

//! One large artifact, written by a step and read by the next.

use std::io::{Read, Write};

use wrun_sdk::prelude::*;

/// A large artifact.
#[derive(Artifacts)]
pub struct Bulk {
    /// The bytes.
    pub bulk: Blob,
}

/// What was read.
#[derive(Artifacts)]
pub struct Seen {
    /// How many bytes.
    pub bytes: u64,
    /// The sum of their words of 64 bits.
    pub sum: u64,
}

/// Writes and reads one large artifact.
#[flow]
pub mod bulk {
    use super::*;

    /// Different pieces that are made before the first is written. Making them would otherwise take
    /// longer than storing them, and the datastore packs each piece by itself.
    const PIECES: u32 = 4;

    /// Writes it: lines of a log, words as in prose, or noise that nothing can compress.
    #[step(next = "read")]
    pub fn start(
        #[param(default = 256)] mib: u32,
        #[param(default = "text", choices = ["text", "prose", "random"])] kind: String,
    ) -> Result<Bulk> {
        let mut state = 7_u64;
        let mut pieces = Vec::new();
        for _ in 0..PIECES.min(mib) {
            let mut piece = Vec::with_capacity((1 << 20) + 128);
            fill(&mut piece, &mut state, &kind)?;
            pieces.push(piece);
        }
        let mut writer = BlobWriter::new();
        for i in 0..mib {
            let piece = &mut pieces[(i % PIECES) as usize];
            // No two are the same.
            piece[..4].copy_from_slice(&i.to_le_bytes());
            writer.write_all(piece)?;
        }
        Ok(Bulk {
            bulk: writer.finish(),
        })
    }

    /// Reads it.
    #[step]
    pub fn read(mut bulk: Blob) -> Result<Seen> {
        let mut piece = vec![0; 1 << 20];
        let mut seen = Seen { bytes: 0, sum: 0 };
        loop {
            let n = bulk.read(&mut piece)?;
            if n == 0 {
                return Ok(seen);
            }
            seen.bytes += n as u64;
            // Every word is looked at, and little more: the reading is what is measured.
            seen.sum = piece[..n].chunks_exact(8).fold(seen.sum, |sum, word| {
                let word = word.try_into().expect("eight bytes are a word");
                sum.wrapping_add(u64::from_le_bytes(word))
            });
        }
    }

    fn fill(piece: &mut Vec<u8>, state: &mut u64, kind: &str) -> Result<()> {
        while piece.len() < 1 << 20 {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            match kind {
                "text" => {
                    let (user, ms) = (*state % 9973, *state >> 52);
                    writeln!(
                        piece,
                        "INFO request handled user={user} path=/api/v1/items status=200 ms={ms}"
                    )?;
                }
                "prose" => word(piece, *state),
                _ => piece.extend_from_slice(&state.to_le_bytes()),
            }
        }
        piece.truncate(1 << 20);
        Ok(())
    }

    /// A word of a vocabulary in which some are frequent and many are rare.
    fn word(piece: &mut Vec<u8>, drawn: u64) {
        let (a, b) = (drawn & 255, drawn >> 8 & 255);
        let word = (a * a * (b + 1)) >> 10;
        let mut letters = (word as u32).wrapping_mul(2_654_435_761);
        for _ in 0..2 + word % 7 {
            piece.push(b'a' + (letters % 26) as u8);
            letters /= 13;
        }
        piece.push(if b % 13 == 0 { b'\n' } else { b' ' });
    }
}

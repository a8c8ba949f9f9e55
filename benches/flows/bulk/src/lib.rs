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
    /// Their sum.
    pub sum: u64,
}

/// Writes and reads one large artifact.
#[flow]
pub mod bulk {
    use super::*;

    /// Writes it: lines of a log, or noise that nothing can compress.
    #[step(next = "read")]
    pub fn start(
        #[param(default = 256)] mib: u32,
        #[param(default = "text", choices = ["text", "random"])] kind: String,
    ) -> Result<Bulk> {
        let mut writer = BlobWriter::new();
        let mut state = 7_u64;
        let mut piece = Vec::with_capacity(1 << 20);
        for _ in 0..mib {
            piece.clear();
            fill(&mut piece, &mut state, kind == "text")?;
            writer.write_all(&piece)?;
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
            seen.sum = piece[..n]
                .iter()
                .fold(seen.sum, |sum, &byte| sum + u64::from(byte));
        }
    }

    fn fill(piece: &mut Vec<u8>, state: &mut u64, text: bool) -> Result<()> {
        while piece.len() < 1 << 20 {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            if text {
                let (user, ms) = (*state % 9973, *state >> 52);
                writeln!(
                    piece,
                    "INFO request handled user={user} path=/api/v1/items status=200 ms={ms}"
                )?;
            } else {
                piece.extend_from_slice(&state.to_le_bytes());
            }
        }
        piece.truncate(1 << 20);
        Ok(())
    }
}

//! Bytes that wait for the name of their object.
//!
//! A blob is named by its bytes, and S3 must be told a name before the first of them. Up to a bound
//! they wait in memory, from then on in a file that has no name, so that nothing is left of it
//! however the process ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::datastore::object::StoreError;
use crate::failpoint;

/// How many bytes wait in memory.
const IN_MEMORY: usize = 8 << 20;

/// Bytes in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Spool {
    /// What is not in the file.
    waiting: Vec<Bytes>,
    waiting_len: usize,
    file: Option<Arc<File>>,
    in_file: u64,
}

impl Spool {
    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        self.in_file + self.waiting_len as u64
    }

    /// Appends.
    pub(super) async fn push(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.waiting_len += bytes.len();
        self.waiting.push(bytes);
        if self.waiting_len < IN_MEMORY {
            return Ok(());
        }
        let (pieces, at) = (std::mem::take(&mut self.waiting), self.in_file);
        let file = self.file.take();
        let write = move || {
            failpoint::pass("s3.spool", at)?;
            let file = match file {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile()?),
            };
            let mut at = at;
            for piece in pieces {
                file.write_all_at(&piece, at)?;
                at += piece.len() as u64;
            }
            Ok(file)
        };
        self.file = Some(blocking(write).await?);
        self.in_file += std::mem::take(&mut self.waiting_len) as u64;
        Ok(())
    }

    /// The bytes from `at` on, `len` of them, which are there.
    pub(super) async fn read(&self, at: u64, len: usize) -> Result<Bytes, StoreError> {
        let mut out = BytesMut::with_capacity(len);
        let from_file = self.in_file.saturating_sub(at).min(len as u64) as usize;
        if let (Some(file), 1..) = (&self.file, from_file) {
            let file = file.clone();
            let read = move || {
                out.resize(from_file, 0);
                file.read_exact_at(&mut out, at)?;
                Ok(out)
            };
            out = blocking(read).await?;
        }
        let mut skip = at.saturating_sub(self.in_file) as usize;
        for piece in &self.waiting {
            let from = skip.min(piece.len());
            let until = piece.len().min(from + len - out.len());
            out.extend_from_slice(&piece[from..until]);
            skip -= from;
        }
        debug_assert_eq!(out.len(), len);
        Ok(out.freeze())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = crate::datastore::object::join(tokio::task::spawn_blocking(work).await);
    done.map_err(|e| StoreError::of("write", std::env::temp_dir().display(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_pushed_is_read_wherever_it_lies() {
        let mut spool = Spool::default();
        let all: Vec<u8> = (0..40_u32 << 19).map(|i| (i ^ i >> 9) as u8).collect();
        let all = Bytes::from(all);
        for piece in 0..40 {
            spool
                .push(all.slice(piece << 19..(piece + 1) << 19))
                .await
                .unwrap();
        }
        assert_eq!(spool.len(), all.len() as u64);
        // Two files' worth are in the file, the rest in memory: before, over and behind the border.
        assert_eq!(spool.in_file, 16 << 20);
        for (at, len) in [
            (0, 5),
            (3 << 20, 8 << 20),
            ((16 << 20) - 3, 9),
            (17 << 20, 3 << 20),
            (0, 20 << 20),
            (7, 0),
        ] {
            let found = spool.read(at as u64, len).await.unwrap();
            assert_eq!(found, all.slice(at..at + len), "{len} bytes from {at}");
        }
    }
}

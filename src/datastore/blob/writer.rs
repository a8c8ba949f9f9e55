//! Writes a blob whose bytes come in pieces.
//!
//! Up to 8 MiB are kept; from then on frames are packed and hashed side by side on all cores and
//! written in order behind. Memory is bounded by the frames in flight.

use std::collections::VecDeque;
use std::sync::Arc;

use blake3::hazmat::ChainingValue;
use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use super::super::codec;
use super::super::layout as keys;
use super::super::object::{ObjectStore, StoreError, Upload};
use super::layout::{self, FRAME, FRAMED_FROM, HEADER, Header, Shape, Tables};
use crate::failpoint;
use crate::model::digest::Digest;

/// Writes a blob whose bytes come in pieces. Dropped before it is finished, it leaves nothing.
pub struct BlobWriter {
    store: Arc<dyn ObjectStore>,
    level: i32,
    length: u64,
    /// Bytes that do not yet fill a frame, or the whole blob while it is small.
    rest: Rest,
    frames: Option<Frames>,
}

impl std::fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobWriter")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl BlobWriter {
    pub(super) fn new(store: Arc<dyn ObjectStore>, level: i32) -> Self {
        Self {
            store,
            level,
            length: 0,
            rest: Rest::default(),
            frames: None,
        }
    }

    /// How many bytes were written.
    pub fn written(&self) -> u64 {
        self.length
    }

    /// Appends. Large pieces are not copied.
    ///
    /// # Errors
    /// The store's, maybe about earlier bytes. The writer is of no use afterwards.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.length += bytes.len() as u64;
        self.rest.push(bytes);
        if self.frames.is_none() && self.length < FRAMED_FROM {
            return Ok(());
        }
        if self.frames.is_none() {
            self.frames = Some(Frames::begin(&*self.store, self.level).await?);
        }
        let frames = self.frames.as_mut().expect("it was just put there");
        while let Some(frame) = self.rest.take_frame() {
            frames.push(frame).await?;
        }
        Ok(())
    }

    /// Stores what was written; its name and length. Durable when it returns.
    pub async fn finish(mut self) -> Result<(Digest, u64), StoreError> {
        let last = self.rest.take_all();
        let Some(mut frames) = self.frames else {
            let level = self.level;
            let pack = move || layout::pack_whole(level, &last);
            let (digest, packed) =
                super::super::object::join(tokio::task::spawn_blocking(pack).await);
            super::store_whole(&*self.store, &keys::blob(&digest), &digest, packed).await?;
            return Ok((digest, self.length));
        };
        if !last.is_empty() {
            frames.push(last).await?;
        }
        let digest = frames.finish(&*self.store, self.length).await?;
        Ok((digest, self.length))
    }
}

/// Bytes that were not yet cut into frames.
#[derive(Default)]
struct Rest {
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Rest {
    fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.pieces.push_back(bytes);
        }
    }

    fn take_frame(&mut self) -> Option<Bytes> {
        (self.len >= FRAME).then(|| self.take(FRAME))
    }

    fn take_all(&mut self) -> Bytes {
        self.take(self.len)
    }

    /// The first `len` bytes; not copied when they lie in one piece.
    fn take(&mut self, len: usize) -> Bytes {
        self.len -= len;
        if let Some(first) = self.pieces.front_mut()
            && first.len() >= len
        {
            let taken = first.split_to(len);
            if first.is_empty() {
                self.pieces.pop_front();
            }
            return taken;
        }
        let mut taken = BytesMut::with_capacity(len);
        while taken.len() < len {
            let first = self
                .pieces
                .front_mut()
                .expect("there are at least `len` bytes");
            let part = first.split_to(first.len().min(len - taken.len()));
            taken.extend_from_slice(&part);
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
        taken.freeze()
    }
}

type Packed = (ChainingValue, Bytes);

/// The frames of a large blob, on their way.
struct Frames {
    upload: Box<dyn Upload>,
    level: i32,
    next: u64,
    packing: VecDeque<oneshot::Receiver<Packed>>,
    in_flight: usize,
    tables: Tables,
}

impl Frames {
    async fn begin(store: &dyn ObjectStore, level: i32) -> Result<Self, StoreError> {
        Ok(Self {
            upload: store.upload(HEADER).await?,
            level,
            next: 0,
            packing: VecDeque::new(),
            // Twice as many as there are cores, so that none waits for the writing of a frame.
            in_flight: 2 * rayon::current_num_threads(),
            tables: Tables {
                packed: Vec::new(),
                subtrees: Vec::new(),
            },
        })
    }

    async fn push(&mut self, plain: Bytes) -> Result<(), StoreError> {
        if self.packing.len() >= self.in_flight {
            self.write_first().await?;
        }
        let (level, index) = (self.level, self.next);
        let (done, packed) = oneshot::channel();
        rayon::spawn_fifo(move || {
            let subtree = layout::subtree(index, &plain);
            let mut out = Vec::new();
            codec::pack(level, &plain, &mut out);
            // Nobody listens when the writer was dropped.
            let _ = done.send((subtree, out.into()));
        });
        self.next += 1;
        self.packing.push_back(packed);
        Ok(())
    }

    /// Waits for the oldest frame and writes it.
    async fn write_first(&mut self) -> Result<(), StoreError> {
        let Some(first) = self.packing.pop_front() else {
            return Ok(());
        };
        let (subtree, packed) = first.await.expect("packing a frame does not panic");
        let len = u32::try_from(packed.len()).expect("a frame of a MiB packs to about as much");
        self.tables.packed.push(len);
        self.tables.subtrees.push(subtree);
        self.upload.write(packed).await
    }

    async fn finish(mut self, store: &dyn ObjectStore, length: u64) -> Result<Digest, StoreError> {
        while !self.packing.is_empty() {
            self.write_first().await?;
        }
        let digest = layout::root(&self.tables.subtrees, length);
        let key = keys::blob(&digest);
        if super::is_intact(store, &key, &digest).await? {
            return Ok(digest);
        }
        let tables = self.tables.write(length);
        let frames: u64 = self.tables.packed.iter().map(|len| u64::from(*len)).sum();
        let stored = HEADER as u64 + frames + tables.len() as u64;
        let header = Header {
            shape: Shape::Framed,
            length,
            stored,
        };
        self.upload.write(tables.into()).await?;
        failpoint::reach("blob.finish", &key);
        self.upload
            .finish(&key, header.write(&digest).into())
            .await?;
        failpoint::reach("blob.finished", &key);
        Ok(digest)
    }
}

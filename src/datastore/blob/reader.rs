//! Reads a blob in pieces, or whole.
//!
//! Frames are fetched, unpacked and verified ahead of a reader that goes forward, side by side on
//! all cores. Memory is bounded by the frames that are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use super::super::object::{Key, ObjectStore};
use super::BlobError;
use super::layout::{self, FRAME, FRAMED_FROM, HEADER, Header, Shape, Tables};
use crate::model::digest::Digest;

/// How much of a blob's file is read when it is opened; most blobs are smaller.
const FIRST: usize = 256 * 1024;

/// Reads a blob in pieces. Whatever it returns was verified against the blob's digest.
pub struct BlobReader {
    length: u64,
    body: Body,
}

enum Body {
    Whole(Bytes),
    Framed {
        source: Arc<Source>,
        window: Mutex<Window>,
    },
}

impl std::fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobReader")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl BlobReader {
    pub(super) async fn open(
        store: Arc<dyn ObjectStore>,
        key: Key,
        digest: Digest,
    ) -> Result<Self, BlobError> {
        let first = store.get_range(&key, 0, FIRST).await?;
        let Some(first) = first else {
            return Err(BlobError::Missing { digest });
        };
        let header = Header::parse(&digest, &first.bytes, first.total)?;
        if header.shape == Shape::Whole {
            let stored = whole(&*store, &key, &digest, first).await?;
            let plain = unpack_whole(digest, stored).await?;
            return Ok(Self {
                length: header.length,
                body: Body::Whole(plain),
            });
        }
        let source = Source::open(store, key, digest, header).await?;
        let window = Mutex::new(Window::new());
        Ok(Self {
            length: header.length,
            body: Body::Framed {
                source: Arc::new(source),
                window,
            },
        })
    }

    /// The plain length in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads up to `len` bytes from `offset`; fewer only at the end.
    pub async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, BlobError> {
        let end = offset.saturating_add(len as u64).min(self.length);
        if offset >= end {
            return Ok(Bytes::new());
        }
        let (source, window) = match &self.body {
            Body::Whole(plain) => return Ok(plain.slice(offset as usize..end as usize)),
            Body::Framed { source, window } => (source, window),
        };
        let mut window = window.lock().await;
        let frame = FRAME as u64;
        let (first, last) = (offset / frame, (end - 1) / frame);
        let cut = |index: u64, plain: Bytes| {
            let base = index * frame;
            let from = offset.saturating_sub(base) as usize;
            plain.slice(from..(end - base).min(plain.len() as u64) as usize)
        };
        if first == last {
            return Ok(cut(first, window.get(source, first).await?));
        }
        // The pieces were found to be there before the length is trusted with memory.
        let mut out = BytesMut::new();
        for index in first..=last {
            out.extend_from_slice(&cut(index, window.get(source, index).await?));
        }
        Ok(out.freeze())
    }

    /// Reads all of it. The caller has bounded the length.
    pub(super) async fn read_all(self) -> Result<Bytes, BlobError> {
        let (source, window) = match self.body {
            Body::Whole(plain) => return Ok(plain),
            Body::Framed { source, window } => (source, window),
        };
        let mut window = window.into_inner();
        // The tables are proven by the digest, so this length is that of a real blob.
        let mut out = BytesMut::with_capacity(self.length as usize);
        for index in 0..source.header.frames() {
            out.extend_from_slice(&window.get(&source, index).await?);
        }
        Ok(out.freeze())
    }
}

async fn whole(
    store: &dyn ObjectStore,
    key: &Key,
    digest: &Digest,
    first: super::super::object::Part,
) -> Result<Bytes, BlobError> {
    if first.total == first.bytes.len() as u64 {
        return Ok(first.bytes);
    }
    // A blob of one frame is never much longer than its plain bytes.
    let object = store.get(key, FRAMED_FROM + (1 << 20)).await?;
    object
        .map(|object| object.bytes)
        .ok_or(BlobError::Missing { digest: *digest })
}

async fn unpack_whole(digest: Digest, stored: Bytes) -> Result<Bytes, BlobError> {
    if stored.len() <= super::PACK_HERE {
        return super::unpack_whole(&digest, &stored);
    }
    let unpack = move || super::unpack_whole(&digest, &stored);
    super::super::object::join(tokio::task::spawn_blocking(unpack).await)
}

/// A blob with frames, where it lies.
struct Source {
    store: Arc<dyn ObjectStore>,
    key: Key,
    digest: Digest,
    header: Header,
    tables: Tables,
    /// Where each frame begins.
    offsets: Vec<u64>,
}

impl Source {
    async fn open(
        store: Arc<dyn ObjectStore>,
        key: Key,
        digest: Digest,
        header: Header,
    ) -> Result<Self, BlobError> {
        let len = header.tables().unwrap_or(0);
        let part = store
            .get_range(&key, header.stored - len, len as usize)
            .await?;
        let part = part.ok_or(BlobError::Missing { digest })?;
        let tables = Tables::parse(&digest, &header, &part.bytes)?;
        let mut at = HEADER as u64;
        let offsets = tables.packed.iter().map(|len| {
            at += u64::from(*len);
            at - u64::from(*len)
        });
        let offsets = offsets.collect();
        Ok(Self {
            store,
            key,
            digest,
            header,
            tables,
            offsets,
        })
    }

    /// Fetches, unpacks and verifies one frame.
    async fn frame(self: Arc<Self>, index: u64) -> Result<Bytes, BlobError> {
        let at = index as usize;
        let len = self.tables.packed[at] as usize;
        let part = self
            .store
            .get_range(&self.key, self.offsets[at], len)
            .await?;
        let packed = part
            .ok_or(BlobError::Missing {
                digest: self.digest,
            })?
            .bytes;
        let (done, plain) = oneshot::channel();
        let source = self.clone();
        rayon::spawn_fifo(move || {
            let mut plain = vec![0; source.header.frame_len(index)];
            let expected = &source.tables.subtrees[at];
            let checked = layout::unpack_frame(index, &packed, expected, &mut plain);
            // Nobody listens when the reader was dropped.
            let _ = done.send(checked.map(|()| Bytes::from(plain)));
        });
        let plain = plain.await.expect("unpacking a frame does not panic");
        plain.map_err(|what| BlobError::damaged(&self.digest, what))
    }
}

/// A frame that is there or on its way.
enum Slot {
    Ready(Bytes),
    Coming(JoinHandle<Result<Bytes, BlobError>>),
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Slot::Coming(task) = self {
            task.abort();
        }
    }
}

/// The frames around the place that is being read.
struct Window {
    slots: VecDeque<(u64, Slot)>,
    /// How many frames are fetched ahead of a reader that goes forward.
    ahead: u64,
    last: Option<u64>,
}

impl Window {
    fn new() -> Self {
        let ahead = 2 * rayon::current_num_threads() as u64;
        Self {
            slots: VecDeque::new(),
            ahead,
            last: None,
        }
    }

    async fn get(&mut self, source: &Arc<Source>, index: u64) -> Result<Bytes, BlobError> {
        let forward = match self.last {
            None => index == 0,
            Some(last) => index == last || index == last + 1,
        };
        self.last = Some(index);
        let until = if forward { index + self.ahead } else { index };
        for wanted in index..=until.min(source.header.frames() - 1) {
            self.start(source, wanted);
        }
        // One frame behind stays, for readers whose pieces overlap; the oldest others go.
        while self.slots.len() as u64 > self.ahead + 2 {
            let far = self
                .slots
                .iter()
                .position(|(at, _)| *at + 1 < index || *at > until);
            self.slots.remove(far.unwrap_or(0));
        }
        let (_, slot) = self
            .slots
            .iter_mut()
            .find(|(at, _)| *at == index)
            .expect("it was started, and only others were removed");
        let done = match slot {
            Slot::Ready(plain) => return Ok(plain.clone()),
            Slot::Coming(task) => super::super::object::join(task.await),
        };
        match done {
            Ok(plain) => {
                *slot = Slot::Ready(plain.clone());
                Ok(plain)
            }
            Err(e) => {
                // The next reader may have more luck; a finished task cannot be awaited again.
                self.slots.retain(|(at, _)| *at != index);
                Err(e)
            }
        }
    }

    fn start(&mut self, source: &Arc<Source>, index: u64) {
        if self.slots.iter().all(|(at, _)| *at != index) {
            let task = tokio::spawn(source.clone().frame(index));
            self.slots.push_back((index, Slot::Coming(task)));
        }
    }
}

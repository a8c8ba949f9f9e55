//! Reads a blob in pieces, or whole.
//!
//! Frames are fetched, unpacked and verified ahead of a reader that goes forward, side by side on
//! all cores; several with one request where the store wants it so. Memory is bounded by the frames
//! that are kept.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Mutex, oneshot};
use tokio::task::AbortHandle;

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
        let window = Mutex::new(Window::new(source.together));
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

pub(super) async fn whole(
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
pub(super) struct Source {
    store: Arc<dyn ObjectStore>,
    key: Key,
    digest: Digest,
    pub(super) header: Header,
    pub(super) tables: Tables,
    /// Where each frame begins.
    offsets: Vec<u64>,
    /// How many frames are fetched with one request by a reader that goes forward.
    pub(super) together: u64,
}

impl Source {
    pub(super) async fn open(
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
        let together = (store.pace().read / FRAME).max(1) as u64;
        Ok(Self {
            together,
            store,
            key,
            digest,
            header,
            tables,
            offsets,
        })
    }

    /// Fetches frames that lie side by side, packed, with one request.
    pub(super) async fn packed(&self, frames: Range<u64>) -> Result<Vec<Bytes>, BlobError> {
        let (first, last) = (frames.start as usize, frames.end as usize - 1);
        let at = self.offsets[first];
        let end = self.offsets[last] + u64::from(self.tables.packed[last]);
        let part = self
            .store
            .get_range(&self.key, at, (end - at) as usize)
            .await?;
        let digest = self.digest;
        let bytes = part.ok_or(BlobError::Missing { digest })?.bytes;
        if bytes.len() as u64 != end - at {
            return Err(BlobError::damaged(&digest, "its file has become shorter"));
        }
        let cut = |index: usize| {
            let from = (self.offsets[index] - at) as usize;
            bytes.slice(from..from + self.tables.packed[index] as usize)
        };
        Ok((first..=last).map(cut).collect())
    }

    /// Unpacks and verifies frame `index` on another thread.
    pub(super) fn unpack(self: &Arc<Self>, index: u64, packed: Bytes, done: Done) {
        let source = self.clone();
        rayon::spawn_fifo(move || {
            let expected = &source.tables.subtrees[index as usize];
            let len = source.header.frame_len(index);
            let plain = layout::unpack_frame(index, &packed, expected, len);
            let plain = plain.map_err(|what| BlobError::damaged(&source.digest, what));
            // Nobody listens when the reader was dropped.
            let _ = done.send(plain.map(Bytes::from));
        });
    }

    /// Fetches, unpacks and verifies the frames `of`.
    ///
    /// When they cannot be fetched the first is told why; the others hear nothing.
    async fn frames(self: Arc<Self>, frames: Range<u64>, of: Vec<Done>) {
        let mut of = of.into_iter();
        match self.packed(frames.clone()).await {
            Ok(packed) => {
                for ((index, packed), done) in frames.zip(packed).zip(of) {
                    self.unpack(index, packed, done);
                }
            }
            Err(error) => {
                let _ = of.next().map(|first| first.send(Err(error)));
            }
        }
    }
}

/// Who waits for a frame.
pub(super) type Done = oneshot::Sender<Result<Bytes, BlobError>>;

/// A request on its way. Dropped, it ends.
struct Fetch(AbortHandle);

impl Drop for Fetch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A frame that is there or on its way.
enum Slot {
    Ready(Bytes),
    Coming(
        oneshot::Receiver<Result<Bytes, BlobError>>,
        #[expect(dead_code, reason = "kept until nobody waits")] Arc<Fetch>,
    ),
}

/// The frames around the place that is being read.
struct Window {
    slots: VecDeque<(u64, Slot)>,
    /// How many frames are fetched with one request.
    together: u64,
    /// How many frames are fetched ahead of a reader that goes forward.
    ahead: u64,
    last: Option<u64>,
}

impl Window {
    fn new(together: u64) -> Self {
        let cores = 2 * rayon::current_num_threads() as u64;
        // As one request is used up and the next begins, four are on their way.
        let ahead = if together > 1 { 4 * together } else { cores };
        Self {
            slots: VecDeque::new(),
            together,
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
            self.start(source, wanted, forward);
        }
        // One frame behind stays, for readers whose pieces overlap; the oldest others go.
        while self.slots.len() as u64 > self.ahead + self.together + 1 {
            let far = self
                .slots
                .iter()
                .position(|(at, _)| *at + 1 < index || *at > until + self.together);
            self.slots.remove(far.unwrap_or(0));
        }
        // Where a request for several frames failed, only the first was told: the others are asked
        // for once more, each by itself.
        loop {
            let (_, slot) = self
                .slots
                .iter_mut()
                .find(|(at, _)| *at == index)
                .expect("it was started, and only others were removed");
            let done = match slot {
                Slot::Ready(plain) => return Ok(plain.clone()),
                Slot::Coming(plain, _) => plain.await,
            };
            match done {
                Ok(Ok(plain)) => {
                    *slot = Slot::Ready(plain.clone());
                    return Ok(plain);
                }
                // The next reader may have more luck; what has ended cannot be awaited again.
                Ok(Err(error)) => {
                    self.slots.retain(|(at, _)| *at != index);
                    return Err(error);
                }
                Err(_) => {
                    self.slots.retain(|(at, _)| *at != index);
                    self.start(source, index, false);
                }
            }
        }
    }

    /// Begins to fetch a frame that is not there, with those behind it when the reader goes forward.
    fn start(&mut self, source: &Arc<Source>, index: u64, forward: bool) {
        let is_there = |index: u64| self.slots.iter().any(|(at, _)| *at == index);
        if is_there(index) {
            return;
        }
        let mut end = index + 1;
        let border = (index / self.together + 1) * self.together;
        while forward && end < border.min(source.header.frames()) && !is_there(end) {
            end += 1;
        }
        let (done, coming): (Vec<_>, Vec<_>) = (index..end).map(|_| oneshot::channel()).unzip();
        let task = tokio::spawn(source.clone().frames(index..end, done));
        let fetch = Arc::new(Fetch(task.abort_handle()));
        let slots = coming
            .into_iter()
            .map(|plain| Slot::Coming(plain, fetch.clone()));
        self.slots.extend((index..end).zip(slots));
    }
}

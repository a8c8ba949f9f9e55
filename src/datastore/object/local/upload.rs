//! A file that is written in pieces, with the disk kept busy meanwhile.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;

use super::{Root, Step};
use crate::datastore::object::{Key, StoreError, Upload};
use crate::failpoint;

/// How many bytes are written before the disk is told to begin with them.
const FLUSH_EVERY: u64 = 32 * 1024 * 1024;

type Pending = Option<JoinHandle<io::Result<()>>>;

pub(super) struct LocalUpload {
    root: Arc<Root>,
    temp: Arc<NamedTempFile>,
    head: usize,
    end: u64,
    flushed: u64,
    /// The last piece, on its way to the file; whoever brings the next waits for it.
    writing: Pending,
    /// A flush that runs beside the writing, so that the last fsync finds little to do.
    flushing: Pending,
}

impl LocalUpload {
    pub(super) fn begin(root: Arc<Root>, head: usize) -> Result<Box<dyn Upload>, StoreError> {
        let temp = root
            .temp("upload")
            .map_err(|e| StoreError::of("write", root.path.display(), e))?;
        let end = head as u64;
        let temp = Arc::new(temp);
        Ok(Box::new(Self {
            root,
            temp,
            head,
            end,
            flushed: end,
            writing: None,
            flushing: None,
        }))
    }

    fn wrong(&self, e: io::Error) -> StoreError {
        StoreError::of("write", self.temp.path().display(), e)
    }

    async fn flush_ahead(&mut self) -> io::Result<()> {
        let idle = self
            .flushing
            .as_ref()
            .is_none_or(|flush| flush.is_finished());
        if self.end - self.flushed < FLUSH_EVERY || !idle {
            return Ok(());
        }
        // The system tells of a lost page only once, so no flush may go unheard.
        settled(&mut self.flushing).await?;
        self.flushed = self.end;
        let temp = self.temp.clone();
        self.flushing = Some(tokio::task::spawn_blocking(move || {
            temp.as_file().sync_data()
        }));
        Ok(())
    }
}

async fn settled(pending: &mut Pending) -> io::Result<()> {
    match pending.take() {
        Some(task) => super::super::join(task.await),
        None => Ok(()),
    }
}

#[async_trait]
impl Upload for LocalUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        settled(&mut self.writing)
            .await
            .map_err(|e| self.wrong(e))?;
        self.flush_ahead().await.map_err(|e| self.wrong(e))?;
        let offset = self.end;
        self.end += bytes.len() as u64;
        let (root, temp) = (self.root.clone(), self.temp.clone());
        self.writing = Some(tokio::task::spawn_blocking(move || {
            failpoint::pass("local.upload.write", "upload")?;
            root.step(|| Step::Write)?;
            temp.as_file().write_all_at(&bytes, offset)
        }));
        Ok(())
    }

    async fn finish(mut self: Box<Self>, key: &Key, head: Bytes) -> Result<(), StoreError> {
        settled(&mut self.writing)
            .await
            .map_err(|e| self.wrong(e))?;
        settled(&mut self.flushing)
            .await
            .map_err(|e| self.wrong(e))?;
        debug_assert_eq!(head.len(), self.head);
        let Self { root, temp, .. } = *self;
        let key = key.clone();
        super::super::join(
            tokio::task::spawn_blocking(move || {
                root.writing(&key, |root| {
                    failpoint::pass("local.upload.head", &key)?;
                    temp.as_file().write_all_at(&head, 0)?;
                    let temp = Arc::into_inner(temp).expect("all tasks that had it have ended");
                    root.settle(temp, &key, true).map(|_| ())
                })
            })
            .await,
        )
    }
}

//! Answers a running task: out of the datastore, out of the directories that it may read, and with
//! what others answer over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use zeroize::Zeroizing;

use super::directory::{self, Sight};
use super::grants;
use super::http;
use super::intake::{Intake, seen_secret};
use super::redact::{Printed, Redactor, Search};
use super::site::Site;
use super::trace::{Asked, Found, Trace};
use super::trouble::{infrastructure, unreadable};
use crate::datastore::blob::{BlobReader, BlobWriter};
use crate::model::artifact::{INLINE_VALUE, MediaType, Value, ValueAt};
use crate::model::failure::{Failure, FailureKind};
use crate::model::name::ArtifactName;
use crate::model::record::LogChunk;
use crate::sandbox::call::{Given, Question, Seen, Source};
use crate::sandbox::fetch::{Fetch, Fetched};
use crate::sandbox::host::{Host, HostError};
use crate::scheduler::{Assignment, Branch};

/// The most bytes that one answer carries.
const MOST_BYTES: u32 = 8 * 1024 * 1024;
/// The most branches that one answer carries.
const MOST_BRANCHES: usize = 16 * 1024;
/// How many bytes of a file are read at once.
const PIECE: usize = 1 << 20;
/// How many readers of large values are kept open at once.
const OPEN_READERS: usize = 16;

/// What a running attempt shows to others.
pub trait Listener: Send + Sync {
    /// The task said how far it is.
    fn progress(&self, done: u64, total: u64, message: String);
    /// A task that takes long printed something.
    fn logs(&self, chunks: Vec<LogChunk>);
}

/// Something that is being written.
struct Writing {
    media: MediaType,
    blob: BlobWriter,
    search: Search,
    /// What stands for the secret that was found in it.
    secret: Option<String>,
}

/// Answers one attempt.
pub struct AttemptHost<'a> {
    site: &'a Site,
    assignment: &'a Assignment,
    reads: Vec<Option<Value>>,
    names: Vec<ArtifactName>,
    readers: BTreeMap<Source, Arc<BlobReader>>,
    writers: BTreeMap<u32, Writing>,
    /// What it may still write, in bytes: a cell counts too, but a cell is not to be believed.
    output_left: u64,
    listener: &'a dyn Listener,
    /// What it prints, while a secret may go on in what comes next.
    printed: Printed,
    /// What it saw of the world.
    pub trace: Trace,
    directories: BTreeMap<u32, Arc<cap_std::fs::Dir>>,
}

fn refused(message: impl Into<String>) -> HostError {
    Failure::new(FailureKind::Infrastructure, message).into()
}

/// A granted directory has something in it that no step can name: trying again helps nobody.
fn unnameable(root: &str, error: &std::io::Error) -> HostError {
    let message = format!("the granted directory `{root}` cannot be listed: {error}");
    Failure::new(FailureKind::Denied, message)
        .with_hint("rename it, or grant a directory that does not have it")
        .into()
}

/// A trace that nobody has written who asked these questions.
fn of_something_else() -> HostError {
    let message =
        "the trace of the attempt cannot be read: it answers something else than it was asked";
    Failure::new(FailureKind::Damaged, message).into()
}

/// Does what waits for the disk where it holds up nobody.
async fn blocking<T: Send + 'static>(
    does: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(does).await;
    done.unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
}

/// The next bytes of a file; fewer than [`PIECE`] only at its end.
fn read_piece(file: std::fs::File) -> std::io::Result<(std::fs::File, Bytes)> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    (&file).take(PIECE as u64).read_to_end(&mut bytes)?;
    Ok((file, bytes.into()))
}

impl<'a> AttemptHost<'a> {
    /// A host for `assignment`, which reads `reads` and, of each branch, `names`, and keeps what it
    /// sees in `trace`.
    pub fn new(
        site: &'a Site,
        assignment: &'a Assignment,
        reads: Vec<Option<Value>>,
        names: Vec<ArtifactName>,
        listener: &'a dyn Listener,
        trace: Trace,
    ) -> Self {
        let output_left = site.header.limits.output_mib.saturating_mul(1024 * 1024);
        let (readers, writers) = (BTreeMap::new(), BTreeMap::new());
        Self {
            site,
            assignment,
            reads,
            names,
            readers,
            writers,
            output_left,
            listener,
            printed: Printed::default(),
            trace,
            directories: BTreeMap::new(),
        }
    }

    /// The value behind `source`, if the task may read it and it was ever written.
    pub fn value(&self, source: Source) -> Option<Value> {
        match source {
            Source::Read(at) => self.reads.get(at as usize)?.clone(),
            Source::Branch { branch, name } => {
                let branch = self.branch(branch)?;
                branch
                    .env
                    .get(self.names.get(name as usize)?.as_str())
                    .cloned()
            }
            Source::File(file) => self.trace.file(file).cloned(),
        }
    }

    /// Takes a writer out, to end it; with what stands for the secret that was written to it.
    pub fn take_writer(&mut self, writer: u32) -> Option<(MediaType, BlobWriter, Option<String>)> {
        let writing = self.writers.remove(&writer)?;
        Some((writing.media, writing.blob, writing.secret))
    }

    /// Finds the secrets of the run in what the task says.
    pub fn redactor(&self) -> &'a Redactor {
        self.site.secrets.redactor()
    }

    /// What of the output can be shown now that all was printed.
    pub fn last_printed(&mut self, chunks: Vec<LogChunk>) -> Vec<LogChunk> {
        let redactor = self.redactor();
        let mut shown = self.printed.after(redactor, chunks);
        shown.extend(self.printed.rest(redactor));
        shown
    }

    fn branch(&self, branch: u32) -> Option<&Branch> {
        self.assignment.branches.as_ref()?.get(branch as usize)
    }

    async fn reader(
        &mut self,
        source: Source,
        value: &Value,
    ) -> Result<Arc<BlobReader>, HostError> {
        if let Some(reader) = self.readers.get(&source) {
            return Ok(reader.clone());
        }
        let reader = self.site.datastore.open_value(value).await;
        let reader = Arc::new(reader.map_err(|e| unreadable("could not open an artifact", &e))?);
        if self.readers.len() >= OPEN_READERS {
            self.readers.pop_first();
        }
        self.readers.insert(source, reader.clone());
        Ok(reader)
    }

    /// Looks at a granted directory, which is at `root`.
    async fn see(&mut self, root: &str, question: &Question) -> Result<Found, HostError> {
        let number = question.directory;
        let unseen = |error: std::io::Error| -> HostError {
            if error.kind() == std::io::ErrorKind::InvalidData {
                return unnameable(root, &error);
            }
            infrastructure(&format!("could not read `{root}`"), &error).into()
        };
        let known = self.directories.get(&number).cloned();
        let (root_path, path, look) = (root.to_owned(), question.path.clone(), question.look);
        let looked = blocking(move || {
            let root = known.map_or_else(|| directory::open(&root_path), Ok)?;
            Ok((directory::look(&root, &path, look)?, root))
        });
        let (sight, opened) = looked.await.map_err(unseen)?;
        self.directories.insert(number, opened);
        Ok(match sight {
            Sight::Stat(kind, size) => Found::Stat(kind, size),
            Sight::List(names) => Found::List(names),
            Sight::Not(not) => Found::Not(not),
            Sight::File(file) => self.take_in(file, root).await?,
        })
    }

    /// Reads a whole file: into the trace when it is small, else into a blob.
    async fn take_in(&self, file: std::fs::File, root: &str) -> Result<Found, HostError> {
        let mut file = file;
        let mut intake = Intake::new(&self.site.datastore, self.trace.room(), self.redactor());
        loop {
            let piece;
            let read = blocking(move || read_piece(file)).await;
            (file, piece) = read
                .map_err(|e| infrastructure(&format!("could not read a file in `{root}`"), &e))?;
            let last = piece.len() < PIECE;
            intake.add(piece).await?;
            if last {
                return Ok(Found::File(intake.finish().await?));
            }
        }
    }

    /// The value with its bytes when they are few.
    async fn given(&self, value: &Value) -> Result<Given, HostError> {
        let few = value.size <= INLINE_VALUE as u64 || !matches!(value.at, ValueAt::Blob);
        let bytes = if few {
            let bytes = self.site.values.load(value).await;
            Some(bytes.map_err(|e| unreadable("could not load an artifact", &e))?)
        } else {
            None
        };
        Ok(Given {
            media: value.media.clone(),
            size: value.size,
            bytes,
        })
    }
}

#[async_trait]
impl Host for AttemptHost<'_> {
    async fn read_at(&mut self, source: Source, offset: u64, len: u32) -> Result<Bytes, HostError> {
        let value = self
            .value(source)
            .ok_or_else(|| refused("it asked for no artifact of its"))?;
        let len = u64::from(len.min(MOST_BYTES)).min(value.size.saturating_sub(offset)) as usize;
        if len == 0 {
            return Ok(Bytes::new());
        }
        if !matches!(value.at, ValueAt::Blob) {
            let bytes = self.site.values.load(&value).await;
            let bytes = bytes.map_err(|e| unreadable("could not load an artifact", &e))?;
            let from = offset as usize;
            return Ok(bytes.slice(from..from + len));
        }
        let reader = self.reader(source, &value).await?;
        let bytes = reader.read_at(offset, len).await;
        Ok(bytes.map_err(|e| unreadable("could not read an artifact", &e))?)
    }

    async fn branches(
        &mut self,
        name: u32,
        first: u32,
        budget: u32,
    ) -> Result<Vec<Option<Given>>, HostError> {
        let count = self.assignment.branches.as_ref().map_or(0, |b| b.len());
        if name as usize >= self.names.len() || first as usize >= count {
            return Err(refused("it asked for a branch that does not exist"));
        }
        let budget = budget.min(MOST_BYTES) as usize;
        let (mut answer, mut size) = (Vec::new(), 0);
        for branch in first..count as u32 {
            let given = match self.value(Source::Branch { branch, name }) {
                Some(value) => Some(self.given(&value).await?),
                None => None,
            };
            size += 16
                + given
                    .as_ref()
                    .and_then(|g| g.bytes.as_ref())
                    .map_or(0, Bytes::len);
            answer.push(given);
            if size >= budget || answer.len() >= MOST_BRANCHES {
                break;
            }
        }
        Ok(answer)
    }

    async fn branch_task(&mut self, branch: u32) -> Result<String, HostError> {
        let branch = self.branch(branch);
        Ok(branch
            .ok_or_else(|| refused("it asked for a branch that does not exist"))?
            .task
            .to_string())
    }

    async fn look(&mut self, question: Question) -> Result<Seen, HostError> {
        let step = &self.assignment.task.step;
        let directories = grants::directories(&self.site.header, step);
        let (name, path) = *directories
            .get(question.directory as usize)
            .ok_or_else(|| refused("it looked at a directory that it was not granted"))?;
        let mut shown = question.path.clone();
        self.redactor().text(&mut shown);
        let asked = Asked::Look {
            directory: name.to_owned(),
            path: shown,
            look: question.look,
        };
        let found = match self.trace.answer(&asked)? {
            Some(found) => found,
            None => self.see(path, &question).await?,
        };
        if let Some(secret) = found.secret(self.redactor()) {
            return Err(seen_secret(secret).into());
        }
        let number = self.trace.keep(asked, found.clone())?;
        found.seen(number).ok_or_else(of_something_else)
    }

    async fn fetch(&mut self, fetch: Fetch) -> Result<Fetched, HostError> {
        let step = &self.assignment.task.step;
        if !grants::origins(&self.site.header, step).contains(&fetch.origin) {
            return Err(refused("it asked somebody whom it was not granted"));
        }
        let asked = Asked::fetch(&fetch, self.redactor());
        let found = match self.trace.answer(&asked)? {
            Some(found) => found,
            None => {
                let body = Intake::new(&self.site.datastore, self.trace.room(), self.redactor());
                http::ask(fetch, &self.site.header.limits, body).await?
            }
        };
        if let Some(secret) = found.secret(self.redactor()) {
            return Err(seen_secret(secret).into());
        }
        let number = self.trace.keep(asked, found.clone())?;
        found.fetched(number).ok_or_else(of_something_else)
    }

    async fn secrets(&mut self) -> Result<Vec<(String, Zeroizing<String>)>, HostError> {
        let step = &self.assignment.task.step;
        Ok(grants::secrets(&self.site.header, &self.site.secrets, step))
    }

    async fn create(&mut self, writer: u32, media: MediaType) -> Result<(), HostError> {
        if self.writers.len() >= self.site.header.limits.handles as usize {
            return Err(refused("it opened too many writers"));
        }
        let writing = Writing {
            media,
            blob: self.site.datastore.blobs().writer(),
            search: Search::default(),
            secret: None,
        };
        match self.writers.insert(writer, writing) {
            None => Ok(()),
            Some(_) => Err(refused("it opened the same writer twice")),
        }
    }

    async fn write(&mut self, writer: u32, bytes: Bytes) -> Result<(), HostError> {
        let left = self.output_left.checked_sub(bytes.len() as u64);
        self.output_left = left.ok_or_else(|| refused("it wrote beyond its limit"))?;
        let redactor = self.site.secrets.redactor();
        let writing = self
            .writers
            .get_mut(&writer)
            .ok_or_else(|| refused("it wrote to no open writer"))?;
        let found = writing.search.piece(redactor, &bytes);
        if let Some(found) = found {
            writing.secret.get_or_insert_with(|| found.to_owned());
        }
        if writing.secret.is_some() {
            // It will be refused when it is to become an artifact; no more of it touches the disk.
            return Ok(());
        }
        let written = writing.blob.write(bytes).await;
        Ok(written.map_err(|e| infrastructure("could not store an artifact", &e))?)
    }

    fn progress(&mut self, done: u64, total: u64, mut message: String) {
        self.redactor().text(&mut message);
        self.listener.progress(done, total, message);
    }

    fn logs(&mut self, chunks: Vec<LogChunk>) {
        let shown = self.printed.after(self.site.secrets.redactor(), chunks);
        if !shown.is_empty() {
            self.listener.logs(shown);
        }
    }
}

//! What a cell may ask and say while it runs a task.

use std::collections::BTreeSet;

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::model::name::ArtifactName;
use crate::model::origin::Origin;
use crate::model::record::LogChunk;
use crate::sandbox::call::{Body, MAX_PATH, Question, Reply, Request, Seen, Source};
use crate::sandbox::cell::shelf::{SLOTS, Shelf};
use crate::sandbox::fetch::{self, Fetch, Fetched};
use crate::sandbox::host::{Host, HostError};
use crate::sandbox::wire::{MAX_PIECE, ToAgent, ToCell};

/// The most bytes of branches' values that a cell may ask for at once.
const MAX_BUDGET: u32 = 4 << 20;

/// How much more than its limit a task's output may seem to have: a cell counts before it ends what prints too much.
const LOG_EXCESS: u64 = 1 << 20;
/// The longest text about progress.
const MAX_PROGRESS: usize = 64 << 10;

const PRINTED_TOO_MUCH: &str = "it printed more than its task may";

/// Why a message was not answered.
pub enum Trouble {
    /// The cell must not say that.
    Broke(String),
    /// The agent could not answer.
    Host(HostError),
}

impl From<HostError> for Trouble {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

/// The writers of one task and how much was written to them, and the files that it opened.
#[derive(Default)]
pub struct Writers {
    open: BTreeSet<u32>,
    bytes: u64,
    files: u32,
    printed: u64,
}

impl Writers {
    /// Counts what was printed, and says whether it is no more than the task may print.
    fn may_print(&mut self, chunks: &[LogChunk], rules: &Rules) -> bool {
        let size: u64 = chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum();
        self.printed = self.printed.saturating_add(size);
        self.printed <= rules.log
    }
}

/// What a task may refer to.
pub struct Rules {
    reads: u32,
    branches: u32,
    branch_names: u32,
    directories: u32,
    secrets: bool,
    origins: Vec<Origin>,
    writes: Vec<ArtifactName>,
    output: u64,
    log: u64,
}

impl Rules {
    /// The rules that follow from a request.
    pub fn of(request: &Request) -> Self {
        let branches = request.branches.as_ref();
        Self {
            reads: request.reads.len() as u32,
            branches: branches.map_or(0, |branches| branches.count),
            branch_names: branches.map_or(0, |branches| branches.names.len() as u32),
            directories: request.granted.directories.len() as u32,
            secrets: !request.granted.secrets.is_empty(),
            origins: request.granted.origins.clone(),
            writes: request.writes.clone(),
            output: request.limits.output_mib.saturating_mul(1 << 20),
            log: (u64::from(request.limits.log_kib) << 10) + LOG_EXCESS,
        }
    }

    fn knows(&self, source: Source) -> bool {
        match source {
            Source::Read(position) => position < self.reads,
            Source::Branch { branch, name } => branch < self.branches && name < self.branch_names,
            // What lies in a file becomes an artifact by being written.
            Source::File(_) => false,
        }
    }

    fn may_ask(&self, question: &Question) -> bool {
        let names = || question.path.split('/');
        question.directory < self.directories
            && question.path.len() <= MAX_PATH
            && !question.path.contains('\0')
            && (question.path.is_empty() || names().all(|name| !matches!(name, "" | "." | "..")))
    }

    fn may_fetch(&self, fetch: &Fetch) -> bool {
        self.origins.contains(&fetch.origin)
            && fetch.method.len() <= fetch::MAX_METHOD
            && fetch.target.len() <= fetch::MAX_TARGET
            && fetch.fields.len() <= fetch::MAX_FIELDS
            && fetch::size_of(&fetch.fields) <= fetch::MAX_HEADER
            && fetch.body.len() <= fetch::MAX_REQUEST
    }

    /// Checks what a reply says about artifacts.
    pub fn check(&self, reply: Reply, writers: &mut Writers) -> Result<Reply, String> {
        if !writers.may_print(&reply.logs, self) {
            return Err(PRINTED_TOO_MUCH.into());
        }
        if reply.result.is_err() && !reply.puts.is_empty() {
            return Err("its task failed and wrote artifacts".into());
        }
        let (mut names, mut used) = (BTreeSet::new(), BTreeSet::new());
        for put in &reply.puts {
            if !self.writes.contains(&put.name) {
                return Err(format!(
                    "its task wrote {}, which it does not declare",
                    put.name
                ));
            }
            if !names.insert(&put.name) {
                return Err(format!("its task wrote {} twice", put.name));
            }
            let known = match put.body {
                Body::Bytes(_) => true,
                Body::Written(writer) => writers.open.contains(&writer) && used.insert(writer),
                Body::Passed(source) => self.knows(source),
            };
            if !known {
                return Err(format!("its task wrote {} from nowhere", put.name));
            }
        }
        Ok(reply)
    }
}

/// Answers one message, or takes note of it.
pub async fn serve(
    message: ToAgent,
    shelf: &Shelf,
    rules: &Rules,
    writers: &mut Writers,
    host: &mut dyn Host,
) -> Result<Option<ToCell>, Trouble> {
    let broke = |what: &str| Err(Trouble::Broke(what.to_owned()));
    match message {
        ToAgent::Read {
            source,
            offset,
            len,
            slot,
        } => {
            let opened = matches!(source, Source::File(file) if file < writers.files);
            if !(rules.knows(source) || opened) || !fits(slot, len) {
                return broke("it asked for what its task does not read");
            }
            let piece = host.read_at(source, offset, len).await?;
            shelf.put(slot, &piece);
            let len = u32::try_from(piece.len()).expect("a piece has at most a MiB");
            Ok(Some(ToCell::Piece { len }))
        }
        ToAgent::Branches {
            name,
            first,
            budget,
        } => {
            if name >= rules.branch_names || first >= rules.branches || budget > MAX_BUDGET {
                return broke("it asked for a branch that its task does not have");
            }
            let values = host.branches(name, first, budget).await?;
            Ok(Some(ToCell::Branches(values)))
        }
        ToAgent::BranchTask { branch } => {
            if branch >= rules.branches {
                return broke("it asked for a branch that its task does not have");
            }
            let task = host.branch_task(branch).await?;
            Ok(Some(ToCell::BranchTask(task)))
        }
        ToAgent::Look(question) => {
            if !rules.may_ask(&question) {
                return broke("it asked for what its task was not granted");
            }
            let seen = host.look(question).await?;
            writers.files += u32::from(matches!(seen, Seen::Open(..)));
            Ok(Some(ToCell::Seen(seen)))
        }
        ToAgent::Fetch(fetch) => {
            if !rules.may_fetch(&fetch) {
                return broke("it asked somebody whom its task was not granted, or for too much");
            }
            let fetched = host.fetch(*fetch).await?;
            writers.files += u32::from(matches!(fetched, Fetched::Answer { .. }));
            Ok(Some(ToCell::Fetched(Box::new(fetched))))
        }
        ToAgent::Create { writer, media } => {
            if rules.writes.is_empty() || !writers.open.insert(writer) {
                return broke("it opened a writer that its task must not open");
            }
            host.create(writer, media).await?;
            Ok(None)
        }
        ToAgent::Write { writer, slot, len } => {
            writers.bytes = writers.bytes.saturating_add(u64::from(len));
            let may = writers.open.contains(&writer) && writers.bytes <= rules.output;
            if !may || !fits(slot, len) {
                return broke("it wrote to a writer that is not open, or more than its task may");
            }
            host.write(writer, shelf.take(slot, len as usize)).await?;
            Ok(Some(ToCell::Taken))
        }
        ToAgent::Progress {
            done,
            total,
            message,
        } => {
            if message.len() > MAX_PROGRESS {
                return broke("it told more of its progress than anybody reads");
            }
            host.progress(done, total, message);
            Ok(None)
        }
        ToAgent::Logs(chunks) => {
            if !writers.may_print(&chunks, rules) {
                return broke(PRINTED_TOO_MUCH);
            }
            host.logs(chunks);
            Ok(None)
        }
        _ => broke("it sent a message out of turn"),
    }
}

/// The secrets that a task asks for, as they are sent; overwritten when they were.
pub async fn secrets(rules: &Rules, host: &mut dyn Host) -> Result<Bytes, Trouble> {
    if !rules.secrets {
        let what = "it asked for secrets that its task was not granted";
        return Err(Trouble::Broke(what.to_owned()));
    }
    Ok(packed(host.secrets().await?))
}

fn packed(secrets: Vec<(String, Zeroizing<String>)>) -> Bytes {
    let pairs: Vec<(&str, &str)> = secrets
        .iter()
        .map(|(name, value)| (&**name, &***value))
        .collect();
    let bytes = postcard::to_stdvec(&pairs).expect("texts can be encoded");
    Bytes::from_owner(Zeroizing::new(bytes))
}

/// Whether there is such a slot, and so many bytes fit into it.
fn fits(slot: u32, len: u32) -> bool {
    slot < SLOTS && len as usize <= MAX_PIECE
}

/// A time limit as people say it.
pub fn duration(milliseconds: u64) -> String {
    match milliseconds {
        ms if ms % 3_600_000 == 0 && ms > 0 => format!("{} h", ms / 3_600_000),
        ms if ms % 60_000 == 0 && ms > 0 => format!("{} min", ms / 60_000),
        ms if ms % 1_000 == 0 && ms > 0 => format!("{} s", ms / 1_000),
        ms => format!("{ms} ms"),
    }
}

//! What every test needs: the guests, a cell, a host that keeps everything in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use wrun::model::artifact::MediaType;
use wrun::model::digest::Digest;
use wrun::model::failure::{Failure, FailureKind};
use wrun::model::header::Limits;
use wrun::model::record::{LogChunk, Outcome, Stream};
use wrun::model::time::Timestamp;
use wrun::sandbox::call::{
    Body, Branches, Context, Given, Granted, Kind, Look, Not, Profile, Question, Readable, Reply,
    Request, Seen, Source,
};
use wrun::sandbox::fetch::{Fetch, Fetched, NoAnswer, Reason};
use wrun::sandbox::host::{Host, HostError};
use wrun::sandbox::{Cell, CellError, CompiledModule, Launcher, ModuleError, Modules};

/// Where the guests are, all built once.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = ["-p", "wrun-test-guests", "--lib", "--examples"];
    let build = ["build", "--release", "--target", "wasm32-wasip2"];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    let status = cargo
        .args(build)
        .args(package)
        .current_dir(root)
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the guests do not build");
    let binary = Path::new(env!("CARGO_BIN_EXE_wrun"));
    let target = binary
        .ancestors()
        .nth(2)
        .expect("a binary lies in a profile's directory");
    target.join("wasm32-wasip2/release")
});

/// The module with all behaviours.
pub static GUESTS: LazyLock<Bytes> = LazyLock::new(|| read(&BUILT.join("guests.wasm")));

/// A module that means harm: one of the guests' examples.
pub fn example(name: &str) -> Bytes {
    read(&BUILT.join("examples").join(name).with_extension("wasm"))
}

fn read(path: &Path) -> Bytes {
    std::fs::read(path)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .into()
}

pub fn launcher() -> Launcher {
    Launcher {
        program: PathBuf::from(env!("CARGO_BIN_EXE_wrun")),
        args: vec!["cell".into()],
    }
}

/// A cache of compiled code that all tests of this process share.
pub fn modules() -> &'static Modules {
    static SHARED: OnceLock<(tempfile::TempDir, Modules)> = OnceLock::new();
    let (_, modules) = SHARED.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let modules = Modules::new(directory.path().join("code"), launcher());
        (directory, modules)
    });
    modules
}

pub async fn prepare(wasm: &[u8]) -> Result<CompiledModule, ModuleError> {
    let bytes = Bytes::copy_from_slice(wasm);
    let given = bytes.clone();
    modules()
        .prepare(&Digest::of(&bytes), Profile::default(), async || Ok(given))
        .await
}

pub async fn guests() -> CompiledModule {
    guests_for(Profile::default()).await
}

pub async fn guests_for(profile: Profile) -> CompiledModule {
    let module = Digest::of(&GUESTS);
    let bytes = async || Ok::<_, io::Error>(GUESTS.clone());
    modules()
        .prepare(&module, profile, bytes)
        .await
        .expect("the guests compile")
}

/// A cell that has the guests loaded.
pub async fn cell() -> Cell {
    let mut cell = Cell::spawn(&launcher()).await.expect("a cell starts");
    cell.load(&guests().await).await.expect("the guests load");
    cell
}

/// A request for `step` that declares `out`, with short limits.
pub fn request(step: &str) -> Request {
    Request {
        profile: Profile::default(),
        step: step.parse().expect("a step's name"),
        context: Context {
            flow: "guests".parse().expect("a flow's name"),
            run: 42,
            place: "3.1".into(),
            indices: vec![3, 1],
            turns: Vec::new(),
            attempt: 0,
        },
        reads: Vec::new(),
        item: None,
        branches: None,
        writes: vec!["out".parse().expect("a name")],
        granted: Granted::default(),
        limits: Limits {
            memory_mib: 64,
            timeout_ms: 60_000,
            ..Limits::default()
        },
        clock: Timestamp(1_700_000_000_000_000),
        entropy: [7; 32],
    }
}

/// With a scratch directory.
pub fn scratch(step: &str, mib: u32) -> Request {
    let mut request = request(step);
    request.granted.scratch_mib = mib;
    request
}

/// With a scratch directory and the directories `corpus` and `more`.
pub fn corpus(step: &str) -> Request {
    let mut request = scratch(step, 1);
    request.granted.directories = ["corpus", "more"].map(str::to_owned).into();
    request
}

/// A request for a step that may ask `http://files.example.com:8080`.
pub fn asking(step: &str) -> Request {
    let mut request = request(step);
    request.granted.origins = vec!["http://files.example.com:8080".parse().expect("an origin")];
    request
}

pub fn given(bytes: impl Into<Bytes>) -> Given {
    let bytes = bytes.into();
    let media = MediaType::new("text/plain");
    Given {
        media,
        size: bytes.len() as u64,
        bytes: Some(bytes),
    }
}

/// A value of which the cell gets only the size.
pub fn large(size: u64) -> Given {
    Given {
        media: MediaType::new("application/test"),
        size,
        bytes: None,
    }
}

pub fn reads(mut request: Request, value: Option<Given>) -> Request {
    request.reads = vec![Readable {
        name: "in".parse().expect("a name"),
        value,
    }];
    request
}

pub fn joins(mut request: Request, count: u32) -> Request {
    request.branches = Some(Branches {
        count,
        names: vec!["n".parse().expect("a name")],
    });
    request
}

pub fn item(mut request: Request, item: &'static str) -> Request {
    request.item = Some(Bytes::from_static(item.as_bytes()));
    request
}

/// Byte `i` of every large value is `i % 251`.
pub fn pattern(offset: u64, len: u64) -> Bytes {
    static CYCLES: LazyLock<Vec<u8>> = LazyLock::new(|| (0..=250).collect::<Vec<_>>().repeat(4178));
    let mut bytes = Vec::with_capacity(len as usize);
    while (bytes.len() as u64) < len {
        let from = &CYCLES[((offset + bytes.len() as u64) % 251) as usize..];
        bytes.extend_from_slice(&from[..from.len().min(len as usize - bytes.len())]);
    }
    bytes.into()
}

/// The size of every file in a granted directory.
pub const FILE: u64 = 3_000_000;

/// Answers from memory, and remembers everything.
#[derive(Default)]
pub struct Memory {
    pub sizes: BTreeMap<Source, u64>,
    pub branches: u32,
    pub written: BTreeMap<u32, Vec<u8>>,
    pub logs: Vec<LogChunk>,
    pub progress: Vec<(u64, u64, String)>,
    pub questions: u32,
    /// What was asked of the granted directories.
    pub looked: Vec<String>,
    pub opened: u32,
    /// The requests over HTTP.
    pub fetched: Vec<Fetch>,
    pub fail: bool,
    /// By how many bytes its answers are too short.
    pub short: u64,
}

impl Memory {
    pub fn of(request: &Request) -> Self {
        let sizes = (0..)
            .zip(&request.reads)
            .filter_map(|(at, read)| Some((Source::Read(at), read.value.as_ref()?.size)))
            .collect();
        let branches = request
            .branches
            .as_ref()
            .map_or(0, |branches| branches.count);
        Self {
            sizes,
            branches,
            ..Self::default()
        }
    }

    /// The bytes of an artifact, wherever they came from.
    pub fn body(&self, reply: &Reply, name: &str) -> Bytes {
        let put = reply.puts.iter().find(|put| put.name.as_str() == name);
        match &put
            .unwrap_or_else(|| panic!("no artifact `{name}` in {reply:?}"))
            .body
        {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Written(writer) => self.written[writer].clone().into(),
            Body::Passed(source) => panic!("it was passed from {source:?}"),
        }
    }
}

/// Every seventh branch has nothing; branch 1 is too large to be given whole.
pub fn branch(index: u32) -> Option<Given> {
    match index {
        1 => Some(large(1000)),
        index if index % 7 == 3 => None,
        index => Some(given(vec![index as u8; 8])),
    }
}

#[async_trait]
impl Host for Memory {
    async fn read_at(&mut self, source: Source, offset: u64, len: u32) -> Result<Bytes, HostError> {
        self.questions += 1;
        if self.fail {
            let failure = Failure::new(FailureKind::Infrastructure, "the disk is on fire");
            return Err(failure.into());
        }
        let size = self.sizes.get(&source).copied().unwrap_or(1000);
        Ok(pattern(
            offset,
            u64::from(len).min(size.saturating_sub(offset)) - self.short,
        ))
    }

    async fn branches(
        &mut self,
        _: u32,
        first: u32,
        budget: u32,
    ) -> Result<Vec<Option<Given>>, HostError> {
        self.questions += 1;
        Ok((first..self.branches)
            .take(budget as usize / 64)
            .map(branch)
            .collect())
    }

    async fn branch_task(&mut self, branch: u32) -> Result<String, HostError> {
        self.questions += 1;
        Ok(format!("count/{branch}"))
    }

    /// Two directories: `a.txt` and `sub/b.txt` in each.
    async fn look(&mut self, question: Question) -> Result<Seen, HostError> {
        self.questions += 1;
        let Question {
            directory,
            path,
            look,
        } = question;
        self.looked.push(format!("{look:?} {directory}/{path}"));
        Ok(match (look, path.as_str()) {
            (Look::List, "") => Seen::List(vec![
                ("a.txt".into(), Kind::File),
                ("sub".into(), Kind::Directory),
            ]),
            (Look::List, "sub") => Seen::List(vec![("b.txt".into(), Kind::File)]),
            (Look::Stat, "" | "sub") => Seen::Stat(Kind::Directory, 0),
            (Look::Stat, "a.txt" | "sub/b.txt") => Seen::Stat(Kind::File, FILE),
            (Look::Open, "a.txt" | "sub/b.txt") => {
                let number = self.opened;
                self.opened += 1;
                self.sizes.insert(Source::File(number), FILE);
                Seen::Open(number, FILE)
            }
            (_, path) if path.starts_with("a.txt/") => Seen::Not(Not::Directory),
            _ => Seen::Not(Not::There),
        })
    }

    /// `/size/N` has a body of N bytes, everything else is not there.
    async fn fetch(&mut self, fetch: Fetch) -> Result<Fetched, HostError> {
        self.questions += 1;
        let path = fetch.target.split('?').next().unwrap_or_default();
        let size = path.strip_prefix("/size/").map(str::parse::<u64>);
        self.fetched.push(fetch);
        let Some(Ok(size)) = size else {
            return Ok(Fetched::Not(NoAnswer::new(
                Reason::Refused,
                "nobody is there",
            )));
        };
        let body = self.opened;
        self.opened += 1;
        self.sizes.insert(Source::File(body), size);
        Ok(Fetched::Answer {
            status: 200,
            fields: vec![("content-type".into(), "text/plain".into())],
            body,
            size,
        })
    }

    async fn create(&mut self, writer: u32, _: MediaType) -> Result<(), HostError> {
        self.written.insert(writer, Vec::new());
        Ok(())
    }

    async fn write(&mut self, writer: u32, bytes: Bytes) -> Result<(), HostError> {
        self.written
            .entry(writer)
            .or_default()
            .extend_from_slice(&bytes);
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64, message: String) {
        self.progress.push((done, total, message));
    }

    fn logs(&mut self, chunks: Vec<LogChunk>) {
        self.logs.extend(chunks);
    }
}

/// Runs one task in a cell of its own.
pub async fn run(request: Request) -> (Reply, Memory) {
    let mut host = Memory::of(&request);
    let reply = cell()
        .await
        .run(request, &mut host)
        .await
        .expect("the cell lives");
    (reply, host)
}

/// Runs a task that succeeds with `Done`, and gives the text of `out`.
pub async fn out(request: Request) -> String {
    let (reply, host) = run(request).await;
    assert_eq!(reply.result, Ok(Outcome::Done), "{reply:?}");
    String::from_utf8(host.body(&reply, "out").to_vec()).expect("text")
}

/// Runs a task that fails.
pub async fn failure(request: Request) -> Failure {
    let (reply, _) = run(request).await;
    assert!(reply.puts.is_empty());
    reply.result.expect_err("it fails")
}

pub async fn failure_of(step: &str, kind: FailureKind) -> Failure {
    let failure = failure(request(step)).await;
    assert_eq!(failure.kind, kind, "{failure:?}");
    failure
}

/// What was printed to `stream`, wherever it was kept.
pub fn printed(reply: &Reply, host: &Memory, stream: Stream) -> String {
    let chunks = host
        .logs
        .iter()
        .chain(&reply.logs)
        .filter(|chunk| chunk.stream == stream);
    String::from_utf8(chunks.flat_map(|chunk| chunk.bytes.to_vec()).collect()).expect("text")
}

pub fn lost(result: Result<Reply, CellError>) -> String {
    match result {
        Err(error @ CellError::Lost { .. }) => error.to_string(),
        other => panic!("the cell should be lost: {other:?}"),
    }
}

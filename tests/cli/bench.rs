//! A place of its own for a test, and runs made by hand.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use wrun::datastore::{Datastore, DatastoreUrl};
use wrun::model::artifact::{Artifact, MediaType, Value, ValueAt};
use wrun::model::digest::Digest;
use wrun::model::event::{Event, RunStatus};
use wrun::model::failure::{Failure, FailureKind};
use wrun::model::header::{Limits, RunHeader};
use wrun::model::record::{LogChunk, Logs, Outcome, Record, Stream, Usage};
use wrun::model::time::Timestamp;

/// 2024-01-01 00:00:00 UTC: in the past by any clock.
const START: u64 = 1_704_067_200_000_000;

/// A directory with a home and a datastore, and nothing else.
pub struct Env {
    dir: tempfile::TempDir,
}

/// What a command did.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.out)?;
        if !self.err.is_empty() {
            write!(f, "--- stderr\n{}", self.err)?;
        }
        if self.code != 0 {
            write!(f, "--- exit code {}", self.code)?;
        }
        Ok(())
    }
}

impl Env {
    /// A place without a datastore.
    pub fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A place with three runs of two flows.
    pub fn with_runs() -> Self {
        let env = Self::empty();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(fill(&env.datastore()));
        env
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn datastore(&self) -> PathBuf {
        self.path().join(".wrun")
    }

    /// A command in this place, with nothing of the surroundings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wrun"));
        command.args(arguments).current_dir(self.path()).env_clear();
        command
            .env("HOME", self.path().join("home"))
            .env("COLUMNS", "100");
        command
    }

    pub fn wrun(&self, arguments: &[&str]) -> Done {
        let output = self.command(arguments).output().unwrap();
        let place = self.path().canonicalize().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(place.to_str().unwrap(), "[dir]")
                .replace(self.path().to_str().unwrap(), "[dir]")
        };
        Done {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp(START + ms * 1000)
}

fn header(run: wrun::model::id::RunId, created_at: Timestamp) -> RunHeader {
    RunHeader {
        known_as: run.number,
        run,
        created_at,
        clock: created_at,
        parameters: vec![artifact("parts", MediaType::cbor(), b"\x08")],
        snapshot: Digest::of(b"snapshot"),
        module: Digest::of(b"module"),
        seed: 7,
        limits: Limits::default(),
        steps: Default::default(),
        grants: Default::default(),
        imports: Vec::new(),
        engine: Digest::of(b"engine"),
        origin: None,
        anew: Default::default(),
        cache: false,
        user: "ada".into(),
        tags: vec!["nightly".parse().unwrap()],
        wrun: "0.1.0".into(),
    }
}

fn artifact(name: &str, media: MediaType, bytes: &[u8]) -> Artifact {
    let value = Value::inline(media, Bytes::copy_from_slice(bytes));
    Artifact {
        name: name.parse().unwrap(),
        value,
    }
}

fn record(result: Result<Outcome, Failure>, start: u64, ms: u64) -> Record {
    let usage = Usage {
        started_at: at(start),
        wall_us: ms * 1000,
        cpu_us: 900,
        peak_memory: 1 << 20,
        job: None,
    };
    Record {
        result,
        artifacts: Vec::new(),
        logs: Logs::None,
        engine: Digest::of(b"engine"),
        inputs: wrun::model::digest::Digest::from_bytes([0; 32]),
        observed: Default::default(),
        trace: None,
        usage,
    }
}

fn finished(task: &str, attempt: u32, record: Record) -> Event {
    Event::Finished {
        task: task.parse().unwrap(),
        attempt,
        record: Box::new(record),
    }
}

fn printed(stream: Stream, text: &'static str) -> LogChunk {
    LogChunk {
        stream,
        bytes: Bytes::from_static(text.as_bytes()),
    }
}

fn broken() -> Failure {
    let mut failure = Failure::new(FailureKind::Panic, "index out of bounds");
    failure.source = Some("src/lib.rs:41:9".into());
    failure
}

/// start => count, of which the second fails once -> total
fn good(big: Value) -> Vec<Event> {
    let mut start = record(Ok(Outcome::Items(3)), 0, 12);
    start.artifacts = vec![artifact("shards", MediaType::cbor(), b"\x83\x01\x02\x03")];
    start.logs = Logs::Inline(vec![
        printed(Stream::Stdout, "cutting \u{1b}[2Jup\n"),
        printed(Stream::Log, "warn: odd\n"),
    ]);
    let mut count = record(Ok(Outcome::Done), 13, 20);
    count.artifacts = vec![artifact(
        "counts",
        MediaType::cbor(),
        b"\xa2\x61a\x01\x61b\xf5",
    )];
    count.logs = Logs::Inline(vec![printed(Stream::Stdout, "one shard\n")]);
    let mut total = record(Ok(Outcome::Done), 90, 5);
    total.artifacts = vec![
        artifact("page", MediaType::new("text/html"), b"<p>hello</p>"),
        artifact(
            "raw",
            MediaType::new("application/octet-stream"),
            &[0, 159, 146, 150],
        ),
        Artifact {
            name: "big".parse().unwrap(),
            value: big,
        },
    ];
    vec![
        finished("start/-", 0, start),
        finished("count/0", 0, count),
        finished("count/1", 0, record(Err(broken()), 13, 30)),
        finished("count/2", 0, record(Ok(Outcome::Done), 44, 10)),
        finished("count/1", 1, record(Ok(Outcome::Done), 44, 40)),
        finished("total/-", 0, total),
        Event::RunEnded {
            status: RunStatus::Succeeded,
            at: at(97),
        },
    ]
}

fn bad() -> Vec<Event> {
    vec![
        finished("start/-", 0, record(Ok(Outcome::Done), 0, 12)),
        finished("fit/-", 0, record(Err(broken()), 13, 30)),
        Event::RunEnded {
            status: RunStatus::Failed,
            at: at(50),
        },
    ]
}

async fn fill(directory: &Path) {
    let store = Datastore::open_or_create(&DatastoreUrl::directory(directory))
        .await
        .unwrap();
    let bytes = Bytes::from(vec![b'x'; 3 << 20]);
    let digest = store.blobs().put(bytes.clone()).await.unwrap();
    let media = MediaType::new("application/octet-stream");
    let big = Value {
        digest,
        size: bytes.len() as u64,
        media,
        at: ValueAt::Blob,
    };
    let runs = [
        ("wordcount", 0, good(big)),
        ("fit", 60_000, bad()),
        ("wordcount", 120_000, Vec::new()),
    ];
    for (flow, start, events) in runs {
        let flow = flow.parse().unwrap();
        let run = store
            .create_run(&flow, |id| header(id, at(start)))
            .await
            .unwrap();
        if !events.is_empty() {
            run.writer().await.unwrap().append(&events).await.unwrap();
        }
    }
}

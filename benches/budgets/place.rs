//! A place for whole processes: a datastore and caches of its own, on the disk of the target directory.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use wrun::runtime::clock::SystemClock;
use wrun::task::attempt::Clock;

/// How often the memory of running processes is read.
const WATCH_EVERY: Duration = Duration::from_millis(4);

/// Builds packages of the workspace for the sandbox and gives the directory with their modules; those of
/// examples are below `examples`.
pub fn modules(packages: &[&str]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--target", "wasm32-wasip2"]);
    build.args(["--lib", "--examples"]);
    build.args(packages.iter().flat_map(|name| ["-p", name]));
    // As in the package that `wrun new` writes.
    build.env("CARGO_PROFILE_RELEASE_LTO", "thin");
    let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(
        status.expect("cargo starts").success(),
        "{packages:?} do not build"
    );
    target().join("wasm32-wasip2/release")
}

fn target() -> &'static Path {
    let binary = Path::new(env!("CARGO_BIN_EXE_wrun"));
    binary
        .ancestors()
        .nth(2)
        .expect("a binary lies in a profile's directory")
}

/// A datastore, a cache of compiled code, and nothing else.
pub struct Place {
    dir: tempfile::TempDir,
}

/// What a process did.
pub struct Done {
    /// From before it was started until it had ended.
    pub wall: Duration,
    /// When it was started, in microseconds since 1970.
    pub started_at: u64,
    /// The events, when it was asked for them.
    pub events: Vec<Json>,
    /// The most resident memory of the process itself, in bytes; 0 when it was not watched.
    pub driver: u64,
    /// The most resident memory of any of its children, in bytes.
    pub cell: u64,
}

/// How a process is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Only its time.
    Time,
    /// Its events.
    Events,
    /// Its events and its memory, which costs it some time.
    Memory,
}

impl Place {
    /// An empty place.
    pub fn new() -> Self {
        let dir = tempfile::tempdir_in(target()).expect("a directory");
        Self { dir }
    }

    /// Where files can be written.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The datastore.
    pub fn datastore(&self) -> PathBuf {
        self.path().join("datastore")
    }

    /// Runs `wrun` and waits for its end, which must be a good one.
    pub fn wrun(&self, arguments: &[&str], watch: Watch) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wrun"));
        command
            .arg(if watch == Watch::Time {
                "--quiet"
            } else {
                "--json"
            })
            .arg("--datastore")
            .arg(self.datastore())
            .args(arguments)
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .env("WRUN_MAX_WORKERS", "2")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null());
        if watch == Watch::Time {
            command.stdout(Stdio::null());
        } else {
            command.stdout(Stdio::piped());
        }
        let started_at = SystemClock.now().0;
        let start = Instant::now();
        let mut child = command.spawn().expect("wrun starts");
        let watcher = (watch == Watch::Memory).then(|| Watcher::follow(child.id()));
        let events = read_events(&mut child);
        let status = child.wait().expect("it was started");
        let wall = start.elapsed();
        assert!(status.success(), "`wrun {}` failed", arguments.join(" "));
        let (driver, cell) = watcher.map_or((0, 0), Watcher::end);
        Done {
            wall,
            started_at,
            events,
            driver,
            cell,
        }
    }

    /// Runs `wrun`, which must end with this code, and gives the time that it took.
    pub fn timed(&self, arguments: &[&str], code: i32) -> Duration {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wrun"));
        command
            .args(["--quiet", "--datastore"])
            .arg(self.datastore())
            .args(arguments)
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .env("WRUN_MAX_WORKERS", "2")
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status().expect("wrun starts");
        let took = start.elapsed();
        assert_eq!(status.code(), Some(code), "`wrun {}`", arguments.join(" "));
        took
    }

    /// How many files there are in the datastore.
    pub fn files(&self) -> u64 {
        files(&self.datastore()).len() as u64
    }

    /// How many bytes they have together.
    pub fn bytes(&self) -> u64 {
        let files = files(&self.datastore());
        let sizes = files.iter().map(|it| it.metadata().expect("a file").len());
        sizes.sum()
    }
}

fn read_events(child: &mut Child) -> Vec<Json> {
    let Some(out) = child.stdout.take() else {
        return Vec::new();
    };
    let mut events = Vec::new();
    for line in BufReader::new(out).lines() {
        let line = line.expect("text");
        // Of many thousand tasks only the few are kept that somebody looks at.
        if !line.contains("\"square/") {
            events.push(serde_json::from_str(&line).expect("JSON"));
        }
    }
    events
}

/// Every file below a directory.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let below = entries.flat_map(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files(&path),
            false => vec![path],
        }
    });
    below.collect()
}

impl Done {
    /// The member `name` of the `usage` of the only task of `step`.
    pub fn usage(&self, step: &str, name: &str) -> u64 {
        let task = format!("{step}/-");
        let record = self
            .events
            .iter()
            .find(|event| event["event"] == "finished" && event["task"] == *task);
        let record = record.unwrap_or_else(|| panic!("no record of `{task}`"));
        record["usage"][name].as_u64().expect("a number")
    }
}

/// Reads the memory of a process and of its children while they run.
struct Watcher {
    stop: Sender<()>,
    thread: std::thread::JoinHandle<(u64, u64)>,
}

impl Watcher {
    fn follow(pid: u32) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let (mut driver, mut cell) = (0, 0);
            while stopped.recv_timeout(WATCH_EVERY) == Err(RecvTimeoutError::Timeout) {
                driver = driver.max(peak(pid).unwrap_or(0));
                for child in children(pid) {
                    cell = cell.max(peak(child).unwrap_or(0));
                }
            }
            (driver, cell)
        });
        Self { stop, thread }
    }

    fn end(self) -> (u64, u64) {
        drop(self.stop);
        self.thread.join().expect("it does not panic")
    }
}

/// The most memory that a process has had resident, in bytes.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// The children of all threads of a process.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            let numbers = list.split_whitespace().map(|number| number.parse().ok());
            numbers.flatten().collect::<Vec<u32>>()
        })
        .collect()
}

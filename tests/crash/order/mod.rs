//! What is flushed before what: traces of real commands, by `strace`.
//!
//! Where `strace` is not installed these tests say so and do nothing; under `CI=true` they fail then.

mod judge;
mod trace;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use wrun::datastore::{Datastore, DatastoreUrl};
use wrun::model::artifact::ValueAt;
use wrun::model::event::Event;

use self::judge::Judge;
use super::scenario::said;
use super::world::{World, module};

/// The calls that matter.
const CALLS: &str = "trace=write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,mkdir,mkdirat";

/// Whether there is a tracer that may trace.
fn tracer() -> bool {
    let tried = Command::new("strace").args(["-f", "true"]).output();
    let there = tried.is_ok_and(|it| it.status.success());
    if !there {
        let what = "strace was not found or may not trace: `apt-get install strace`";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}");
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Past the capture of the test harness: whoever looks on must see it.
        let _ = writeln!(std::io::stderr(), "ignored: {test}: {what}");
    }
    there
}

/// Executes a command under the tracer, and gives what it did.
fn traced(world: &World, arguments: &[&str]) -> Vec<trace::Call> {
    let plain = world.command(arguments);
    let file = world.path().join("trace");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-s", "1000000", "-e", CALLS, "-o"])
        .arg(&file)
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(world.path())
        .env_clear();
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let ended = said(command, world);
    assert!(ended.status.success(), "{arguments:?}: {}", ended.stderr);
    trace::read(&std::fs::read_to_string(&file).unwrap())
}

/// The keys that belong to a run, and what its segments refer to and tell.
#[derive(Default)]
struct Keys {
    header: String,
    snapshot: String,
    beside: Vec<String>,
    segments: Vec<String>,
    /// Blobs, by the segment that refers to them.
    blobs: BTreeMap<usize, Vec<String>>,
    /// Tasks that ended, by the segment that says so.
    tasks: BTreeMap<usize, Vec<String>>,
}

impl Keys {
    fn of(store: &Path, run: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let url: DatastoreUrl = store.to_str().unwrap().parse().unwrap();
            let datastore = Datastore::open(&url).await.unwrap();
            let run = datastore.run(&run.parse().unwrap()).await.unwrap();
            let (flow, number) = (&run.id().flow, run.id().number);
            let mut keys = Self {
                header: format!("flows/{flow}/index/{:020}", u64::MAX - number),
                snapshot: format!("snapshots/{}", run.header().snapshot),
                beside: vec![format!("flows/{flow}/runs/{number}/summary")],
                ..Self::default()
            };
            for segment in 0..run.segments().await.unwrap() {
                let key = format!("flows/{flow}/runs/{number}/journal/{segment:010}");
                keys.segments.push(key);
                for event in run.read_segment(segment).await.unwrap() {
                    keys.event(segment as usize, &event);
                }
            }
            keys
        })
    }

    fn event(&mut self, segment: usize, event: &Event) {
        let Some((task, attempt, record)) = event.ending() else {
            return;
        };
        let kind = match event {
            Event::Reused { .. } => "reused",
            _ => "finished",
        };
        let line = format!("\"event\":\"{kind}\",\"task\":\"{task}\",\"attempt\":{attempt}");
        self.tasks.entry(segment).or_default().push(line);
        for artifact in &record.artifacts {
            if artifact.value.at == ValueAt::Blob {
                let digest = artifact.value.digest.to_string();
                let key = format!("blobs/{}/{digest}", &digest[..2]);
                self.blobs.entry(segment).or_default().push(key);
            }
        }
    }

    /// Demands the order of all that belongs to the run.
    fn demand(&self, judge: &mut Judge<'_>) {
        judge.before("wrun-datastore", &self.header);
        judge.before(&self.snapshot, &self.header);
        for (number, segment) in self.segments.iter().enumerate() {
            judge.before(&self.header, segment);
            if let Some(next) = self.segments.get(number + 1) {
                judge.before(segment, next);
            }
            for blob in self.blobs.get(&number).into_iter().flatten() {
                judge.before(blob, segment);
            }
            for task in self.tasks.get(&number).into_iter().flatten() {
                judge.before_shown(segment, task);
            }
        }
        for beside in &self.beside {
            judge.before(self.segments.last().unwrap(), beside);
        }
    }
}

/// What is wrong with a trace of a command that has driven a run with these keys.
fn faults(calls: &[trace::Call], store: &Path, keys: &Keys) -> Vec<String> {
    let mut judge = Judge::new(calls, store);
    keys.demand(&mut judge);
    judge.faults
}

/// Traces a command that drives `run`, and proves the order of what it has written. Gives the trace.
fn driven(world: &World, run: &str, arguments: &[&str]) -> Vec<trace::Call> {
    let calls = traced(world, &[arguments, &["--json"]].concat());
    let store = world.store();
    let keys = Keys::of(&store, run);
    assert_eq!(faults(&calls, &store, &keys), [""; 0], "{arguments:?}");
    let judge = Judge::new(&calls, &store);
    let was_named = |key: &String| judge.objects.contains_key(key);
    assert!(was_named(&keys.header) && keys.segments.iter().all(was_named));
    calls
}

/// Takes each flush out of a good trace: that of a file is always missed, that of a directory where
/// something relies on it.
fn needed(calls: &[trace::Call], store: &Path, keys: &Keys) {
    let mut missed = 0;
    for at in 0..calls.len() {
        let trace::What::Sync(path) = &calls[at].what else {
            continue;
        };
        let Ok(path) = Path::new(path).strip_prefix(store) else {
            continue;
        };
        let mut without = calls.to_vec();
        without.remove(at);
        let is_missed = !faults(&without, store, keys).is_empty();
        missed += usize::from(is_missed);
        assert!(is_missed || !path.starts_with("tmp"), "{path:?}");
    }
    assert!(missed > 12, "{missed}");
}

#[test]
fn what_is_shown_of_a_run_is_durable_and_so_is_all_that_it_refers_to() {
    if !tracer() {
        return;
    }
    let world = World::new();
    let (linear, foreach) = (module("linear"), module("foreach"));
    let calls = driven(&world, "linear/1", &["run", "--module", &linear]);
    let keys = Keys::of(&world.store(), "linear/1");
    needed(&calls, &world.store(), &keys);
    let blobs = ["run", "--module", &foreach, "--n", "12", "--width", "40000"];
    driven(&world, "foreach/1", &blobs);
    let large = [
        "run", "--module", &foreach, "--n", "1", "--width", "9000000",
    ];
    driven(&world, "foreach/2", &large);
    let again = ["resume", "foreach/1", "--from", "sum", "--module", &foreach];
    driven(&world, "foreach/3", &again);
}

#[test]
fn what_is_told_of_tags_and_copies_is_durable() {
    if !tracer() {
        return;
    }
    let world = World::new();
    let foreach = ["--n", "3", "--width", "40000", "--quiet"];
    world.run("foreach", &foreach).good();
    let store = world.store();
    let tags = "flows/foreach/runs/1/tags";
    for tag in ["first", "second"] {
        let calls = traced(&world, &["tag", "foreach/1", "--add", tag]);
        let mut judge = Judge::new(&calls, &store);
        judge.before_shown(tags, tag);
        assert_eq!(judge.faults, [""; 0], "{tag}");
    }
    let calls = traced(&world, &["datastore", "copy", "store", "other"]);
    let other = world.path().join("other");
    let mut judge = Judge::new(&calls, &other);
    let header = Keys::of(&other, "foreach/1").header;
    let keys: Vec<_> = judge.objects.keys().cloned().collect();
    assert!(keys.len() > 8, "{keys:?}");
    for key in keys.iter().filter(|key| **key != header) {
        judge.before(key, &header);
    }
    assert_eq!(judge.faults, [""; 0]);
}

//! Writers, resumers, copiers, collectors and lost headers at once: never does a run refer to what is not there.
//!
//! Every actor gets its turns by chance, and time passes by chance: up to days at once, but for
//! whoever is about to refer to something and no run of whose protects it, who has half an hour, as
//! promised in `datastore::gc`. After each actor's end, and in between, all that runs refer to is
//! looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::task::JoinSet;
use wrun::datastore::gc::choose::Rules;
use wrun::datastore::gc::{FLOOR_US, GcError, Request};
use wrun::datastore::lease::{Held, Lease};
use wrun::datastore::object::memory::MemoryStore;
use wrun::datastore::object::{Key, ObjectStore, Prefix};
use wrun::datastore::refs::Refs;
use wrun::datastore::{Datastore, JournalError, JournalWriter, Run, RunError};
use wrun::model::artifact::{Artifact, MediaType, Value, ValueAt};
use wrun::model::digest::Digest;
use wrun::model::event::{Event, RunStatus};
use wrun::model::header::{Limits, RunHeader};
use wrun::model::id::RunId;
use wrun::model::record::{Logs, Outcome, Record, Usage};
use wrun::model::time::Timestamp;

use super::jitter::{Broken, Dice, Jitter};

/// When every schedule begins, in microseconds.
const BEGIN: u64 = 1 << 50;
const MINUTE: u64 = 60 * 1_000_000;
/// How many contents there are, so that they are often had in common.
const CONTENTS: u64 = 10;

/// What actors have in common.
struct Stage {
    store: Jitter,
    datastore: Datastore,
    now: Mutex<u64>,
    /// Since when actors are about to refer to something that no run of theirs protects.
    waiting: Mutex<BTreeMap<u64, u64>>,
    /// Who drives a run.
    alive: Mutex<BTreeSet<u32>>,
    /// How much was done, by its name.
    done: Mutex<BTreeMap<&'static str, u64>>,
}

impl Stage {
    fn new(seed: u64, broken: Broken) -> Arc<Self> {
        let store = Jitter {
            inner: MemoryStore::new(),
            dice: Arc::new(Mutex::new(Dice(seed))),
            broken,
        };
        store.inner.set_time(Timestamp(BEGIN));
        Arc::new(Self {
            datastore: Datastore::with_store(Arc::new(store.clone())),
            store,
            now: Mutex::new(BEGIN),
            waiting: Mutex::default(),
            alive: Mutex::default(),
            done: Mutex::default(),
        })
    }

    fn below(&self, n: u64) -> u64 {
        self.store.below(n)
    }

    fn now(&self) -> Timestamp {
        Timestamp(*self.now.lock().unwrap())
    }

    fn count(&self, what: &'static str, many: u64) {
        *self.done.lock().unwrap().entry(what).or_default() += many;
    }

    /// Says that `actor` is about to refer to something.
    fn begin(&self, actor: u64) {
        let now = self.now().0;
        self.waiting.lock().unwrap().insert(actor, now);
    }

    fn end(&self, actor: u64) {
        self.waiting.lock().unwrap().remove(&actor);
    }

    /// Lets time pass, as much as may.
    fn pass(&self) {
        let wanted = match self.below(4) {
            0 => self.below(3 * 24 * 60) * MINUTE,
            1 => self.below(90) * MINUTE,
            _ => self.below(10) * MINUTE,
        };
        let mut now = self.now.lock().unwrap();
        let oldest = self.waiting.lock().unwrap().values().min().copied();
        let latest = oldest.map_or(u64::MAX, |since| since + 29 * MINUTE);
        *now = (*now + wanted).min(latest.max(*now));
        self.store.inner.set_time(Timestamp(*now));
    }

    fn content(&self) -> Bytes {
        let which = self.below(CONTENTS);
        Bytes::from(format!("content {which}").repeat(4))
    }

    async fn value(&self) -> Value {
        let bytes = self.content();
        Value {
            size: bytes.len() as u64,
            media: MediaType::new(MediaType::BYTES),
            digest: self.datastore.blobs().put(bytes).await.unwrap(),
            at: ValueAt::Blob,
        }
    }
}

fn header(run: RunId, at: Timestamp, code: (Digest, Digest), parameter: Value) -> RunHeader {
    let (snapshot, module) = code;
    RunHeader {
        created_at: at,
        clock: at,
        known_as: run.number,
        run,
        parameters: vec![artifact("given", parameter)],
        snapshot,
        module,
        seed: 0,
        limits: Limits::default(),
        steps: Default::default(),
        grants: Default::default(),
        imports: Vec::new(),
        engine: Digest::of(b"engine"),
        origin: None,
        anew: Default::default(),
        cache: false,
        user: "ada".to_owned(),
        tags: Vec::new(),
        wrun: "0.1.0".to_owned(),
    }
}

fn artifact(name: &str, value: Value) -> Artifact {
    Artifact {
        name: name.parse().unwrap(),
        value,
    }
}

fn record(value: Value) -> Box<Record> {
    Box::new(Record {
        result: Ok(Outcome::Done),
        artifacts: vec![artifact("made", value)],
        logs: Logs::None,
        engine: Digest::of(b"engine"),
        inputs: Digest::from_bytes([0; 32]),
        observed: Default::default(),
        trace: None,
        usage: Usage::default(),
    })
}

/// Starts a run, which continues `origin` when there is one.
async fn start(stage: &Stage, actor: u64, origin: Option<&Run>) -> Option<(Run, Option<Held>)> {
    let datastore = &stage.datastore;
    stage.begin(actor);
    let module = datastore.blobs().put(stage.content()).await.unwrap();
    let mut manifest = Vec::new();
    let source = datastore.blobs().put(stage.content()).await.unwrap();
    ciborium::into_writer(&[module, source], &mut manifest).unwrap();
    let snapshot = datastore.put_snapshot(&manifest).await.unwrap();
    let parameter = stage.value().await;
    stage.alive.lock().unwrap().insert(actor as u32);
    let made = |run| RunHeader {
        origin: origin.map(|run| run.id().clone()),
        ..header(run, stage.now(), (snapshot, module), parameter)
    };
    let flow = "flow".parse().unwrap();
    let run = datastore.create_run(&flow, made).await.unwrap();
    if let Some(origin) = origin
        && let Err(error) = datastore.refuse_removed(origin.id()).await
    {
        assert!(matches!(error, RunError::Removed { .. }), "{error}");
        stage.count("refused to continue", 1);
        stage.end(actor);
        return None;
    }
    let lease = Lease {
        host: "host".to_owned(),
        place: String::new(),
        process: actor as u32,
        process_started: 0,
        at: stage.now(),
    };
    let held = run.take_lease(lease, None).await.unwrap();
    // From here on the run is driven, which protects whatever it uses.
    stage.end(actor);
    Some((run, held))
}

/// Appends, unless the run was removed.
async fn append(stage: &Stage, writer: &mut JournalWriter, event: Event) -> bool {
    match writer.append(&[event]).await {
        Ok(_) => true,
        Err(JournalError::Removed { .. }) => {
            stage.count("refused to write", 1);
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// Drives a run to its end, or is killed somewhere.
async fn drive(stage: &Stage, actor: u64, run: Run, held: Option<Held>, known: Vec<Event>) {
    let mut writer = run.writer_at(0);
    let tasks = 1 + stage.below(5);
    let is_killed = stage.below(5) == 0;
    let mut going = true;
    for event in known {
        going = going && append(stage, &mut writer, event).await;
    }
    for number in 0..tasks {
        if !going || (is_killed && stage.below(tasks) == 0) {
            break;
        }
        let value = stage.value().await;
        stage.store.pause().await;
        let event = Event::Finished {
            task: format!("work/{number}").parse().unwrap(),
            attempt: 0,
            record: record(value),
        };
        going = append(stage, &mut writer, event).await;
    }
    if going && !is_killed {
        let ended = Event::RunEnded {
            status: RunStatus::Succeeded,
            at: stage.now(),
        };
        append(stage, &mut writer, ended).await;
        stage.count("runs", 1);
        if let Some(held) = held {
            held.release().await.unwrap();
        }
    }
    stage.alive.lock().unwrap().remove(&(actor as u32));
}

async fn write(stage: Arc<Stage>, actor: u64) {
    if let Some((run, held)) = start(&stage, actor, None).await {
        drive(&stage, actor, run, held, Vec::new()).await;
    }
}

/// Continues a run by reference.
async fn resume(stage: Arc<Stage>, actor: u64) {
    let runs = stage.datastore.runs(&"flow".parse().unwrap(), 10).await;
    let runs = runs.unwrap();
    let Some(id) = runs.get(stage.below(runs.len() as u64) as usize) else {
        return;
    };
    // Removed since it was listed.
    let Ok(origin) = stage.datastore.run(id).await else {
        return;
    };
    let Ok(events) = origin.events().await else {
        return;
    };
    let known = events.iter().filter_map(|event| match event {
        Event::Finished { task, record, .. } | Event::Reused { task, record, .. } => {
            Some(Event::Reused {
                task: task.clone(),
                attempt: 0,
                record: record.clone(),
                from: origin.id().clone(),
            })
        }
        _ => None,
    });
    let known: Vec<_> = known.collect();
    let Some((run, held)) = start(&stage, actor, Some(&origin)).await else {
        stage.alive.lock().unwrap().remove(&(actor as u32));
        return;
    };
    stage.count("taken over", known.len() as u64);
    drive(&stage, actor, run, held, known).await;
}

/// Copies a run from another datastore.
async fn copy(stage: Arc<Stage>, actor: u64) {
    let other = Datastore::memory().await;
    let blobs = other.blobs();
    let contents = [stage.content(), stage.content(), stage.content()];
    let mut names = Vec::new();
    for content in &contents {
        names.push(blobs.put(content.clone()).await.unwrap());
    }
    let mut manifest = Vec::new();
    ciborium::into_writer(&names[..2], &mut manifest).unwrap();
    let snapshot = other.put_snapshot(&manifest).await.unwrap();
    let parameter = Value {
        digest: names[2],
        size: contents[2].len() as u64,
        media: MediaType::new(MediaType::BYTES),
        at: ValueAt::Blob,
    };
    let flow = format!("copied-{actor}").parse().unwrap();
    let made = |run| header(run, stage.now(), (snapshot, names[0]), parameter);
    let run = other.create_run(&flow, made).await.unwrap();
    let ended = Event::RunEnded {
        status: RunStatus::Succeeded,
        at: stage.now(),
    };
    run.writer().await.unwrap().append(&[ended]).await.unwrap();
    stage.begin(actor);
    for name in &names {
        blobs.copy(name, stage.datastore.blobs()).await.unwrap();
    }
    stage.datastore.put_snapshot(&manifest).await.unwrap();
    other.copy_run(&run, &stage.datastore).await.unwrap();
    stage.end(actor);
    stage.count("copies", 1);
}

async fn collect(stage: Arc<Stage>) {
    let rules = Rules {
        flow: None,
        older_than_us: (stage.below(3) == 0).then(|| stage.below(48 * 60) * MINUTE),
        keep_last: (stage.below(3) == 0).then(|| stage.below(4)),
    };
    let request = Request {
        rules,
        grace_us: FLOOR_US + stage.below(3) * 20 * MINUTE,
        now: stage.now(),
        is_alive: &|lease| stage.alive.lock().unwrap().contains(&lease.process),
        removed: &|| stage.count("removed", 1),
    };
    match stage.datastore.collect(&request).await {
        Ok(plan) => {
            stage.count("headless", plan.headless.len() as u64);
            // Another collector removed what this one was reading, which then leaves all blobs alone.
            stage.count("collided", plan.unreadable.len() as u64);
            stage.count("runs removed", plan.runs.len() as u64);
        }
        Err(GcError::Journal(JournalError::Missing { .. })) => stage.count("collided", 1),
        Err(error) => panic!("{error}"),
    }
}

/// Loses the header of a run that has done something, or leaves a copy without one.
async fn lose(stage: Arc<Stage>) {
    let flow = "flow".parse().unwrap();
    let runs = stage.datastore.runs(&flow, 10).await.unwrap();
    let Some(id) = runs.get(stage.below(runs.len() as u64) as usize) else {
        return;
    };
    let key = |text: String| Key::new(&text).unwrap();
    let first = key(format!("flows/flow/runs/{}/journal/0000000000", id.number));
    let store = &stage.store.inner;
    if store.get_range(&first, 0, 0).await.unwrap().is_some() {
        let header = format!("flows/flow/index/{:020}", u64::MAX - id.number);
        store.delete(&key(header)).await.unwrap();
        stage.count("headers lost", 1);
    }
}

/// A run by its header, or by its journal.
async fn opened(datastore: &Datastore, id: &RunId) -> Run {
    match datastore.run(id).await {
        Err(RunError::Headless { run }) => {
            let run = datastore.run_of_journal(&run).await.unwrap();
            run.expect("its journal begins with it")
        }
        run => run.unwrap(),
    }
}

/// What a run refers to and is not there, of all runs; nobody else has a turn meanwhile.
async fn dangling(stage: &Stage) -> Option<String> {
    let datastore = Datastore::with_store(Arc::new(stage.store.inner.clone()));
    for flow in datastore.flows().await.unwrap() {
        let mut runs = datastore.runs(&flow, usize::MAX).await.unwrap();
        runs.extend(datastore.headless(&flow).await.unwrap());
        for id in runs {
            let run = opened(&datastore, &id).await;
            let mut refs = Refs::of_header(run.header());
            // One segment after another: reading several at once gives others their turns.
            for segment in run.segment_numbers().await.unwrap() {
                let events = run.read_segment(segment).await.unwrap();
                events.iter().for_each(|event| refs.event(event));
            }
            let snapshot = datastore.get_snapshot(&run.header().snapshot).await;
            let Ok(manifest) = snapshot else {
                return Some(format!("{id}: its snapshot is gone"));
            };
            let named: Vec<Digest> = ciborium::from_reader(&manifest[..]).unwrap();
            for digest in refs.all().chain(named) {
                if !datastore.blobs().contains(&digest).await.unwrap() {
                    return Some(format!("{id}: blob {} is gone", digest.short()));
                }
            }
        }
    }
    None
}

/// When all is over and much later, what no run refers to is gone.
async fn clear(stage: &Stage) {
    let datastore = Datastore::with_store(Arc::new(stage.store.inner.clone()));
    stage.alive.lock().unwrap().clear();
    for _ in 0..2 {
        let later = stage.now().0 + 30 * 24 * 60 * MINUTE;
        *stage.now.lock().unwrap() = later;
        stage.store.inner.set_time(Timestamp(later));
        let request = Request {
            rules: Rules::default(),
            grace_us: FLOOR_US,
            now: stage.now(),
            is_alive: &|_| false,
            removed: &|| {},
        };
        let plan = datastore.collect(&request).await.unwrap();
        assert_eq!(plan.unreadable, []);
        assert_eq!(plan.young.count, 0);
        let prefix = Prefix::new("blobs/").unwrap();
        let left = stage.store.inner.list(&prefix, None, 1000).await.unwrap();
        assert_eq!(left.len() as u64, plan.referred);
    }
}

/// One schedule. Gives what was found dangling, and what was done.
async fn play(seed: u64, broken: Broken) -> (Option<String>, BTreeMap<&'static str, u64>) {
    let stage = Stage::new(seed, broken);
    let mut actors = JoinSet::new();
    let mut found = None;
    for actor in 1..=24 {
        let its = stage.clone();
        match stage.below(11) {
            0..=2 => drop(actors.spawn(write(its, actor))),
            3..=4 => drop(actors.spawn(resume(its, actor))),
            5 => drop(actors.spawn(copy(its, actor))),
            6 => drop(actors.spawn(lose(its))),
            _ => drop(actors.spawn(collect(its))),
        }
        // Some at once, some one after another.
        let together = 1 + stage.below(5) as usize;
        while actors.len() >= together {
            for _ in 0..stage.below(60) {
                tokio::task::yield_now().await;
                if stage.below(12) == 0 {
                    stage.pass();
                }
            }
            while let Some(done) = actors.try_join_next() {
                done.unwrap();
                found = found.or(dangling(&stage).await);
            }
        }
        found = found.or(dangling(&stage).await);
    }
    while let Some(done) = actors.join_next().await {
        done.unwrap();
        found = found.or(dangling(&stage).await);
    }
    if broken == Broken::Nothing && found.is_none() {
        clear(&stage).await;
    }
    let done = stage.done.lock().unwrap().clone();
    (found, done)
}

fn seeds() -> u64 {
    let asked = std::env::var("WRUN_GC_SEEDS").ok();
    let ci = std::env::var("CI").is_ok_and(|it| it == "true");
    let default = if ci { 150 } else { 60 };
    asked.and_then(|it| it.parse().ok()).unwrap_or(default)
}

#[tokio::test]
async fn no_run_ever_refers_to_what_is_not_there() {
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..seeds() {
        let (found, done) = play(seed, Broken::Nothing).await;
        assert_eq!(found, None, "seed {seed}");
        for (what, many) in done {
            *all.entry(what).or_default() += many;
        }
    }
    println!("{} schedules: {all:?}", seeds());
    let wanted = ["runs", "taken over", "copies", "removed", "runs removed"];
    for what in wanted.into_iter().chain(["headers lost", "headless"]) {
        assert!(all.get(what).is_some_and(|many| *many > 0), "no {what}");
    }
}

/// That the schedules find what they are there to find.
#[tokio::test]
async fn whoever_refers_to_what_it_does_not_make_young_loses_it() {
    let mut seed = 0;
    while play(seed, Broken::Refresh).await.0.is_none() {
        seed += 1;
        assert!(seed < 1_000, "it is never missed");
    }
    println!("missed by seed {seed}");
}

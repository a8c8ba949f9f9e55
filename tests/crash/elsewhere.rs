//! The points that a driver over a directory does not pass: of workers, and of buckets.
//!
//! A Batch in this process starts real workers; the bucket is one of moto. Where moto is not installed
//! the tests of buckets say so and do nothing; under `CI=true` they fail then.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use wrun::cli::exit;

use super::check::{self, Found};
use super::cloud::Cloud;
use super::kills::side_by_side;
use super::moto::{Moto, access};
use super::plan::{self, Place};
use super::points;
use super::running::Running;
use super::scenario::{Said, said};
use super::world::{World, module};

/// The points of drivers and workers of Batch.
const BATCH: [&str; 5] = [
    "attempt.create",
    "attempt.created",
    "job.create",
    "job.created",
    "said.create",
];
/// How the names of the points of buckets begin.
const BUCKET: [&str; 2] = ["s3.", "cache."];

/// Whether a point is passed here and not by a driver over a directory.
pub fn has(point: &str) -> bool {
    BATCH.contains(&point) || BUCKET.iter().any(|it| point.starts_with(it))
}

const BLOBS: [&str; 4] = ["--n", "2", "--width", "40000"];

/// Runs a foreach in Batch; `driver` and `worker` say what happens at their points.
fn batch(cloud: &Cloud, driver: &str, worker: &str) -> Said {
    if !worker.is_empty() {
        let text = format!("[batch]\nenvironment = [\"WRUN_FAILPOINTS={worker}\"]\n");
        cloud.world.write("wrun.toml", text);
    }
    let module = module("foreach");
    let run = ["run", "--module", &module, "--with", "batch", "--json"];
    let mut command = cloud.command(&[&run[..], &BLOBS].concat());
    command.env("WRUN_FAILPOINTS", driver);
    said(command, &cloud.world)
}

fn batch_expected() -> Found {
    let cloud = Cloud::new();
    let said = batch(&cloud, "", "");
    assert_eq!(said.status.code(), Some(0), "{}", said.stderr);
    check::all(&cloud.world.store(), &said.lines)
}

#[test]
fn a_driver_of_workers_that_is_killed_loses_and_doubles_nothing() {
    let expected = batch_expected();
    let points = [
        "job.create=kill@2",
        "job.created=kill@1",
        "local.rename[/jobs]=kill@1",
        "local.durable[/jobs]=kill@2",
        "journal.append=kill@2",
        "journal.appended=kill@3",
        "run.ended=kill@1",
    ];
    side_by_side(points.len(), |index| {
        let (cloud, at) = (Cloud::new(), points[index]);
        let killed = batch(&cloud, at, "");
        assert!(killed.was_killed(), "{at}: {}", killed.stderr);
        check::all(&cloud.world.store(), &killed.lines);
        let attach = cloud.wrun(&["attach", "foreach/1", "--quiet"]);
        let codes = [0, i32::from(exit::USAGE)];
        assert!(codes.contains(&attach.code), "{at}: {}", attach.stderr);
        let found = check::all(&cloud.world.store(), &killed.lines);
        assert_eq!(found.runs, expected.runs, "{at}");
    });
}

#[test]
fn a_worker_that_is_killed_is_another_attempt_and_one_result() {
    let expected = batch_expected();
    let points = [
        "attempt.create[square/1/attempt-0]=kill@1",
        "attempt.created[square/0/attempt-0]=kill@1",
        "local.rename[square/1/attempt-0]=kill@1",
        "local.sync-dir[square/1]=kill@1",
        "blob.stored=kill@1",
    ];
    side_by_side(points.len(), |index| {
        let (cloud, at) = (Cloud::new(), points[index]);
        let done = batch(&cloud, "", at);
        let found = check::all(&cloud.world.store(), &done.lines);
        // Those about any attempt kill the next one too, until the machinery gives up.
        let again = matches!(index, 3 | 4);
        if again && done.status.code() == Some(exit::RUN_FAILED.into()) {
            cloud.world.write("wrun.toml", "");
            let module = module("foreach");
            let resume = ["resume", "--module", &module, "--with", "batch", "--quiet"];
            cloud.wrun(&resume).good();
            let found = check::all(&cloud.world.store(), &done.lines);
            let (last, wanted) = (&found.runs["foreach/2"], &expected.runs["foreach/1"]);
            assert_eq!(last.difference(wanted), None, "{at}");
        } else {
            assert_eq!(done.status.code(), Some(0), "{at}: {}", done.stderr);
            assert_eq!(found.runs, expected.runs, "{at}");
        }
    });
}

#[test]
fn a_worker_that_is_killed_while_it_speaks_is_another_attempt() {
    let cloud = Cloud::new();
    let text = "[batch]\nenvironment = [\"WRUN_FAILPOINTS=said.create[said-0-]=kill@1\"]\n";
    cloud.world.write("wrun.toml", text);
    let mut running = cloud.start("foreach", &["--n", "1", "--stay"]);
    let ended = running.until("finished", "end");
    assert_eq!(ended["attempt"], 0);
    let started = running.until("started", "end");
    assert_eq!(started["attempt"], 1, "what the second said was heard");
    running.signal(Signal::INT);
    running.signal(Signal::INT);
    let (_, code) = running.end();
    assert_eq!(code, Some(i32::from(exit::CANCELLED)));
    check::all(&cloud.world.store(), &[ended]);
}

/// A world whose datastore is in a bucket, below a prefix of its own.
struct Bucket {
    world: World,
    endpoint: String,
    url: String,
}

impl Bucket {
    fn new(moto: &Moto, prefix: usize) -> Self {
        Self {
            world: World::new(),
            endpoint: moto.endpoint(),
            url: format!("s3://bucket/{prefix}"),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        let code = std::env::temp_dir().join("wrun-tests-code/wrun/code");
        command
            .env("WRUN_DATASTORE", &self.url)
            .env("XDG_CACHE_HOME", self.world.path().join("cache"))
            .env("WRUN_CODE_CACHE", code)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .envs(access());
        command
    }

    fn said(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        said(command, &self.world)
    }

    fn good(&self, arguments: &[&str]) {
        let said = self.said(arguments, &[]);
        assert_eq!(said.status.code(), Some(0), "{}", said.stderr);
    }

    /// All that there is, copied to a directory and checked.
    fn found(&self, shown: &Said) -> Found {
        let copy: PathBuf = self.world.path().join("copied");
        let _ = std::fs::remove_dir_all(&copy);
        self.good(&["datastore", "copy", &self.url, copy.to_str().unwrap()]);
        check::all(&copy, &shown.lines)
    }
}

/// The runs in a bucket that are disturbed: small blobs that are read back, and one in many parts.
fn bucket_runs() -> [(&'static str, Vec<String>); 2] {
    let of = |flow: &str, more: &[&str]| {
        let module = module(flow);
        let arguments = [&["run", "--module", &module][..], more, &["--json"]].concat();
        arguments.into_iter().map(str::to_owned).collect()
    };
    [
        ("foreach/1", of("foreach", &BLOBS)),
        (
            "bulk/1",
            of("bench_bulk", &["--mib", "20", "--kind", "random"]),
        ),
    ]
}

#[test]
fn whoever_is_killed_over_a_bucket_loses_and_doubles_nothing() {
    let Some(moto) = Moto::start() else { return };
    moto.bucket("bucket");
    let runs = bucket_runs();
    let quiet = side_by_side(runs.len(), |index| {
        let bucket = Bucket::new(&moto, 1000 + index);
        let log = bucket.world.path().join("points");
        let arguments: Vec<_> = runs[index].1.iter().map(String::as_str).collect();
        let said = bucket.said(
            &arguments,
            &[("WRUN_FAILPOINTS_LOG", log.to_str().unwrap())],
        );
        assert_eq!(said.status.code(), Some(0), "{}", said.stderr);
        (plan::passed(&log), bucket.found(&said))
    });
    let mut kills: Vec<(usize, Place, u64)> = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, (places, _)) in quiet.iter().enumerate() {
        let of_buckets = places.iter().filter(|(it, _)| {
            has(&it.point) || ["journal.appended", "run.ended"].contains(&it.point.as_str())
        });
        for (place, many) in of_buckets {
            if seen.insert(place.clone()) {
                kills.push((index, place.clone(), 1 + kills.len() as u64 % many));
            }
        }
    }
    let hit = side_by_side(kills.len(), |number| {
        let (index, place, at) = &kills[number];
        let killed = kill_over(&moto, number, &runs[*index], place, *at, &quiet[*index].1);
        killed
            || kill_over(
                &moto,
                500 + number,
                &runs[*index],
                place,
                1,
                &quiet[*index].1,
            )
    });
    for ((_, place, _), hit) in kills.iter().zip(&hit) {
        assert!(hit, "nobody was killed at {place}");
    }
    println!("{} processes killed over a bucket", kills.len());
    let hit: BTreeSet<_> = kills.into_iter().map(|it| it.1.point).collect();
    let all = points::all().into_keys();
    let missed: Vec<_> = all
        .filter(|it| has(it) && !BATCH.contains(&it.as_str()) && !hit.contains(it))
        .collect();
    assert!(missed.is_empty(), "nobody was killed at {missed:?}");
}

/// Kills one driver over a bucket, goes on, and compares; whether it was killed.
fn kill_over(
    moto: &Moto,
    prefix: usize,
    (run, arguments): &(&str, Vec<String>),
    place: &Place,
    at: u64,
    expected: &Found,
) -> bool {
    let bucket = Bucket::new(moto, prefix);
    let armed = place.armed("kill", Some(at));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let said = bucket.said(&arguments, &[("WRUN_FAILPOINTS", &armed)]);
    if !said.was_killed() {
        assert_eq!(said.status.code(), Some(0), "{armed}: {}", said.stderr);
        return false;
    }
    let attach = bucket.said(&["attach", run, "--quiet"], &[]);
    match attach.status.code() {
        Some(0 | 2) => {}
        Some(4) => bucket.good(&arguments),
        other => panic!("{armed}: {other:?}: {}", attach.stderr),
    }
    assert_eq!(bucket.found(&said).runs, expected.runs, "{armed}");
    true
}

#[test]
fn a_driver_over_a_bucket_that_is_killed_again_and_again_comes_to_the_same() {
    let Some(moto) = Moto::start() else { return };
    moto.bucket("bucket");
    let (flow, more) = ("shaky", ["--many", "2", "--width", "3"]);
    let here = World::new();
    let (events, _) = Running::start(&here, flow, &more).end();
    let expected = check::all(&here.store(), &events);
    let seeds = super::cases("WRUN_CRASH_SEEDS", 8).div_ceil(8);
    side_by_side(seeds, |seed| {
        let bucket = Bucket::new(&moto, seed);
        let module = module(flow);
        let run = [&["run", "--module", &module][..], &more].concat();
        let mut running = Running::of(bucket.command(&run));
        let mut shown = Vec::new();
        for kill in 1.. {
            for _ in 0..5 * kill + seed {
                shown.extend(running.next());
            }
            if kill < 4 {
                running.signal(Signal::KILL);
            }
            let (rest, code) = running.end();
            shown.extend(rest);
            if code.is_some() {
                assert!(matches!(code, Some(0 | 2)), "{code:?}");
                break;
            }
            running = Running::of(bucket.command(&["attach", "shaky/1"]));
        }
        let shown = Said {
            status: std::process::ExitStatus::default(),
            lines: shown,
            stdout: String::new(),
            stderr: String::new(),
        };
        assert_eq!(bucket.found(&shown).runs, expected.runs, "seed {seed}");
    });
}

//! One bomb for each limit, in one run, beside honest tasks.
//!
//! Each bomb ends with the failure of its own limit. The honest tasks, which run in other cells or after a bomb in
//! the same worker's place, give what they give alone; and the driver stays small. How long each bomb took in all is printed, and
//! not judged: the machine may be slow.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use wrun::model::failure::FailureKind::{self, Limit as Of};
use wrun::model::failure::Limit::{Handles, Log, Memory, Output, Stack, Time};

use crate::world::{World, module};

/// How a bomb ends: one of these kinds, or, where the host's answer is an error, with this text.
#[derive(Debug)]
enum End {
    By(&'static [FailureKind]),
    Says(&'static str),
}

use End::{By, Says};

/// Bombs that have a limit of their own, and time enough to reach it on any machine.
const OF_A_KIND: &[(&str, End)] = &[
    ("memory-in-pieces", By(&[Of(Memory)])),
    ("memory-at-once", By(&[Of(Memory)])),
    ("recursion", By(&[Of(Stack)])),
    ("recursion-wide", By(&[Of(Stack)])),
    ("print", By(&[Of(Log)])),
    ("print-bytes", By(&[Of(Log)])),
    ("print-error", By(&[Of(Log)])),
    ("log", By(&[Of(Log)])),
    ("log-at-once", By(&[Of(Log)])),
    ("output-at-once", By(&[Of(Output)])),
    ("output-in-pieces", By(&[Of(Output)])),
    ("output-of-many", By(&[Of(Output)])),
    ("writers", By(&[Of(Handles)])),
    ("pollables", By(&[Of(Handles)])),
    ("fields", By(&[Of(Handles)])),
    ("files", By(&[Of(Handles), Of(Memory)])),
    ("listings", By(&[Of(Handles), Of(Memory)])),
    ("scratch", Says("false")),
    ("scratch-names", Says("full: true")),
];

/// Bombs that only time ends: calls of each interface of the host without end.
const OF_TIME: &[(&str, End)] = &[
    ("spin", By(&[Of(Time)])),
    ("calls-clock", By(&[Of(Time)])),
    ("calls-wall", By(&[Of(Time)])),
    ("calls-sleep", By(&[Of(Time)])),
    ("calls-random", By(&[Of(Time)])),
    ("calls-task", By(&[Of(Time)])),
    ("calls-get", By(&[Of(Time)])),
    ("calls-writer", By(&[Of(Time)])),
    ("calls-progress", By(&[Of(Time)])),
    ("calls-progress-large", By(&[Of(Time)])),
    ("calls-environment", By(&[Of(Time)])),
    ("calls-stat", By(&[Of(Time)])),
    ("calls-list", By(&[Of(Time)])),
    ("calls-open", By(&[Of(Time)])),
    ("calls-scratch", By(&[Of(Time)])),
    ("calls-fields", By(&[Of(Time)])),
    ("calls-empty-print", By(&[Of(Time)])),
];

/// The elements of the honest tasks.
const CALM: [&str; 4] = ["1", "2", "3", "4"];

#[test]
fn every_bomb_is_stopped_by_its_own_limit_and_its_neighbours_are_unharmed() {
    all_stopped(OF_A_KIND, "5m");
}

#[test]
fn calls_without_end_are_ended_by_time_and_their_neighbours_are_unharmed() {
    all_stopped(OF_TIME, "600ms");
}

fn all_stopped(bombs: &[(&str, End)], timeout: &str) {
    let (_, calm) = sums(&World::new(), &[]);
    let world = World::new();
    std::fs::create_dir(world.path().join("corpus")).unwrap();
    std::fs::write(world.path().join("corpus/a.txt"), "inside").unwrap();
    let limits = format!(
        "[limits]\nhandles = 1000\nmemory = \"64MiB\"\nlog = \"1MiB\"\noutput = \"32MiB\"\n[steps.attempt]\ntimeout = \"{timeout}\"\n"
    );
    world.write("wrun.toml", limits);
    let names: Vec<&str> = bombs.iter().map(|(name, _)| *name).collect();
    let (peak, sums) = sums(&world, &names);
    assert_eq!(sums, calm, "an honest task was harmed");
    assert!(peak > 0 && peak < 400, "the driver had {peak} MiB");
    let mut wrong = Vec::new();
    for ((name, must), (kind, said, wall)) in bombs.iter().zip(&ends(&world, bombs.len())) {
        let good = match must {
            By(kinds) => kind.is_some_and(|kind| kinds.contains(&kind)),
            Says(text) => kind.is_none() && said == text,
        };
        eprintln!("{name:22} {wall:6} ms  {kind:?}");
        if !good {
            wrong.push(format!("{name}: must {must:?}, was {kind:?} {said}"));
        }
    }
    eprintln!("{} bombs, the driver had at most {peak} MiB", bombs.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs bombs beside the honest tasks: the most memory that the driver had, in MiB, and what these computed.
fn sums(world: &World, bombs: &[&str]) -> (u64, Vec<String>) {
    let module = module("abuses");
    let mut arguments = vec![
        "run",
        "--json",
        "--module",
        &module,
        "--allow",
        "scratch=1MiB",
        "-j",
        "2",
    ];
    if !bombs.is_empty() {
        arguments.extend(["--allow", "read:corpus=corpus"]);
    }
    let items: Vec<String> = bombs.iter().map(|bomb| format!("bomb {bomb}")).collect();
    let none = ["variable X".to_owned()];
    for item in if items.is_empty() { &none[..] } else { &items } {
        arguments.extend(["--attempts", item]);
    }
    for seed in CALM {
        arguments.extend(["--neighbours", seed]);
    }
    arguments.extend(["--allow", "http=http://127.0.0.1:1"]);
    let mut child = world
        .command(&arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        assert!(!line.is_empty());
        peak = peak.max(peak_so_far(child.id()).unwrap_or(0));
    }
    assert!(child.wait().unwrap().success());
    let sum = |place: usize| {
        world
            .value(&format!("abuses/1/work/{place}/sum"))
            .to_string()
    };
    (peak, (0..CALM.len()).map(sum).collect())
}

/// The most memory that a process has had, in MiB; none when it has just ended.
fn peak_so_far(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024)
}

/// How each attempt ended, what it said, and how many milliseconds it took.
fn ends(world: &World, count: usize) -> Vec<(Option<FailureKind>, String, u64)> {
    let mut all = vec![(None, String::new(), 0); count];
    for (place, record) in crate::attempted(world) {
        let (kind, said) = match &record.result {
            Ok(_) => (None, crate::attempts::said_in(&record)),
            Err(failure) => (Some(failure.kind), failure.message.clone()),
        };
        all[place] = (kind, said, record.usage.wall_us / 1000);
    }
    all
}

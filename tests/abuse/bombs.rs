//! One bomb for each limit, in one run, beside honest tasks.
//!
//! Each bomb ends with the failure of its own limit. The honest tasks, which run in other cells or after a bomb in
//! the same worker's place, give what they give alone; and the driver stays small. How long each bomb took in all is printed, and
//! not judged: the machine may be slow.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Pid;
use wrun::datastore::Datastore;
use wrun::model::event::Event;
use wrun::model::failure::FailureKind::{self, Contract, Limit as Of, Panic};
use wrun::model::failure::Limit::{Handles, Log, Memory, Output, Stack, Time};

use crate::running::peak_mib;
use crate::world::{World, module};

/// How a bomb ends: one of these kinds, or, where the host's answer is an error, with this text.
#[derive(Debug)]
enum End {
    By(&'static [FailureKind]),
    Says(&'static str),
}

use End::{By, Says};

/// The time that a bomb may take, which those without another limit do take.
const TIMEOUT: &str = "1500ms";

const BOMBS: &[(&str, End)] = &[
    ("memory-in-pieces", By(&[Of(Memory)])),
    ("memory-at-once", By(&[Of(Memory)])),
    ("recursion", By(&[Of(Stack)])),
    ("recursion-wide", By(&[Of(Stack)])),
    ("spin", By(&[Of(Time)])),
    ("print", By(&[Of(Log)])),
    ("print-bytes", By(&[Of(Log), Of(Time)])),
    ("print-error", By(&[Of(Log)])),
    ("log", By(&[Of(Log)])),
    ("log-at-once", By(&[Of(Log)])),
    ("output-at-once", By(&[Of(Output)])),
    ("output-in-pieces", By(&[Of(Output)])),
    ("output-of-many", By(&[Of(Output), Of(Handles)])),
    ("writers", By(&[Of(Handles)])),
    ("pollables", By(&[Of(Handles)])),
    ("fields", By(&[Contract])),
    ("files", By(&[Of(Handles), Of(Time), Of(Memory), Panic])),
    ("listings", By(&[Of(Handles), Of(Time), Of(Memory)])),
    ("scratch", Says("false")),
    ("scratch-names", Says("full: true")),
    ("calls-clock", By(&[Of(Time)])),
    ("calls-wall", By(&[Of(Time)])),
    ("calls-sleep", By(&[Of(Time), Contract])),
    ("calls-random", By(&[Of(Time)])),
    ("calls-task", By(&[Of(Time)])),
    ("calls-get", By(&[Of(Time)])),
    ("calls-writer", By(&[Of(Time), Of(Handles)])),
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

/// Of the steps of `work`, by their element.
const SUMS: [(&str, &str); 4] = [("1", ""), ("2", ""), ("3", ""), ("4", "")];

#[test]
fn every_bomb_is_stopped_by_its_own_limit_and_its_neighbours_are_unharmed() {
    let alone = World::new();
    let calm = sums(&alone, &[]);
    assert_eq!(calm.1.len(), SUMS.len());
    let world = World::new();
    std::fs::create_dir(world.path().join("corpus")).unwrap();
    std::fs::write(world.path().join("corpus/a.txt"), "inside").unwrap();
    let limits = format!(
        "[limits]\nmemory = \"64MiB\"\nlog = \"1MiB\"\noutput = \"32MiB\"\n[steps.attempt]\ntimeout = \"{TIMEOUT}\"\n"
    );
    world.write("wrun.toml", limits);
    let names: Vec<&str> = BOMBS.iter().map(|(name, _)| *name).collect();
    let (peak, sums) = sums(&world, &names);
    assert_eq!(sums, calm.1, "an honest task was harmed");
    assert!(peak < 400, "the driver had {peak} MiB");
    let ends = ends(&world);
    let mut wrong = Vec::new();
    for ((name, must), (kind, said, wall)) in BOMBS.iter().zip(&ends) {
        let good = match must {
            By(kinds) => kind.is_some_and(|kind| kinds.contains(&kind)),
            Says(text) => kind.is_none() && said == text,
        };
        eprintln!("{name:22} {wall:6} ms  {kind:?}");
        if !good {
            wrong.push(format!("{name}: must {must:?}, was {kind:?} {said}"));
        }
    }
    eprintln!("{} bombs, the driver had at most {peak} MiB", BOMBS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(ends.len(), BOMBS.len());
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
    for (seed, _) in SUMS {
        arguments.extend(["--neighbours", seed]);
    }
    arguments.extend(["--allow", "http=http://127.0.0.1:1"]);
    let mut child = world
        .command(&arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = Pid::from_child(&child);
    let mut peak = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // Its own peak so far: after the last event there is nothing left to do.
        if !line.contains("run_ended") && !line.contains("\"summary\"") {
            peak = peak.max(
                std::fs::read_to_string(format!("/proc/{}/status", id.as_raw_nonzero()))
                    .map_or(0, |_| peak_mib(id)),
            );
        }
    }
    assert!(child.wait().unwrap().success());
    let sum = |place: usize| {
        world
            .value(&format!("abuses/1/work/{place}/sum"))
            .to_string()
    };
    (peak, (0..SUMS.len()).map(sum).collect())
}

/// How each attempt ended, what it said, and how many milliseconds it took.
fn ends(world: &World) -> Vec<(Option<FailureKind>, String, u64)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let events = runtime.block_on(async {
        let url = world.store().to_str().unwrap().parse().unwrap();
        let datastore = Datastore::open(&url).await.unwrap();
        let run = datastore.run(&"abuses/1".parse().unwrap()).await.unwrap();
        run.events().await.unwrap()
    });
    let mut all = vec![(None, String::new(), 0); BOMBS.len()];
    for event in events {
        if let Event::Finished { task, record, .. } = event
            && task.step.as_str() == "attempt"
        {
            let place: usize = task.place.to_string().parse().unwrap();
            let (kind, said) = match &record.result {
                Ok(_) => (None, crate::attempts::said_in(&record)),
                Err(failure) => (Some(failure.kind), failure.message.clone()),
            };
            all[place] = (kind, said, record.usage.wall_us / 1000);
        }
    }
    all
}

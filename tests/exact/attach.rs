//! Attach: a run whose driver is gone goes on in place; of two drivers one goes on.

use rustix::process::Signal;
use wrun::cli::exit;
use wrun::datastore::{Datastore, DatastoreUrl};
use wrun::model::event::{Event, RunStatus};
use wrun::model::record::{LogChunk, Stream};
use wrun::model::time::Timestamp;

use super::running::Running;
use super::*;

/// How often drivers are killed at a random point.
const KILLS: u64 = 12;
/// A run that takes some time.
const LONG: [&str; 7] = ["--many", "20", "--width", "10", "--rounds", "3", "--quiet"];

#[test]
fn a_driver_killed_at_any_point_leaves_a_run_that_comes_to_the_same() {
    let fresh = World::new();
    fresh.run("shaky", &LONG).good();
    let expected = results::of(&fresh.store(), "shaky/1");
    let tasks = expected.tasks.len() as u64;
    let mut in_the_middle = 0;
    for kill in 0..KILLS {
        let world = World::new();
        let mut running = Running::start(&world, "shaky", &LONG[..6]);
        for _ in 0..kill * tasks / KILLS {
            running.until("finished", "");
        }
        running.signal(Signal::KILL);
        running.end();
        // Killed before there was anything, or when all was done, there is nothing to attach to.
        if world.wrun(&["show", "shaky/1"]).code != 0 {
            continue;
        }
        let state = world.json(&["show", "shaky/1"])["status"].clone();
        if state != "succeeded" {
            in_the_middle += 1;
            world.wrun(&["attach", "--quiet"]).good();
        }
        assert_eq!(results::of(&world.store(), "shaky/1"), expected, "{kill}");
        let replay = world.json(&["replay", "shaky/1/cut"]);
        assert_eq!(replay["identical"], true);
    }
    assert!(in_the_middle >= KILLS / 3, "{in_the_middle}");
}

#[test]
fn after_an_attach_the_counts_are_those_of_the_whole_run() {
    let world = World::new();
    let mut running = Running::start(&world, "shaky", &LONG[..6]);
    running.until("finished", "risk");
    running.signal(Signal::KILL);
    running.end();
    let said = world.wrun(&["attach", "shaky/1"]).good();
    assert!(said.stderr.contains("shaky/1"), "{}", said.stderr);
    // Of a summary that says something else than the journal, a replay would tell.
    let replay = world.json(&["replay", "shaky/1"]);
    assert_eq!(replay["identical"], true, "{replay}");
    assert_eq!(replay["ended"], "succeeded");
}

#[test]
fn a_resumed_run_is_attached_to_as_it_would_have_gone_on() {
    let world = World::new();
    world.run("shaky_end", &["--quiet"]).fails(1, &[]);
    let module = module("shaky");
    let resume = ["resume", "shaky/1", "--module", &module, "--from", "turn"];
    world.wrun(&resume).good();
    // What a driver leaves that was killed before anything was in its journal.
    let run = world.store().join("flows/shaky/runs/2");
    std::fs::remove_dir_all(&run).unwrap();
    world.wrun(&resume).good();
    world.wrun(&["attach", "shaky/2", "--quiet"]).good();
    let counts = |run| results::counts(&world.store(), run);
    assert_eq!(counts("shaky/2"), counts("shaky/3"));
    assert_eq!(
        results::of(&world.store(), "shaky/2"),
        results::of(&world.store(), "shaky/3")
    );
}

#[test]
fn a_run_that_is_being_driven_is_left_to_its_driver() {
    let world = World::new();
    let mut running = Running::start(&world, "foreach", &["--stay", "--max-workers", "1"]);
    running.until("finished", "sum");
    let module = module("foreach");
    for command in [
        &["attach", "foreach/1"][..],
        &["resume", "foreach/1", "--module", &module],
    ] {
        world.wrun(command).fails(
            exit::UNAVAILABLE,
            &[
                "run `foreach/1` is being driven by process",
                "`wrun logs -f foreach/1` follows it",
            ],
        );
    }
}

#[test]
fn of_two_that_attach_at_once_exactly_one_goes_on() {
    for _ in 0..4 {
        let world = World::new();
        let work = ["--n", "60", "--work", "3", "--max-workers", "1"];
        let mut running = Running::start(&world, "foreach", &work);
        running.until("finished", "square/1");
        running.signal(Signal::KILL);
        running.end();
        let attach = || Running::command(&world, &["attach", "foreach/1"]);
        let both = [attach(), attach()];
        let codes = both.map(|running| running.end().1.unwrap());
        let good = codes.iter().filter(|code| **code == 0).count();
        assert_eq!(good, 1, "{codes:?}");
        let other = codes.iter().find(|code| **code != 0).unwrap();
        // Driven by the other, or ended by it meanwhile.
        assert!(
            [i32::from(exit::UNAVAILABLE), 2].contains(other),
            "{codes:?}"
        );
        let found = results::of(&world.store(), "foreach/1");
        assert_eq!(found.ended, Some(RunStatus::Succeeded));
        assert_eq!(world.json(&["replay"])["identical"], true);
    }
}

#[test]
fn a_driver_whose_run_was_taken_over_stops() {
    let world = World::new();
    let work = ["--n", "4000", "--work", "2", "--max-workers", "1"];
    let mut running = Running::start(&world, "foreach", &work);
    running.until("finished", "square/1");
    // It is there and does nothing, as on a machine that sleeps; its lease is gone.
    running.signal(Signal::STOP);
    std::fs::remove_file(world.store().join("flows/foreach/runs/1/lease")).unwrap();
    let mut second = Running::command(&world, &["attach", "foreach/1"]);
    second.until("finished", "square/40");
    running.signal(Signal::CONT);
    let (events, code) = running.end();
    assert_eq!(code, Some(i32::from(exit::UNAVAILABLE)));
    assert!(events.iter().all(|event| event["event"] != "run_ended"));
    second.signal(Signal::INT);
    assert_eq!(second.end().1, Some(i32::from(exit::CANCELLED)));
    assert_eq!(world.json(&["replay"])["identical"], true);
}

#[test]
fn what_a_killed_attempt_had_printed_is_shown_once() {
    let world = World::new();
    world.run("linear", &["--quiet"]).good();
    let lines = world.wrun(&["logs", "linear/1"]).good().stdout;
    std::fs::remove_dir_all(world.store().join("flows/linear/runs/1")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url: DatastoreUrl = world.store().to_str().unwrap().parse().unwrap();
        let datastore = Datastore::open(&url).await.unwrap();
        let run = datastore.run(&"linear/1".parse().unwrap()).await.unwrap();
        let begun = Event::Log {
            task: "start/-".parse().unwrap(),
            attempt: 0,
            at: Timestamp(run.header().created_at.0 + 1),
            chunks: vec![LogChunk {
                stream: Stream::Stdout,
                bytes: "printed by st".into(),
            }],
        };
        run.writer_at(0).append(&[begun]).await.unwrap();
    });
    world.wrun(&["attach", "linear/1", "--quiet"]).good();
    let again = world.wrun(&["logs", "linear/1"]).good().stdout;
    assert_eq!(again, lines);
    let replay = world.json(&["replay", "linear/1"]);
    assert_eq!(replay["identical"], true, "{replay}");
}

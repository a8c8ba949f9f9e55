//! Runs that are stopped, gently and not, and processes that are killed under them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, kill_process, pidfd_open};
use wrun::cli::exit;

use super::running::Running;
use super::*;

/// The exit code of a run that somebody stopped.
const CANCELLED: Option<i32> = Some(exit::CANCELLED as i32);

fn tasks_of(show: &Json) -> u64 {
    let steps = show["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| step["tasks"].as_u64().unwrap())
        .sum()
}

/// Microseconds between the wish that a run stops and its end.
fn stopping_us(events: &[Json]) -> u64 {
    let at = |kind: &str| {
        let event = events.iter().find(|event| event["event"] == kind);
        event.unwrap()["at"].as_u64().unwrap()
    };
    at("run_ended") - at("cancel_requested")
}

/// Waits until the journal has a task of this step.
fn kept(world: &World, step: &str) {
    let started = Instant::now();
    while world.wrun(&["show", step]).code != 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "{step}");
    }
}

#[test]
fn a_run_that_is_asked_to_stop_is_cancelled_and_complete() {
    let world = World::new();
    let mut running = Running::start(&world, "bench_fan", &["--n", "200000"]);
    running.until("finished", "start");
    running.signal(Signal::INT);
    let (events, code) = running.end();
    assert_eq!(code, CANCELLED);
    let ended = events.last().unwrap();
    assert_eq!(
        (&ended["event"], &ended["status"]),
        (&"run_ended".into(), &"cancelled".into())
    );
    let shown = events.iter().filter(|event| event["event"] == "finished");
    let show = world.json(&["show", "fan/1"]);
    assert_eq!(show["status"], "cancelled");
    // What was shown as done is kept, and nothing else. `start` was seen before.
    assert_eq!(tasks_of(&show), 1 + shown.count() as u64);
}

#[test]
fn asked_twice_a_run_stops_at_once() {
    let world = World::new();
    let mut running = Running::start(&world, "foreach", &["--stay"]);
    running.until("started", "end");
    running.signal(Signal::INT);
    let asked = running.until("cancel_requested", "");
    running.signal(Signal::INT);
    let (mut events, code) = running.end();
    events.push(asked);
    assert_eq!(code, CANCELLED);
    assert!(
        stopping_us(&events) < 5_000_000,
        "the time of grace was not waited for"
    );
    assert_eq!(world.value("foreach/1/sum/sum"), 5);
}

#[test]
fn asked_to_terminate_a_run_gives_tasks_some_time_and_then_ends_them() {
    let world = World::new();
    let mut running = Running::start(&world, "foreach", &["--stay"]);
    running.until("started", "end");
    running.signal(Signal::TERM);
    let (events, code) = running.end();
    assert_eq!(code, CANCELLED);
    assert!(
        stopping_us(&events) >= 5_000_000,
        "it had its time of grace"
    );
    let end = events.iter().find(|it| it["event"] == "finished");
    assert_eq!(end.unwrap()["failure"]["kind"], "cancelled");
    assert_eq!(world.value("foreach/1/sum/sum"), 5);
}

#[test]
fn a_killed_driver_leaves_a_readable_run_and_no_process() {
    let world = World::new();
    let mut running = Running::start(&world, "foreach", &["--stay", "--max-workers", "2"]);
    running.until("started", "end");
    kept(&world, "foreach/1/start");
    let cells = running.cells();
    assert!(!cells.is_empty());
    let cells = cells
        .iter()
        .map(|cell| pidfd_open(*cell, PidfdFlags::empty()).unwrap());
    let cells: Vec<_> = cells.collect();
    running.signal(Signal::KILL);
    assert_eq!(running.end().1, None);
    let minute = Timespec {
        tv_sec: 60,
        tv_nsec: 0,
    };
    for cell in &cells {
        let ended = poll(&mut [PollFd::new(cell, PollFlags::IN)], Some(&minute));
        assert_eq!(ended, Ok(1), "a cell lives on");
    }
    let show = world.json(&["show", "foreach/1"]);
    assert_eq!(show["status"], "interrupted");
    assert_eq!(
        world.value("foreach/1/start/numbers"),
        serde_json::json!([0, 1, 2])
    );
    // The next run is not disturbed.
    world.run("foreach", &[]).good();
    assert_eq!(world.value("foreach/2/sum/sum"), 5);
}

#[test]
fn what_was_shown_as_done_outlives_a_killed_driver() {
    let world = World::new();
    let mut running = Running::start(&world, "bench_fan", &["--n", "200000"]);
    running.until("finished", "square/500");
    running.signal(Signal::KILL);
    let (events, code) = running.end();
    assert_eq!(code, None);
    let kept: BTreeSet<_> = world.tasks("fan/1/square").into_iter().collect();
    assert!(kept.contains("square/500"));
    for event in events.iter().filter(|it| it["event"] == "finished") {
        let task = event["task"].as_str().unwrap();
        assert!(kept.contains(task), "{task} was shown as done and is lost");
    }
}

#[test]
fn a_killed_cell_is_replaced_at_no_cost_to_the_step() {
    let world = World::new();
    world.run("foreach", &["--n", "4"]).good();
    let work = ["--n", "4", "--work", "200", "--max-workers", "1"];
    let mut running = Running::start(&world, "foreach", &work);
    running.until("started", "square/1");
    for cell in running.cells() {
        kill_process(cell, Signal::KILL).unwrap();
    }
    let (events, code) = running.end();
    assert_eq!(code, Some(0));
    let retries = events.iter().filter(|event| event["event"] == "retrying");
    let retries: Vec<_> = retries.map(|event| &event["failure"]).collect();
    assert_eq!(retries.len(), 1, "{retries:?}");
    assert_eq!(retries[0]["kind"], "infrastructure");
    assert!(
        retries[0]["message"]
            .as_str()
            .unwrap()
            .ends_with("signal 9")
    );
    for artifact in ["square/1/word", "sum/sum"] {
        let digest =
            |run| world.json(&["get", &format!("foreach/{run}/{artifact}")])["digest"].clone();
        assert_eq!(digest(1), digest(2), "{artifact}");
    }
}

/// The parent and the session of a process, as its `stat` says; 0 for what this namespace cannot see.
#[cfg(target_os = "linux")]
fn family(stat: &str) -> Option<(u32, u32)> {
    // After the name, which may hold anything: state, parent, group, session.
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
    let mut number = |at| rest.nth(at)?.parse().ok();
    Some((number(0)?, number(1)?))
}

/// The sessions of the processes whose parent is `parent`.
#[cfg(target_os = "linux")]
fn sessions_below(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let families = stats.filter_map(|stat| family(&stat));
    let below = families.filter(|(its, _)| *its == parent);
    below.map(|(_, session)| session).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_typed_in_a_terminal_reaches_the_run_and_no_cell() {
    let world = World::new();
    let mut running = Running::start(&world, "bench_fan", &["--n", "200000"]);
    running.until("finished", "start");
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, own) = family(&own).unwrap();
    let is_apart = |cells: &[u32]| !cells.is_empty() && !cells.contains(&own);
    // A cell that has just been forked has done nothing yet.
    let started = Instant::now();
    let mut cells = sessions_below(running.id().as_raw_nonzero().get() as u32);
    while !is_apart(&cells) && started.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
        cells = sessions_below(running.id().as_raw_nonzero().get() as u32);
    }
    running.signal(Signal::INT);
    running.end();
    assert!(is_apart(&cells), "{own}: {cells:?}");
}

//! Runs that are stopped, gently and not.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use wrun::cli::exit;

use super::*;

fn start(world: &World, arguments: &[&str]) -> Child {
    let module = modules().join("bench_fan.wasm");
    let mut all = vec!["run", "--json", "--module", module.to_str().unwrap()];
    all.extend(arguments);
    world
        .command(&all)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([name, &id])
            .status()
            .unwrap()
            .success()
    );
}

/// Waits until the run has a journal.
fn begun(world: &World) {
    let journal = world.store().join("flows/fan/runs/1/journal");
    let started = Instant::now();
    while !journal.exists() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the run does not begin"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_run_that_is_asked_to_stop_is_cancelled_and_complete() {
    let world = World::new();
    let mut child = start(&world, &["--n", "200000"]);
    begun(&world);
    signal(&child, "-INT");
    let mut text = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut text).unwrap();
    assert_eq!(
        child.wait().unwrap().code(),
        Some(i32::from(exit::CANCELLED))
    );
    assert!(
        text.lines().last().unwrap().contains("cancelled"),
        "{:?}",
        text.lines().last()
    );
    assert_eq!(world.json(&["show", "fan/1"])["status"], "cancelled");
    let shown = text
        .lines()
        .filter(|line| line.contains("\"event\":\"finished\""))
        .count() as u64;
    let kept = world.json(&["show", "fan/1"])["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["tasks"].as_u64().unwrap())
        .sum::<u64>();
    assert_eq!(
        kept, shown,
        "what was shown as done is kept, and nothing else"
    );
}

#[test]
fn a_killed_driver_leaves_a_readable_run() {
    let world = World::new();
    let mut child = start(&world, &["--n", "200000"]);
    begun(&world);
    signal(&child, "-KILL");
    child.wait().unwrap();
    let show = world.json(&["show", "fan/1"]);
    assert_ne!(show["status"], "succeeded");
    assert!(
        show["steps"]
            .as_array()
            .is_some_and(|steps| !steps.is_empty())
    );
    // The next run is not disturbed.
    world.run("bench_fan", &["--n", "10"]).good();
    assert_eq!(world.json(&["get", "fan/2/sum/sum"])["value"], 285);
}

/// The processes whose parent is `parent`, each with the session that it is in.
#[cfg(target_os = "linux")]
fn children(parent: u32) -> Vec<(u32, u32)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let stat = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("stat")).ok();
    let of_parent = |text: String| {
        // After the name, which may hold anything: state, parent, group, session.
        let rest = text.rsplit_once(')')?.1.to_owned();
        let numbers: Vec<u32> = rest
            .split_whitespace()
            .skip(1)
            .take(3)
            .flat_map(str::parse)
            .collect();
        (numbers[0] == parent).then_some((numbers[1], numbers[2]))
    };
    entries.filter_map(stat).filter_map(of_parent).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_typed_in_a_terminal_reaches_the_run_and_no_cell() {
    let world = World::new();
    let mut child = start(&world, &["--n", "200000"]);
    begun(&world);
    let own = rustix::process::getsid(None)
        .unwrap()
        .as_raw_nonzero()
        .get() as u32;
    let is_apart = |cells: &[(u32, u32)]| {
        !cells.is_empty() && cells.iter().all(|&(_, session)| session != own)
    };
    // A cell that has just been forked has done nothing yet.
    let started = Instant::now();
    let mut cells = children(child.id());
    while !is_apart(&cells) && started.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
        cells = children(child.id());
    }
    signal(&child, "-INT");
    let mut text = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut text).unwrap();
    child.wait().unwrap();
    assert!(is_apart(&cells), "{own}: {cells:?}");
}

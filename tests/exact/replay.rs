//! Replay: the same, bit for bit, from nothing but the datastore.

use std::process::Command;

use wrun::cli::exit;

use super::running::Running;
use super::*;

/// Every flow of the tests and the examples, with parameters that take its less common ways.
const FLOWS: [(&str, &[&str]); 24] = [
    ("bench_five", &[]),
    ("bench_fan", &["--n", "50"]),
    ("bench_bulk", &["--mib", "2", "--kind", "random"]),
    ("linear", &[]),
    ("single", &[]),
    ("split", &[]),
    ("disagree", &[]),
    ("foreach", &["--n", "20", "--width", "40000"]),
    ("foreach", &["--n", "0"]),
    ("foreach_anew", &[]),
    ("nested", &[]),
    ("mixed", &[]),
    ("switch", &[]),
    ("turns", &[]),
    ("turns", &["--turns", "6"]),
    (
        "lenient",
        &["--how", "second", "--how", "fatal", "--how", "panic"],
    ),
    ("lenient", &["--end", "bad"]),
    ("pieces", &["--rows", "20000"]),
    ("shaky", &[]),
    ("shaky_work", &[]),
    ("flaky", &[]),
    ("monte_carlo", &[]),
    ("penguins", &[]),
    ("wordcount", &["--text", "corpus"]),
];

fn world() -> World {
    let world = World::new();
    std::fs::create_dir(world.path().join("corpus")).unwrap();
    world.write("corpus/a.txt", "one two\n".repeat(5000));
    world.write("corpus/b.txt", "two three\n");
    world
}

#[test]
fn every_flow_is_replayed_to_the_same_bits() {
    let world = world();
    for (flow, parameters) in FLOWS {
        let said = world.run(flow, &[&["--quiet"], parameters].concat());
        assert!(said.code <= 1, "{flow}: {}", said.stderr);
        let said = world.wrun(&["replay"]).good();
        assert!(said.stdout.starts_with("identical: "), "{}", said.stdout);
        assert!(!said.stdout.contains("no end"), "{}", said.stdout);
        let json = world.json(&["replay"]);
        assert_eq!(json["identical"], true, "{flow}");
        assert!(json["attempts"].as_u64() >= Some(1), "{flow}: {json}");
    }
}

#[test]
fn every_flow_comes_to_the_same_bits_by_every_engine() {
    let world = world();
    for (flow, parameters) in FLOWS {
        world.run(flow, &[&["--quiet"], parameters].concat());
        for engine in ["plain", "pulley"] {
            let json = world.json(&["replay", "--engine", engine]);
            assert_eq!(json["identical"], true, "{flow} by {engine}: {json}");
            assert_eq!(json["other_engine"], json["attempts"], "{flow}: {json}");
        }
    }
}

#[test]
fn portable_floats_have_the_same_nan_bits_by_every_engine_and_fast_ones_have_not() {
    let world = World::new();
    world.run("nan", &["--quiet"]).good();
    for engine in ["native", "plain"] {
        world.wrun(&["replay", "--engine", engine]).good();
    }
    let said = world.wrun(&["replay", "--engine", "pulley", "--all"]);
    assert_eq!(said.code, i32::from(exit::DIFFERENT), "{}", said.stdout);
    assert!(
        said.stdout.contains("1 difference in 2 tasks"),
        "{}",
        said.stdout
    );
    for part in ["nan/1/fast/-: artifact `fast` at `[53]`", "by engine "] {
        assert!(said.stdout.contains(part), "{}", said.stdout);
    }
    let only = world.wrun(&["replay", "nan/1/portable", "--engine", "pulley"]);
    only.good();
}

#[test]
fn a_replay_needs_nothing_but_a_copy_of_the_datastore() {
    let world = world();
    std::fs::copy(module("shaky"), world.path().join("flow.wasm")).unwrap();
    world.wrun(&["run", "--module", "flow.wasm"]).good();
    world
        .run("wordcount", &["--quiet", "--text", "corpus"])
        .good();

    let elsewhere = World::new();
    let copied = Command::new("cp")
        .arg("-r")
        .args([world.store(), elsewhere.store()])
        .status();
    assert!(copied.unwrap().success());
    drop(world);
    for run in ["shaky/1", "wordcount/1"] {
        let mut command = elsewhere.command(&["replay", run]);
        // No compiled code of this machine either, and another place and language.
        command
            .env("XDG_CACHE_HOME", elsewhere.path().join("cache"))
            .env("TZ", "Asia/Tokyo")
            .env("LANG", "de_DE.UTF-8")
            .env_remove("PATH")
            .current_dir("/");
        let said = world::Said::from(command.output().unwrap()).good();
        assert!(said.stdout.starts_with("identical: "), "{}", said.stdout);
    }
}

#[test]
fn a_step_or_a_task_is_replayed_alone() {
    let world = World::new();
    world.run("shaky", &[]).good();
    let tasks = |what: &str| world.json(&["replay", what])["tasks"].clone();
    assert_eq!(tasks("shaky/1/work"), 12);
    assert_eq!(tasks("shaky/1/work/1.2"), 1);
    assert_eq!(tasks("shaky/1/turn/~2"), 1);
    // Each of its attempts is made again.
    assert_eq!(world.json(&["replay", "shaky/1/work/1.1"])["attempts"], 2);
    world
        .wrun(&["replay", "shaky/1/wrok"])
        .fails(exit::NOT_FOUND, &["no task of step `wrok`", "`work`"]);
    world
        .wrun(&["replay", "shaky/1/work/1.9"])
        .fails(exit::NOT_FOUND, &["has no task `1.9`"]);
}

#[test]
fn a_run_that_goes_on_is_replayed_as_far_as_it_is() {
    let world = World::new();
    let mut running = Running::start(&world, "foreach", &["--stay", "--max-workers", "1"]);
    running.until("finished", "sum");
    let said = world.wrun(&["replay", "foreach/1"]).good();
    assert!(said.stdout.starts_with("identical: "), "{}", said.stdout);
    assert!(
        said.stdout.contains("the journal of foreach/1 has no end"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_resumed_run_is_replayed_with_the_code_that_made_each_of_its_tasks() {
    let world = World::new();
    world.run("shaky_end", &[]).fails(exit::RUN_FAILED, &[]);
    let resume = ["resume", "shaky/1", "--module", &module("shaky")];
    world.wrun(&resume).good();
    let replay = world.json(&["replay", "shaky/2"]);
    assert_eq!(replay["identical"], true, "{replay}");
    // Those of the first run that were caught or broken are executed in the second.
    assert!(replay["tasks"].as_u64() > Some(30), "{replay}");
}

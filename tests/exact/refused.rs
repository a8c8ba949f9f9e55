//! What cannot be executed again: a clear error, an exit code, and what to type next.

use std::fs;
use std::path::{Path, PathBuf};

use wrun::cli::exit;
use wrun::datastore::{Datastore, DatastoreUrl, Run};

use super::*;

fn open(world: &World, id: &str) -> Run {
    let url: DatastoreUrl = world.store().to_str().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let datastore = Datastore::open(&url).await.unwrap();
        datastore.run(&id.parse().unwrap()).await.unwrap()
    })
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(file, bytes).unwrap();
}

fn journal(world: &World, run: &str) -> Vec<PathBuf> {
    let (flow, number) = run.split_once('/').unwrap();
    let run = world
        .store()
        .join("flows")
        .join(flow)
        .join("runs")
        .join(number);
    let entries = fs::read_dir(run.join("journal")).unwrap();
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn a_damaged_or_missing_snapshot() {
    let world = World::new();
    world.run("shaky_end", &["--quiet"]).fails(1, &[]);
    let header = open(&world, "shaky/1").header().clone();
    let manifest = world
        .store()
        .join("snapshots")
        .join(header.snapshot.to_string());
    let hex = header.module.to_string();
    let code = world.store().join("blobs").join(&hex[..2]).join(&hex);
    let good = module("shaky");
    for (file, parts) in [
        (
            &manifest,
            [
                "the code of `shaky/1` cannot be read",
                "restore it from a copy",
            ],
        ),
        (
            &code,
            [
                "`module` in the code of `shaky/1` cannot be read",
                "`wrun run` makes a new run",
            ],
        ),
    ] {
        let whole = fs::read(file).unwrap();
        flip(file);
        world.wrun(&["replay"]).fails(exit::DAMAGED, &parts);
        fs::remove_file(file).unwrap();
        world.wrun(&["replay"]).fails(exit::DAMAGED, &parts);
        fs::write(file, whole).unwrap();
    }
    fs::remove_file(&manifest).unwrap();
    let resume = ["resume", "shaky/1", "--module", &good];
    world.wrun(&resume).fails(
        exit::DAMAGED,
        &[
            "the code of `shaky/1` cannot be read",
            "restore it from a copy",
        ],
    );
}

#[test]
fn a_module_that_is_gone_stops_no_resume_with_the_code_of_today() {
    let world = World::new();
    world.run("shaky_end", &["--quiet"]).fails(1, &[]);
    let hex = open(&world, "shaky/1").header().module.to_string();
    fs::remove_file(world.store().join("blobs").join(&hex[..2]).join(&hex)).unwrap();
    let original = ["resume", "shaky/1", "--code", "original"];
    let mut command = world.command(&original);
    command.env("XDG_CACHE_HOME", world.path().join("cache"));
    world::Said::from(command.output().unwrap()).fails(
        exit::DAMAGED,
        &[
            "the module of `shaky/1` cannot be used",
            "`wrun run` makes a new run",
        ],
    );
    let good = module("shaky");
    world
        .wrun(&["resume", "shaky/1", "--module", &good, "--quiet"])
        .good();
}

#[test]
fn a_journal_that_is_damaged_cut_or_not_there() {
    let world = World::new();
    let wide = ["--quiet", "--many", "60", "--width", "20"];
    world.run("shaky", &wide).good();
    let good = module("shaky");
    let all = journal(&world, "shaky/1");
    let last = fs::read(all.last().unwrap()).unwrap();
    flip(all.last().unwrap());
    let commands = [
        &["replay", "shaky/1"][..],
        &["attach", "shaky/1"],
        &["resume", "shaky/1", "--module", &good, "--from", "end"],
        &["diff", "shaky/1", "shaky/1"],
        &["why", "shaky/1/end"],
    ];
    for command in commands {
        world.wrun(command).fails(
            exit::DAMAGED,
            &[
                "of the journal of `shaky/1` is damaged",
                "run the flow again",
            ],
        );
    }
    fs::write(all.last().unwrap(), last).unwrap();

    // Cut short: found by the summary; without that, by what was noted; without that, it has no end.
    fs::remove_file(all.last().unwrap()).unwrap();
    let different = |parts: &[&str]| {
        let said = world.wrun(&["replay", "shaky/1"]);
        assert_eq!(said.code, i32::from(exit::DIFFERENT), "{}", said.stdout);
        for part in parts {
            assert!(said.stdout.contains(part), "{}", said.stdout);
        }
    };
    // Nothing differs then, and it is not proven either: a script must not take it for good.
    let endless = || different(&["identical", "has no end: it was interrupted or cut"]);
    different(&["recorded  the run succeeded", "replayed  no end"]);
    fs::remove_file(world.store().join("flows/shaky/runs/1/summary")).unwrap();
    different(&["journal", "segments up to"]);
    fs::remove_dir_all(world.store().join("memo")).unwrap();
    endless();
    world.wrun(&["attach", "shaky/1", "--quiet"]).good();
    assert_eq!(world.json(&["replay"])["identical"], true);

    fs::remove_dir_all(world.store().join("flows/shaky/runs/1")).unwrap();
    different(&["segments up to", "has no end"]);
    world.wrun(&["attach", "shaky/1", "--quiet"]).good();
    let fresh = World::new();
    fresh.run("shaky", &wide).good();
    let of = |world: &World| results::of(&world.store(), "shaky/1");
    assert_eq!(of(&world), of(&fresh));
}

#[test]
fn a_run_that_ended_is_not_attached_to() {
    let world = World::new();
    world.run("shaky", &["--quiet"]).good();
    world.run("shaky_end", &["--quiet"]).fails(1, &[]);
    world.wrun(&["attach", "shaky/1"]).fails(
        exit::USAGE,
        &[
            "run `shaky/1` has ended already",
            "`wrun show shaky/1` shows it",
        ],
    );
    world.wrun(&["attach", "shaky/2"]).fails(
        exit::USAGE,
        &[
            "run `shaky/2` has ended already",
            "`wrun resume shaky/2` continues it",
        ],
    );
}

#[test]
fn a_run_that_does_not_exist() {
    let world = World::new();
    world.run("single", &["--quiet"]).good();
    let good = module("single");
    for command in [
        &["replay", "single/7"][..],
        &["attach", "single/7"],
        &["resume", "single/7", "--module", &good],
        &["spin", "single/7/only", "--module", &good],
        &["why", "single/7/only"],
        &["diff", "single/1", "single/7"],
    ] {
        world.wrun(command).fails(
            exit::NOT_FOUND,
            &["`single/7` does not exist", "`wrun runs single` lists them"],
        );
    }
}

#[test]
fn a_new_run_never_mixes_with_what_an_old_one_left() {
    let world = World::new();
    world.run("single", &["--quiet"]).good();
    // The header is gone and the journal is not: the number is not free.
    fs::remove_dir_all(world.store().join("flows/single/index")).unwrap();
    world.run("single", &["--quiet"]).good();
    let said = world.wrun(&["replay", "single/1"]);
    assert_eq!(said.code, i32::from(exit::DAMAGED), "{}", said.stderr);
    world.wrun(&["fsck", "--repair"]).good();
    for run in ["single/1", "single/2"] {
        let said = world.wrun(&["replay", run]).good().stdout;
        assert!(said.starts_with("identical: "), "{run}: {said}");
    }
}

#[test]
fn an_engine_that_this_wrun_does_not_have_is_named_and_compared_all_the_same() {
    let world = World::new();
    world.run("turns", &["--quiet"]).good();
    let url: DatastoreUrl = world.store().to_str().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let old = open(&world, "turns/1");
    runtime.block_on(async {
        let datastore = Datastore::open(&url).await.unwrap();
        let other = wrun::model::digest::Digest::of(b"another engine");
        let header = |run| wrun::model::header::RunHeader {
            run,
            engine: other,
            ..old.header().clone()
        };
        let flow = "turns".parse().unwrap();
        let run = datastore.create_run(&flow, header).await.unwrap();
        let mut events = old.events().await.unwrap();
        for event in &mut events {
            if let wrun::model::event::Event::Finished { record, .. } = event {
                record.engine = other;
            }
        }
        run.writer_at(0).append(&events).await.unwrap();
    });
    let said = world.wrun(&["replay", "turns/2"]).good().stdout;
    assert!(
        said.starts_with("identical: ") && said.contains("first executed by another engine"),
        "{said}"
    );
}

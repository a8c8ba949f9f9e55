//! `wrun gc` and `wrun fsck` as people type them: beside runs, killed, and after damage.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use wrun::cli::exit;

use super::running::Running;
use super::world::World;

/// All files of the datastore but those that collecting writes for itself.
pub fn files(world: &World) -> Vec<String> {
    let mut waiting = vec![world.store()];
    let mut files = Vec::new();
    while let Some(dir) = waiting.pop() {
        // A collector removes directories that become empty.
        let Ok(entries) = fs::read_dir(dir) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(world.store()).unwrap();
            let name = name.to_str().unwrap().to_owned();
            match path.is_dir() {
                true => waiting.push(path),
                false if name.starts_with("tmp/") || name.starts_with("gc/") => {}
                false => files.push(name),
            }
        }
    }
    files.sort();
    files
}

/// A blob that nothing refers to.
pub fn orphan(world: &World, number: u32) -> PathBuf {
    let name = wrun::model::digest::Digest::of(&number.to_le_bytes()).to_string();
    let dir = world.store().join("blobs").join(&name[..2]);
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join(name);
    fs::write(&path, [7; 100]).unwrap();
    path
}

/// A module with a large artifact, so that its runs have blobs.
pub const PIECES: [&str; 2] = ["--rows", "20000"];

#[test]
fn what_would_go_is_what_goes() {
    let world = World::new();
    world.run("pieces", &["--rows", "20001"]).good();
    world.run("pieces", &PIECES).good();
    world.run("linear", &[]).good();
    orphan(&world, 1);
    let before = files(&world);
    let nothing = world.wrun(&["gc"]).good();
    insta::assert_snapshot!(nothing.stdout, @r"
    nothing to remove
      1 object that nothing refers to, 100 B, is too young: the grace period is 7d
    ");
    assert_eq!(files(&world), before, "a week is the grace period");
    let wanted = ["gc", "--keep-last", "1", "--grace", "0s"];
    let planned = world.json(&[&wanted[..], &["--dry-run"]].concat());
    assert_eq!(files(&world), before, "nothing goes");
    let done = world.json(&wanted);
    assert_eq!(planned["removed"], done["removed"]);
    assert_eq!(done["runs"], serde_json::json!(["pieces/1"]));
    let freed = done["removed"]["total"]["count"].as_u64().unwrap();
    // The header of the run goes, its tombstone comes.
    assert_eq!(files(&world).len() as u64, before.len() as u64 - freed);
    let said = world.wrun(&["show", "pieces/1"]);
    said.fails(exit::NOT_FOUND, &["run `pieces/1` was removed at 20"]);
    let listed = world.wrun(&["runs", "pieces"]).good().stdout;
    assert!(listed.contains("pieces/2") && !listed.contains("pieces/1"));
    world.run("pieces", &PIECES).good();
    assert!(
        world
            .wrun(&["show", "pieces/3"])
            .good()
            .stdout
            .contains("pieces/3")
    );
    world.wrun(&["fsck", "--data"]).good();
    world.wrun(&["replay", "pieces/2"]).good();
}

#[test]
fn what_a_run_that_stays_needs_stays_and_says_why() {
    let world = World::new();
    world.run("pieces", &PIECES).good();
    let module = super::world::module("pieces");
    let again = ["resume", "pieces/1", "--module", &module, "--from", "end"];
    let resumed = world.wrun(&again);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    world.run("linear", &[]).good();
    world.run("linear", &[]).good();
    world.wrun(&["tag", "linear/1", "--add", "release"]).good();
    let said = world.wrun(&["gc", "--keep-last", "1", "--dry-run"]).good();
    insta::assert_snapshot!(said.stdout, @r"
    linear/1 stays: it has the tag `release`
    pieces/1 stays: `pieces/2` took over from it
    nothing to remove
    ");
}

#[test]
fn a_run_that_is_driven_loses_nothing() {
    let world = World::new();
    let mut running = Running::start(&world, "foreach", &["--n", "3000", "--width", "40000"]);
    running.until("finished", "square");
    let said = world.wrun(&["gc", "--grace", "0s"]);
    said.fails(
        exit::USAGE,
        &["run `foreach/1` is being driven", "--grace 1h"],
    );
    for _ in 0..10 {
        world
            .wrun(&["gc", "--grace", "1h", "--keep-last", "1"])
            .good();
    }
    let (_, code) = running.end();
    assert_eq!(code, Some(0));
    world.wrun(&["fsck", "--data", "foreach/1"]).good();
}

#[test]
fn a_collector_that_is_killed_is_gone_on_with() {
    let world = World::new();
    world.run("pieces", &PIECES).good();
    let whole = files(&world);
    for number in 0..3000 {
        orphan(&world, number);
    }
    let mut collector = world
        .command(&["gc", "--grace", "0s"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Wherever it is by then; mostly in the middle.
    while collector.try_wait().unwrap().is_none() && files(&world).len() > whole.len() + 2500 {
        std::thread::yield_now();
    }
    let _ = collector.kill();
    collector.wait().unwrap();
    world.wrun(&["gc", "--grace", "0s"]).good();
    assert_eq!(files(&world), whole);
    world.wrun(&["fsck", "--data"]).good();
}

#[test]
fn damage_is_told_with_what_it_affects_and_repaired() {
    let world = World::new();
    world.write("data", vec![7; 3_000_000]);
    world.run("typed", &["--file", "data"]).good();
    world.run("pieces", &PIECES).good();
    let blob = |artifact: &str| {
        let digest = world.json(&["get", artifact])["digest"]
            .as_str()
            .unwrap()
            .to_owned();
        world.store().join("blobs").join(&digest[..2]).join(digest)
    };
    let (made, given) = (blob("pieces/1/start/table"), blob("typed/1/file"));
    let bytes = fs::read(&made).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    fs::write(&made, &flipped).unwrap();
    fs::remove_file(&given).unwrap();
    fs::remove_file(world.store().join("flows/pieces/runs/1/summary")).unwrap();
    let said = world.wrun(&["fsck", "--data"]);
    assert_eq!(said.code, i32::from(exit::DAMAGED));
    insta::assert_snapshot!(short(&said.stdout), @r"
    damaged: 3 faults in 2 runs, [n] segments, 4 blobs (537 KiB of 2 read)
      blob `blobs/[digest]`: its bytes hash to `[digest]`
        affects  pieces/1/start/-/table
        affects  pieces/1/check/-/copy
        remedy   `wrun fsck --repair pieces/1` executes pieces/1/start/- again
      summary `flows/pieces/runs/1/summary`: it is missing though the run has ended
        affects  pieces/1
        remedy   `wrun fsck --repair pieces/1` makes it anew from the journal
      blob `blobs/[digest]`: it is missing
        affects  typed/1, parameter `file`
        remedy   it was given as --file: `wrun fsck --repair typed/1 --from PATH` takes it from there, if it is unchanged
    ");
    let said = world.wrun(&["fsck", "--data", "--repair"]);
    assert_eq!(said.code, i32::from(exit::DAMAGED));
    insta::assert_snapshot!(short(&said.stdout), @r"
    damaged: 1 fault in 2 runs, [n] segments, 4 blobs (537 KiB of 2 read)
      blob `blobs/[digest]`: its bytes hash to `[digest]`
        affects  pieces/1/start/-/table
        affects  pieces/1/check/-/copy
        repaired executed pieces/1/start/- again
      summary `flows/pieces/runs/1/summary`: it is missing though the run has ended
        affects  pieces/1
        repaired written anew from the journal
      blob `blobs/[digest]`: it is missing
        affects  typed/1, parameter `file`
        remedy   it was given as --file: `wrun fsck --repair typed/1 --from PATH` takes it from there, if it is unchanged
    ");
    assert!(fs::read(&made).unwrap() == bytes);
    let said = world.wrun(&["fsck", "--repair", "--from", "data"]).good();
    let stdout = said.stdout.replace(world.path().to_str().unwrap(), "[dir]");
    insta::assert_snapshot!(short(&stdout), @r"
    repaired: 1 fault in 2 runs, [n] segments, 4 blobs (0 B of 0 read)
      blob `blobs/[digest]`: it is missing
        affects  typed/1, parameter `file`
        repaired taken from [dir]/data
    ");
    world.wrun(&["fsck", "--data"]).good();
    world.wrun(&["fsck", "--sample", "50%"]).good();
    world
        .wrun(&["fsck", "--sample", "0%"])
        .fails(exit::USAGE, &["0.1%"]);
}

/// Without digests, which differ with the build of the module, and without the number of segments,
/// which differs with the speed of the machine.
pub fn short(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = match line.split_once(" segments, ") {
            Some((before, after)) => {
                let runs = before.rsplit_once(' ').unwrap().0;
                format!("{runs} [n] segments, {after}")
            }
            None => line.to_owned(),
        };
        let is_digest = |part: &str| part.len() >= 64;
        let parts = line.split('`').map(|part| match part.rsplit_once('/') {
            Some((_, name)) if is_digest(name) => "blobs/[digest]".to_owned(),
            _ if part.contains("hash to") => part.to_owned(),
            _ if is_digest(part) && part.bytes().all(|it| it.is_ascii_hexdigit()) => {
                "[digest]".to_owned()
            }
            _ => part.to_owned(),
        });
        out += &parts.collect::<Vec<_>>().join("`");
        out.push('\n');
    }
    out
}

/// Makes a file as old as it would be when it had been written two minutes before.
fn age(path: &std::path::Path) {
    let file = fs::File::options().append(true).open(path).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written - Duration::from_secs(120))
        .unwrap();
}

#[test]
fn a_driver_of_a_removed_run_stops() {
    let world = World::new();
    let mut running = Running::start(&world, "foreach", &["--n", "20000"]);
    running.until("finished", "square");
    running.signal(Signal::STOP);
    world.run("foreach", &["--n", "3"]).good();
    let said = world.json(&["gc", "--keep-last", "1"]);
    assert_eq!(said["stays"][0]["why"], "it is being driven", "{said}");
    // From another machine it looks like this after a while: nobody renews the lease.
    let flow = world.store().join("flows/foreach");
    fs::remove_file(flow.join("runs/1/lease")).unwrap();
    age(&flow.join(format!("index/{:020}", u64::MAX - 1)));
    let said = world.json(&["gc", "--keep-last", "1"]);
    assert_eq!(said["runs"], serde_json::json!(["foreach/1"]), "{said}");
    running.signal(Signal::CONT);
    let (events, code) = running.end();
    assert_eq!(code, Some(i32::from(exit::UNAVAILABLE)));
    assert!(events.iter().all(|event| event["event"] != "run_ended"));
    let attach = world.wrun(&["attach", "foreach/1"]);
    attach.fails(exit::NOT_FOUND, &["run `foreach/1` was removed at 20"]);
}

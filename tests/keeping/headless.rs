//! Runs that have lost their headers: found, named, left alone by collectors, and had back.

use std::fs;
use std::path::PathBuf;

use wrun::cli::exit;

use super::commands::{PIECES, files, orphan, short};
use super::world::World;

fn header(world: &World, flow: &str, number: u64) -> PathBuf {
    let name = format!("flows/{flow}/index/{:020}", u64::MAX - number);
    world.store().join(name)
}

#[test]
fn a_run_that_has_lost_its_header_is_kept_named_and_had_back() {
    let world = World::new();
    world.run("pieces", &["--rows", "20001"]).good();
    world.run("pieces", &PIECES).good();
    let header = header(&world, "pieces", 1);
    let bytes = fs::read(&header).unwrap();
    fs::remove_file(&header).unwrap();
    orphan(&world, 1);
    let before = files(&world);
    let said = world.wrun(&["show", "pieces/1"]);
    insta::assert_snapshot!(world.text(&said), @r"
    error: the header of run `pieces/1` is missing, though its journal is there
      hint: `wrun fsck --repair pieces/1` takes it from the journal
    exit code 5
    ");
    let said = world
        .wrun(&["gc", "--keep-last", "1", "--grace", "0s"])
        .good();
    insta::assert_snapshot!(said.stdout, @r"
    1 blob, 100 B
    100 B freed
      pieces/1 has lost its header; it stays, with all that is known to belong to it: wrun fsck --repair pieces/1
    ");
    // The blob that nothing refers to has gone, and nothing else.
    assert_eq!(files(&world).len(), before.len() - 1);
    let said = world.wrun(&["fsck"]);
    assert_eq!(said.code, i32::from(exit::DAMAGED));
    insta::assert_snapshot!(short(&said.stdout), @r"
    damaged: 1 fault in 2 runs, [n] segments, 3 blobs (0 B of 0 read)
      header `flows/pieces/index/18446744073709551614`: it is missing though the journal is there; or the run is just being copied
        affects  pieces/1
        remedy   `wrun fsck --repair pieces/1` takes it from the journal, which begins with it
    ");
    let said = world.wrun(&["fsck", "--repair", "pieces/1"]).good();
    insta::assert_snapshot!(short(&said.stdout), @r"
    repaired: 1 fault in 1 run, [n] segments, 2 blobs (0 B of 0 read)
      header `flows/pieces/index/18446744073709551614`: it is missing though the journal is there; or the run is just being copied
        affects  pieces/1
        repaired taken from the journal
    ");
    assert!(fs::read(&header).unwrap() == bytes, "it is as it was");
    world.wrun(&["fsck", "--data"]).good();
    world.wrun(&["replay", "pieces/1"]).good();
}

#[test]
fn a_header_that_is_damaged_or_another_is_replaced_by_the_one_in_the_journal() {
    let world = World::new();
    world.run("linear", &[]).good();
    world.run("linear", &[]).good();
    let (first, second) = (header(&world, "linear", 1), header(&world, "linear", 2));
    let bytes = [&first, &second].map(|it| fs::read(it).unwrap());
    fs::write(&first, &bytes[0][..bytes[0].len() - 1]).unwrap();
    // Whoever knows how has sealed something else.
    let key = second.strip_prefix(world.store()).unwrap();
    let other = resealed(key.to_str().unwrap(), &bytes[1]);
    fs::write(&second, other).unwrap();
    world.wrun(&["show", "linear/2"]).good();
    let said = world.wrun(&["fsck", "--repair"]).good();
    insta::assert_snapshot!(short(&said.stdout), @r"
    repaired: 2 faults in 2 runs, [n] segments, 1 blob (0 B of 0 read)
      header `flows/linear/index/18446744073709551614`: its bytes are not those that were sealed
        affects  linear/1
        repaired taken from the journal
      header `flows/linear/index/18446744073709551613`: it is not the one with which the journal begins
        affects  linear/2
        repaired taken from the journal
    ");
    let now = [&first, &second].map(|it| fs::read(it).unwrap());
    assert!(now == bytes);
}

/// A header that says that somebody else has started the run.
fn resealed(key: &str, stored: &[u8]) -> bytes::Bytes {
    // Behind the head lies a plain frame.
    let plain = zstd::stream::decode_all(&stored[80..]).unwrap();
    let mut header: wrun::model::header::RunHeader = ciborium::from_reader(&plain[..]).unwrap();
    header.user = "mallory".to_owned();
    let mut plain = Vec::new();
    ciborium::into_writer(&header, &mut plain).unwrap();
    wrun::fuzz::seal(key, *b"head", &plain)
}

#[test]
fn the_number_of_a_run_that_has_lost_its_header_is_not_given_again() {
    let world = World::new();
    world.run("linear", &[]).good();
    world.run("linear", &[]).good();
    let lost = header(&world, "linear", 2);
    let bytes = fs::read(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    world.run("linear", &[]).good();
    let listed = world.wrun(&["runs", "linear"]).good().stdout;
    assert!(listed.contains("linear/3") && !listed.contains("linear/2"));
    world.wrun(&["fsck", "--repair"]).good();
    assert!(fs::read(&lost).unwrap() == bytes);
    for run in ["linear/1", "linear/2", "linear/3"] {
        world.wrun(&["replay", run]).good();
    }
}

/// Nor are those of removed runs, when the newest run is the one that has lost its header: whoever
/// collects would take a new run of such a number for one that is half removed.
#[test]
fn the_numbers_of_removed_runs_are_not_given_again_when_the_newest_is_lost() {
    let world = World::new();
    for _ in 0..3 {
        world.run("linear", &[]).good();
    }
    let gc = ["gc", "--keep-last", "1", "--grace", "0s"];
    world.wrun(&gc).good();
    fs::remove_file(header(&world, "linear", 3)).unwrap();
    world.run("linear", &[]).good();
    world.wrun(&["show", "linear/4"]).good();
    world.wrun(&gc).good();
    world.wrun(&["fsck", "--repair"]).good();
    for run in ["linear/3", "linear/4"] {
        world.wrun(&["replay", run]).good();
    }
}

#[test]
fn without_header_and_first_segment_no_blob_goes_and_that_is_said() {
    let world = World::new();
    // Long enough for several segments.
    world.run("foreach", &["--n", "3000"]).good();
    world.run("pieces", &PIECES).good();
    fs::remove_file(header(&world, "foreach", 1)).unwrap();
    let journal = world.store().join("flows/foreach/runs/1/journal");
    assert!(fs::read_dir(&journal).unwrap().count() > 1);
    fs::remove_file(journal.join("0000000000")).unwrap();
    orphan(&world, 1);
    let before = files(&world);
    let said = world.wrun(&["gc", "--grace", "0s"]).good();
    insta::assert_snapshot!(said.stdout, @r"
    nothing to remove
      foreach/1 cannot be read: its header is missing, and its journal does not begin with it
      as long as it cannot be told what a run refers to, no blob goes: wrun fsck --repair foreach/1
    ");
    assert_eq!(files(&world), before);
    let said = world.wrun(&["fsck", "--repair"]);
    assert_eq!(said.code, i32::from(exit::DAMAGED));
    insta::assert_snapshot!(short(&said.stdout), @r"
    damaged: 1 fault in 2 runs, [n] segments, 2 blobs (0 B of 0 read)
      header `flows/foreach/index/18446744073709551614`: it is missing, and the journal does not begin with it
        affects  foreach/1
        remedy   put `flows/foreach/index/18446744073709551614` of the datastore back from a copy, or run the flow again
      what a task reads may be damaged too: wrun fsck --data --repair looks at every byte
    ");
    assert_eq!(files(&world), before);
}

#[test]
fn a_copying_that_was_killed_is_kept_and_gone_on_with() {
    let world = World::new();
    world.run("pieces", &PIECES).good();
    let copy = ["datastore", "copy", "store", "other"];
    let mut killed = world.command(&copy);
    killed.env("WRUN_FAILPOINTS", "copy.fixed[/index]=kill");
    assert_eq!(killed.output().unwrap().status.code(), None);
    let gc = ["gc", "--grace", "0s", "--datastore", "other"];
    let said = world.wrun(&gc).good().stdout;
    assert!(said.contains("pieces/1 has lost its header"), "{said}");
    assert!(said.contains("nothing to remove"), "{said}");
    world.wrun(&copy).good();
    world
        .wrun(&["fsck", "--data", "--datastore", "other"])
        .good();
}

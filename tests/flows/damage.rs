//! What lies in a datastore and is not what was written: named, and never taken for data.

use std::fs;

use wrun::cli::exit;

use super::*;

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(file, bytes).unwrap();
}

fn blob(world: &World, artifact: &str) -> PathBuf {
    let shown = world.json(&["get", artifact]);
    let digest = shown["digest"].as_str().unwrap();
    world.store().join("blobs").join(&digest[..2]).join(digest)
}

/// The object of a run with what was fixed when it started.
fn header(world: &World, flow: &str, number: u64) -> PathBuf {
    let index = world.store().join("flows").join(flow).join("index");
    // The newest is to be listed first.
    index.join((u64::MAX - number).to_string())
}

fn run_dir(world: &World, run: &str) -> PathBuf {
    let (flow, number) = run.split_once('/').unwrap();
    world
        .store()
        .join("flows")
        .join(flow)
        .join("runs")
        .join(number)
}

fn segments(world: &World, run: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(run_dir(world, run).join("journal")).unwrap();
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// What damaged bytes hash to differs with the version of zstd.
fn without_digests(text: &str) -> String {
    let mut out = String::new();
    let mut digits = 0;
    for c in text.chars() {
        digits = if c.is_ascii_hexdigit() { digits + 1 } else { 0 };
        out.push(c);
        if digits == 64 {
            out.truncate(out.len() - 64);
            out += "[digest]";
        }
    }
    out
}

#[test]
fn a_damaged_or_missing_blob_is_named_and_nothing_of_it_returned() {
    let world = World::new();
    world.run("pieces", &["--rows", "100000"]).good();
    let file = blob(&world, "pieces/1/start/table");
    let get = ["get", "pieces/1/start/table", "-o", "out.csv"];
    flip(&file);
    let said = world.wrun(&get);
    insta::assert_snapshot!(without_digests(&world.text(&said)), @r"
    error: blob `[digest]` is damaged: its bytes hash to `[digest]`
      hint: `wrun fsck --data --repair` gets it back where that can be; or put `blobs/ef/[digest]` of the datastore back from a copy
    exit code 5
    ");
    fs::remove_file(&file).unwrap();
    let said = world.wrun(&get);
    insta::assert_snapshot!(without_digests(&world.text(&said)), @r"
    error: blob `[digest]` is not in the datastore
      hint: `wrun fsck --repair` gets it back where that can be; or put `blobs/ef/[digest]` of the datastore back from a copy
    exit code 5
    ");
    assert!(
        !world.path().join("out.csv").exists(),
        "nothing half written"
    );
}

#[test]
fn a_blob_that_is_written_again_is_mended() {
    let world = World::new();
    world.write("data", vec![7; 3_000_000]);
    world.run("typed", &["--file", "data"]).good();
    let file = blob(&world, "typed/1/file");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    world.run("typed", &["--file", "data"]).good();
    assert_eq!(world.value("typed/2/only/length"), 3_000_000);
    assert!(fs::read(&file).unwrap() == bytes);
}

#[test]
fn damage_to_a_journal_is_named_by_run_and_segment() {
    let world = World::new();
    world.run("foreach", &["--n", "5000", "--quiet"]).good();
    let all = segments(&world, "foreach/1");
    assert!(all.len() >= 3, "{all:?}");
    let number = all.len() / 2;
    let middle = &all[number];
    let good = fs::read(middle).unwrap();
    let show = |what: &str| {
        let parts = [
            &format!("segment {number} of the journal"),
            "foreach/1",
            what,
        ];
        for command in [
            &["show", "foreach/1/square"][..],
            &["get", "foreach/1/sum/sum"],
        ] {
            world.wrun(command).fails(exit::DAMAGED, &parts);
        }
    };
    fs::write(middle, &good[..good.len() - 7]).unwrap();
    show("is damaged");
    fs::write(middle, b"").unwrap();
    show("it has 0 bytes");
    // A whole segment in the place of another.
    fs::copy(&all[0], middle).unwrap();
    show("its bytes are not those that were sealed");
    fs::remove_file(middle).unwrap();
    show("is missing though later ones are there");
    fs::write(middle, &good).unwrap();
    assert_eq!(world.tasks("foreach/1/square").len(), 5000);
}

#[test]
fn a_journal_that_is_cut_short_still_says_what_it_has() {
    let world = World::new();
    world.run("foreach", &["--n", "5000", "--quiet"]).good();
    fs::remove_file(run_dir(&world, "foreach/1").join("summary")).unwrap();
    fs::remove_file(segments(&world, "foreach/1").last().unwrap()).unwrap();
    let show = world.json(&["show", "foreach/1"]);
    let status = show["status"].as_str().unwrap();
    assert!(["running", "interrupted"].contains(&status), "{status}");
    let kept = world.tasks("foreach/1/square");
    assert!(!kept.is_empty());
    assert_eq!(world.value("foreach/1/square/1/square"), 1);
    world
        .wrun(&["get", "foreach/1/end/-"])
        .fails(exit::NOT_FOUND, &["has no task of step `end`"]);
}

#[test]
fn a_damaged_summary_is_nothing_that_was_lost() {
    let world = World::new();
    world.run("single", &[]).good();
    let before = world.wrun(&["runs"]).good().stdout;
    fs::write(run_dir(&world, "single/1").join("summary"), "x").unwrap();
    let after = world.wrun(&["runs"]).good().stdout;
    assert!(after.contains("succeeded"), "{after}");
    assert_eq!(before.lines().count(), after.lines().count());
}

#[test]
fn a_step_that_reads_a_damaged_blob_fails_and_says_which() {
    let world = World::new();
    world.write("data", vec![7; 3_000_000]);
    world.run("typed", &["--file", "data"]).good();
    let file = blob(&world, "typed/1/file");
    flip(&file);
    let name = file.file_name().unwrap().to_str().unwrap();
    let says = ["damaged data", name, "is damaged", "wrun resume"];
    let run = world.run("typed", &["--file", "data"]);
    let said = world.text(&run.fails(exit::RUN_FAILED, &says));
    assert!(!said.contains("tried again"), "{said}");
}

#[test]
fn damage_to_one_run_touches_no_other() {
    let world = World::new();
    for _ in 0..3 {
        world.run("single", &[]).good();
    }
    for segment in segments(&world, "single/2") {
        flip(&segment);
    }
    let said = world.wrun(&["show", "single/2"]);
    insta::assert_snapshot!(world.text(&said), @r"
    error: segment 0 of the journal of `single/2` is damaged: its bytes are not those that were sealed; the events in it are lost, those before it can be read; run the flow again for what is lost
    exit code 5
    ");
    flip(&header(&world, "single", 2));
    let said = world.wrun(&["runs"]);
    insta::assert_snapshot!(world.text(&said), @r"
    error: `flows/single/index/18446744073709551613` of run `single/2` is damaged: its bytes are not those that were sealed
      hint: `wrun fsck --repair single/2` gets it back where that can be done; otherwise put the file back from a copy of the datastore; other runs can be used
    exit code 5
    ");
    let listed: Vec<_> = said.stdout.lines().skip(1).map(|line| &line[..8]).collect();
    assert_eq!(listed, ["single/3", "single/1"]);
    flip(&header(&world, "single", 1));
    let said = world.wrun(&["runs"]);
    insta::assert_snapshot!(world.text(&said), @r"
    error: 2 runs cannot be listed
      caused by: `flows/single/index/18446744073709551613` of run `single/2` is damaged: its bytes are not those that were sealed
      caused by: `flows/single/index/18446744073709551614` of run `single/1` is damaged: its bytes are not those that were sealed
    exit code 5
    ");
    flip(&header(&world, "single", 1));
    assert_eq!(world.value("single/1/only/answer"), 42);
    assert_eq!(world.value("single/latest/only/answer"), 42);
    world.run("single", &[]).good();
    assert_eq!(world.value("single/4/only/answer"), 42);
}

#[test]
fn whatever_file_of_a_run_is_damaged_the_answer_is_right_or_says_so() {
    let world = World::new();
    world.run("single", &[]).good();
    let mut open = vec![world.store().join("flows/single")];
    let (mut files, mut named) = (0, 0);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|it| it.unwrap().path()));
            continue;
        }
        files += 1;
        let good = fs::read(&path).unwrap();
        for bad in [&b""[..], b"not what was there"] {
            fs::write(&path, bad).unwrap();
            let said = world.wrun(&["get", "single/1/only/answer"]);
            let right = said.code == 0 && said.stdout == "42\n";
            let says_so = said.code == i32::from(exit::DAMAGED) && said.stderr.contains("single/1");
            named += u32::from(says_so);
            assert!(
                right || says_so,
                "{}: {}",
                path.display(),
                world.text(&said)
            );
        }
        fs::write(&path, good).unwrap();
    }
    assert!(
        files >= 3 && named >= 4,
        "{files} files, {named} times named"
    );
    assert_eq!(world.value("single/1/only/answer"), 42);
}

#[test]
fn a_datastore_of_a_newer_format_is_left_alone() {
    let world = World::new();
    fs::create_dir(world.store()).unwrap();
    let marker = world.store().join("wrun-datastore");
    fs::write(&marker, "{\"format\":999,\"id\":\"x\"}\n").unwrap();
    for said in [world.run("single", &[]), world.wrun(&["runs"])] {
        said.fails(exit::DAMAGED, &["format 999", "use a newer wrun"]);
    }
    fs::write(&marker, "{").unwrap();
    world
        .run("single", &[])
        .fails(exit::DAMAGED, &["`wrun-datastore` in", "is damaged"]);
    assert_eq!(fs::read_dir(world.store()).unwrap().count(), 1);
}

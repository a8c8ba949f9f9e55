//! A datastore that cannot be written: full, read-only, or no directory at all.

use std::io::Write;
use std::sync::OnceLock;

use wrun::cli::exit;

use super::*;

/// How a process gets mounts of its own here: as the superuser, or by way of a namespace.
///
/// None when this machine does not allow it, which is said, and is an error in CI.
fn own_mounts() -> Option<&'static [&'static str]> {
    static WAY: OnceLock<Option<&[&str]>> = OnceLock::new();
    let found = WAY.get_or_init(|| {
        let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
        let works = |way: &&&[&str]| {
            let mut unshare = Command::new("unshare");
            unshare
                .args(**way)
                .args(["mount", "-t", "tmpfs", "none", "/mnt"]);
            unshare.output().is_ok_and(|output| output.status.success())
        };
        ways.iter().find(works).copied()
    });
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "`unshare --mount` must work in CI"
        );
        // Past the capture of the test harness: it must be seen.
        let note = b"NOT TESTED: this machine allows no mounts, so no full and no read-only disk\n";
        std::io::stderr().write_all(note).unwrap();
    }
    *found
}

/// Runs `wrun` with `arguments` after `script` has made its mounts, in the world's directory.
///
/// The mounts end with the script, in which `$0` is the command.
fn mounted(world: &World, way: &[&str], script: &str, arguments: &[&str]) -> Said {
    let wrun = world.command(&[]);
    let mut unshare = Command::new("unshare");
    unshare
        .args(way)
        .args(["sh", "-euc", script, env!("CARGO_BIN_EXE_wrun")])
        .args(arguments)
        .current_dir(world.path())
        .env_clear()
        .envs(
            wrun.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    unshare.output().unwrap().into()
}

/// Runs a flow with a datastore on a disk of `size`, which is copied to the world's when it has ended.
fn on_a_disk(world: &World, way: &[&str], size: &str, arguments: &[&str]) -> Said {
    let script = format!(
        "mkdir disk; mount -t tmpfs -o size={size} none disk; code=0; \
         \"$0\" --datastore disk/store \"$@\" || code=$?; \
         cp -r disk/store store; umount disk; rmdir disk; exit $code"
    );
    mounted(world, way, &script, arguments)
}

#[test]
fn a_disk_that_fills_up_stops_the_run_and_keeps_what_was_written() {
    let Some(way) = own_mounts() else { return };
    let world = World::new();
    let fan = module("bench_fan");
    let run = ["run", "--quiet", "--module", &fan, "--n", "100000"];
    let said = on_a_disk(&world, way, "768k", &run);
    let text = world.text(&said);
    let (before, after) = text.split_once("/journal/").unwrap();
    insta::assert_snapshot!(format!("{before}/journal/[segment]{}", &after[10..]), @r"
    error: run `fan/1` stopped before its end
      caused by: the journal of the run could not be written
      caused by: no space is left to write `[dir]/disk/store/flows/fan/runs/1/journal/[segment]`; free some, or use another datastore
      caused by: No space left on device (os error 28)
      hint: free some space, then run again
      hint: `wrun show fan/1` shows what was kept: all that was shown as done
    exit code 6
    ");
    let show = world.json(&["show", "fan/1"]);
    let status = show["status"].as_str().unwrap();
    assert!(["running", "interrupted"].contains(&status), "{status}");
    let kept = show["steps"][1]["succeeded"].as_u64().unwrap();
    let tasks = world.tasks("fan/1/square");
    assert!(kept > 100 && tasks.len() as u64 == kept, "{kept} are kept");
    let last = tasks.last().unwrap().strip_prefix("square/").unwrap();
    let square = last.parse::<u64>().unwrap().pow(2);
    assert_eq!(world.value(&format!("fan/1/square/{last}/square")), square);
    // With room again the datastore is as good as any.
    world.run("bench_fan", &["--n", "10"]).good();
    assert_eq!(world.value("fan/2/sum/sum"), 285);
}

#[test]
fn an_artifact_that_does_not_fit_fails_its_task_and_leaves_no_part() {
    let Some(way) = own_mounts() else { return };
    let world = World::new();
    let bulk = module("bench_bulk");
    let run = [
        "run", "--quiet", "--module", &bulk, "--mib", "40", "--kind", "random",
    ];
    on_a_disk(&world, way, "4m", &run).fails(
        exit::RUN_FAILED,
        &[
            "bulk/1/start/- failed: infrastructure: could not store an artifact",
            "no space is left to write",
            "free some, or use another datastore",
        ],
    );
    assert_eq!(world.json(&["show", "bulk/1"])["status"], "failed");
    assert_eq!(world.json(&["show", "bulk/1/start/-"])["attempts"], 4);
    let parts = std::fs::read_dir(world.store().join("tmp")).unwrap();
    assert_eq!(parts.count(), 0, "nothing half written stays");
}

#[test]
fn a_disk_without_room_for_a_run_begins_none() {
    let Some(way) = own_mounts() else { return };
    let world = World::new();
    let said = on_a_disk(&world, way, "8k", &["run", "--module", &module("single")]);
    said.fails(
        exit::UNAVAILABLE,
        &[
            "no space is left to write",
            "hint: free some space, then run again",
        ],
    );
    assert!(!world.store().join("flows").exists());
}

#[test]
fn a_read_only_datastore_can_be_read_and_says_why_it_cannot_be_written() {
    let Some(way) = own_mounts() else { return };
    let world = World::new();
    world.run("single", &[]).good();
    let script = "mkdir -p disk; mount -t tmpfs none disk; cp -r store disk; \
                  mount -o remount,ro,bind disk; \"$0\" --datastore disk/store \"$@\"";
    let get = mounted(&world, way, script, &["get", "single/1/only/answer"]);
    assert_eq!(get.good().stdout, "42\n");
    let run = mounted(&world, way, script, &["run", "--module", &module("single")]);
    let writable = "hint: `--datastore DIR` names a datastore that can be written";
    let read_only = "is on a read-only file system";
    run.fails(
        exit::UNAVAILABLE,
        &[
            "could not store the snapshot of the code",
            read_only,
            writable,
        ],
    );
    let tag = mounted(&world, way, script, &["tag", "single/1", "--add", "best"]);
    tag.fails(exit::UNAVAILABLE, &[read_only, writable]);
    let script = "mount -t tmpfs -o ro none disk; \"$0\" --datastore disk/new \"$@\"";
    let new = mounted(&world, way, script, &["run", "--module", &module("single")]);
    new.fails(exit::UNAVAILABLE, &[read_only, writable]);
    assert_eq!(world.wrun(&["runs"]).good().stdout.lines().count(), 2);
}

#[test]
fn a_file_is_no_datastore_and_has_none_below_it() {
    let world = World::new();
    world.write("store", "dear diary");
    let said = world.run("single", &[]);
    insta::assert_snapshot!(world.text(&said), @r"
    error: `[dir]/store` is not a directory
      hint: `--datastore URL` or `WRUN_DATASTORE` names another
    exit code 2
    ");
    let below = ["--datastore", "store/below"];
    let said = world.run("single", &below);
    insta::assert_snapshot!(world.text(&said), @r"
    error: could not list `[dir]/store/below`
      caused by: Not a directory (os error 20)
      hint: `wrun doctor` checks the datastore
    exit code 6
    ");
    assert_eq!(std::fs::read(world.store()).unwrap(), b"dear diary");
}

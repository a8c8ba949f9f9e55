//! Errors of the system itself: a small disk, one that may only be read, limits of the shell.
//!
//! Small disks need the right to mount; where it is missing these tests say so and do nothing.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use wrun::cli::exit;

use super::check;
use super::kills::side_by_side;
use super::scenario::{Said, said};
use super::world::{World, module};

const RUN: [&str; 5] = ["--n", "6", "--width", "40000", "--quiet"];

/// A file system in memory. Dropped, it is gone.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// Mounts one; none, and a line on standard error, where that is not allowed.
    fn mount(at: &'a Path, kib: u64) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={kib}k");
        let mount = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        let tried = Command::new("mount").args(mount).arg(at).output();
        if tried.is_ok_and(|it| it.status.success()) {
            return Some(Self(at));
        }
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Past the capture of the test harness: whoever looks on must see it.
        let _ = writeln!(
            std::io::stderr(),
            "ignored: {test}: no file system may be mounted here"
        );
        None
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let mut mount = Command::new("mount");
        let status = mount.args(["-o", &options]).arg(self.0).status();
        assert!(status.unwrap().success(), "{options}");
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

fn run(world: &World) -> Said {
    let module = module("foreach");
    said(
        world.command(&[&["run", "--module", &module][..], &RUN].concat()),
        world,
    )
}

/// Says that a command was refused for this reason, and with advice.
fn refused(said: &Said, words: &str, at: &str) {
    let codes = [exit::RUN_FAILED, exit::UNAVAILABLE].map(|it| Some(i32::from(it)));
    let (code, text) = (said.status.code(), &said.stderr);
    assert!(codes.contains(&code), "{at}: {code:?}: {text}");
    assert!(
        text.contains(words) && text.contains("hint"),
        "{at}: {text}"
    );
}

/// Goes on with a run that was refused, in whatever way there is, and proves what came out.
fn goes_on(world: &World, at: &str) {
    let attach = world.wrun(&["attach", "foreach/1", "--quiet"]);
    let run = match attach.code {
        0 => "foreach/1",
        4 => {
            let again = run(world);
            assert_eq!(again.status.code(), Some(0), "{at}: {}", again.stderr);
            "foreach/1"
        }
        2 => {
            let module = module("foreach");
            let resume = ["resume", "foreach/1", "--module", &module, "--quiet"];
            world.wrun(&resume).good();
            "foreach/2"
        }
        other => panic!("{at}: {other}: {}", attach.stderr),
    };
    let fresh = World::new();
    assert_eq!(self::run(&fresh).status.code(), Some(0));
    let expected = check::all(&fresh.store(), &[]);
    let found = check::all(&world.store(), &[]);
    let difference = found.runs[run].difference(&expected.runs["foreach/1"]);
    assert_eq!(difference, None, "{at}");
}

#[test]
fn a_disk_that_fills_up_at_any_moment_is_named_and_nothing_is_lost() {
    let whole = World::new();
    assert_eq!(run(&whole).status.code(), Some(0));
    let many = pages(&whole.store());
    // From too small for the code to too small for the last of the records.
    let sizes = [20, 50, 80, 90, 95, 98].map(|percent| many * 4 * percent / 100);
    side_by_side(sizes.len(), |index| {
        let (world, kib) = (World::new(), sizes[index].max(8));
        let store = world.store();
        let Some(disk) = Disk::mount(&store, kib) else {
            return;
        };
        let at = format!("{kib} KiB of {}", many * 4);
        let full = run(&world);
        // The summary and what others may take are written where there is room.
        if full.status.code() == Some(0) {
            assert!(kib > many * 3, "{at}");
            return;
        }
        refused(&full, "No space left on device", &at);
        disk.remount("size=64m");
        goes_on(&world, &at);
    });
}

/// How many pages of 4 KiB the files and directories of a store take.
fn pages(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap();
    let each = entries.map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => pages(&path),
            false => std::fs::metadata(&path).unwrap().len().div_ceil(4096),
        }
    });
    each.sum()
}

#[test]
fn a_disk_that_may_only_be_read_is_named_and_what_is_there_can_be_read() {
    let world = World::new();
    let store = world.store();
    let Some(disk) = Disk::mount(&store, 64 << 10) else {
        return;
    };
    assert_eq!(run(&world).status.code(), Some(0));
    disk.remount("ro");
    refused(&run(&world), "Read-only file system", "a run");
    let tag = said(world.command(&["tag", "foreach/1", "--add", "a"]), &world);
    refused(&tag, "Read-only file system", "a tag");
    for command in [
        &["show", "foreach/1"][..],
        &["runs"],
        &["get", "foreach/1/sum/letters"],
        &["logs", "foreach/1"],
        &["replay", "foreach/1"],
    ] {
        world.wrun(command).good();
    }
    disk.remount("rw");
    world.wrun(&["tag", "foreach/1", "--add", "a"]).good();
}

/// Runs a flow under a limit of the shell.
fn limited(world: &World, limit: &str) -> Said {
    let module = module("foreach");
    let plain = world.command(&[&["run", "--module", &module][..], &RUN].concat());
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{limit} && exec \"$@\""), "sh"])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(world.path())
        .env_clear();
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap());
    }
    said(command, world)
}

#[test]
fn too_few_open_files_are_named_and_the_run_goes_on_with_more() {
    let limits = [8, 12, 16, 20, 24, 28, 32, 40];
    let told: usize = side_by_side(limits.len(), |index| {
        let (world, files) = (World::new(), limits[index]);
        let said = limited(&world, &format!("ulimit -n {files}"));
        let at = format!("{files} files");
        if said.status.code() == Some(0) {
            return 0;
        }
        refused(&said, "open files", &at);
        goes_on(&world, &at);
        1
    })
    .into_iter()
    .sum();
    assert!(told > 1, "{told}");
}

#[test]
fn too_large_a_file_is_named_and_the_run_goes_on_without_the_limit() {
    let world = World::new();
    // In blocks of 512 bytes: enough for records, too small for the module.
    let said = limited(&world, "ulimit -f 64");
    refused(&said, "File too large", "32 KiB");
    goes_on(&world, "32 KiB");
}

//! The container image: how large it is, what of it is what, and how long a container takes until the
//! first task in it has ended.
//!
//! `cargo bench --bench image` prints a table. It needs a container engine, and `gzip`. A figure is the
//! median of several starts.

#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/place.rs"]
mod place;
#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/table.rs"]
mod table;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use place::Place;
use table::{Row, median_ms};

const ROUNDS: usize = 9;
const MIB: f64 = 1024.0 * 1024.0;
/// The name of the image.
const NAME: &str = "wrun-bench:latest";

fn main() {
    let modules = place::modules(&["bench-five"]);
    let place = Place::new();
    println!("load {} before the first start", table::load());
    table::print("The image", &sizes(&place));
    table::print("A container", &starts(&place, &modules));
    println!("\nload {} after the last start", table::load());
}

fn wrun(arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wrun"));
    let status = command.args(arguments).stdout(Stdio::null()).status();
    assert!(status.expect("wrun starts").success(), "{arguments:?}");
}

fn mib(path: &Path) -> f64 {
    std::fs::metadata(path).expect("it is there").len() as f64 / MIB
}

fn sizes(place: &Place) -> Vec<Row> {
    let file = place.path().join("image.tar");
    let output = file.to_str().expect("a plain path");
    wrun(&[
        "--quiet", "batch", "image", "--tag", NAME, "--output", output,
    ]);
    wrun(&["--quiet", "batch", "image", "--tag", NAME]);
    let program = mib(Path::new(env!("CARGO_BIN_EXE_wrun")));
    let whole = mib(&file);
    let gzip = Command::new("gzip").args(["--keep", output]).status();
    assert!(gzip.expect("gzip starts").success());
    vec![
        Row::note("the program", program, "MiB"),
        Row::note("libraries, certificates, the rest", whole - program, "MiB"),
        Row::note("the image", whole, "MiB"),
        Row::note(
            "packed, as registries keep it",
            mib(&place.path().join("image.tar.gz")),
            "MiB",
        ),
    ]
}

/// A command in the image, or outside of it, with a home that is kept or new.
fn command(place: &Place, modules: &Path, home: Option<&Path>) -> Command {
    let mut command = Command::new("docker");
    let user = format!(
        "{}:{}",
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw()
    );
    command.args(["run", "--rm", "--user", &user]);
    let mut mount = |from: &Path, to: &str| {
        command
            .arg("--volume")
            .arg(format!("{}:{to}", from.display()));
    };
    mount(place.path(), "/place");
    mount(modules, "/modules");
    if let Some(home) = home {
        mount(home, "/tmp");
    }
    command.args([NAME, "--datastore", "/place/datastore"]);
    command
}

fn starts(place: &Place, modules: &Path) -> Vec<Row> {
    let run = ["run", "--json", "--module", "/modules/bench_five.wasm"];
    let home = place.path().join("home");
    std::fs::create_dir(&home).expect("a new directory");
    let mut cold = || command(place, modules, None);
    let empty = times(|| until_end(cold().arg("--version")));
    let first = times(|| until_first_task(cold().args(run)));
    let warm = || command(place, modules, Some(&home));
    until_first_task(warm().args(run));
    let again = times(|| until_first_task(warm().args(run)));
    let bare = times(|| {
        let module = modules.join("bench_five.wasm");
        let mut command = Command::new(env!("CARGO_BIN_EXE_wrun"));
        command.arg("--datastore").arg(place.path().join("bare"));
        command.env("XDG_CACHE_HOME", place.path().join("cache"));
        until_first_task(command.args(["run", "--json", "--module"]).arg(module))
    });
    vec![
        Row::note("start to end of `wrun --version`", empty, "ms"),
        Row::note(
            "start to the end of the first task, module compiled first",
            first,
            "ms",
        ),
        Row::note("the same, module compiled before", again, "ms"),
        Row::note("the same, without a container", bare, "ms"),
    ]
}

fn times(mut once: impl FnMut() -> Duration) -> f64 {
    median_ms(&(0..ROUNDS).map(|_| once()).collect::<Vec<_>>())
}

fn until_end(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).status().expect("it starts");
    assert!(status.success());
    start.elapsed()
}

/// From the start until the event that says that a task has ended.
fn until_first_task(command: &mut Command) -> Duration {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut took = None;
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("text");
        if took.is_none() && line.contains("\"event\":\"finished\"") {
            took = Some(start.elapsed());
        }
    }
    assert!(child.wait().expect("it ends").success());
    took.expect("a task has ended")
}

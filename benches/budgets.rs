//! Whole processes against their budgets: prints a table of budget, measured and ratio.
//!
//! `cargo bench --bench budgets`. Every figure is a median of several runs of the real `wrun` in a
//! datastore of its own; peers (zstd and the disk alone) are measured in the same run.

#![allow(clippy::unwrap_used, reason = "a bench may end at once")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run of the process took.
struct Run {
    wall: Duration,
    /// The most memory of the driver, in MiB.
    peak_mib: f64,
}

struct World {
    dir: tempfile::TempDir,
    modules: PathBuf,
}

impl World {
    /// Builds the flows and makes a home for runs.
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let flows = ["five", "fan", "bulk"].map(|flow| format!("-pbench-{flow}"));
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--target", "wasm32-wasip2", "--quiet"])
            .args(flows)
            .current_dir(root)
            .status()
            .unwrap();
        assert!(built.success(), "the flows of the benches do not build");
        let dir = tempfile::tempdir_in(root.join("target")).unwrap();
        let modules = root.join("target/wasm32-wasip2/release");
        Self { dir, modules }
    }

    fn store(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, flow: &str, store: &str, arguments: &[&str]) -> Run {
        let started = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_wrun"))
            .args(["--quiet", "run", "--module"])
            .arg(self.modules.join(format!("bench_{flow}.wasm")))
            .arg("--datastore")
            .arg(self.store(store))
            .args(["--max-workers", "2"])
            .args(arguments)
            .env("XDG_CACHE_HOME", self.dir.path().join("cache"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak_kib = 0;
        let ended = loop {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|it| it.trim().trim_end_matches(" kB").parse::<u64>().ok());
            peak_kib = peak_kib.max(kib.unwrap_or(0));
            match child.try_wait().unwrap() {
                Some(ended) => break ended,
                None => spin(Duration::from_millis(1)),
            }
        };
        assert!(ended.success(), "bench-{flow} failed");
        Run {
            wall: started.elapsed(),
            peak_mib: peak_kib as f64 / 1024.0,
        }
    }

    fn median(&self, runs: usize, flow: &str, arguments: &[&str]) -> Run {
        let one = |i: usize| {
            self.run(
                flow,
                &format!("{flow}-{i}{}", arguments.concat()),
                arguments,
            )
        };
        let mut all: Vec<Run> = (0..runs).map(one).collect();
        all.sort_by_key(|run| run.wall);
        all.swap_remove(runs / 2)
    }
}

fn spin(time: Duration) {
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    let _ = receiver.recv_timeout(time);
}

fn files(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|e| {
            if e.file_type().unwrap().is_dir() {
                files(&e.path())
            } else {
                1
            }
        })
        .sum()
}

fn row(what: &str, budget: &str, measured: String, met: bool) {
    println!(
        "{what:<46} {budget:>18} {measured:>26}   {}",
        if met { "met" } else { "MISSED" }
    );
}

fn main() {
    let world = World::new();
    world.run("five", "warm-five", &[]);
    world.run("fan", "warm-fan", &["--n", "10"]);
    world.run("bulk", "warm-bulk", &["--mib", "1"]);
    println!("{:<46} {:>18} {:>26}", "what", "budget", "measured");
    small(&world);
    large(&world);
}

fn small(world: &World) {
    let five = world.median(11, "five", &[]).wall.as_secs_f64() * 1000.0;
    row(
        "five trivial steps, warm, whole process",
        "<= 30 ms",
        format!("{five:.1} ms"),
        five <= 30.0,
    );

    let ten = world.median(5, "fan", &["--n", "10000"]);
    let rate = 10_002.0 / ten.wall.as_secs_f64();
    row(
        "foreach of 10,000, whole process",
        ">= 10,000 tasks/s",
        format!("{rate:.0} tasks/s"),
        rate >= 10_000.0,
    );

    let hundred = world.median(1, "fan", &["--n", "100000"]);
    let growth = hundred.wall.as_secs_f64() / ten.wall.as_secs_f64();
    row(
        "foreach of 100,000: time against 10,000",
        "<= 12 x",
        format!("{growth:.1} x"),
        growth <= 12.0,
    );
    let peak = hundred.peak_mib;
    row(
        "  memory of the driver",
        "<= 150 MiB",
        format!("{peak:.0} MiB"),
        peak <= 150.0,
    );
    let per_task = files(&world.store("fan-0--n100000")) as f64 / 100_002.0;
    row(
        "  files written per task",
        "<= 0.05",
        format!("{per_task:.4}"),
        per_task <= 0.05,
    );
}

/// A large artifact in and out, against zstd and the disk alone on bytes of the same kind.
fn large(world: &World) {
    const MIB: usize = 256;
    for kind in ["text", "random"] {
        let run = world.median(3, "bulk", &["--mib", "256", "--kind", kind]);
        let (zstd, disk) = alone(kind, MIB, world.dir.path());
        let whole = run.wall.as_secs_f64();
        // In: packed by all cores and written; out: read and unpacked. Guest work comes on top.
        let limit = zstd.max(disk);
        let rate = |seconds: f64| MIB as f64 * 1.048_576 / seconds;
        row(
            &format!("256 MiB {kind}, written and read, whole process"),
            "-",
            format!("{whole:.2} s, {:.0} MB/s", rate(whole)),
            true,
        );
        row(
            &format!(
                "  against zstd -1 {:.0} MB/s, disk {:.0} MB/s",
                rate(zstd),
                rate(disk)
            ),
            ">= 0.8 x in",
            format!("{:.2} x (in and out)", limit / whole),
            limit / whole >= 0.8,
        );
        row(
            "  memory of the driver",
            "< the artifact",
            format!("{:.0} MiB", run.peak_mib),
            run.peak_mib < MIB as f64,
        );
    }
}

/// Seconds that zstd on all cores, and writing with fsync, take for such bytes.
fn alone(kind: &str, mib: usize, dir: &Path) -> (f64, f64) {
    let mut state = 7_u64;
    let mut bytes = Vec::with_capacity(mib << 20);
    while bytes.len() < mib << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if kind == "text" {
            let (user, ms) = (state % 9973, state >> 52);
            writeln!(
                bytes,
                "INFO request handled user={user} path=/api/v1/items status=200 ms={ms}"
            )
            .unwrap();
        } else {
            bytes.extend_from_slice(&state.to_le_bytes());
        }
    }
    let started = Instant::now();
    std::thread::scope(|scope| {
        for half in bytes.chunks(bytes.len().div_ceil(2)) {
            scope.spawn(move || {
                for piece in half.chunks(1 << 20) {
                    std::hint::black_box(zstd::bulk::compress(piece, 1).unwrap());
                }
            });
        }
    });
    let zstd = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let mut file = fs::File::create(dir.join("alone")).unwrap();
    file.write_all(&bytes).unwrap();
    file.sync_all().unwrap();
    (zstd, started.elapsed().as_secs_f64())
}

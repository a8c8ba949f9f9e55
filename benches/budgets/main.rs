//! The budgets of the project, measured on whole processes, each beside its limit or peer.
//!
//! `cargo bench --bench budgets` prints tables; a word after `--` chooses one of `five`, `fan`,
//! `bulk`. A figure is the median of several runs. `docs/performance.md` says what they mean.

mod bulk;
#[allow(dead_code, reason = "other benches use the rest")]
mod place;
mod table;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use place::{Place, Watch};
use table::{Row, median, median_ms};

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    let modules = place::modules(&["bench-five", "bench-fan", "bench-bulk"]);
    let module = |name: &str| {
        let path = modules.join(format!("bench_{name}.wasm"));
        path.to_str().expect("a plain path").to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, |n| n.get());
    println!("{cores} cores, load {} before the first run", table::load());
    if wanted("five") {
        table::print("A small run", &five());
    }
    if wanted("fan") {
        table::print("Many small tasks", &fan(&module("fan")));
    }
    if wanted("bulk") {
        let place = Place::new();
        table::print(
            "A large log",
            &bulk::measure(&place, &module("bulk"), "text"),
        );
        table::print(
            "A large text of words",
            &bulk::measure(&place, &module("bulk"), "prose"),
        );
        table::print(
            "A large noise",
            &bulk::measure(&place, &module("bulk"), "random"),
        );
    }
    println!("\nload {} after the last run", table::load());
}

/// Starting a process that does nothing, `count` times.
fn processes(count: usize) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wrun"));
        let status = command.arg("--version").stdout(Stdio::null()).status();
        assert!(status.expect("it starts").success());
    }
    start.elapsed()
}

fn five() -> Vec<Row> {
    const ROUNDS: usize = 31;
    let place = Place::new();
    let run = |watch| place.wrun(&["run", "benches/flows/five"], watch);
    // The first builds the flow and compiles its code, the second finds all of it.
    (0..2).for_each(|_| drop(run(Watch::Time)));
    let (mut warm, mut first, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        warm.push(run(Watch::Time).wall);
        bare.push(processes(1));
        let done = run(Watch::Events);
        let first_ended = done.usage("start", "started_at") + done.usage("start", "wall_us");
        first.push((first_ended - done.started_at) as f64 / 1e3);
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_wrun"));
    let size = binary.metadata().expect("the binary").len() as f64 / (1 << 20) as f64;
    vec![
        Row::note("`wrun --version`", median_ms(&bare), "ms"),
        Row::at_most(
            "five trivial steps, warm, whole process",
            30.0,
            median_ms(&warm),
            "ms",
        ),
        Row::at_most(
            "process start to the end of the first guest",
            15.0,
            median(first),
            "ms",
        ),
        Row::note("size of the binary", size, "MiB"),
    ]
}

fn fan(module: &str) -> Vec<Row> {
    const ROUNDS: usize = 7;
    let place = Place::new();
    let run = |n: u32, watch| {
        let n = n.to_string();
        place.wrun(&["run", "--module", module, "--n", &n], watch)
    };
    run(1, Watch::Time);
    let before = place.files();
    run(10_000, Watch::Time);
    let files = (place.files() - before) as f64 / 10_000.0;
    let (mut one, mut ten, mut hundred) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        one.push(run(1_000, Watch::Time).wall);
        ten.push(run(10_000, Watch::Time).wall);
    }
    for _ in 0..3 {
        hundred.push(run(100_000, Watch::Time).wall);
    }
    let watched = run(100_000, Watch::Memory);
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    let per_second = |n: f64, times: &[Duration]| n / (median_ms(times) / 1e3);
    let (ten_rate, hundred_rate) = (per_second(1e4, &ten), per_second(1e5, &hundred));
    vec![
        Row::note(
            "foreach of 1,000, 2 workers",
            per_second(1e3, &one),
            "tasks/s",
        ),
        Row::at_least(
            "foreach of 10,000, durable, 2 workers",
            10_000.0,
            ten_rate,
            "tasks/s",
        ),
        Row::note("foreach of 100,000", hundred_rate, "tasks/s"),
        Row::at_most(
            "time per task, 100,000 against 10,000",
            1.15,
            ten_rate / hundred_rate,
            "times",
        ),
        Row::at_most(
            "memory of the driver, 100,000 tasks",
            150.0,
            mib(watched.driver),
            "MiB",
        ),
        Row::note("memory of a cell, 100,000 tasks", mib(watched.cell), "MiB"),
        Row::at_most("files written per trivial task", 0.05, files, "files"),
    ]
}

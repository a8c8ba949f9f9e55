//! The same flows by Metaflow and by wrun, on the same machine a moment apart.
//!
//! `cargo bench --bench metaflow` installs Metaflow from PyPI into a virtual environment below
//! `target/`, which needs `python3` with `venv`, and prints a table of ratios. Both are whole processes
//! with a datastore in a directory and two workers; a figure is the median of several runs, and
//! the two take turns, so that what else the machine does is the same for both.

#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "../budgets/place.rs"]
mod place;
#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "../budgets/table.rs"]
mod table;

mod peer;

use std::path::PathBuf;
use std::time::Duration;

use peer::Metaflow;
use place::{Place, Watch};
use table::median;

const MIB: f64 = 256.0;

fn main() {
    let modules = place::modules(&["bench-broken", "bench-bulk", "bench-five"]);
    let bench = Bench {
        modules,
        place: Place::new(),
        metaflow: Metaflow::install(),
    };
    println!("load {} before the first run", table::load());
    println!("\n### wrun beside {}\n", bench.metaflow.version());
    println!("| what | Metaflow | wrun | Metaflow : wrun |");
    println!("|---|---|---|---|");
    bench.five();
    bench.one_artifact();
    bench.foreach_and_resume();
    bench.large("text");
    bench.large("random");
    println!("\nload {} after the last run", table::load());
}

struct Bench {
    modules: PathBuf,
    place: Place,
    metaflow: Metaflow,
}

impl Bench {
    fn module(&self, name: &str) -> String {
        let path = self.modules.join(name);
        path.to_str().expect("a plain path").to_owned()
    }

    fn wrun(&self, arguments: &[&str], code: i32) -> f64 {
        seconds(self.place.timed(arguments, code))
    }

    fn five(&self) {
        let module = self.module("bench_five.wasm");
        let ours = || self.wrun(&["run", "--module", &module], 0);
        let theirs = || {
            seconds(
                self.metaflow
                    .flow("five.py", &["run", "--max-workers", "2"], 0),
            )
        };
        ours();
        print("five trivial steps", &turns(5, theirs, ours), &MILLISECONDS);
    }

    fn one_artifact(&self) {
        let ours = || self.wrun(&["get", "five/latest/end/-/count"], 0);
        let theirs = || seconds(self.metaflow.python("one.py"));
        print(
            "reading one small artifact",
            &turns(9, theirs, ours),
            &MILLISECONDS,
        );
    }

    fn foreach_and_resume(&self) {
        let module = self.module("bench_broken.wasm");
        let ours = || self.wrun(&["run", "--module", &module], 1);
        let theirs = || seconds(self.metaflow.broken(&["run", "--max-workers", "2"], true));
        let runs = turns(3, theirs, ours);
        print("foreach of 298 and a join that fails", &runs, &MILLISECONDS);
        let origin = self.metaflow.latest("Broken");
        let ours = || {
            let from = ["resume", "broken/1", "--module", &module, "--broken", "0"];
            self.wrun(&from, 0)
        };
        let theirs = || {
            let from = ["resume", "--origin-run-id", &origin, "--max-workers", "2"];
            seconds(self.metaflow.broken(&from, false))
        };
        let resumed = turns(5, theirs, ours);
        print("resume of it, the join mended", &resumed, &MILLISECONDS);
    }

    fn large(&self, kind: &str) {
        let module = self.module("bench_bulk.wasm");
        let (mut whole, mut store, mut load) = (Pair::default(), Pair::default(), Pair::default());
        for _ in 0..3 {
            let fresh = Metaflow::install();
            let run = ["run", "--max-workers", "2", "--kind", kind];
            whole.theirs.push(seconds(fresh.flow("bulk.py", &run, 0)));
            let (stored, loaded) = fresh.bulk_times();
            store.theirs.push(stored);
            load.theirs.push(loaded);
            let place = Place::new();
            place.wrun(&["run", "--module", &module, "--mib", "1"], Watch::Time);
            let done = place.wrun(&["run", "--module", &module, "--kind", kind], Watch::Events);
            whole.ours.push(done.wall.as_secs_f64());
            store.ours.push(done.usage("start", "wall_us") as f64 / 1e6);
            load.ours.push(done.usage("read", "wall_us") as f64 / 1e6);
        }
        print(
            &format!("256 MiB of {kind}: the whole run"),
            &whole,
            &MILLISECONDS,
        );
        print(
            &format!("256 MiB of {kind}: stored (wrun: and made)"),
            &store,
            &SPEED,
        );
        print(
            &format!("256 MiB of {kind}: loaded (wrun: and added up)"),
            &load,
            &SPEED,
        );
    }
}

/// Times of both, in seconds.
#[derive(Default)]
struct Pair {
    theirs: Vec<f64>,
    ours: Vec<f64>,
}

/// Both in turn, `rounds` times.
fn turns(rounds: usize, theirs: impl Fn() -> f64, ours: impl Fn() -> f64) -> Pair {
    let mut pair = Pair::default();
    for _ in 0..rounds {
        pair.theirs.push(theirs());
        pair.ours.push(ours());
    }
    pair
}

/// How a time is shown.
struct Unit {
    name: &'static str,
    of: fn(f64) -> f64,
}

const MILLISECONDS: Unit = Unit {
    name: "ms",
    of: |seconds| seconds * 1e3,
};
const SPEED: Unit = Unit {
    name: "MiB/s",
    of: |seconds| MIB / seconds,
};

fn print(what: &str, pair: &Pair, unit: &Unit) {
    let (theirs, ours) = (median(pair.theirs.clone()), median(pair.ours.clone()));
    println!(
        "| {what} | {:.1} {} | {:.1} {} | {:.1} |",
        (unit.of)(theirs),
        unit.name,
        (unit.of)(ours),
        unit.name,
        theirs / ours
    );
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

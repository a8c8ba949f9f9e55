//! What exactness costs, measured on whole processes: to go on after a failure, to prove a run, to
//! take one over.
//!
//! `cargo bench --bench exact` prints a table. A figure is the median of several runs.

#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/place.rs"]
mod place;
#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/table.rs"]
mod table;

use std::time::Duration;

use place::Place;
use table::{Row, median_ms};

const ROUNDS: usize = 15;
/// How many tasks there are in the large run.
const MANY: &str = "9998";

fn main() {
    let modules = place::modules(&["bench-broken"]);
    let module = modules.join("bench_broken.wasm");
    let bench = Bench {
        place: Place::new(),
        module: module.to_str().expect("a plain path").to_owned(),
    };
    println!("load {} before the first run", table::load());
    table::print("A run of 300 tasks whose join failed", &bench.small());
    table::print("A run of 10,000 tasks", &bench.large());
    println!("\nload {} after the last run", table::load());
}

struct Bench {
    place: Place,
    module: String,
}

impl Bench {
    fn run(&self, parameters: &[&str], code: i32) -> Duration {
        let run = ["run", "--module", &self.module];
        self.place.timed(&[&run, parameters].concat(), code)
    }

    /// The median of a command's time in milliseconds.
    fn median(&self, rounds: usize, one: impl Fn() -> Duration) -> f64 {
        let times: Vec<_> = (0..rounds).map(|_| one()).collect();
        median_ms(&times)
    }

    fn small(&self) -> Vec<Row> {
        // The first compiles the code.
        self.run(&[], 1);
        let run = self.median(ROUNDS, || self.run(&["--broken", "0"], 0));
        let resume = [
            "resume",
            "broken/1",
            "--module",
            &self.module,
            "--broken",
            "0",
        ];
        let resumed = self.median(ROUNDS, || self.place.timed(&resume, 0));
        let replayed = self.median(ROUNDS, || self.place.timed(&["replay", "broken/1"], 0));
        vec![
            Row::note("the run, when its join works", run, "ms"),
            Row::at_most("resume, whole process", 50.0, resumed, "ms"),
            Row::at_most("replay, in times of the run", 1.0, replayed / run, "times"),
        ]
    }

    fn large(&self) -> Vec<Row> {
        const FEW: usize = 5;
        let given = ["--n", MANY, "--broken", "0"];
        let run = self.median(FEW, || self.run(&given, 0));
        let replay = ["replay", "broken/latest"];
        let replayed = self.median(FEW, || self.place.timed(&replay, 0));
        let attached = self.median(FEW, || {
            self.run(&given, 0);
            self.cut();
            self.place.timed(&["attach", "broken/latest"], 0)
        });
        vec![
            Row::note("the run", run, "ms"),
            Row::at_most("replay, in times of the run", 1.0, replayed / run, "times"),
            Row::at_most(
                "attach when only the end is missing, in times of the run",
                0.5,
                attached / run,
                "times",
            ),
        ]
    }

    /// Leaves the last run as a driver does that was killed just before its end.
    fn cut(&self) {
        let runs = self.place.datastore().join("flows/broken/runs");
        let entries = std::fs::read_dir(&runs).expect("runs");
        let numbers = entries.map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.to_string_lossy().parse::<u64>().expect("a number")
        });
        let last = runs.join(numbers.max().expect("a run").to_string());
        std::fs::remove_file(last.join("summary")).expect("a summary");
        let segments = std::fs::read_dir(last.join("journal")).expect("a journal");
        let segments = segments.map(|entry| entry.expect("an entry").path());
        std::fs::remove_file(segments.max().expect("a segment")).expect("it can be removed");
    }
}

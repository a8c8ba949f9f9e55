//! How cost grows with the size of a run, and with the number of runs.
//!
//! `cargo bench --bench scale` prints tables; `docs/scale.md` says what follows from them. It runs a
//! foreach of up to a million tasks and fills a datastore with forty thousand runs, which takes
//! some ten minutes and 2 GiB of disk. `WRUN_SCALE=10` does a tenth of everything.

#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/place.rs"]
mod place;
#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/table.rs"]
mod table;

use std::path::Path;

use place::{Place, Watch};
use wrun::datastore::{Datastore, Run};
use wrun::model::header::RunHeader;

fn main() {
    let modules = place::modules(&["bench-fan"]);
    let module = modules.join("bench_fan.wasm");
    let module = module.to_str().expect("a plain path");
    let part = std::env::var("WRUN_SCALE").map_or(1, |part| part.parse().expect("a number"));
    println!("load {} before the first run", table::load());
    tasks(module, part);
    runs(module, part);
    println!("\nload {} after the last run", table::load());
}

const MIB: f64 = (1 << 20) as f64;

/// Larger and larger runs.
fn tasks(module: &str, part: u32) {
    println!("\n### One run\n");
    println!(
        "| tasks | run | per task | driver | cell | at rest | per task | files | show | get | resume |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for n in [10_000, 100_000, 1_000_000].map(|n| n / part) {
        let place = Place::new();
        place.timed(&["run", "--module", module, "--n", "1"], 0);
        let before = (place.bytes(), place.files());
        let count = n.to_string();
        let run = ["run", "--module", module, "--n", &count];
        let wall = place.timed(&run, 0).as_secs_f64();
        let bytes = (place.bytes() - before.0) as f64;
        let files = place.files() - before.1;
        let show = place.timed(&["show", "fan/latest"], 0).as_secs_f64();
        let get = place
            .timed(&["get", "fan/latest/sum/-/sum"], 0)
            .as_secs_f64();
        // A run that has ended is read as one that has not, and there is nothing left to do.
        let resume = place
            .timed(&["resume", "fan/latest", "--module", module], 0)
            .as_secs_f64();
        let watched = place.wrun(&run, Watch::Memory);
        println!(
            "| {n} | {wall:.1} s | {:.0} µs | {:.0} MiB | {:.0} MiB | {:.1} MiB | {:.0} B | {files} | {:.0} ms | {:.0} ms | {:.0} ms |",
            wall * 1e6 / f64::from(n),
            watched.driver as f64 / MIB,
            watched.cell as f64 / MIB,
            bytes / MIB,
            bytes / f64::from(n),
            show * 1e3,
            get * 1e3,
            resume * 1e3,
        );
    }
}

/// More and more runs.
fn runs(module: &str, part: u32) {
    println!("\n### One flow with many runs\n");
    println!("| runs | `wrun run` | `wrun runs` | `wrun show latest` | at rest per run |");
    println!("|---|---|---|---|---|");
    let place = Place::new();
    let run = ["run", "--module", module, "--n", "1"];
    place.timed(&run, 0);
    let runtime = tokio::runtime::Runtime::new().expect("the system gives an event loop");
    let mut have = 1;
    for n in [100, 1_000, 10_000, 40_000].map(|n| n / part) {
        runtime.block_on(fill(&place.datastore(), n.max(have) - have));
        have = n.max(have);
        let median = |arguments: &[&str]| {
            let times: Vec<_> = (0..5).map(|_| place.timed(arguments, 0)).collect();
            table::median_ms(&times)
        };
        println!(
            "| {have} | {:.0} ms | {:.0} ms | {:.0} ms | {:.0} B |",
            median(&run),
            median(&["runs", "fan"]),
            median(&["show", "fan/latest"]),
            place.bytes() as f64 / f64::from(have),
        );
        have += 5;
    }
}

/// Makes `n` more runs like the first, as far as listings can tell.
async fn fill(datastore: &Path, n: u32) {
    let url = datastore.to_str().expect("a plain path").parse();
    let datastore = Datastore::open(&url.expect("a path"))
        .await
        .expect("a datastore");
    let first = "fan/1".parse().expect("a run");
    let first: Run = datastore.run(&first).await.expect("it was run");
    let summary = first.summary().await.expect("it ended").expect("it ended");
    for _ in 0..n {
        let header = |run| RunHeader {
            run,
            ..first.header().clone()
        };
        let flow = &first.id().flow;
        let run = datastore.create_run(flow, header).await.expect("space");
        run.put_summary(&summary).await.expect("space");
    }
}

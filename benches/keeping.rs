//! What keeping a datastore whole and small costs: `wrun fsck` and `wrun gc` over many blobs, beside a
//! program that only reads, unpacks and hashes the same files on all cores.
//!
//! `cargo bench --bench keeping` prints a table; whole processes, medians.

#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/place.rs"]
mod place;
#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/table.rs"]
mod table;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use wrun::model::digest::Digest;

use place::{Place, files};
use table::{Row, median_ms};

const ROUNDS: usize = 5;
/// How many blobs a run refers to, each of 33 kB that nothing can pack.
const REFERRED: u64 = 10_000;
/// How many blobs nothing refers to.
const LOOSE: u64 = 100_000;

fn main() {
    println!("load {} before the first run", table::load());
    table::print("10,000 blobs that a run refers to", &referred());
    table::print("100,000 blobs that nothing refers to", &loose());
    println!("\nload {} after the last run", table::load());
}

/// The median time of something, in milliseconds.
fn median(mut one: impl FnMut() -> Duration) -> f64 {
    let times: Vec<_> = (0..ROUNDS).map(|_| one()).collect();
    median_ms(&times)
}

fn referred() -> Vec<Row> {
    let modules = place::modules(&["wrun-test-shapes"]);
    let module = modules.join("examples/foreach.wasm");
    let module = module.to_str().expect("a plain path");
    let place = Place::new();
    let n = REFERRED.to_string();
    let run = ["run", "--module", module, "--n", &n, "--width", "33000"];
    place.timed(&run, 0);
    let blobs = place.datastore().join("blobs");
    let plain = median(|| {
        let begun = Instant::now();
        files(&blobs).par_iter().for_each(|it| prove(it));
        begun.elapsed()
    });
    let of = |what: &str, arguments: &[&str]| {
        let took = median(|| place.timed(arguments, 0));
        [
            Row::note(what, took, "ms"),
            Row::note(&format!("{what}, in times of that"), took / plain, "times"),
        ]
    };
    let mut rows = vec![Row::note(
        "reading, unpacking and hashing all files, on all cores",
        plain,
        "ms",
    )];
    rows.extend(of("`wrun fsck --data`", &["fsck", "--data"]));
    rows.extend(of("`wrun fsck`", &["fsck"]));
    let gc = ["gc", "--dry-run", "--grace", "0s"];
    rows.extend(of("`wrun gc --dry-run`", &gc));
    rows
}

/// Reads, unpacks and hashes one file.
fn prove(path: &Path) {
    let bytes = fs::read(path).expect("it can be read");
    let bytes = zstd::stream::decode_all(&bytes[..]).expect("it unpacks");
    let name = path.file_name().and_then(|name| name.to_str());
    assert_eq!(name, Some(Digest::of(&bytes).to_string().as_str()));
}

fn loose() -> Vec<Row> {
    let modules = place::modules(&["bench-fan"]);
    let module = modules.join("bench_fan.wasm");
    let place = Place::new();
    let run = ["run", "--module", module.to_str().expect("a plain path")];
    place.timed(&[&run[..], &["--n", "1"]].concat(), 0);
    let blobs = place.datastore().join("blobs");
    for number in 0..LOOSE {
        let name = Digest::of(&number.to_le_bytes()).to_string();
        let dir = blobs.join(&name[..2]);
        fs::create_dir_all(&dir).expect("space");
        fs::write(dir.join(name), [7; 100]).expect("space");
    }
    let gc = ["gc", "--grace", "0s"];
    let plan = median(|| place.timed(&[&gc[..], &["--dry-run"]].concat(), 0));
    let remove = place.timed(&gc, 0).as_secs_f64() * 1e3;
    vec![
        Row::note("`wrun gc --dry-run`", plan, "ms"),
        Row::note("`wrun gc`, once", remove, "ms"),
        Row::note("of it, for each blob", remove * 1e3 / LOOSE as f64, "µs"),
    ]
}

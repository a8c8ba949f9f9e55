//! A large artifact through a step, against zstd and the disk alone.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use rayon::prelude::*;

use super::place::{Place, Watch};
use super::table::{Row, median};

const MIB: usize = 1 << 20;
const SIZE: usize = 256;
const ROUNDS: usize = 5;

/// How long each part took in one round, in seconds.
#[derive(Default)]
struct Round {
    write: f64,
    read: f64,
    zstd: f64,
    disk: f64,
    unzstd: f64,
    cached: f64,
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// Measures one kind of artifact. The peers get the very bytes that the step wrote.
pub fn measure(place: &Place, module: &str, kind: &str) -> Vec<Row> {
    let run = |watch| place.wrun(&["run", "--module", module, "--kind", kind], watch);
    let forget = || {
        let _ = fs::remove_dir_all(place.datastore().join("blobs"));
    };
    let first = run(Watch::Memory);
    let plain = place.path().join("plain");
    let pathspec = "bulk/latest/start/-/bulk";
    let out = plain.to_str().expect("a plain path");
    place.wrun(&["get", pathspec, "--output", out], Watch::Time);
    let bytes = fs::read(&plain).expect("it was just written");
    assert_eq!(bytes.len(), SIZE * MIB);
    fs::remove_file(&plain).expect("it is there");
    let rounds: Vec<Round> = (0..ROUNDS)
        .map(|_| {
            forget();
            let done = run(Watch::Events);
            Round {
                write: done.usage("start", "wall_us") as f64 / 1e6,
                read: done.usage("read", "wall_us") as f64 / 1e6,
                ..alone(place.path(), &bytes)
            }
        })
        .collect();
    rows(kind, &rounds, (first.driver, first.cell))
}

/// zstd on all cores, and the disk.
fn alone(directory: &Path, bytes: &[u8]) -> Round {
    let path = directory.join("alone");
    let mut packed: Vec<Vec<u8>> = Vec::new();
    let zstd = timed(|| {
        packed = bytes
            .par_chunks(MIB)
            .map(|piece| zstd::bulk::compress(piece, 1).expect("it packs"))
            .collect();
    });
    let disk = timed(|| {
        let mut file = File::create(&path).expect("a new file");
        for piece in &packed {
            file.write_all(piece).expect("space");
        }
        file.sync_all().expect("a disk");
    });
    let unzstd = timed(|| {
        packed.par_iter().for_each(|piece| {
            black_box(zstd::bulk::decompress(piece, MIB).expect("it unpacks"));
        });
    });
    let cached = timed(|| {
        let mut file = File::open(&path).expect("it is there");
        let mut piece = vec![0; MIB];
        while file.read(&mut piece).expect("it can be read") > 0 {
            black_box(&piece);
        }
    });
    fs::remove_file(path).expect("it is there");
    Round {
        zstd,
        disk,
        unzstd,
        cached,
        ..Round::default()
    }
}

fn rows(kind: &str, rounds: &[Round], (driver, cell): (u64, u64)) -> Vec<Row> {
    let of = |pick: fn(&Round) -> f64| {
        SIZE as f64 * MIB as f64 / 1e6 / median(rounds.iter().map(pick).collect())
    };
    // Packing and writing can run side by side, so the slower of the two is the limit.
    let limit_in = of(|round| round.zstd.max(round.disk));
    let limit_out = of(|round| round.unzstd.max(round.cached));
    let name = |what: &str| format!("256 MiB {kind}: {what}");
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    vec![
        Row::note(&name("zstd -1 alone, all cores"), of(|r| r.zstd), "MB/s"),
        Row::note(
            &name("disk alone, write and fsync of what zstd made"),
            of(|r| r.disk),
            "MB/s",
        ),
        Row::at_least(
            &name("written by a step, durable"),
            0.8 * limit_in,
            of(|r| r.write),
            "MB/s",
        ),
        Row::note(&name("zstd -d alone, all cores"), of(|r| r.unzstd), "MB/s"),
        Row::note(
            &name("reading the packed file from the page cache"),
            of(|r| r.cached),
            "MB/s",
        ),
        Row::at_least(
            &name("read by a step"),
            0.8 * limit_out,
            of(|r| r.read),
            "MB/s",
        ),
        Row::at_most(
            &name("peak memory of the driver"),
            128.0,
            mib(driver),
            "MiB",
        ),
        Row::at_most(&name("peak memory of a cell"), 128.0, mib(cell), "MiB"),
    ]
}

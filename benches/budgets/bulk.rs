//! A large artifact through a step, against zstd and the disk alone.
//!
//! The budget is a share of the slower of two things that are measured apart, zstd on all cores and
//! the disk: no program reaches it that does both on these cores. So there is a program that does
//! both and nothing else, as a second peer.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

use rayon::prelude::*;

use super::place::{Place, Watch, files};
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
    /// Plain bytes for each packed one.
    packed: f64,
    both_in: f64,
    unzstd: f64,
    cached: f64,
    both_out: f64,
    cold: f64,
    cold_alone: f64,
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
            files(&place.datastore().join("blobs"))
                .iter()
                .for_each(|it| cool(it));
            let again = ["spin", "bulk/latest/read", "--module", module];
            let cold = place.timed(&again, 0);
            Round {
                write: done.usage("start", "wall_us") as f64 / 1e6,
                read: done.usage("read", "wall_us") as f64 / 1e6,
                cold: cold.as_secs_f64(),
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
    let places = places(&packed);
    let stored: usize = packed.iter().map(Vec::len).sum();
    let both_out = timed(|| read_and_unpack(&path, &places));
    cool(&path);
    let cold_alone = timed(|| read_and_unpack(&path, &places));
    fs::remove_file(&path).expect("it is there");
    let both_in = timed(|| pack_and_write(&path, bytes));
    fs::remove_file(path).expect("it is there");
    Round {
        zstd,
        disk,
        packed: bytes.len() as f64 / stored as f64,
        both_in,
        unzstd,
        cached,
        both_out,
        cold_alone,
        ..Round::default()
    }
}

/// Where each of `pieces` lies in a file that holds them one behind the other: offset and length.
fn places(pieces: &[Vec<u8>]) -> Vec<(u64, usize)> {
    let mut end = 0;
    let place = |piece: &Vec<u8>| {
        let start = end;
        end += piece.len() as u64;
        (start, piece.len())
    };
    pieces.iter().map(place).collect()
}

/// Reads packed pieces and unpacks them, on all cores.
fn read_and_unpack(path: &Path, places: &[(u64, usize)]) {
    let file = File::open(path).expect("it is there");
    places.par_iter().for_each(|(offset, len)| {
        let mut packed = vec![0; *len];
        file.read_exact_at(&mut packed, *offset)
            .expect("it can be read");
        black_box(zstd::bulk::decompress(&packed, MIB).expect("it unpacks"));
    });
}

/// Packs pieces on all cores, writes each as soon as it is packed, and flushes the file.
fn pack_and_write(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).expect("a new file");
    let (sender, packed) = mpsc::channel::<(usize, Vec<u8>)>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            bytes
                .par_chunks(MIB)
                .enumerate()
                .for_each_with(sender, |sender, (number, piece)| {
                    let packed = zstd::bulk::compress(piece, 1).expect("it packs");
                    sender.send((number, packed)).expect("somebody writes");
                });
        });
        let (mut next, mut early) = (0, BTreeMap::new());
        for (number, piece) in packed {
            early.insert(number, piece);
            while let Some(piece) = early.remove(&next) {
                file.write_all(&piece).expect("space");
                next += 1;
            }
        }
    });
    file.sync_all().expect("a disk");
}

/// Has the system forget what it keeps in memory of a file.
fn cool(path: &Path) {
    let file = File::open(path).expect("it is there");
    file.sync_all().expect("a disk");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("it is a file");
}

fn rows(kind: &str, rounds: &[Round], (driver, cell): (u64, u64)) -> Vec<Row> {
    let of = |pick: fn(&Round) -> f64| {
        SIZE as f64 * MIB as f64 / 1e6 / median(rounds.iter().map(pick).collect())
    };
    // Packing and writing can run side by side, so the slower of the two is the limit.
    let limit_in = of(|round| round.zstd.max(round.disk));
    let limit_out = of(|round| round.unzstd.max(round.cached));
    let packed = median(rounds.iter().map(|round| round.packed).collect());
    let name = |what: &str| format!("256 MiB {kind}: {what}");
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    vec![
        Row::note(&name("zstd -1 alone, all cores"), of(|r| r.zstd), "MB/s"),
        Row::note(&name("zstd -1, plain : packed"), packed, "times"),
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
        Row::note(
            &name("the same, against a program that only packs and writes"),
            of(|r| r.write) / of(|r| r.both_in),
            "times",
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
        Row::note(
            &name("the same, against a program that only reads and unpacks"),
            of(|r| r.read) / of(|r| r.both_out),
            "times",
        ),
        Row::at_least(
            &name("read by a step of a new process, from the disk, against that program"),
            0.8,
            of(|r| r.cold) / of(|r| r.cold_alone),
            "times",
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

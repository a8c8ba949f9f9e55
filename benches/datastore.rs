//! The datastore against zstd and the disk alone, in the same run.
//!
//! Each pair shares its bytes, its threads and its file system: the ratio counts, not the number.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rayon::prelude::*;
use tokio::runtime::Runtime;
use wrun::datastore::{Datastore, DatastoreUrl};
use wrun::model::artifact::{Artifact, MediaType, Value};
use wrun::model::digest::Digest;
use wrun::model::event::Event;
use wrun::model::header::{Limits, RunHeader};
use wrun::model::record::{Logs, Outcome, Record, Usage};
use wrun::model::time::Timestamp;

const MIB: usize = 1 << 20;
const LARGE: usize = 256 * MIB;

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(b"noise")
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Text with the redundancy of prose: words drawn by a skewed chance from a vocabulary.
fn text(len: usize) -> Vec<u8> {
    let dice = noise(len / 2);
    let mut bytes = Vec::with_capacity(len + 32);
    for pair in dice.chunks_exact(2) {
        if bytes.len() >= len {
            break;
        }
        let (a, b) = (u32::from(pair[0]), u32::from(pair[1]));
        let word = (a * a * (b + 1)) >> 10;
        let mut letters = word.wrapping_mul(2_654_435_761);
        for _ in 0..2 + word % 7 {
            bytes.push(b'a' + (letters % 26) as u8);
            letters /= 13;
        }
        bytes.push(if b % 13 == 0 { b'\n' } else { b' ' });
    }
    bytes.resize(len, b'.');
    bytes
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn zstd_alone(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .par_chunks(MIB)
        .map(|chunk| zstd::bulk::compress(chunk, 1).expect("packs"))
        .collect()
}

fn disk_alone(dir: &Path, pieces: &[Vec<u8>]) {
    let path = dir.join("raw");
    let mut file = File::create(&path).expect("a new file");
    for piece in pieces {
        file.write_all(piece).expect("space");
    }
    file.sync_all().expect("a disk");
    drop(file);
    fs::remove_file(path).expect("it is there");
}

fn open(runtime: &Runtime, dir: &Path) -> Datastore {
    let url = DatastoreUrl::directory(dir.join("store"));
    runtime
        .block_on(Datastore::open_or_create(&url))
        .expect("a datastore")
}

fn large(c: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    for (name, bytes) in [
        ("text", Bytes::from(text(LARGE))),
        ("random", noise(LARGE).into()),
    ] {
        let dir = tempfile::tempdir_in("target").expect("a directory");
        let store = open(&runtime, dir.path());
        let blobs = store.blobs();
        let mut group = c.benchmark_group(format!("256 MiB {name}"));
        group
            .sample_size(10)
            .throughput(Throughput::Bytes(LARGE as u64));
        group.bench_function("put", |b| {
            b.iter_custom(|rounds| {
                let put = || {
                    let _ = fs::remove_dir_all(dir.path().join("store/blobs"));
                    timed(|| {
                        black_box(runtime.block_on(blobs.put(bytes.clone())).expect("stored"));
                    })
                };
                (0..rounds).map(|_| put()).sum()
            });
        });
        group.bench_function("zstd -1 in parallel, to memory", |b| {
            b.iter(|| black_box(zstd_alone(&bytes)));
        });
        let packed = zstd_alone(&bytes);
        group.bench_function("file write and fsync of what zstd made", |b| {
            b.iter(|| disk_alone(dir.path(), &packed));
        });
        let digest = runtime.block_on(blobs.put(bytes.clone())).expect("stored");
        group.bench_function("read in pieces of a MiB", |b| {
            b.iter(|| {
                runtime.block_on(async {
                    let reader = blobs.open(&digest).await.expect("there");
                    for at in (0..LARGE).step_by(MIB) {
                        black_box(reader.read_at(at as u64, MIB).await.expect("there"));
                    }
                });
            });
        });
        group.bench_function("zstd -d in parallel, from memory", |b| {
            b.iter(|| {
                packed.par_iter().for_each(|piece| {
                    black_box(zstd::bulk::decompress(piece, MIB).expect("unpacks"));
                });
            });
        });
        group.finish();
    }
}

fn finished(i: usize) -> Event {
    let value = Value::inline(
        MediaType::cbor(),
        Bytes::from(format!("a value of task {i}")),
    );
    let record = Record {
        result: Ok(Outcome::Done),
        artifacts: vec![Artifact {
            name: "counts".parse().expect("a name"),
            value,
        }],
        logs: Logs::None,
        engine: Digest::of(b"engine"),
        inputs: wrun::model::digest::Digest::from_bytes([0; 32]),
        observed: Default::default(),
        trace: None,
        usage: Usage::default(),
    };
    let task = format!("count/{i}").parse().expect("a task");
    Event::Finished {
        task,
        attempt: 0,
        record: Box::new(record),
    }
}

fn small(c: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    let dir = tempfile::tempdir_in("target").expect("a directory");
    let store = open(&runtime, dir.path());
    let mut group = c.benchmark_group("small");
    let header = |run| RunHeader {
        run,
        created_at: Timestamp(0),
        clock: Timestamp(0),
        known_as: 1,
        parameters: vec![],
        snapshot: Digest::of(b"snapshot"),
        module: Digest::of(b"module"),
        seed: 0,
        limits: Limits::default(),
        steps: Default::default(),
        grants: Default::default(),
        imports: vec![],
        engine: Digest::of(b"engine"),
        origin: None,
        anew: Default::default(),
        cache: false,
        user: "ada".to_owned(),
        tags: vec![],
        wrun: "0.1.0".to_owned(),
    };
    let flow = "bench".parse().expect("a name");
    let run = runtime
        .block_on(store.create_run(&flow, header))
        .expect("a run");
    let mut writer = runtime.block_on(run.writer()).expect("a writer");
    let events: Vec<_> = (0..200).map(finished).collect();
    group.bench_function("append a segment of 200 events", |b| {
        b.iter(|| runtime.block_on(writer.append(&events)).expect("appended"));
    });
    let plain = noise(8_000);
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    group.bench_function("the two flushes alone", |b| {
        b.iter(|| {
            let mut file = File::create(&from).expect("a new file");
            file.write_all(&plain).expect("space");
            file.sync_all().expect("a disk");
            fs::rename(&from, &to).expect("a name");
            File::open(dir.path())
                .and_then(|dir| dir.sync_all())
                .expect("a disk");
        });
    });
    let mut next = 0_u64;
    group.bench_function("put a new blob of 1 KiB", |b| {
        b.iter(|| {
            next += 1;
            let mut bytes = plain[..1016].to_vec();
            bytes.extend_from_slice(&next.to_le_bytes());
            runtime
                .block_on(store.blobs().put(bytes.into()))
                .expect("stored")
        });
    });
    group.finish();
}

criterion_group!(benches, large, small);
criterion_main!(benches);

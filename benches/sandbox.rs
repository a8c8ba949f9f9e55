//! What the sandbox costs: a fresh instance against bare wasmtime, a task through a cell, and
//! bytes through a cell's socket.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wrun::model::artifact::MediaType;
use wrun::model::digest::Digest;
use wrun::model::header::Limits;
use wrun::model::record::LogChunk;
use wrun::model::time::Timestamp;
use wrun::sandbox::bindings::wrun::flow::types as wit;
use wrun::sandbox::call::{
    Context, Given, Granted, Not, Profile, Question, Readable, Request, Seen, Source,
};
use wrun::sandbox::engine::Setup;
use wrun::sandbox::execute::{Code, Engines};
use wrun::sandbox::fetch::{Fetch, Fetched, NoAnswer, Reason};
use wrun::sandbox::host::{Host, HostError};
use wrun::sandbox::world::agent::Nobody;
use wrun::sandbox::{Cell, Launcher, Modules};

const STREAM: u64 = 256 << 20;

fn launcher() -> Launcher {
    Launcher {
        program: PathBuf::from(env!("CARGO_BIN_EXE_wrun")),
        args: vec!["cell".into()],
    }
}

fn guests() -> Bytes {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let build = [
        "build",
        "--release",
        "--target",
        "wasm32-wasip2",
        "-p",
        "wrun-test-guests",
    ];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(build)
        .current_dir(root)
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the guests do not build");
    let binary = Path::new(env!("CARGO_BIN_EXE_wrun"));
    let target = binary
        .ancestors()
        .nth(2)
        .expect("a binary lies in a profile's directory");
    std::fs::read(target.join("wasm32-wasip2/release/guests.wasm"))
        .expect("built above")
        .into()
}

fn request(step: &str) -> Request {
    Request {
        profile: Profile::default(),
        step: step.parse().expect("a step"),
        context: Context {
            flow: "guests".parse().expect("a flow"),
            run: 1,
            place: "-".into(),
            indices: Vec::new(),
            turns: Vec::new(),
            attempt: 0,
        },
        reads: Vec::new(),
        item: None,
        branches: None,
        writes: vec!["out".parse().expect("a name")],
        granted: Granted::default(),
        limits: Limits::default(),
        clock: Timestamp(0),
        entropy: [0; 32],
    }
}

/// Gives zeroes, takes everything.
struct Void {
    piece: Bytes,
    written: u64,
}

#[async_trait]
impl Host for Void {
    async fn read_at(&mut self, _: Source, _: u64, len: u32) -> Result<Bytes, HostError> {
        Ok(self.piece.slice(..len as usize))
    }

    async fn branches(&mut self, _: u32, _: u32, _: u32) -> Result<Vec<Option<Given>>, HostError> {
        Ok(vec![None])
    }

    async fn branch_task(&mut self, _: u32) -> Result<String, HostError> {
        Ok(String::new())
    }

    async fn look(&mut self, _: Question) -> Result<Seen, HostError> {
        Ok(Seen::Not(Not::There))
    }

    async fn fetch(&mut self, _: Fetch) -> Result<Fetched, HostError> {
        Ok(Fetched::Not(NoAnswer::new(
            Reason::Refused,
            "nobody is there",
        )))
    }

    async fn create(&mut self, _: u32, _: MediaType) -> Result<(), HostError> {
        Ok(())
    }

    async fn write(&mut self, _: u32, bytes: Bytes) -> Result<(), HostError> {
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn progress(&mut self, _: u64, _: u64, _: String) {}

    fn logs(&mut self, _: Vec<LogChunk>) {}
}

fn void() -> Void {
    Void {
        piece: Bytes::from(vec![0; 1 << 20]),
        written: 0,
    }
}

/// Bare wasmtime with nothing but stubs behind the imports.
fn bare(criterion: &mut Criterion, wasm: &[u8], pooled: bool) {
    let mut config = Config::new();
    config.concurrency_support(false);
    if pooled {
        let strategy = InstanceAllocationStrategy::Pooling(PoolingAllocationConfig::new());
        config.allocation_strategy(strategy);
    }
    let engine = Engine::new(&config).expect("an engine");
    let component = Component::new(&engine, wasm).expect("it compiles");
    let mut linker = Linker::<()>::new(&engine);
    linker
        .define_unknown_imports_as_traps(&component)
        .expect("stubs");
    let pre = linker.instantiate_pre(&component).expect("it links");
    let name = if pooled {
        "bare wasmtime, pooled"
    } else {
        "bare wasmtime, on demand"
    };
    criterion.bench_function(&format!("fresh instance: {name}"), |bencher| {
        bencher.iter(|| {
            let mut store = Store::new(&engine, ());
            let instance = pre.instantiate(&mut store).expect("an instance");
            let run = instance
                .get_typed_func::<(&str,), (Result<wit::Outcome, wit::Failure>,)>(&mut store, "run")
                .expect("it is exported");
            run.call(&mut store, ("done",)).expect("it runs")
        });
    });
}

fn instances(criterion: &mut Criterion) {
    let wasm = guests();
    bare(criterion, &wasm, false);
    bare(criterion, &wasm, true);
    let compiled = Setup::plain(Profile::default())
        .engine()
        .expect("an engine")
        .precompile_component(&wasm)
        .expect("it compiles");
    let mut engines = Engines::default();
    // SAFETY: compiled by the lines above.
    let source = move |engine: &Engine| unsafe { Component::deserialize(engine, &compiled) };
    let mut code = Code::load(&mut engines, Profile::default(), Box::new(source)).expect("a flow");
    criterion.bench_function("fresh instance: wrun", |bencher| {
        bencher.iter(|| {
            code.execute(&mut engines, request("done"), Box::new(Nobody))
                .0
        });
    });
}

fn cells(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let modules = Modules::new(directory.path().join("code"), launcher());
    let wasm = guests();
    let module = runtime
        .block_on(modules.prepare(&Digest::of(&wasm), Profile::default(), async || Ok(wasm)))
        .expect("they compile");
    let ready = async || {
        let mut cell = Cell::spawn(&launcher()).await.expect("a cell starts");
        cell.load(&module).await.expect("it loads");
        cell
    };
    criterion.bench_function("cell: start to greeting", |bencher| {
        bencher.iter(|| {
            runtime
                .block_on(Cell::spawn(&launcher()))
                .expect("a cell starts")
        });
    });
    criterion.bench_function("cell: start, load, first task", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                ready()
                    .await
                    .run(request("done"), &mut void())
                    .await
                    .expect("a reply")
            })
        });
    });
    criterion.bench_function("cell: trivial task, round trip", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let mut cell = ready().await;
                let start = Instant::now();
                for _ in 0..rounds {
                    let reply = cell
                        .run(request("done"), &mut void())
                        .await
                        .expect("a reply");
                    assert!(reply.result.is_ok());
                }
                start.elapsed()
            })
        });
    });

    let mut group = criterion.benchmark_group("cell: 256 MiB through shared memory");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(8))
        .throughput(Throughput::Bytes(STREAM));
    let mut reading = request("stream_read");
    let given = Given {
        media: MediaType::new("x/y"),
        size: STREAM,
        bytes: None,
    };
    reading.reads = vec![Readable {
        name: "in".parse().expect("a name"),
        value: Some(given),
    }];
    let mut writing = request("stream_write");
    writing.item = Some(Bytes::from((STREAM >> 20).to_string()));
    for (name, request) in [("to the guest", reading), ("from the guest", writing)] {
        let mut cell = runtime.block_on(ready());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let reply = runtime.block_on(cell.run(request.clone(), &mut void()));
                assert!(reply.expect("a reply").result.is_ok());
            });
        });
    }
}

criterion_group!(benches, instances, cells);
criterion_main!(benches);

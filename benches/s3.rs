//! What a datastore in S3 costs: requests, money and time, on a server that the bench starts itself.
//!
//! `cargo bench --bench s3` prints tables. The server is moto, in one process of Python: what is
//! compared is only ever what was measured on the same server a moment apart.
//!
//! A server in Python is most of what is measured then. `WRUN_BENCH_S3=http://127.0.0.1:8014` has the blobs compared on
//! a server that runs there already, takes `test` for both halves of the credentials, and has a bucket `bucket`:
//! `s3s-fs --access-key test --secret-key test --host 127.0.0.1 --port 8014 DIR` (crate `s3s-fs` 0.14.1, feature
//! `binary`; `DIR/bucket` is the bucket).

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::task::JoinSet;
use wrun::aws::PathStyle;
use wrun::datastore::Blobs;
use wrun::datastore::object::retry::{Patience, Retry, RetryStore};
use wrun::datastore::object::s3::S3Store;

#[path = "../tests/cloud/moto.rs"]
mod moto;
#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/place.rs"]
mod place;
#[allow(dead_code, reason = "the budgets use the rest")]
#[path = "budgets/table.rs"]
mod table;
#[path = "../tests/cloud/wire.rs"]
mod wire;

use moto::Moto;
use place::Place;
use table::Row;

/// List prices of S3 Standard in us-east-1, in dollars for a request.
const WRITE: f64 = 0.005 / 1000.0;
const READ: f64 = 0.0004 / 1000.0;
/// Objects that a small task of Metaflow 2.19 writes.
const PEER_OBJECTS: f64 = 45.0;

const LARGE: usize = 256 << 20;
const PART: usize = 8 << 20;
const SIDE_BY_SIDE: usize = 8;
const SMALL: usize = 4096;
const MANY: usize = 2000;
const ROUNDS: usize = 3;
const TASKS: &str = "10000";

fn main() {
    // As the program does it, for the peer as well.
    wrun::cli::memory::keep();
    let Some(moto) = Moto::start() else { return };
    moto.bucket("bucket");
    println!("load {} before the first run", table::load());
    let runtime = tokio::runtime::Runtime::new().expect("the system gives an event loop");
    table::print("Requests of a run of 10,000 small tasks", &requests(&moto));
    let named = std::env::var("WRUN_BENCH_S3").ok();
    let (server, endpoint) = match named {
        Some(endpoint) => (endpoint.clone(), endpoint),
        None => ("moto".to_owned(), moto.endpoint()),
    };
    let rows = runtime.block_on(objects(&endpoint));
    let title = format!("Blobs against the plain SDK, same parts, same server ({server})");
    table::print(&title, &rows);
    table::print("A bad wire", &faults(&moto));
    println!("\nload {} after the last run", table::load());
}

/// Runs the fan of 10,000 tasks and gives the time that it took.
fn fan(place: &Place, endpoint: &str, prefix: &str) -> Duration {
    let modules = place::modules(&["bench-fan"]);
    let module = modules.join("bench_fan.wasm");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wrun"));
    command
        .args([
            "--quiet",
            "--datastore",
            &format!("s3://bucket/{prefix}"),
            "run",
        ])
        .arg("--module")
        .arg(module)
        .args(["--n", TASKS])
        .env("XDG_CACHE_HOME", place.path().join("cache"))
        .env("AWS_ENDPOINT_URL", endpoint)
        .envs(moto::access())
        .current_dir(place.path());
    let start = Instant::now();
    let status = command.status().expect("wrun starts");
    assert!(status.success());
    start.elapsed()
}

fn requests(moto: &Moto) -> Vec<Row> {
    let place = Place::new();
    // The first makes the datastore and stores the code.
    fan(&place, &moto.endpoint(), "requests");
    let before = moto.requests();
    fan(&place, &moto.endpoint(), "requests");
    let after = moto.requests();
    let count = |methods: &[&str]| {
        let of = |counts: &std::collections::BTreeMap<String, u64>| -> u64 {
            methods.iter().filter_map(|it| counts.get(*it)).sum()
        };
        (of(&after) - of(&before)) as f64
    };
    let (writes, reads) = (count(&["PUT", "POST", "DELETE"]), count(&["GET", "HEAD"]));
    let dollars = writes * WRITE + reads * READ;
    let peer = 10_000.0 * PEER_OBJECTS * WRITE;
    vec![
        Row::at_most("writing requests", 300.0, writes, ""),
        Row::note("reading requests", reads, ""),
        Row::at_most("writing requests per task", 0.05, writes / 10_000.0, ""),
        Row::note("cost at list price", dollars * 100.0, "cents"),
        Row::note(
            "cost of a peer's 45 objects per task",
            peer * 100.0,
            "cents",
        ),
    ]
}

struct Bench {
    client: aws_sdk_s3::Client,
    blobs: Blobs,
}

async fn objects(endpoint: &str) -> Vec<Row> {
    let credentials = Credentials::new("test", "test", None, None, "bench");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let retry = Arc::new(Retry::new(Patience::default(), 1));
    // What an earlier bench has left on a server that stays would not be written again.
    let now = std::time::UNIX_EPOCH.elapsed().expect("it is past 1970");
    let prefix = format!("blobs-{}", now.as_millis());
    let place = ("bucket", prefix.as_str());
    let store = S3Store::new(&config, place, PathStyle::Auto, retry.clone());
    let store = RetryStore::new(Arc::new(store), retry);
    let plain = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
    let bench = Bench {
        client: aws_sdk_s3::Client::from_conf(plain.build()),
        blobs: Blobs::new(Arc::new(store), 1),
    };
    let mut times: [Vec<f64>; 8] = Default::default();
    for round in 0..ROUNDS {
        let figures = bench.round(round as u8).await;
        for (all, one) in times.iter_mut().zip(figures) {
            all.push(one);
        }
    }
    let [our_put, put, our_get, get, our_puts, puts, our_gets, gets] = times.map(table::median);
    let row = |what: &str, theirs: f64, ours: f64| {
        Row::at_least(
            &format!("{what}, of the plain SDK's speed"),
            0.9,
            theirs / ours,
            "",
        )
    };
    vec![
        Row::note("put 256 MiB", 256.0 / our_put, "MiB/s"),
        row("put 256 MiB", put, our_put),
        Row::note("get 256 MiB", 256.0 / our_get, "MiB/s"),
        row("get 256 MiB", get, our_get),
        Row::note("put 2,000 x 4 KiB", MANY as f64 / our_puts, "per s"),
        row("put 2,000 x 4 KiB", puts, our_puts),
        Row::note("get 2,000 x 4 KiB", MANY as f64 / our_gets, "per s"),
        row("get 2,000 x 4 KiB", gets, our_gets),
    ]
}

/// Bytes that no codec makes smaller.
fn noise(seed: u8, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes.into()
}

async fn seconds(work: impl Future<Output = ()>) -> f64 {
    let start = Instant::now();
    work.await;
    start.elapsed().as_secs_f64()
}

impl Bench {
    /// One round of everything, ours and theirs by turns, in seconds.
    async fn round(&self, seed: u8) -> [f64; 8] {
        let large = noise(seed, LARGE);
        let mut digest = None;
        let our_put = seconds(async {
            let put = self.blobs.put(large.clone()).await;
            digest = Some(put.expect("it is stored"));
        })
        .await;
        let put = seconds(self.put_parts(&large)).await;
        let digest = digest.expect("it was stored");
        let our_get = seconds(async {
            let reader = self.blobs.open(&digest).await.expect("it is there");
            let mut at = 0;
            while at < reader.len() {
                at += reader
                    .read_at(at, 1 << 20)
                    .await
                    .expect("it is there")
                    .len() as u64;
            }
        })
        .await;
        let get = seconds(self.get_parts()).await;
        let all = noise(seed ^ 0x55, MANY * SMALL);
        let pieces: Vec<_> = all.chunks(SMALL).map(Bytes::copy_from_slice).collect();
        let our_puts = seconds(self.each(&pieces, true, true)).await;
        let puts = seconds(self.each(&pieces, false, true)).await;
        let our_gets = seconds(self.each(&pieces, true, false)).await;
        let gets = seconds(self.each(&pieces, false, false)).await;
        [our_put, put, our_get, get, our_puts, puts, our_gets, gets]
    }

    /// Writes or reads every piece, some at a time, through us or the plain SDK.
    async fn each(&self, pieces: &[Bytes], ours: bool, write: bool) {
        let mut going = JoinSet::new();
        for (index, piece) in pieces.iter().enumerate() {
            if going.len() >= SIDE_BY_SIDE {
                going
                    .join_next()
                    .await
                    .expect("there are some")
                    .expect("it ends well");
            }
            let (blobs, client, piece) = (self.blobs.clone(), self.client.clone(), piece.clone());
            going.spawn(async move {
                let key = format!("plain/{index}");
                match (ours, write) {
                    (true, true) => drop(blobs.put(piece).await.expect("it is stored")),
                    (true, false) => {
                        let digest = wrun::model::digest::Digest::of(&piece);
                        drop(blobs.get(&digest).await.expect("it is there"));
                    }
                    (false, true) => {
                        let put = client.put_object().bucket("bucket").key(key);
                        put.body(piece.into()).send().await.expect("it is stored");
                    }
                    (false, false) => {
                        let got = client.get_object().bucket("bucket").key(key).send().await;
                        got.expect("it is there")
                            .body
                            .collect()
                            .await
                            .expect("all of it");
                    }
                }
            });
        }
        going.join_all().await;
    }

    /// Writes an object in parts with the plain SDK.
    async fn put_parts(&self, bytes: &Bytes) {
        let begin = self
            .client
            .create_multipart_upload()
            .bucket("bucket")
            .key("plain/large");
        let id = begin
            .send()
            .await
            .expect("it begins")
            .upload_id
            .expect("it has an id");
        let mut going = JoinSet::new();
        let mut parts = Vec::new();
        for (index, at) in (0..bytes.len()).step_by(PART).enumerate() {
            if going.len() >= SIDE_BY_SIDE {
                parts.push(
                    going
                        .join_next()
                        .await
                        .expect("there are some")
                        .expect("it ends well"),
                );
            }
            let body = bytes.slice(at..bytes.len().min(at + PART));
            let request = self
                .client
                .upload_part()
                .bucket("bucket")
                .key("plain/large");
            let number = index as i32 + 1;
            let request = request.upload_id(&id).part_number(number).body(body.into());
            going.spawn(async move {
                let tag = request.send().await.expect("it is stored").e_tag;
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(tag)
                    .build()
            });
        }
        parts.extend(going.join_all().await);
        parts.sort_by_key(CompletedPart::part_number);
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let complete = self.client.complete_multipart_upload().bucket("bucket");
        let complete = complete
            .key("plain/large")
            .upload_id(id)
            .multipart_upload(parts);
        complete.send().await.expect("it is joined");
    }

    /// Reads that object in parts with the plain SDK.
    async fn get_parts(&self) {
        let mut going = JoinSet::new();
        for at in (0..LARGE).step_by(PART) {
            if going.len() >= 4 {
                going
                    .join_next()
                    .await
                    .expect("there are some")
                    .expect("it ends well");
            }
            let request = self.client.get_object().bucket("bucket").key("plain/large");
            let request = request.range(format!("bytes={at}-{}", at + PART - 1));
            going.spawn(async move {
                let got = request.send().await.expect("it is there");
                drop(got.body.collect().await.expect("all of it").into_bytes());
            });
        }
        going.join_all().await;
    }
}

fn faults(moto: &Moto) -> Vec<Row> {
    let (good, bad) = (
        wire::Wire::to(moto.port(), wire::script(1, 0)),
        wire::Wire::to(moto.port(), wire::script(1, 5)),
    );
    let place = Place::new();
    let mut times: [Vec<f64>; 2] = Default::default();
    for round in 0..=ROUNDS {
        for (times, wire) in times.iter_mut().zip([&good, &bad]) {
            let took = fan(&place, &wire.endpoint(), "wire").as_secs_f64();
            // The first makes the datastore, and says nothing of a run.
            if round > 0 {
                times.push(took);
            }
        }
    }
    let [good, slow] = times.map(table::median);
    vec![
        Row::note("10,000 tasks without faults", good, "s"),
        Row::at_most("with 5 % faults : without", 1.5, slow / good, ""),
        Row::note("faults", bad.faults() as f64, ""),
    ]
}

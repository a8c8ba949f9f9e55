//! Every decoder with real data, and with the same damaged: none panics, hangs or takes more memory than it was given.
//!
//! The data is made here, by a run. `WRUN_ABUSE_SEEDS=DIR` writes it to `DIR/DECODER/` for cargo-fuzz. The decoders are those of
//! `wrun::fuzz`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use wrun::datastore::Datastore;
use wrun::datastore::lease::Lease;
use wrun::fuzz::{DECODERS, decode};
use wrun::model::digest::Digest;
use wrun::model::job::JobSpec;
use wrun::sandbox::wire::{self, PREFIX, ToAgent, ToCell};
use wrun::snapshot::manifest::Manifest;

use crate::harness::{corpus, prepare};
use crate::world::{World, module};

type Seeds = BTreeMap<&'static str, Vec<Vec<u8>>>;

fn cbor(it: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(it, &mut bytes).unwrap();
    bytes
}

/// Real data for each decoder, of a run that has been.
async fn seeds(world: &World) -> Seeds {
    let mut seeds = Seeds::new();
    let url = world.store().to_str().unwrap().parse().unwrap();
    let datastore = Datastore::open(&url).await.unwrap();
    let run = datastore.run(&"abuses/1".parse().unwrap()).await.unwrap();
    seeds.insert("header", vec![cbor(run.header())]);
    seeds.insert("journal", vec![cbor(&run.events().await.unwrap())]);
    seeds.insert(
        "summary",
        vec![cbor(&run.summary().await.unwrap().unwrap())],
    );
    seeds.insert(
        "tags",
        vec![cbor(&run.tags().await.unwrap()), cbor(&["a", "b"])],
    );
    seeds.insert("memo", vec![cbor(&run.memo().await.unwrap().unwrap())]);
    seeds.insert("job", vec![cbor(&JobSpec::default())]);
    seeds.insert("made", vec![cbor(&run.events().await.unwrap())]);
    seeds.insert(
        "lease",
        vec![
            cbor(&serde_json::json!({"holder": "ada", "at": 1})),
            cbor(&None::<Lease>),
        ],
    );
    let digest = run.header().snapshot;
    let manifest = Manifest::load(&datastore, &digest).await.unwrap();
    seeds.insert("manifest", vec![manifest.encode()]);
    seeds.insert("definition", vec![cbor(&manifest.definition)]);
    seeds.insert("trace", vec![b"[]".to_vec(), cbor(&Vec::<u8>::new())]);
    let (mut blobs, mut objects) = (Vec::new(), Vec::new());
    for file in files(&world.store()) {
        let bytes = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        match (name.parse::<Digest>(), bytes.len() < 200_000) {
            (Ok(digest), true) => blobs.push([&digest.as_bytes()[..], &bytes].concat()),
            (Err(_), true) => objects.push(bytes),
            _ => {}
        }
    }
    blobs.truncate(8);
    objects.truncate(8);
    seeds.insert("blob", blobs);
    seeds.insert("sealed", objects);
    seeds.extend(messages(&manifest));
    seeds.extend(texts());
    seeds
}

/// What agent and cell say to each other.
fn messages(manifest: &Manifest) -> Seeds {
    let head = |frame: std::io::Result<Vec<u8>>| frame.unwrap().split_off(PREFIX);
    let described = ToAgent::Described(Box::new(manifest.definition.clone()));
    let look = ToAgent::Progress {
        done: 1,
        total: 2,
        message: "on".into(),
    };
    let run = ToCell::Run(Box::new(corpus("attempt")));
    Seeds::from([
        (
            "from_cell",
            vec![head(wire::head(&described, 0)), head(wire::head(&look, 0))],
        ),
        ("from_agent", vec![head(wire::head(&run, 0))]),
    ])
}

fn texts() -> Seeds {
    let all = |texts: &[&str]| texts.iter().map(|it| it.as_bytes().to_vec()).collect();
    Seeds::from([
        (
            "settings",
            all(&[
                "grants = [\"scratch=1MiB\"]\n[limits]\nmemory = \"1GiB\"\n[steps.fit]\ntimeout = \"3s\"\n",
            ]),
        ),
        (
            "path",
            all(&[
                "wordcount/42/count/7",
                "latest",
                "@nightly/3/fit/-/model",
                "wordcount/42/count/3.1~2/x",
            ]),
        ),
        (
            "origin",
            all(&[
                "https://api.example.com",
                "http://[::ffff:1.2.3.4]:8080",
                "HTTP://127.0.0.1/",
            ]),
        ),
        (
            "grant",
            all(&[
                "read:corpus=data",
                "env:A=b",
                "secret:T",
                "scratch=64MiB",
                "http=https://example.com",
            ]),
        ),
        (
            "url",
            all(&["s3://bucket/prefix", "/var/data", "file:///x", "memory://"]),
        ),
        (
            "id",
            all(&["wordcount/42", "count/7", "count/3.1~2", &"0a".repeat(32)]),
        ),
        (
            "cbor",
            vec![
                cbor(
                    &serde_json::json!({"a": [1, -2, 3.5, null, true], "b": {"c": "text", "d": "\u{fc}"}, "": []}),
                ),
                [vec![0x81; 100], vec![0]].concat(),
                vec![0x5f, 0x42, 1, 2, 0xff],
                vec![0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0],
                vec![0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1],
            ],
        ),
        (
            "http",
            all(&[
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n",
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            ]),
        ),
    ])
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|it| it.unwrap().path());
    let mut all: Vec<_> = entries
        .flat_map(|it| if it.is_dir() { files(&it) } else { vec![it] })
        .collect();
    all.sort();
    all
}

/// What stands for chance: the same every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// `seed` with a few bytes turned, cut, doubled, put in, or taken from another.
    fn damage(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len());
            match self.below(8) {
                0 if !bytes.is_empty() => bytes[at] = self.next() as u8,
                1 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.next() as u8),
                4 => {
                    let more = vec![[0, 0x81, 0xff, 0x9f, b'['][self.below(5)]; self.below(400)];
                    bytes.splice(at..at, more);
                }
                5 => {
                    let from = self.below(other.len());
                    let until = (from + self.below(64)).min(other.len());
                    bytes.splice(at..at, other[from..until].iter().copied());
                }
                6 => {
                    let large = (u64::MAX >> self.below(64)).to_be_bytes();
                    let end = (at + 8).min(bytes.len());
                    bytes.splice(at..end, large);
                }
                _ => {
                    let until = (at + self.below(32)).min(bytes.len());
                    bytes.drain(at..until);
                }
            }
        }
        bytes
    }
}

#[test]
fn no_decoder_is_harmed_by_damage() {
    let world = crate::lived_in();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let seeds = runtime.block_on(seeds(&world));
    let directory = std::env::var_os("WRUN_ABUSE_SEEDS");
    let before = crate::running::peak_mib(rustix::process::getpid());
    let per_decoder = crate::count("WRUN_ABUSE_MUTATIONS", 300);
    let mut all = 0;
    for (name, _) in DECODERS {
        let own = seeds
            .get(name)
            .unwrap_or_else(|| panic!("no data for `{name}`"));
        let mut noise = Noise(0x2545_f491_4f6c_dd1d ^ name.len() as u64);
        for (number, seed) in own.iter().enumerate() {
            decode(name, seed);
            if let Some(directory) = &directory {
                let place = Path::new(directory).join(name);
                std::fs::create_dir_all(&place).unwrap();
                std::fs::write(place.join(number.to_string()), seed).unwrap();
            }
        }
        // A connection for each: fewer of them.
        let count = if *name == "http" {
            per_decoder / 4
        } else {
            per_decoder
        };
        for _ in 0..count {
            let (seed, other) = (&own[noise.below(own.len())], &own[noise.below(own.len())]);
            decode(name, &noise.damage(seed, other));
            all += 1;
        }
    }
    let after = crate::running::peak_mib(rustix::process::getpid());
    assert!(
        after < before.max(100) + 500,
        "{before} MiB before, {after} MiB after"
    );
    eprintln!(
        "{all} damaged inputs of {} decoders, {after} MiB",
        DECODERS.len()
    );
}

/// The same for a whole module of this kind: what is not understood is said to be so.
#[tokio::test]
async fn a_module_cut_anywhere_is_refused() {
    let whole = std::fs::read(module("abuses")).unwrap();
    for part in 1..8 {
        let error = prepare(&whole[..whole.len() * part / 8])
            .await
            .expect_err("a part is no module");
        assert!(!error.to_string().is_empty());
    }
}

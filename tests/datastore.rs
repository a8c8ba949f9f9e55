//! The datastore from outside: what is stored comes back, damage is found, failures have names.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use wrun::datastore::memo::Entry;
use wrun::datastore::object::fault::{Fault, FaultStore};
use wrun::datastore::object::memory::MemoryStore;
use wrun::datastore::object::{Key, ObjectStore, StoreError};
use wrun::datastore::{
    BlobError, Datastore, DatastoreError, DatastoreUrl, JournalError, RunError, RunSummary,
    TaskCounts,
};
use wrun::model::artifact::{INLINE_VALUE, MediaType, Value, ValueAt};
use wrun::model::digest::Digest;
use wrun::model::event::{Event, RunStatus};
use wrun::model::failure::{Failure, FailureKind};
use wrun::model::header::{Limits, RunHeader};
use wrun::model::id::RunId;
use wrun::model::name::FlowName;
use wrun::model::record::{LogChunk, Logs, Outcome, Record, Stream, Usage};
use wrun::model::time::Timestamp;

const MIB: usize = 1 << 20;

/// A datastore in a directory of its own.
async fn local() -> (TempDir, Datastore) {
    let dir = tempfile::tempdir().unwrap();
    let url = DatastoreUrl::directory(dir.path().join("store"));
    let store = Datastore::open_or_create(&url).await.unwrap();
    (dir, store)
}

fn flow() -> FlowName {
    "wordcount".parse().unwrap()
}

fn header(run: RunId) -> RunHeader {
    RunHeader {
        created_at: Timestamp(run.number),
        clock: Timestamp(run.number),
        known_as: run.number,
        run,
        parameters: vec![],
        snapshot: Digest::of(b"snapshot"),
        module: Digest::of(b"module"),
        seed: 0,
        limits: Limits::default(),
        steps: Default::default(),
        grants: Default::default(),
        imports: Vec::new(),
        engine: Digest::of(b"engine"),
        origin: None,
        anew: Default::default(),
        cache: false,
        user: "ada".to_owned(),
        tags: vec!["first".parse().unwrap()],
        wrun: "0.1.0".to_owned(),
    }
}

fn finished(i: u32) -> Event {
    let result = match i % 3 {
        0 => Err(Failure::new(FailureKind::Panic, "no").with_hint("yes")),
        1 => Ok(Outcome::Items(i)),
        _ => Ok(Outcome::Done),
    };
    let value = Value::inline(MediaType::cbor(), Bytes::from(vec![(i % 251) as u8; 40]));
    let artifact = wrun::model::artifact::Artifact {
        name: "counts".parse().unwrap(),
        value,
    };
    let chunk = LogChunk {
        stream: Stream::Stdout,
        bytes: Bytes::from(format!("line {i}\n")),
    };
    let record = Record {
        result,
        artifacts: vec![artifact],
        logs: Logs::Inline(vec![chunk]),
        engine: Digest::of(b"engine"),
        inputs: wrun::model::digest::Digest::from_bytes([0; 32]),
        observed: Default::default(),
        trace: None,
        usage: Usage::default(),
    };
    Event::Finished {
        task: format!("count/{i}").parse().unwrap(),
        attempt: 0,
        record: Box::new(record),
    }
}

/// Bytes without any order, the same each time.
fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(b"noise")
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Bytes that shrink, no two MiB of them alike.
fn text(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 64);
    for i in 0_u64.. {
        if bytes.len() >= len {
            break;
        }
        bytes.extend_from_slice(format!("line {} of {}\n", i * i % 9973, i).as_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn blob_file(dir: &TempDir, digest: &Digest) -> PathBuf {
    let hex = digest.to_string();
    dir.path().join("store/blobs").join(&hex[..2]).join(hex)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

// Blobs

#[tokio::test]
async fn a_blob_of_any_size_comes_back_and_any_zstd_can_read_it() {
    let (dir, store) = local().await;
    let sizes = [
        0,
        1,
        100,
        65_537,
        MIB,
        8 * MIB - 1,
        8 * MIB,
        8 * MIB + 1,
        9 * MIB + 12_345,
    ];
    for size in sizes {
        for bytes in [text(size), noise(size)] {
            let digest = store.blobs().put(bytes.clone().into()).await.unwrap();
            assert_eq!(digest, Digest::of(&bytes));
            assert_eq!(store.blobs().get(&digest).await.unwrap(), bytes, "{size}");
            assert!(store.blobs().contains(&digest).await.unwrap());
            let file = fs::read(blob_file(&dir, &digest)).unwrap();
            assert_eq!(
                zstd::stream::decode_all(&file[..]).unwrap(),
                bytes,
                "{size}"
            );
        }
    }
}

#[tokio::test]
async fn text_shrinks_and_noise_does_not_grow() {
    let (dir, store) = local().await;
    let digest = store.blobs().put(text(9 * MIB).into()).await.unwrap();
    assert!(fs::metadata(blob_file(&dir, &digest)).unwrap().len() < 5 * MIB as u64);
    let digest = store.blobs().put(noise(9 * MIB).into()).await.unwrap();
    assert!(fs::metadata(blob_file(&dir, &digest)).unwrap().len() < 9 * MIB as u64 + 4096);
}

#[tokio::test]
async fn pieces_of_any_size_make_the_same_blob() {
    let (dir, store) = local().await;
    let bytes = Bytes::from(text(10 * MIB + 77));
    for piece in [MIB, 700_001, 3 * MIB, 64 * MIB] {
        let mut writer = store.blobs().writer();
        for start in (0..bytes.len()).step_by(piece) {
            writer
                .write(bytes.slice(start..bytes.len().min(start + piece)))
                .await
                .unwrap();
        }
        let (digest, size) = writer.finish().await.unwrap();
        assert_eq!((digest, size), (Digest::of(&bytes), bytes.len() as u64));
        fs::remove_file(blob_file(&dir, &digest)).unwrap();
    }
    let empty = store.blobs().writer().finish().await.unwrap();
    assert_eq!(empty, (Digest::of(b""), 0));
}

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_nothing() {
    let (dir, store) = local().await;
    let before = files(dir.path());
    let mut writer = store.blobs().writer();
    writer.write(text(20 * MIB).into()).await.unwrap();
    drop(writer);
    // What was on its way to the file ends first, then the file goes.
    for _ in 0..6000 {
        if files(dir.path()) == before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("still there: {:?}", files(dir.path()));
}

#[tokio::test]
async fn any_range_can_be_read_in_any_order() {
    let (_dir, store) = local().await;
    let bytes = text(13 * MIB + 5);
    let digest = store.blobs().put(bytes.clone().into()).await.unwrap();
    let reader = store.blobs().open(&digest).await.unwrap();
    assert_eq!(reader.len(), bytes.len() as u64);
    let ranges = [
        (0, 10),
        (5 * MIB, MIB),
        (5 * MIB + 1, 2 * MIB),
        (13 * MIB, 100),
        (MIB - 1, 2),
        (13 * MIB + 5, 1),
        (usize::MAX >> 1, 5),
        (0, 14 * MIB),
        (3 * MIB, 0),
        (12 * MIB, 9 * MIB),
    ];
    for (offset, len) in ranges {
        let from = offset.min(bytes.len());
        let to = offset.saturating_add(len).min(bytes.len());
        assert_eq!(
            reader.read_at(offset as u64, len).await.unwrap(),
            bytes[from..to]
        );
    }
    for piece in [300_000, MIB, 2_500_000] {
        let mut all = Vec::new();
        while all.len() < bytes.len() {
            all.extend_from_slice(&reader.read_at(all.len() as u64, piece).await.unwrap());
        }
        assert!(all == bytes, "pieces of {piece}");
    }
    // Backwards, and by two readers at once.
    for start in (0..bytes.len()).step_by(MIB).rev() {
        let end = bytes.len().min(start + MIB);
        let (a, b) = tokio::join!(reader.read_at(start as u64, MIB), reader.read_at(7, 9));
        assert_eq!(a.unwrap(), bytes[start..end]);
        assert_eq!(b.unwrap(), bytes[7..16]);
    }
}

#[tokio::test]
async fn a_blob_that_is_there_is_not_written_again_but_a_cut_one_is() {
    let (dir, store) = local().await;
    for bytes in [text(1000), text(9 * MIB)] {
        let digest = store.blobs().put(bytes.clone().into()).await.unwrap();
        let file = blob_file(&dir, &digest);
        let made = fs::metadata(&file).unwrap();
        store.blobs().put(bytes.clone().into()).await.unwrap();
        use std::os::unix::fs::MetadataExt;
        assert_eq!(fs::metadata(&file).unwrap().ino(), made.ino());

        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(made.len() - 1)
            .unwrap();
        assert!(!store.blobs().contains(&digest).await.unwrap());
        let damaged = store.blobs().get(&digest).await.unwrap_err();
        assert!(
            damaged.to_string().contains("bytes instead of"),
            "{damaged}"
        );
        store.blobs().put(bytes.clone().into()).await.unwrap();
        assert_eq!(store.blobs().get(&digest).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_blob_that_is_not_there_or_too_large_is_named() {
    let (_dir, store) = local().await;
    let digest = Digest::of(b"never stored");
    let missing = store.blobs().get(&digest).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!("blob `{digest}` is not in the datastore")
    );
    assert!(!store.blobs().contains(&digest).await.unwrap());
    for size in [1000, 9 * MIB] {
        let digest = store.blobs().put(text(size).into()).await.unwrap();
        let large = store
            .blobs()
            .get_bounded(&digest, size as u64 - 1)
            .await
            .unwrap_err();
        assert!(matches!(large, BlobError::TooLarge { .. }));
        assert!(
            store
                .blobs()
                .get_bounded(&digest, size as u64)
                .await
                .is_ok()
        );
    }
}

/// Whether a read of a damaged file gives an error or, where a bit has no meaning, the same bytes.
async fn found_or_harmless(store: &Datastore, digest: &Digest, bytes: &[u8]) -> bool {
    match store.blobs().get(digest).await {
        Ok(read) => {
            assert!(read == bytes, "damage went unnoticed");
            false
        }
        Err(BlobError::Damaged { .. } | BlobError::Newer { .. }) => true,
        Err(e) => panic!("not an error about damage: {e}"),
    }
}

#[tokio::test]
async fn every_flipped_bit_of_a_small_blob_is_found() {
    let (dir, store) = local().await;
    let bytes = text(700);
    let digest = store.blobs().put(bytes.clone().into()).await.unwrap();
    let file = blob_file(&dir, &digest);
    let good = fs::read(&file).unwrap();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            fs::write(&file, &bad).unwrap();
            let found = found_or_harmless(&store, &digest, &bytes).await;
            // A frame's header has one bit that means nothing (RFC 8878, 3.1.1.1.1.3).
            assert!(found || (at >= 80), "byte {at} bit {bit}");
        }
    }
    for cut in 0..good.len() {
        fs::write(&file, &good[..cut]).unwrap();
        assert!(
            found_or_harmless(&store, &digest, &bytes).await,
            "cut at {cut}"
        );
    }
    fs::write(&file, [&good[..], b"x"].concat()).unwrap();
    assert!(found_or_harmless(&store, &digest, &bytes).await);
}

#[tokio::test]
async fn every_flipped_byte_of_the_tables_of_a_large_blob_is_found() {
    let (dir, store) = local().await;
    let bytes = text(9 * MIB);
    let digest = store.blobs().put(bytes.clone().into()).await.unwrap();
    let path = blob_file(&dir, &digest);
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let len = file.metadata().unwrap().len();
    let tables = 8 + 9 * 32 + 8 + 11 * 8 + 9;
    for at in (0..80).chain(len - tables..len) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
        assert!(
            store.blobs().open(&digest).await.is_err(),
            "byte {at} of {len}"
        );
        file.write_all_at(&byte, at).unwrap();
    }
    assert_eq!(store.blobs().get(&digest).await.unwrap(), bytes);
}

#[tokio::test]
async fn damage_in_a_range_is_found_and_other_ranges_can_be_read() {
    let (dir, store) = local().await;
    for bytes in [text(9 * MIB), noise(9 * MIB)] {
        let digest = store.blobs().put(bytes.clone().into()).await.unwrap();
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(blob_file(&dir, &digest))
            .unwrap();
        // In the middle of the first frame.
        let mut byte = [0];
        file.read_exact_at(&mut byte, 100_000).unwrap();
        file.write_all_at(&[!byte[0]], 100_000).unwrap();
        let reader = store.blobs().open(&digest).await.unwrap();
        for _ in 0..2 {
            let damaged = reader.read_at(500_000, 10).await.unwrap_err();
            assert!(matches!(damaged, BlobError::Damaged { .. }));
        }
        assert_eq!(
            reader.read_at(MIB as u64, MIB).await.unwrap(),
            bytes[MIB..2 * MIB]
        );
        assert!(store.blobs().get(&digest).await.is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_to_a_file_no_wrong_byte_is_read(
        size in prop_oneof![1_usize..3000, Just(8 * MIB + 100)],
        at in any::<prop::sample::Index>(),
        with in proptest::collection::vec(any::<u8>(), 0..40),
        cut in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (dir, store) = local().await;
            let bytes = text(size);
            let digest = store.blobs().put(bytes.clone().into()).await.unwrap();
            let path = blob_file(&dir, &digest);
            let mut file = fs::read(&path).unwrap();
            let at = at.index(file.len());
            let end = file.len().min(at + with.len());
            if cut { file.truncate(at) } else { file[at..end].copy_from_slice(&with[..end - at]) }
            fs::write(&path, file).unwrap();
            found_or_harmless(&store, &digest, &bytes).await;
        });
    }

    #[test]
    fn a_file_of_anything_is_no_blob(garbage in proptest::collection::vec(any::<u8>(), 0..400)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let inner = Arc::new(MemoryStore::new());
            let digest = Digest::of(b"x");
            let hex = digest.to_string();
            let key = Key::new(&format!("blobs/{}/{hex}", &hex[..2])).unwrap();
            inner.put(&key, garbage.into()).await.unwrap();
            let store = Datastore::with_store(inner);
            assert!(matches!(store.blobs().get(&digest).await, Err(BlobError::Damaged { .. })));
        });
    }
}

#[tokio::test]
async fn a_blob_that_claims_to_be_huge_is_refused_before_memory_is_taken() {
    let (dir, store) = local().await;
    for size in [700, 9 * MIB] {
        let digest = store.blobs().put(text(size).into()).await.unwrap();
        for claim in [size as u64 + 1, 7 * MIB as u64, 1 << 40, 1 << 62, u64::MAX] {
            let file = fs::File::options()
                .write(true)
                .open(blob_file(&dir, &digest))
                .unwrap();
            file.write_all_at(&claim.to_le_bytes(), 32).unwrap();
            assert!(
                store.blobs().get_bounded(&digest, u64::MAX).await.is_err(),
                "{claim}"
            );
        }
    }
}

// Values

#[tokio::test]
async fn small_values_stay_inline_within_their_budget() {
    let (_dir, store) = local().await;
    let mut budget = INLINE_VALUE + 10;
    let make = |len| Bytes::from(text(len));
    let small = store
        .store_value(MediaType::cbor(), make(INLINE_VALUE), &mut budget)
        .await
        .unwrap();
    assert!(matches!(small.at, ValueAt::Inline(_)));
    assert_eq!(budget, 10);
    let second = store
        .store_value(MediaType::cbor(), make(11), &mut budget)
        .await
        .unwrap();
    assert!(matches!(second.at, ValueAt::Blob));
    let mut plenty = usize::MAX;
    let large = store
        .store_value(MediaType::cbor(), make(INLINE_VALUE + 1), &mut plenty)
        .await
        .unwrap();
    assert!(matches!(large.at, ValueAt::Blob));
    for (value, len) in [
        (&small, INLINE_VALUE),
        (&second, 11),
        (&large, INLINE_VALUE + 1),
    ] {
        assert_eq!(store.load(value).await.unwrap(), make(len));
    }
    assert!(matches!(
        store.load(&small.slim()).await,
        Err(BlobError::InRecord { .. })
    ));
    let mut wrong = small.clone();
    wrong.at = ValueAt::Inline(make(5));
    assert!(matches!(
        store.load(&wrong).await,
        Err(BlobError::Damaged { .. })
    ));
    for size in [10, 12] {
        let wrong = Value {
            size,
            ..second.clone()
        };
        assert!(store.load(&wrong).await.is_err(), "{size}");
    }
}

#[tokio::test]
async fn elements_of_a_list_are_taken_one_by_one() {
    let (_dir, store) = local().await;
    let json = serde_json::json!([1, "two", [3, 4]]);
    let bytes = Bytes::from(wrun::datastore::cbor::from_json(&json));
    let list = store
        .load_list(&Value::inline(MediaType::cbor(), bytes))
        .await
        .unwrap();
    assert_eq!(list.len(), 3);
    let shown = |i| wrun::datastore::cbor::to_text(&list.get(i).unwrap()).unwrap();
    assert_eq!([shown(0), shown(1), shown(2)], ["1", "\"two\"", "[3, 4]"]);
    assert_eq!(list.get(3), None);
    assert_eq!(list.get(usize::MAX), None);
    let value = Value::inline(MediaType::cbor(), Bytes::from_static(&[0xA0]));
    assert!(matches!(
        store.load_list(&value).await,
        Err(BlobError::NotAList { .. })
    ));
}

#[tokio::test]
async fn a_snapshot_comes_back() {
    let (dir, store) = local().await;
    let digest = store.put_snapshot(b"manifest").await.unwrap();
    assert_eq!(store.get_snapshot(&digest).await.unwrap(), "manifest");
    let path = dir.path().join(format!("store/snapshots/{digest}"));
    let mut file = fs::read(&path).unwrap();
    *file.last_mut().unwrap() ^= 1;
    fs::write(&path, file).unwrap();
    assert!(matches!(
        store.get_snapshot(&digest).await,
        Err(BlobError::Damaged { .. })
    ));
}

// Runs and journals

#[tokio::test]
async fn runs_are_numbered_and_listed_newest_first() {
    for store in [local().await.1, Datastore::memory().await] {
        assert_eq!(store.latest(None).await.unwrap(), None);
        for number in 1..=12 {
            let run = store.create_run(&flow(), header).await.unwrap();
            assert_eq!(run.id().number, number);
            assert_eq!(store.run(run.id()).await.unwrap().header(), run.header());
        }
        let other: FlowName = "word".parse().unwrap();
        store.create_run(&other, header).await.unwrap();
        let hyphen: FlowName = "word-x".parse().unwrap();
        store.create_run(&hyphen, header).await.unwrap();
        assert_eq!(
            store.flows().await.unwrap(),
            [other.clone(), hyphen, flow()]
        );
        let newest = store.runs(&flow(), 3).await.unwrap();
        assert_eq!(
            newest.iter().map(|run| run.number).collect::<Vec<_>>(),
            [12, 11, 10]
        );
        assert_eq!(store.latest(Some(&other)).await.unwrap().unwrap().number, 1);
        assert_eq!(
            store.latest(None).await.unwrap().unwrap().to_string(),
            "wordcount/12"
        );
        let never = RunId {
            flow: flow(),
            number: 99,
        };
        assert!(matches!(
            store.run(&never).await,
            Err(RunError::Missing { .. })
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_started_at_once_get_numbers_of_their_own() {
    let (_dir, store) = local().await;
    let starts: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.create_run(&flow(), header).await.unwrap() })
        })
        .collect();
    let mut numbers = Vec::new();
    for start in starts {
        let run = start.await.unwrap();
        assert_eq!(run.header().run, *run.id());
        numbers.push(run.id().number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
}

#[tokio::test]
async fn results_of_equal_elements_are_noted_once_and_the_last_one_stays() {
    let (_dir, store) = local().await;
    let run = store.create_run(&flow(), header).await.unwrap();
    let entry = |key: u32, segment| Entry {
        key: Digest::of(&key.to_le_bytes()),
        segment,
        logs_from: segment,
    };
    // A hundred thousand equal keys would shrink a hundredfold, and be refused when they are read.
    let mut entries = vec![entry(1, 0)];
    entries.extend((0..100_000).map(|_| entry(2, 1)));
    entries.push(entry(2, 9));
    run.put_memo(entries).await.unwrap();
    let noted = run.memo().await.unwrap().unwrap().entries;
    assert_eq!(noted, [entry(1, 0), entry(2, 1), entry(2, 9)]);
    let many: Vec<_> = (0..100_000).map(|key| entry(key, 7)).collect();
    run.put_memo(many.clone()).await.unwrap();
    assert_eq!(run.memo().await.unwrap().unwrap().entries, many);
}

#[tokio::test]
async fn what_would_not_be_read_again_is_not_written() {
    let (_dir, store) = local().await;
    let large = |run| RunHeader {
        user: "a".repeat(17 << 20),
        ..header(run)
    };
    let refused = store.create_run(&flow(), large).await.unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("cannot be written: it would have 178"),
        "{text}"
    );
    let bound = "bytes, more than the 16777216 that a header may have";
    assert!(text.ends_with(bound), "{text}");
    assert_eq!(store.runs(&flow(), 10).await.unwrap(), []);
}

#[tokio::test]
async fn tags_and_summaries_are_kept() {
    let (_dir, store) = local().await;
    let run = store.create_run(&flow(), header).await.unwrap();
    let tag = |text: &str| text.parse().unwrap();
    assert_eq!(run.tags().await.unwrap(), [tag("first")]);
    assert!(run.add_tag(&tag("best")).await.unwrap());
    assert!(!run.add_tag(&tag("best")).await.unwrap());
    assert!(run.remove_tag(&tag("first")).await.unwrap());
    assert!(!run.remove_tag(&tag("first")).await.unwrap());
    let again = store.run(run.id()).await.unwrap();
    assert_eq!(again.tags().await.unwrap(), [tag("best")]);

    assert_eq!(run.summary().await.unwrap(), None);
    let counts = TaskCounts {
        succeeded: 3,
        attempts: 4,
        ..TaskCounts::default()
    };
    let summary = RunSummary {
        status: RunStatus::Succeeded,
        started_at: Timestamp(1),
        ended_at: Timestamp(2),
        tasks: counts,
        steps: [("count".parse().unwrap(), counts)].into(),
        failure: None,
        segments: 2,
    };
    run.put_summary(&summary).await.unwrap();
    assert_eq!(again.summary().await.unwrap(), Some(summary));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tags_added_at_once_are_all_there() {
    let (_dir, store) = local().await;
    let run = store.create_run(&flow(), header).await.unwrap();
    let adds: Vec<_> = (0..12)
        .map(|i| {
            let run = run.clone();
            tokio::spawn(async move { run.add_tag(&format!("t{i}").parse().unwrap()).await })
        })
        .collect();
    for add in adds {
        assert!(add.await.unwrap().unwrap());
    }
    assert_eq!(run.tags().await.unwrap().len(), 13);
}

#[tokio::test]
async fn a_journal_comes_back_and_can_be_followed() {
    for store in [local().await.1, Datastore::memory().await] {
        let run = store.create_run(&flow(), header).await.unwrap();
        assert_eq!(run.events_from(0).await.unwrap(), (vec![], 0));
        let events: Vec<_> = (0..60).map(finished).collect();
        let mut writer = run.writer().await.unwrap();
        for (i, batch) in events.chunks(2).enumerate() {
            assert_eq!(writer.append(batch).await.unwrap(), i as u64);
        }
        assert_eq!(run.events().await.unwrap(), events);
        assert_eq!(
            run.events_from(29).await.unwrap(),
            (events[58..].to_vec(), 30)
        );
        assert_eq!(run.events_from(30).await.unwrap(), (vec![], 30));
        assert_eq!(run.read_segment(3).await.unwrap(), events[6..8]);
        // Another writer goes on where the first stopped, and then the first must stop.
        let mut second = run.writer().await.unwrap();
        assert_eq!(second.append(&events[..1]).await.unwrap(), 30);
        let taken = writer.append(&events[..1]).await.unwrap_err();
        assert!(matches!(taken, JournalError::Taken { segment: 30, .. }));
        let given_up = writer.append(&events[..1]).await.unwrap_err();
        assert!(matches!(given_up, JournalError::GivenUp { .. }));
        assert_eq!(run.segments().await.unwrap(), 31);
    }
}

#[tokio::test]
async fn only_what_is_stored_enters_the_journal() {
    let store = Datastore::memory().await;
    let run = store.create_run(&flow(), header).await.unwrap();
    let started = Event::Started {
        task: "a/-".parse().unwrap(),
        attempt: 0,
        at: Timestamp(0),
    };
    run.writer()
        .await
        .unwrap()
        .append(&[started, finished(1)])
        .await
        .unwrap();
    assert_eq!(run.events().await.unwrap(), [finished(1)]);
}

#[tokio::test]
async fn damage_to_a_journal_is_found_and_named() {
    let (dir, store) = local().await;
    let run = store.create_run(&flow(), header).await.unwrap();
    let mut writer = run.writer().await.unwrap();
    for i in 0..4 {
        writer.append(&[finished(i)]).await.unwrap();
    }
    let segment = |n: u32| {
        dir.path()
            .join(format!("store/flows/wordcount/runs/1/journal/{n:010}"))
    };
    let good = fs::read(segment(1)).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(segment(1), &bad).unwrap();
        let found = run.events().await.unwrap_err();
        assert!(
            matches!(
                found,
                JournalError::Damaged { segment: 1, .. } | JournalError::Newer { .. }
            ),
            "byte {at}: {found}"
        );
    }
    fs::write(segment(1), &good[..good.len() - 1]).unwrap();
    insta::assert_snapshot!(run.events().await.unwrap_err(), @"segment 1 of the journal of `wordcount/1` is damaged: its bytes are not those that were sealed; the events in it are lost, those before it can be read; run the flow again for what is lost");
    // One segment in the place of another is damage too.
    fs::copy(segment(2), segment(1)).unwrap();
    assert!(matches!(
        run.events().await,
        Err(JournalError::Damaged { segment: 1, .. })
    ));
    // A hole is an error, a missing end is a shorter journal.
    fs::remove_file(segment(1)).unwrap();
    insta::assert_snapshot!(run.events().await.unwrap_err(), @"segment 1 of the journal of `wordcount/1` is missing though later ones are there; the events in it are lost, those before it can be read; restore `flows/wordcount/runs/1/journal/0000000001` from a copy, or run the flow again");
    assert!(matches!(
        run.writer().await,
        Err(JournalError::Missing { segment: 1, .. })
    ));
    fs::write(segment(1), &good).unwrap();
    fs::remove_file(segment(3)).unwrap();
    assert_eq!(
        run.events().await.unwrap(),
        [finished(0), finished(1), finished(2)]
    );
}

#[tokio::test]
async fn a_lost_answer_is_not_another_driver() {
    let inner: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let run = Datastore::with_store(inner.clone())
        .create_run(&flow(), header)
        .await
        .unwrap();
    let lost = FaultStore::new(
        inner.clone(),
        Arc::new(|_, call| (call.method == "create").then_some(Fault::AnswerLost)),
    );
    let cut_off = Datastore::with_store(Arc::new(lost))
        .run(run.id())
        .await
        .unwrap();
    let mut writer = cut_off.writer().await.unwrap();
    // The outcome is not known, so the writer does not go on; the events are there all the same.
    let unknown = writer.append(&[finished(1)]).await.unwrap_err();
    assert!(matches!(
        unknown,
        JournalError::Store(StoreError::Unavailable { .. })
    ));
    assert!(matches!(
        writer.append(&[finished(2)]).await,
        Err(JournalError::GivenUp { .. })
    ));
    assert_eq!(run.events().await.unwrap(), [finished(1)]);
    assert_eq!(run.writer().await.unwrap().next(), 1);
}

#[tokio::test]
async fn a_full_disk_is_named_and_the_store_goes_on() {
    let inner: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let full = |_: u64, call: &wrun::datastore::object::fault::Call| {
        matches!(call.method, "create" | "put" | "write" | "finish")
            .then_some(Fault::Before(std::io::ErrorKind::StorageFull))
    };
    let store = Datastore::with_store(Arc::new(FaultStore::new(inner.clone(), Arc::new(full))));
    for size in [10, 9 * MIB] {
        let failed = store.blobs().put(text(size).into()).await.unwrap_err();
        assert!(matches!(failed, StoreError::Full { .. }));
        assert!(
            failed.to_string().starts_with("no space is left to write"),
            "{failed}"
        );
    }
    let healthy = Datastore::with_store(inner);
    let digest = healthy.blobs().put(text(10).into()).await.unwrap();
    assert_eq!(healthy.blobs().get(&digest).await.unwrap(), text(10));
}

// Which datastore it is

#[tokio::test]
async fn what_is_no_datastore_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| DatastoreUrl::directory(dir.path().join(name));
    let nothing = Datastore::open(&at("nothing")).await.unwrap_err();
    assert!(matches!(nothing, DatastoreError::Missing { .. }));
    assert!(!dir.path().join("nothing").exists());

    fs::create_dir(dir.path().join("home")).unwrap();
    fs::write(dir.path().join("home/thesis.tex"), "…").unwrap();
    for refused in [
        Datastore::open(&at("home")).await,
        Datastore::open_or_create(&at("home")).await,
    ] {
        assert!(matches!(refused, Err(DatastoreError::NotADatastore { .. })));
    }
    assert_eq!(fs::read_dir(dir.path().join("home")).unwrap().count(), 1);
    let file = Datastore::open_or_create(&at("home/thesis.tex"))
        .await
        .unwrap_err();
    assert!(matches!(file, DatastoreError::NotADirectory { .. }));
    Datastore::open_or_create(&at("new/deep")).await.unwrap();
    Datastore::open(&at("new/deep")).await.unwrap();
    Datastore::open_or_create(&at("new/deep")).await.unwrap();
    let format = dir.path().join("new/deep/wrun-datastore");
    fs::write(&format, r#"{"format":2,"id":"x","more":true}"#).unwrap();
    for newer in [
        Datastore::open(&at("new/deep")).await,
        Datastore::open_or_create(&at("new/deep")).await,
    ] {
        assert!(matches!(newer, Err(DatastoreError::Newer { found: 2, .. })));
    }
    fs::write(&format, "{}").unwrap();
    let damaged = Datastore::open(&at("new/deep")).await.unwrap_err();
    assert!(matches!(damaged, DatastoreError::Damaged { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_datastore_made_by_many_at_once_is_one() {
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let url = DatastoreUrl::directory(dir.path().join("a/b"));
        let opens: Vec<_> = (0..8)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { Datastore::open_or_create(&url).await })
            })
            .collect();
        for open in opens {
            open.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_directory_without_permission_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let url = DatastoreUrl::directory(&closed);
    let result = Datastore::open_or_create(&url).await;
    let denied = matches!(&result, Err(DatastoreError::Store(StoreError::Denied { place, .. })) if place.contains("closed"));
    // The superuser may write everywhere; then the datastore works.
    let superuser = rustix::process::geteuid().is_root();
    assert_eq!(denied, !superuser, "{result:?}");
}

// The end of a process at any moment

const CHILD_DIR: &str = "WRUN_TEST_STORE_DIR";

/// Writes blobs and segments until it is killed, and tells of each when it is acknowledged.
#[tokio::test]
#[ignore = "the other half of `a_killed_writer_leaves_nothing_partial`, which starts it"]
async fn child_that_writes() {
    let dir = std::env::var(CHILD_DIR).expect("started by the other half");
    let store = Datastore::open_or_create(&DatastoreUrl::directory(dir))
        .await
        .unwrap();
    let run = store.create_run(&flow(), header).await.unwrap();
    let mut writer = run.writer().await.unwrap();
    for i in 0_u32.. {
        let size = if i % 7 == 3 { 9 * MIB } else { 50_000 };
        let mut bytes = text(size);
        bytes.extend_from_slice(format!("{} {i}", run.id()).as_bytes());
        let digest = store.blobs().put(bytes.into()).await.unwrap();
        println!("blob {digest}");
        writer.append(&[finished(i)]).await.unwrap();
        println!("segment {} {i}", run.id());
    }
}

#[tokio::test]
async fn a_killed_writer_leaves_nothing_partial() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let mut acknowledged = Vec::new();
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes", "--ignored", "--nocapture"])
            .env(CHILD_DIR, &place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        // The pipe stays open until the child is killed: it must not end by itself.
        let mut told = lines.filter(|line| line.starts_with("blob") || line.starts_with("segment"));
        for line in told.by_ref().take(3 + 2 * round) {
            acknowledged.push(line);
        }
        tokio::time::sleep(std::time::Duration::from_millis(3 * round as u64)).await;
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
        drop(told);
    }
    let store = Datastore::open(&DatastoreUrl::directory(&place))
        .await
        .unwrap();
    for line in &acknowledged {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["blob", digest] => drop(store.blobs().get(&digest.parse().unwrap()).await.unwrap()),
            ["segment", run, number] => {
                let run = store.run(&run.parse().unwrap()).await.unwrap();
                let number = number.parse().unwrap();
                assert_eq!(
                    run.read_segment(u64::from(number)).await.unwrap(),
                    [finished(number)]
                );
            }
            _ => panic!("unexpected: {line}"),
        }
    }
    // Also what was not acknowledged any more is whole wherever it has a name.
    for path in files(&place.join("blobs")) {
        let digest = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        store.blobs().get(&digest).await.unwrap();
    }
    assert_eq!(store.runs(&flow(), 100).await.unwrap().len(), 12);
    for run in store.runs(&flow(), 100).await.unwrap() {
        let run = store.run(&run).await.unwrap();
        run.events().await.unwrap();
        run.writer()
            .await
            .unwrap()
            .append(&[finished(1)])
            .await
            .unwrap();
    }
}

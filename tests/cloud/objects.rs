//! Objects over a bad wire: whatever is lost on the way, what was written is there, once.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use bytes::Bytes;
use wrun::aws::PathStyle;
use wrun::datastore::object::retry::{Patience, Retry, RetryStore};
use wrun::datastore::object::s3::S3Store;
use wrun::datastore::object::{Cleaning, Created, Key, ObjectStore, Prefix, Replaced};
use wrun::datastore::{BlobError, Blobs};
use wrun::model::time::Timestamp;

use super::server;
use super::wire::{self, Fault, Plan, Wire};

/// The store below `prefix` of the bucket at `endpoint`.
pub fn store(endpoint: &str, prefix: &str) -> (S3Store, RetryStore) {
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let patience = Patience {
        tries: 40,
        tries_unanswered: 40,
        first: Duration::from_millis(1),
        longest: Duration::from_millis(20),
    };
    let retry = Arc::new(Retry::new(patience, 5));
    let place = ("bucket", prefix);
    let store = S3Store::new(&config, place, PathStyle::Auto, retry.clone());
    let again = RetryStore::new(Arc::new(store.clone()), retry);
    (store, again)
}

fn noise(len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_is_there_twice() {
    let Some(moto) = server() else { return };
    for percent in [1, 5, 20] {
        let wire = Wire::to(moto.port(), wire::script(percent, percent));
        let (_, store) = store(&wire.endpoint(), &format!("at-{percent}"));
        let count = 120;
        let key = |n: u32| Key::new(&format!("o/{n:04}")).unwrap();
        for n in 0..count {
            let mine = Bytes::from(format!("mine {n}"));
            let created = store.create(&key(n), mine.clone()).await.unwrap();
            assert_eq!(created, Created::New, "{n} at {percent} %");
            // Another's stays another's, whatever is lost.
            let other = store.create(&key(n), "other".into()).await.unwrap();
            assert_eq!(other, Created::Exists, "{n} at {percent} %");
            let found = store.get(&key(n), 100).await.unwrap().unwrap();
            assert_eq!(found.bytes, mine);
            if n % 10 == 0 {
                let replaced = store.replace(&key(n), &found.version, "new".into()).await;
                assert_eq!(replaced.unwrap(), Replaced::Done);
                let late = store.replace(&key(n), &found.version, "late".into()).await;
                assert_eq!(late.unwrap(), Replaced::Changed);
            }
        }
        let keys = store.list(&Prefix::all(), None, 10_000).await.unwrap();
        assert_eq!(keys.len(), count as usize);
        assert!(wire.faults() >= percent, "{}", wire.faults());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_blob_survives_a_bad_wire_and_leaves_no_upload() {
    let Some(moto) = server() else { return };
    // Every kind of fault for the joining of the parts, and one request in five for all else.
    let rest = wire::script(11, 20);
    let joined = std::sync::atomic::AtomicU64::new(0);
    let plan: Plan = Arc::new(move |number, line| {
        if !(line.starts_with("POST ") && line.contains("uploadId")) {
            return rest(number, line);
        }
        match joined.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Some(Fault::error(200, "InternalError")),
            1 => Some(Fault::error(500, "InternalError")),
            2 => Some(Fault::Reset),
            // Done, and nobody knows: the next try is told that there is no such upload.
            3 => Some(Fault::Lost),
            _ => None,
        }
    });
    let wire = Wire::to(moto.port(), plan);
    let (s3, store) = store(&wire.endpoint(), "blobs");
    let blobs = Blobs::new(Arc::new(store), 1);
    let bytes = noise(41 << 20);
    let digest = blobs.put(bytes.clone()).await.unwrap();
    assert!(s3.has_checksums());
    assert_eq!(blobs.get(&digest).await.unwrap(), bytes);
    let reader = blobs.open(&digest).await.unwrap();
    for at in [0, 17 << 20, (40 << 20) + 5] {
        let found = reader.read_at(at, 3000).await.unwrap();
        assert_eq!(found, bytes.slice(at as usize..at as usize + 3000));
    }
    let (_, listed) = moto.request("GET", "/bucket?uploads");
    assert!(!listed.contains("<UploadId>"), "{listed}");
    assert!(wire.faults() > 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_written_carries_its_checksum() {
    let Some(moto) = server() else { return };
    let wire = Wire::to(moto.port(), Arc::new(|_, _| None));
    let (s3, store) = store(&wire.endpoint(), "checked");
    let key = Key::new("small").unwrap();
    store.create(&key, "one".into()).await.unwrap();
    let blobs = Blobs::new(Arc::new(store), 1);
    blobs.put(noise(20 << 20)).await.unwrap();
    assert!(s3.has_checksums());
    let heads = wire.heads();
    let written: Vec<_> = heads.iter().filter(|it| it.starts_with("put ")).collect();
    assert!(written.len() >= 4, "{heads:#?}");
    for head in written {
        // What S3 refuses: a checksum that is named and is not there.
        assert!(
            head.contains("x-amz-sdk-checksum-algorithm: crc64nvme"),
            "{head}"
        );
        assert!(head.contains("x-amz-checksum-crc64nvme: "), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_fails_is_let_go_of() {
    let Some(moto) = server() else { return };
    let plan: Plan = Arc::new(|_, line| {
        let second = line.starts_with("PUT ") && line.contains("partNumber=2");
        second.then(|| Fault::error(403, "AccessDenied"))
    });
    let wire = Wire::to(moto.port(), plan);
    let (_, store) = store(&wire.endpoint(), "blobs");
    let blobs = Blobs::new(Arc::new(store.clone()), 1);
    let failed = blobs.put(noise(30 << 20)).await.unwrap_err();
    assert!(
        failed
            .to_string()
            .starts_with("could not write `s3://bucket/blobs/blobs/")
    );
    let (_, listed) = moto.request("GET", "/bucket?uploads");
    assert!(!listed.contains("<UploadId>"), "{listed}");
    assert!(store.is_empty().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_parts_may_have_no_checksum_is_begun_anew() {
    let Some(moto) = server() else { return };
    let parts = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let plan: Plan = Arc::new(move |_, line| {
        let is_first = line.contains("partNumber=")
            && parts.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        is_first.then(|| {
            let body = "<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented.</Message></Error>";
            Fault::Answer(501, "", body.to_owned())
        })
    });
    let wire = Wire::to(moto.port(), plan);
    let (s3, store) = store(&wire.endpoint(), "old");
    let blobs = Blobs::new(Arc::new(store), 1);
    let bytes = noise(20 << 20);
    let digest = blobs.put(bytes.clone()).await.unwrap();
    assert!(!s3.has_checksums());
    assert_eq!(blobs.get(&digest).await.unwrap(), bytes);
    let (_, listed) = moto.request("GET", "/bucket?uploads");
    assert!(!listed.contains("<UploadId>"), "{listed}");
    let begun = wire
        .heads()
        .into_iter()
        .filter(|head| head.starts_with("post ") && head.contains("?uploads"));
    assert_eq!(begun.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_list_uploads_has_no_leftovers() {
    let Some(moto) = server() else { return };
    let plan: Plan = Arc::new(|_, line| {
        let asks = line.starts_with("GET ") && line.contains("uploads");
        asks.then(|| Fault::error(501, "NotImplemented"))
    });
    let wire = Wire::to(moto.port(), plan);
    let (_, store) = store(&wire.endpoint(), "left");
    let found = store.leftovers(Timestamp(u64::MAX), Cleaning::Look).await;
    assert_eq!(found.unwrap().count, 0);
    assert_eq!(wire.faults(), 1, "it is asked once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_knows_no_crc64_is_used_without() {
    let Some(moto) = server() else { return };
    let refused = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = refused.clone();
    // The header is not in the first line, so the first writing of each kind is refused.
    let plan: Plan = Arc::new(move |_, line| {
        let first = line.starts_with("PUT ")
            && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        first.then(|| {
            let body = "<Error><Code>InvalidRequest</Code><Message>Checksum algorithm provided is unsupported.</Message></Error>";
            Fault::Answer(400, "", body.to_owned())
        })
    });
    let wire = Wire::to(moto.port(), plan);
    let (s3, store) = store(&wire.endpoint(), "old");
    let blobs = Blobs::new(Arc::new(store), 1);
    let digest = blobs.put("small".into()).await.unwrap();
    assert!(!s3.has_checksums());
    assert_eq!(blobs.get(&digest).await.unwrap(), "small");
    let bytes = noise(20 << 20);
    let digest = blobs.put(bytes.clone()).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_whose_bytes_changed_in_the_bucket_is_found() {
    let Some(moto) = server() else { return };
    let (s3, store) = store(&moto.endpoint(), "p");
    let blobs = Blobs::new(Arc::new(store), 1);
    for len in [5000, 20 << 20] {
        let digest = blobs.put(noise(len)).await.unwrap();
        let hex = digest.to_string();
        let key = Key::new(&format!("blobs/{}/{hex}", &hex[..2])).unwrap();
        let mut bad = s3.get(&key, 1 << 30).await.unwrap().unwrap().bytes.to_vec();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        s3.put(&key, bad.into()).await.unwrap();
        let found = blobs.get(&digest).await.unwrap_err();
        assert!(matches!(found, BlobError::Damaged { .. }), "{found:?}");
    }
}

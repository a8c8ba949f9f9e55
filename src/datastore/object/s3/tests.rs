//! The conformance suite against a real server, and what only S3 has: parts, refusals, endpoints.
//!
//! The server is moto, which the tests start. Another that runs already, of whatever kind, is judged by
//! `WRUN_TEST_S3=http://127.0.0.1:4566 cargo test -p wrun --lib a_server_that_is_named -- --ignored`: it must take
//! `test` for both halves of the credentials, and what is written lies in its bucket `wrun-test` afterwards.

use aws_sdk_s3::config::{Credentials, Region};

use super::super::retry::{Patience, RetryStore};
use super::*;

#[path = "../../../../tests/cloud/moto.rs"]
mod moto;

use moto::Moto;

/// AWS as it is reached at `endpoint`.
fn config(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(
            Credentials::new("test", "test", None, None, "test"),
        ))
        .build()
}

fn retry() -> Arc<Retry> {
    let patience = Patience {
        first: Duration::from_millis(2),
        ..Patience::default()
    };
    Arc::new(Retry::new(patience, 1))
}

fn store(endpoint: &str, prefix: &str) -> S3Store {
    let place = ("bucket", prefix);
    S3Store::new(&config(endpoint), place, PathStyle::Auto, retry())
}

fn server() -> Option<Moto> {
    let moto = Moto::start()?;
    moto.bucket("bucket");
    Some(moto)
}

fn noise(len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_passes_in_a_bucket_and_below_a_prefix() {
    let Some(moto) = server() else { return };
    for prefix in ["", "team/a"] {
        let store = store(&moto.endpoint(), prefix);
        assert!(store.is_empty().await.unwrap());
        let store = RetryStore::new(Arc::new(store), retry());
        super::super::conformance::all(Arc::new(store.clone())).await;
        assert!(!store.is_empty().await.unwrap());
        moto.reset();
        moto.bucket("bucket");
    }
}

/// How many creators meet in one place, and how often.
const RACES: (u32, u32) = (8, 25);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a server in WRUN_TEST_S3"]
async fn a_server_that_is_named_passes_the_suite() {
    let endpoint = std::env::var("WRUN_TEST_S3").expect("it names a server");
    let builder = aws_sdk_s3::config::Builder::from(&config(&endpoint)).force_path_style(true);
    let made = Client::from_conf(builder.build());
    // It may be there from the last time.
    let _ = made.create_bucket().bucket("wrun-test").send().await;
    let prefix = crate::datastore::jobs::new_token();
    let at = |part: &str| {
        let place = ("wrun-test", &*format!("{prefix}/{part}"));
        S3Store::new(&config(&endpoint), place, PathStyle::Auto, retry())
    };
    let s3 = at("suite");
    assert!(s3.is_empty().await.unwrap());
    let store = RetryStore::new(Arc::new(s3.clone()), retry());
    super::super::conformance::all(Arc::new(store)).await;
    println!("the suite: passed, checksums {}", s3.has_checksums());

    let s3 = at("parts");
    let (bytes, key) = (noise(27 << 20), Key::new("large").unwrap());
    let mut upload = s3.upload(9).await.unwrap();
    for piece in bytes.chunks(1 << 20) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    upload.finish(&key, "headheadh".into()).await.unwrap();
    let part = s3.get_range(&key, 20 << 20, 100).await.unwrap().unwrap();
    assert_eq!(part.bytes, bytes.slice((20 << 20) - 9..(20 << 20) + 91));
    assert_eq!(part.total, 9 + bytes.len() as u64);
    println!(
        "an object in parts: passed, checksums {}",
        s3.has_checksums()
    );
    s3.0.copy_anew(&key, part.total, Some(1)).await.unwrap();
    assert_eq!(
        s3.get(&key, 1 << 30).await.unwrap().unwrap().bytes.len() as u64,
        part.total
    );
    println!("an object copied onto itself: passed");

    let (s3, mut doubled) = (at("races"), 0);
    for race in 0..RACES.1 {
        let key = Key::new(&format!("race/{race}")).unwrap();
        let creators = (0..RACES.0).map(|who| {
            let (s3, key) = (s3.clone(), key.clone());
            tokio::spawn(async move { s3.create(&key, format!("{who}").into()).await })
        });
        let mut winners = 0;
        for creator in creators.collect::<Vec<_>>() {
            winners += u32::from(matches!(creator.await.unwrap(), Ok(Created::New)));
        }
        doubled += u32::from(winners != 1);
    }
    println!("races: {} of {} had one winner", RACES.1 - doubled, RACES.1);
    assert_eq!(doubled, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_goes_in_parts_and_one_that_fails_leaves_nothing() {
    let Some(moto) = server() else { return };
    let store = store(&moto.endpoint(), "p");
    let bytes = noise(27 << 20);
    let key = Key::new("large").unwrap();
    let mut upload = store.upload(9).await.unwrap();
    for piece in bytes.chunks(1 << 20) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    upload.finish(&key, "headheadh".into()).await.unwrap();
    let whole = store.get(&key, 1 << 30).await.unwrap().unwrap().bytes;
    assert_eq!(whole.len(), 9 + bytes.len());
    assert_eq!(&whole[..9], b"headheadh");
    assert_eq!(whole.slice(9..), bytes);
    let part = store.get_range(&key, 20 << 20, 100).await.unwrap().unwrap();
    assert_eq!(part.bytes, whole.slice(20 << 20..(20 << 20) + 100));
    assert_eq!(part.total, whole.len() as u64);
    let posts = moto.said();
    assert!(
        posts
            .iter()
            .any(|line| line.contains("POST /bucket/p/large?uploadId="))
    );
    // The bucket goes away in the middle: what was begun is let go of.
    let begun = Sent::begin(&store, &key).await;
    assert_eq!(uploads(&moto), 1);
    begun.fail().await;
    assert_eq!(uploads(&moto), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refreshed_object_is_younger_and_has_its_bytes() {
    let Some(moto) = server() else { return };
    let store = store(&moto.endpoint(), "team/a");
    for size in [100, 12 << 20] {
        let key = Key::new("object~1").unwrap();
        let bytes = noise(size);
        store.put(&key, bytes.clone()).await.unwrap();
        let seen = store.survey(&Prefix::all(), None, 9).await.unwrap();
        for before in [None, Some(1)] {
            let copied = store.0.copy_anew(&key, size as u64, before).await;
            copied.unwrap();
            let now = store.get(&key, 1 << 30).await.unwrap().unwrap();
            assert!(now.bytes == bytes);
        }
        let now = store.survey(&Prefix::all(), None, 9).await.unwrap();
        assert!(now[0].modified >= seen[0].modified);
        let older = Listed {
            modified: Timestamp(seen[0].modified.0 - 1),
            ..seen[0].clone()
        };
        assert!(!store.remove(&older).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_nobody_ended_is_found_and_let_go_of() {
    let Some(moto) = server() else { return };
    let store = store(&moto.endpoint(), "p");
    let other = self::store(&moto.endpoint(), "another");
    for (store, name) in [(&store, "a"), (&other, "b")] {
        let begun = Sent::begin(store, &Key::new(name).unwrap()).await;
        // As a killed process leaves it.
        std::mem::forget(begun);
    }
    let all = Timestamp(u64::MAX);
    let found = store.leftovers(Timestamp(0), Cleaning::Remove).await;
    assert_eq!(found.unwrap().count, 0, "it may still be going on");
    assert_eq!(store.leftovers(all, Cleaning::Look).await.unwrap().count, 1);
    assert_eq!(uploads(&moto), 2);
    let found = store.leftovers(all, Cleaning::Remove).await.unwrap();
    assert_eq!((found.count, uploads(&moto)), (1, 1));
    assert_eq!(other.leftovers(all, Cleaning::Look).await.unwrap().count, 1);
}

/// How many multipart uploads are going on.
fn uploads(moto: &Moto) -> usize {
    let (status, text) = moto.request("GET", "/bucket?uploads");
    assert_eq!(status, 200, "{text}");
    text.matches("<UploadId>").count()
}

/// An upload that has begun.
struct Sent(upload::Sending);

impl Sent {
    async fn begin(store: &S3Store, key: &Key) -> Self {
        Self(upload::Sending::begin(store.0.clone(), key).await.unwrap())
    }

    /// Drops it, and waits until it is gone.
    async fn fail(self) {
        let bucket = self.0.bucket().clone();
        drop(self.0);
        // The task that lets go of it holds the bucket as long as it works.
        while Arc::strong_count(&bucket) > 2 {
            tokio::task::yield_now().await;
        }
    }
}

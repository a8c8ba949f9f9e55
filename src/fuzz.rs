//! Every decoder of what somebody else may have written, as a function of bytes.
//!
//! Not an interface: only the tests and fuzz targets of this repository call it, and it is public because they are
//! crates of their own. Here so that a decoder keeps its privacy in its room and still is reached by all
//! of them in one place. A decoder may refuse; it must not panic, and what it accepts must come back from its own
//! encoding as the same.
//!
//! Uses the rooms that decode. No room uses this one.

use std::cell::OnceCell;
use std::fmt::{Debug, Display};
use std::io::Write;
use std::net::TcpListener;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::datastore::blob::Blobs;
use crate::datastore::layout;
use crate::datastore::lease::Lease;
use crate::datastore::memo::Memo;
use crate::datastore::object::memory::MemoryStore;
use crate::datastore::object::{Key, ObjectStore};
use crate::datastore::run::RunSummary;
use crate::datastore::sealed::Kind;
use crate::datastore::url::DatastoreUrl;
use crate::datastore::{Datastore, cbor, sealed};
use crate::model::definition::Definition;
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::grant::Grant;
use crate::model::graph::FlowGraph;
use crate::model::header::{Limits, RunHeader};
use crate::model::id::{RunId, TaskId};
use crate::model::job::{JobSpec, Made};
use crate::model::name::Tag;
use crate::model::origin::Origin;
use crate::model::pathspec::PathSpec;
use crate::sandbox::fetch::{Fetch, Patience};
use crate::sandbox::wire::{self, ToAgent, ToCell};
use crate::snapshot::manifest::Manifest;
use crate::task::{self, trace::Trace};

/// A decoder: what it reads, and how.
pub type Decoder = (&'static str, fn(&[u8]));

/// All of them.
pub const DECODERS: &[Decoder] = &[
    ("cbor", values),
    ("blob", blob),
    ("sealed", sealed_object),
    ("journal", again::<Vec<Event>>),
    ("header", again::<RunHeader>),
    ("summary", again::<RunSummary>),
    ("lease", again::<Lease>),
    ("tags", again::<Vec<Tag>>),
    ("memo", again::<Memo>),
    ("job", again::<JobSpec>),
    ("made", again::<Made>),
    ("from_cell", |bytes| drop(wire::message::<ToAgent>(bytes))),
    ("from_agent", |bytes| drop(wire::message::<ToCell>(bytes))),
    ("settings", |bytes| {
        drop(text(bytes).map(crate::config::file::parse))
    }),
    ("path", |bytes| text(bytes).map_or((), path)),
    ("origin", |bytes| text(bytes).map_or((), printed::<Origin>)),
    ("grant", |bytes| text(bytes).map_or((), printed::<Grant>)),
    ("url", |bytes| drop(text(bytes).map(DatastoreUrl::from_str))),
    ("id", |bytes| text(bytes).map_or((), ids)),
    ("manifest", manifest),
    ("definition", definition),
    ("trace", trace),
    ("http", answer),
];

/// Gives `bytes` to the decoder `name`.
///
/// # Panics
/// When there is no such decoder, or it does what none may do.
pub fn decode(name: &str, bytes: &[u8]) {
    let found = DECODERS.iter().find(|(known, _)| *known == name);
    let (_, decoder) = found.unwrap_or_else(|| panic!("there is no decoder `{name}`"));
    decoder(bytes);
}

/// `content` as it lies under `key`, with a seal that holds: what only somebody who knows how would leave there.
///
/// # Panics
/// When `key` is none.
pub fn seal(key: &str, kind: [u8; 4], content: &[u8]) -> Bytes {
    let key = Key::new(key).expect("a key");
    let kind = Kind::new(kind, "anything", sealed::MAX_CONTENT);
    sealed::seal(&key, &kind, sealed::Nonce::new(), content)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// What is printed is parsed as the same.
fn printed<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    if let Ok(it) = text.parse::<T>() {
        let again = it.to_string().parse::<T>().ok();
        assert_eq!(again.as_ref(), Some(&it), "printed as `{it}`");
    }
}

fn ids(text: &str) {
    printed::<RunId>(text);
    printed::<TaskId>(text);
    printed::<Digest>(text);
}

fn path(text: &str) {
    // An error is an answer.
    let _ = PathSpec::typed(text);
    printed::<PathSpec>(text);
}

/// What is encoded is decoded as the same.
fn again<T: DeserializeOwned + Serialize + Debug>(bytes: &[u8]) {
    let Ok(it) = ciborium::from_reader::<T, _>(bytes) else {
        return;
    };
    let encode = |it: &T| {
        let mut out = Vec::new();
        ciborium::into_writer(it, &mut out).map(|()| out)
    };
    // What was decoded can be larger than what may be stored, and never of another form.
    let Ok(once) = encode(&it) else { return };
    let twice = ciborium::from_reader::<T, _>(&once[..]).expect("its own encoding");
    assert_eq!(encode(&twice).ok(), Some(once));
}

/// A value in CBOR: its one form is its one form, and all views of it are there.
fn values(bytes: &[u8]) {
    // Refusals are answers; each of these reads bytes that nobody has looked at.
    let _ = (
        cbor::to_json(bytes),
        cbor::to_text(bytes),
        cbor::list_offsets(bytes),
    );
    let Ok(normal) = cbor::normalise(bytes) else {
        return;
    };
    assert_eq!(cbor::normalise(&normal).ok().as_ref(), Some(&normal));
    cbor::to_text(&normal).expect("a value in its one form can be shown");
    assert!(cbor::differ::difference(&normal, &normal).is_none());
}

/// A blob's file under the name that its first 32 bytes say, read whole and in pieces.
fn blob(bytes: &[u8]) {
    let Some((name, file)) = bytes.split_first_chunk::<32>() else {
        return;
    };
    wait(async {
        let digest = Digest::from_bytes(*name);
        let store = Arc::new(MemoryStore::new());
        let file = Bytes::copy_from_slice(file);
        store
            .put(&layout::blob(&digest), file)
            .await
            .expect("memory takes it");
        let blobs = Blobs::new(store, 1);
        if let Ok(whole) = blobs.get_bounded(&digest, 64 << 20).await {
            assert_eq!(Digest::of(&whole), digest);
        }
        if let Ok(reader) = blobs.open(&digest).await {
            for offset in [0, 1, reader.len() / 2, reader.len(), u64::MAX] {
                // Damage is an answer.
                let _ = reader.read_at(offset, 1 << 16).await;
            }
        }
    });
}

/// A sealed object: as it is, and with a seal that holds.
fn sealed_object(bytes: &[u8]) {
    let key = Key::new("flows/x/tags").expect("a key");
    // What is not sealed is refused, which is an answer.
    let kind = Kind::new(*b"tags", "tags", sealed::MAX_CONTENT);
    let _ = sealed::open(&key, &kind, bytes);
    let good = sealed::seal(&key, &kind, sealed::Nonce::new(), bytes);
    assert_eq!(
        sealed::open(&key, &kind, &good).ok().as_deref(),
        Some(bytes)
    );
}

fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::decode(bytes) {
        let again = Manifest::decode(&manifest.encode()).expect("its own encoding");
        assert_eq!(again.encode(), manifest.encode());
    }
}

/// What a module says of itself: judged, whatever it is.
fn definition(bytes: &[u8]) {
    if let Ok(definition) = ciborium::from_reader::<Definition, _>(bytes)
        && let Err(problems) = FlowGraph::new(&definition)
    {
        assert!(!problems.to_string().is_empty());
    }
}

fn trace(bytes: &[u8]) {
    wait(async {
        let datastore = Datastore::memory().await;
        let digest = datastore.blobs().put(Bytes::copy_from_slice(bytes)).await;
        // Damage is an answer.
        let _ = Trace::recorded(&datastore, digest.ok().as_ref()).await;
    });
}

/// What a server says: asked by the one who asks for steps, over a real connection.
fn answer(bytes: &[u8]) {
    thread_local! {
        static SERVER: OnceCell<TcpListener> = const { OnceCell::new() };
    }
    SERVER.with(|server| {
        let server = server.get_or_init(|| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let server = server.try_clone().expect("the same port");
        let address = server.local_addr().expect("a bound socket has one");
        let origin = format!("http://{address}").parse().expect("an origin");
        let bytes = bytes.to_vec();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().expect("it is asked");
            // An error means that nobody listens to the end.
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            // What is asked is read, so that the answer is not thrown away with it.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        wait(async {
            let datastore = Datastore::memory().await;
            // Every end is an answer, but for one: that there is none.
            let _ = task::ask_once(&datastore, request(origin), &patient()).await;
        });
        serving.join().expect("the server ends with the connection");
    });
}

fn request(origin: Origin) -> Fetch {
    Fetch {
        method: "GET".into(),
        origin,
        target: "/".into(),
        fields: Vec::new(),
        body: Bytes::new(),
        patience: Patience::default(),
    }
}

fn patient() -> Limits {
    Limits {
        answer_mib: 1,
        answer_ms: 10_000,
        ..Limits::default()
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

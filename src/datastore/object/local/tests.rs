//! The conformance suite, the order of the steps, and every step failing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::*;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// The steps that were taken.
type Steps = Arc<Mutex<Vec<Step>>>;

/// A store that notes its steps and fails at step `fail`, if any.
fn noted(dir: &Path, fail: Option<(usize, io::ErrorKind)>) -> (LocalStore, Steps) {
    let steps = Steps::default();
    let notes = steps.clone();
    let probe: Probe = Arc::new(move |step| {
        let mut notes = notes.lock().unwrap();
        notes.push(step);
        match fail {
            Some((at, kind)) if notes.len() == at + 1 => Err(kind.into()),
            _ => Ok(()),
        }
    });
    (LocalStore::with_probe(dir, probe), steps)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    super::super::conformance::all(Arc::new(LocalStore::new(dir.path()))).await;
    let left: Vec<_> = fs::read_dir(dir.path().join(TMP))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["replace.lock"]);
}

#[tokio::test]
async fn a_name_is_given_after_the_bytes_are_durable_and_acknowledged_after_the_name_is() {
    let dir = tempfile::tempdir().unwrap();
    let (store, steps) = noted(dir.path(), None);
    store.create(&key("a/b/c"), "x".into()).await.unwrap();
    let dirs = |name: &str| Step::SyncDir(name.to_owned());
    let made = |name: &str| Step::MakeDir(name.to_owned());
    let named = Step::Rename("a/b/c".to_owned());
    assert_eq!(
        std::mem::take(&mut *steps.lock().unwrap()),
        [
            Step::Temp,
            made("tmp"),
            dirs(""),
            Step::Write,
            Step::SyncFile,
            named.clone(),
            made("a"),
            dirs(""),
            made("a/b"),
            dirs("a"),
            named,
            dirs("a/b"),
        ]
    );
    // From then on two flushes are all it costs.
    store.create(&key("a/b/d"), "x".into()).await.unwrap();
    let named = Step::Rename("a/b/d".to_owned());
    assert_eq!(
        std::mem::take(&mut *steps.lock().unwrap()),
        [Step::Temp, Step::Write, Step::SyncFile, named, dirs("a/b")]
    );
    store.create(&key("a/b/d"), "x".into()).await.unwrap();
    assert_eq!(*steps.lock().unwrap(), []);
}

#[tokio::test]
async fn a_step_that_fails_leaves_no_part_and_a_clear_error() {
    for fail in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        let (store, steps) = noted(dir.path(), Some((fail, io::ErrorKind::StorageFull)));
        let failed = store
            .create(&key("a/b/c"), "whole".into())
            .await
            .unwrap_err();
        assert!(matches!(&failed, StoreError::Full { place, .. } if place.ends_with("a/b/c")));
        let found = store.get(&key("a/b/c"), 100).await.unwrap();
        // Only when the flush of the directory failed may the object be there, and then all of it.
        assert!(
            found.is_none_or(|object| fail == 11 && object.bytes == "whole"),
            "step {fail}"
        );
        assert_eq!(steps.lock().unwrap().len(), fail + 1);
        // And the store goes on.
        store.put(&key("a/b/c"), "again".into()).await.unwrap();
        assert_eq!(
            store.get(&key("a/b/c"), 100).await.unwrap().unwrap().bytes,
            "again"
        );
        assert_eq!(fs::read_dir(dir.path().join(TMP)).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn an_upload_that_fails_says_so_and_leaves_nothing() {
    for fail in 0..9 {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = noted(dir.path(), Some((fail, io::ErrorKind::QuotaExceeded)));
        let run = async {
            let mut upload = store.upload(2).await?;
            upload.write("abc".into()).await?;
            upload.write("def".into()).await?;
            upload.finish(&key("x/y"), "HE".into()).await
        };
        assert!(
            matches!(run.await, Err(StoreError::Full { .. })),
            "step {fail}"
        );
        assert_eq!(
            fs::read_dir(dir.path().join(TMP)).map_or(0, Iterator::count),
            0,
            "step {fail}"
        );
    }
}

#[tokio::test]
async fn a_link_does_what_a_rename_without_overwriting_does() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("from"), "new").unwrap();
    fs::write(at("taken"), "old").unwrap();
    let taken = link_new(&at("from"), &at("taken")).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(at("taken")).unwrap(), b"old");
    assert!(matches!(
        link_new(&at("from"), &at("free")),
        Ok(Named::Linked)
    ));
    assert_eq!(fs::read(at("free")).unwrap(), b"new");
}

#[tokio::test]
async fn foreign_files_are_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::new(dir.path());
    store.put(&key("a/b"), "x".into()).await.unwrap();
    fs::write(dir.path().join("a/not a key"), "").unwrap();
    fs::write(dir.path().join("a/.hidden"), "").unwrap();
    let listed = store.list(&Prefix::all(), None, 10).await.unwrap();
    assert_eq!(listed, [key("a/b")]);
}

#[tokio::test]
async fn what_the_system_refuses_has_its_own_error() {
    let kinds = [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
        io::ErrorKind::Other,
    ];
    let mut names = Vec::new();
    for kind in kinds {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = noted(dir.path(), Some((0, kind)));
        let failed = store.put(&key("x"), "x".into()).await.unwrap_err();
        names.push(
            failed
                .to_string()
                .replace(&dir.path().display().to_string(), "DIR"),
        );
    }
    assert_eq!(
        names,
        [
            "permission denied for `DIR/x`",
            "`DIR/x` is on a read-only file system",
            "could not write `DIR/x`",
        ]
    );
}

/// Makes the file in `tmp/` look as if nobody had written to it for a day.
fn age(dir: &Path, name: &str) {
    let file = File::options()
        .write(true)
        .open(dir.join(TMP).join(name))
        .unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    file.set_modified(written - day).unwrap();
}

fn temporary(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir.join(TMP)).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_a_killed_process_left_goes_with_the_next_write() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(TMP)).unwrap();
    for name in ["wkilled", "wyoung", "replace.lock"] {
        fs::write(dir.path().join(TMP).join(name), "half").unwrap();
    }
    age(dir.path(), "wkilled");
    age(dir.path(), "replace.lock");

    let store = LocalStore::new(dir.path());
    assert!(store.get(&key("a"), 9).await.unwrap().is_none());
    assert_eq!(temporary(dir.path()).len(), 3, "reading removes nothing");
    store.put(&key("a"), "x".into()).await.unwrap();
    assert_eq!(temporary(dir.path()), ["replace.lock", "wyoung"]);
}

#[tokio::test]
async fn what_is_still_written_stays_however_long_it_takes() {
    let dir = tempfile::tempdir().unwrap();
    let mut slow = LocalStore::new(dir.path()).upload(0).await.unwrap();
    slow.write("slow".into()).await.unwrap();
    slow.write("ly".into()).await.unwrap();
    // Whoever brings a piece waits until the one before is in the file.
    slow.write(Bytes::new()).await.unwrap();
    age(dir.path(), &temporary(dir.path())[0]);

    let other = LocalStore::new(dir.path());
    other.put(&key("other"), "x".into()).await.unwrap();
    slow.finish(&key("slow"), Bytes::new()).await.unwrap();
    let found = other.get(&key("slow"), 9).await.unwrap().unwrap();
    assert_eq!(found.bytes, "slowly");
}

/// Holds the first that comes to the step `held` until `other` is seen, or for long; and whether it was seen.
fn holding(held: Step, other: Step) -> (Probe, Arc<AtomicBool>) {
    let (early, changed) = (Arc::new(AtomicBool::new(false)), Condvar::new());
    let (seen, told) = (Mutex::new(Vec::new()), early.clone());
    let probe: Probe = Arc::new(move |step| {
        let mut seen = seen.lock().unwrap();
        let is_first = step == held && !seen.contains(&held);
        seen.push(step);
        changed.notify_all();
        if is_first {
            // Whoever does not wait comes in no time; that one waits cannot be seen but by time.
            let long = Duration::from_millis(300);
            let missing = |seen: &mut Vec<Step>| !seen.contains(&other);
            let waited = changed.wait_timeout_while(seen, long, missing).unwrap().1;
            told.store(!waited.timed_out(), Ordering::SeqCst);
        }
        Ok(())
    });
    (probe, early)
}

/// Writes `first`, and `second` as soon as there is something at `made`; then comes to the step `told`.
fn one_after_the_other(probe: Probe, [first, second, made]: [&str; 3], told: Step) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(TMP)).unwrap();
    let store = LocalStore::with_probe(dir.path(), probe.clone());
    let made = dir.path().join(made);
    std::thread::scope(|scope| {
        scope.spawn(|| store.0.create(&key(first), b"x").unwrap());
        while !made.exists() {
            std::thread::yield_now();
        }
        store.0.create(&key(second), b"x").unwrap();
        probe(told).unwrap();
    });
}

#[test]
fn a_name_below_a_directory_that_is_being_made_waits_for_that_one() {
    let relied = Step::SyncDir("a".to_owned());
    let (probe, early) = holding(Step::SyncDir(String::new()), relied);
    let told = Step::MakeDir("told".to_owned());
    one_after_the_other(probe, ["a/first", "a/second", "a"], told);
    assert!(!early.load(Ordering::SeqCst));
}

#[test]
fn whoever_is_told_that_an_object_exists_may_rely_on_it() {
    let told = Step::MakeDir("told".to_owned());
    let (probe, early) = holding(Step::SyncDir("a".to_owned()), told.clone());
    one_after_the_other(probe, ["a/k", "a/k", "a/k"], told);
    assert!(!early.load(Ordering::SeqCst));
}

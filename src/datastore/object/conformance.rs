//! What every store must do, as tests that run against any of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{
    Cleaning, Created, Key, Leftovers, Listed, ObjectStore, Prefix, Replaced, StoreError, Version,
};
use crate::model::time::Timestamp;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn read(store: &dyn ObjectStore, at: &str) -> Option<Bytes> {
    store
        .get(&key(at), 1 << 30)
        .await
        .unwrap()
        .map(|object| object.bytes)
}

/// Runs the whole suite against an empty store.
pub(crate) async fn all(store: Arc<dyn ObjectStore>) {
    reads_what_was_written(&*store).await;
    replaces_only_what_is_unchanged(&*store).await;
    lists_in_order_and_in_pages(&*store).await;
    uploads_leave_all_or_nothing(&*store).await;
    surveys_what_it_lists(&*store).await;
    removes_what_it_saw_and_nothing_younger(&*store).await;
    one_of_many_creators_wins(&store).await;
    one_of_many_replacers_wins(&store).await;
    of_a_refresh_and_a_removal_one_has_no_effect(&store).await;
    readers_see_whole_objects(&store).await;
}

async fn reads_what_was_written(store: &dyn ObjectStore) {
    assert_eq!(read(store, "a/b").await, None);
    assert_eq!(store.get_range(&key("a/b"), 0, 1).await.unwrap(), None);
    assert_eq!(
        store.create(&key("a/b"), "one".into()).await.unwrap(),
        Created::New
    );
    assert_eq!(
        store.create(&key("a/b"), "two".into()).await.unwrap(),
        Created::Exists
    );
    assert_eq!(read(store, "a/b").await.unwrap(), "one");
    // A key below an object, and the directory of one, are no objects.
    assert_eq!(read(store, "a/b/c").await, None);
    assert_eq!(read(store, "a").await, None);

    store.put(&key("a/b"), "hello world".into()).await.unwrap();
    let part = async |offset, len| {
        let part = store
            .get_range(&key("a/b"), offset, len)
            .await
            .unwrap()
            .unwrap();
        (part.bytes, part.total)
    };
    assert_eq!(part(0, 5).await, ("hello".into(), 11));
    assert_eq!(part(6, 100).await, ("world".into(), 11));
    assert_eq!(part(11, 1).await, (Bytes::new(), 11));
    assert_eq!(part(u64::MAX, usize::MAX).await, (Bytes::new(), 11));
    assert_eq!(part(0, 0).await, (Bytes::new(), 11));

    let refused = store.get(&key("a/b"), 10).await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::TooLarge {
            size: 11,
            limit: 10,
            ..
        }
    ));
    assert_eq!(
        store
            .get(&key("a/b"), 11)
            .await
            .unwrap()
            .unwrap()
            .bytes
            .len(),
        11
    );

    store.put(&key("a/empty"), Bytes::new()).await.unwrap();
    assert_eq!(read(store, "a/empty").await.unwrap(), "");
    store.delete(&key("a/b")).await.unwrap();
    store.delete(&key("a/b")).await.unwrap();
    store.delete(&key("never/was")).await.unwrap();
    assert_eq!(read(store, "a/b").await, None);
    assert_eq!(
        store.create(&key("a/b"), "new".into()).await.unwrap(),
        Created::New
    );
}

async fn replaces_only_what_is_unchanged(store: &dyn ObjectStore) {
    let at = key("r/x");
    let none = Version("none".to_owned());
    assert_eq!(
        store.replace(&at, &none, "1".into()).await.unwrap(),
        Replaced::Changed
    );
    assert_eq!(read(store, "r/x").await, None);
    store.put(&at, "1".into()).await.unwrap();
    let old = store.get(&at, 10).await.unwrap().unwrap().version;
    assert_eq!(
        store.replace(&at, &old, "2".into()).await.unwrap(),
        Replaced::Done
    );
    assert_eq!(
        store.replace(&at, &old, "3".into()).await.unwrap(),
        Replaced::Changed
    );
    assert_eq!(read(store, "r/x").await.unwrap(), "2");
}

async fn lists_in_order_and_in_pages(store: &dyn ObjectStore) {
    let names = [
        "l/a-b/1", "l/a/1", "l/a/2/x", "l/a/2/y", "l/a.b", "l/a0/1", "l/b", "l/b~", "lx/1",
    ];
    for name in names {
        store.put(&key(name), "x".into()).await.unwrap();
    }
    let listed = async |prefix: &str, after: Option<&str>, limit| {
        let after = after.map(key);
        let prefix = Prefix::new(prefix).unwrap();
        let keys = store.list(&prefix, after.as_ref(), limit).await.unwrap();
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let mut sorted: Vec<_> = names[..8].iter().map(ToString::to_string).collect();
    sorted.sort();
    assert_eq!(listed("l/", None, 100).await, sorted);
    assert_eq!(listed("l/a/2/", None, 100).await, ["l/a/2/x", "l/a/2/y"]);
    assert_eq!(listed("l/nothing/", None, 100).await, Vec::<String>::new());
    assert_eq!(listed("l/", Some("l/zz"), 100).await, Vec::<String>::new());
    assert_eq!(listed("l/", None, 0).await, Vec::<String>::new());
    // Pages of every size, going on after the last key of the page before.
    for size in 1..=9 {
        let mut all = Vec::new();
        loop {
            let page = listed("l/", all.last().map(String::as_str), size).await;
            let last = page.len() < size;
            all.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(all, sorted, "pages of {size}");
    }
    // After keys that are not there: before, between, inside and behind.
    for after in ["k", "l/a", "l/a/2", "l/a/2/w", "l/a1", "m"] {
        let behind: Vec<_> = sorted
            .iter()
            .filter(|name| name.as_str() > after)
            .cloned()
            .collect();
        assert_eq!(
            listed("l/", Some(after), 100).await,
            behind,
            "after {after}"
        );
    }
    let everything = listed("", None, 1000).await;
    assert!(everything.is_sorted() && everything.contains(&"lx/1".to_owned()));
}

async fn uploads_leave_all_or_nothing(store: &dyn ObjectStore) {
    let before = store.list(&Prefix::all(), None, 1000).await.unwrap();
    let mut dropped = store.upload(4).await.unwrap();
    dropped.write("half".into()).await.unwrap();
    drop(dropped);
    let mut upload = store.upload(4).await.unwrap();
    for piece in ["one ", "", "two ", "three"] {
        upload.write(piece.into()).await.unwrap();
    }
    assert_eq!(
        store.list(&Prefix::all(), None, 1000).await.unwrap(),
        before
    );
    upload.finish(&key("u/x"), "HEAD".into()).await.unwrap();
    assert_eq!(read(store, "u/x").await.unwrap(), "HEADone two three");
    let again = store.upload(0).await.unwrap();
    again.finish(&key("u/x"), Bytes::new()).await.unwrap();
    assert_eq!(read(store, "u/x").await.unwrap(), "");
}

async fn survey(store: &dyn ObjectStore, prefix: &str) -> Vec<Listed> {
    let prefix = Prefix::new(prefix).unwrap();
    store.survey(&prefix, None, 1000).await.unwrap()
}

async fn surveys_what_it_lists(store: &dyn ObjectStore) {
    let before = survey(store, "l/").await;
    let prefix = Prefix::new("l/").unwrap();
    let keys = store.list(&prefix, None, 1000).await.unwrap();
    assert!(before.iter().map(|listed| &listed.key).eq(&keys));
    assert!(before.iter().all(|listed| listed.size == 1));
    let after = store.survey(&prefix, Some(&keys[2]), 2).await.unwrap();
    assert_eq!(after, before[3..5]);
    let none = store.leftovers(Timestamp(0), Cleaning::Remove).await;
    assert_eq!(none.unwrap(), Leftovers::default());
}

async fn removes_what_it_saw_and_nothing_younger(store: &dyn ObjectStore) {
    for name in ["m/a", "m/b"] {
        store.put(&key(name), "x".into()).await.unwrap();
    }
    let seen = survey(store, "m/").await;
    assert!(store.remove(&seen[0]).await.unwrap());
    assert!(store.remove(&seen[0]).await.unwrap(), "it is gone already");
    assert!(!store.refresh(&seen[0].key).await.unwrap());
    assert!(store.refresh(&seen[1].key).await.unwrap());
    // Somebody saw it when it was older than it is.
    let older = Listed {
        modified: Timestamp(seen[1].modified.0 - 1),
        ..seen[1].clone()
    };
    assert!(!store.remove(&older).await.unwrap());
    assert_eq!(read(store, "m/b").await.unwrap(), "x");
    let young = survey(store, "m/").await;
    assert!(young[0].modified >= seen[1].modified);
    assert!(store.remove(&young[0]).await.unwrap());
    assert_eq!(read(store, "m/b").await, None);
}

/// Whoever refreshes is told that it is gone, or it stays: never is it lost in between.
async fn of_a_refresh_and_a_removal_one_has_no_effect(store: &Arc<dyn ObjectStore>) {
    for round in 0..50 {
        let at = key(&format!("race/age/{round}"));
        store.put(&at, "x".into()).await.unwrap();
        let seen = survey(&**store, "race/age/").await.pop().unwrap();
        let seen = Listed {
            // As old as nothing else is.
            modified: Timestamp(seen.modified.0 - u64::from(round % 2 == 0)),
            ..seen
        };
        let (one, two) = (store.clone(), store.clone());
        let refreshing = tokio::spawn({
            let at = at.clone();
            async move { one.refresh(&at).await.unwrap() }
        });
        let removing = tokio::spawn(async move { two.remove(&seen).await.unwrap() });
        let (refreshed, removed) = (refreshing.await.unwrap(), removing.await.unwrap());
        let there = read(&**store, at.as_str()).await.is_some();
        assert_eq!(there, !removed, "round {round}");
        // A store that leaves what is fresh alone says true before it is removed.
        assert!(refreshed || !there, "round {round}");
        store.delete(&at).await.unwrap();
    }
}

async fn one_of_many_creators_wins(store: &Arc<dyn ObjectStore>) {
    for round in 0..20 {
        let at = key(&format!("race/{round}/x"));
        let tasks: Vec<_> = (0..16)
            .map(|i| {
                let (store, at) = (store.clone(), at.clone());
                tokio::spawn(async move { store.create(&at, format!("{i}").into()).await.unwrap() })
            })
            .collect();
        let mut winners = Vec::new();
        for (i, task) in tasks.into_iter().enumerate() {
            if task.await.unwrap() == Created::New {
                winners.push(i);
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(
            read(&**store, at.as_str()).await.unwrap(),
            winners[0].to_string()
        );
    }
}

async fn one_of_many_replacers_wins(store: &Arc<dyn ObjectStore>) {
    let at = key("race/replace");
    store.put(&at, "old".into()).await.unwrap();
    let version = store.get(&at, 10).await.unwrap().unwrap().version;
    let tasks: Vec<_> = (0..16)
        .map(|i| {
            let (store, at, version) = (store.clone(), at.clone(), version.clone());
            tokio::spawn(async move {
                store
                    .replace(&at, &version, format!("{i}").into())
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.unwrap() == Replaced::Done);
    }
    assert_eq!(done, 1);
}

async fn readers_see_whole_objects(store: &Arc<dyn ObjectStore>) {
    const LEN: usize = 300_000;
    let at = key("whole/x");
    let writer = {
        let (store, at) = (store.clone(), at.clone());
        tokio::spawn(async move {
            for i in 0..40_u8 {
                store.put(&at, vec![i; LEN].into()).await.unwrap();
            }
        })
    };
    let mut seen = BTreeSet::new();
    while !writer.is_finished() {
        if let Some(bytes) = read(&**store, at.as_str()).await {
            assert_eq!(bytes.len(), LEN);
            assert!(bytes.iter().all(|byte| *byte == bytes[0]));
            seen.insert(bytes[0]);
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    assert_eq!(read(&**store, at.as_str()).await.unwrap()[0], 39);
}

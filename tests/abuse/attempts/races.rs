//! A directory that somebody changes while a step reads it: what is inside is seen, or nothing, and never what is outside.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{SECRET, machine, outcomes, run};

/// Puts a file, a link to the secret, a directory and a link to a directory in each other's place until told to stop.
fn swap(corpus: &Path, stopped: &AtomicBool, swaps: &AtomicU64) {
    let (file, next) = (corpus.join("swap"), corpus.join("next"));
    let (place, other) = (corpus.join("place"), corpus.join("other"));
    fs::create_dir(&place).unwrap();
    fs::write(place.join("secret"), "inside").unwrap();
    while !stopped.load(Ordering::SeqCst) {
        fs::write(&next, "inside").unwrap();
        fs::rename(&next, &file).unwrap();
        symlink("../secret", &next).unwrap();
        fs::rename(&next, &file).unwrap();
        fs::rename(&place, &other).unwrap();
        symlink("../outside", &place).unwrap();
        fs::remove_file(&place).unwrap();
        fs::rename(&other, &place).unwrap();
        swaps.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_link_that_is_swapped_while_it_is_read_leads_nowhere() {
    let world = machine();
    let (stopped, swaps) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let swapping = {
        let (corpus, stopped, swaps) =
            (world.path().join("corpus"), stopped.clone(), swaps.clone());
        std::thread::spawn(move || swap(&corpus, &stopped, &swaps))
    };
    let items = [
        "race /corpus/swap",
        "race /corpus/place/secret",
        "race /corpus/place",
        "race /corpus",
    ];
    let said = run(&world, "1", &items.map(str::to_owned));
    stopped.store(true, Ordering::SeqCst);
    swapping.join().unwrap();
    assert_eq!(said.code, 0, "{}", said.stderr);
    let seen = outcomes(&world, items.len());
    for (item, seen) in items.iter().zip(&seen) {
        assert!(!seen.contains(SECRET), "{item}: {seen}");
        assert!(
            !seen.contains("corpus2"),
            "{item} listed what is above: {seen}"
        );
    }
    assert!(seen[0].contains("got \"inside\""), "{seen:?}");
    let swaps = swaps.load(Ordering::SeqCst);
    assert!(swaps > 0);
    eprintln!("{swaps} swaps");
}

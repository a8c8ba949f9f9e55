//! What collecting and repairing find, and what must hold of a datastore after them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Once;

use serde_json::Value as Json;
use wrun::cli::exit;
use wrun::model::digest::Digest;

use super::check::{Found, below};
use super::scenario::{self, BLOBS, Scenario, UNENDED};
use super::world::{World, module};

/// What is done to a datastore before it is collected or repaired.
pub struct Keeping {
    /// Done by hand, when all commands before were executed.
    damage: fn(&World),
    /// The keys that are damaged then; `wrun fsck` must never find others.
    wrong: BTreeSet<String>,
    /// Runs that are there in the end, and are replayed: once, because what is found in the end is the
    /// same each time, to the last byte of what a replay reads.
    runs: &'static [&'static str],
    replayed: Once,
}

impl Keeping {
    fn new(damage: fn(&World), runs: &'static [&'static str]) -> Self {
        Self {
            damage,
            wrong: BTreeSet::new(),
            runs,
            replayed: Once::new(),
        }
    }

    /// Damages a datastore that was prepared.
    pub fn prepare(&mut self, world: &World) {
        (self.damage)(world);
        self.wrong = wrong(world);
    }

    /// What is there in the middle: nothing is damaged that was not.
    pub fn look(&self, world: &World, shown: &[Json]) -> Found {
        if self.wrong.is_empty() {
            return self.found(world, shown);
        }
        let now = wrong(world);
        assert!(now.is_subset(&self.wrong), "{now:?}");
        Found::default()
    }

    /// What is there in the end: which objects there are is a part of it, and what is in those that
    /// are not written anew.
    pub fn found(&self, world: &World, shown: &[Json]) -> Found {
        let mut found = scenario::found(world, shown);
        let store = world.store();
        for file in below(&store) {
            let name = file.strip_prefix(&store).unwrap().to_str().unwrap();
            let is_new = ["gc/", "memo/"].iter().any(|it| name.starts_with(it))
                || name.contains("/removed/")
                || name.ends_with("/summary");
            let bytes = match is_new {
                true => String::new(),
                false => Digest::of(&fs::read(&file).unwrap()).to_string(),
            };
            if !name.starts_with("tmp/") {
                found.counts.insert(format!("object {name}"), bytes);
            }
        }
        found
    }

    /// In the end all is whole, and every run comes to what it came to.
    pub fn prove(&self, world: &World) {
        let whole = world.wrun(&["fsck", "--data"]);
        assert_eq!(whole.code, 0, "{}", whole.stdout);
        self.replayed.call_once(|| {
            for run in self.runs {
                world.wrun(&["replay", run]).good();
            }
        });
    }
}

/// The keys of what `wrun fsck` finds damaged.
fn wrong(world: &World) -> BTreeSet<String> {
    let said = world.wrun(&["fsck", "--data", "--json"]);
    let codes = [0, i32::from(exit::DAMAGED)];
    assert!(codes.contains(&said.code), "{}", said.stderr);
    let report: Json = serde_json::from_str(&said.stdout).unwrap();
    let faults = report["faults"].as_array().unwrap().iter();
    faults
        .map(|it| it["key"].as_str().unwrap().to_owned())
        .collect()
}

/// What a process has left that was killed two days ago, and a blob that nothing refers to.
fn leave(world: &World) {
    let left = world.store().join("tmp/wleft");
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(&left, "half a blob").unwrap();
    let file = fs::File::options().append(true).open(&left).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    let days = std::time::Duration::from_secs(2 * 24 * 60 * 60);
    file.set_modified(written - days).unwrap();
}

/// Loses something of every kind that can be had back.
fn lose(world: &World) {
    let store = world.store();
    let blob = |artifact: &str| {
        let said = world.json(&["get", artifact]);
        let digest = said["digest"].as_str().unwrap().to_owned();
        store.join("blobs").join(&digest[..2]).join(digest)
    };
    let words = [0, 1, 2].map(|index| blob(&format!("foreach/1/square/{index}/word")));
    fs::remove_file(&words[0]).unwrap();
    flip(&words[1]);
    fs::remove_file(store.join("flows/foreach/runs/1/summary")).unwrap();
    flip(&store.join(format!("flows/foreach/index/{:020}", u64::MAX - 1)));
    fs::remove_file(store.join(format!("flows/foreach/index/{:020}", u64::MAX - 2))).unwrap();
}

/// Makes the summary of a run that has no end: what nobody wrote.
fn end(world: &World) {
    let summary = world.store().join("flows/foreach/runs/2/summary");
    fs::write(summary, "an end").unwrap();
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Collections of removed runs, half removed and unended ones, and a repair.
pub fn scenarios() -> Vec<Scenario> {
    let foreach = module("foreach");
    let other = ["--n", "2", "--width", "50000"];
    let run = ["run", "--module", &foreach];
    let kept = [&run[..], &BLOBS].concat();
    let gone = [&run[..], &other].concat();
    let gc = ["gc", "--keep-last", "1", "--grace", "0s"];
    let again = ["gc", "--grace", "0s"];
    let repair = ["fsck", "--data", "--repair"];
    let tag = ["tag", "foreach/1", "--add", "keep"];
    vec![
        Scenario::of("gc", &gc, None)
            .after(&gone, "")
            .after(&kept, "")
            .keeping(Keeping::new(leave, &["foreach/2"])),
        Scenario::of("gc of one without an end", &gc, None)
            .after(&gone, UNENDED)
            .after(&kept, "")
            .keeping(Keeping::new(|_| {}, &["foreach/2"])),
        Scenario::of("gc that takes back", &again, None)
            .after(&gone, "")
            .after(&kept, "")
            .after(&gc, "gc.buried=kill")
            .after(&tag, "")
            .keeping(Keeping::new(|_| {}, &["foreach/1", "foreach/2"])),
        Scenario::of("repair", &repair, None)
            .after(&kept, "")
            .after(&gone, "")
            .keeping(Keeping::new(lose, &["foreach/1", "foreach/2"])),
        Scenario::of("repair of one without an end", &repair, None)
            .after(&kept, "")
            .after(&gone, UNENDED)
            .keeping(Keeping::new(end, &["foreach/1"])),
    ]
}

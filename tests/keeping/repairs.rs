//! Many tasks of one run that are executed again, some of which need what others make.

use std::fs;

use serde_json::Value as Json;

use super::world::World;

/// Loses every blob of a run but its module, and repairs it with so many workers.
fn repaired(workers: &str) -> Json {
    let world = World::new();
    let elements = ["--n", "12", "--width", "40000"];
    world.run("foreach", &elements).good();
    let mut blobs = Vec::new();
    for directory in fs::read_dir(world.store().join("blobs")).unwrap() {
        for file in fs::read_dir(directory.unwrap().path()).unwrap() {
            let file = file.unwrap();
            blobs.push((file.metadata().unwrap().len(), file.path()));
        }
    }
    blobs.sort();
    let (_, module) = blobs.pop().unwrap();
    assert!(blobs.len() > 10, "{}", blobs.len());
    let bytes: Vec<_> = blobs.iter().map(|(_, it)| fs::read(it).unwrap()).collect();
    blobs
        .iter()
        .for_each(|(_, it)| fs::remove_file(it).unwrap());
    assert!(module.exists());
    let mut repair = world.command(&["fsck", "--data", "--repair", "--json"]);
    let said = repair.env("WRUN_MAX_WORKERS", workers).output().unwrap();
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    let now: Vec<_> = blobs.iter().map(|(_, it)| fs::read(it).unwrap()).collect();
    assert!(now == bytes, "they are as they were");
    world.wrun(&["replay", "foreach/1"]).good();
    serde_json::from_slice(&said.stdout).unwrap()
}

#[test]
fn what_is_repaired_side_by_side_is_told_as_if_it_were_one_after_another() {
    let (alone, together) = (repaired("1"), repaired("4"));
    assert_eq!(alone["left"], 0);
    for key in ["faults", "vain", "closed", "blobs", "left"] {
        assert_eq!(alone[key], together[key], "{key}");
    }
}

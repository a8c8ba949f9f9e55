//! How fast a large datastore is collected and checked, and how much memory that takes.

use std::time::Instant;

use wrun::datastore::object::local::LocalStore;
use wrun::datastore::object::{Key, ObjectStore};
use wrun::model::digest::Digest;

use super::world::World;

/// A datastore with as many blobs that nothing refers to as `WRUN_KEEPING_BLOBS` says.
#[tokio::test(flavor = "multi_thread")]
async fn collecting_and_checking_take_as_long_as_is_said() {
    let Some(many) = std::env::var("WRUN_KEEPING_BLOBS").ok() else {
        eprintln!("not measured: WRUN_KEEPING_BLOBS says no number");
        return;
    };
    let many: u64 = many.parse().unwrap();
    let world = World::new();
    world.run("linear", &[]).good();
    let blobs = world.store().join("blobs");
    for number in 0..many {
        let name = Digest::of(&number.to_le_bytes()).to_string();
        let dir = blobs.join(&name[..2]);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(name), [7; 100]).unwrap();
    }
    let store = LocalStore::new(world.store());
    assert!(
        store
            .get(&Key::new("wrun-datastore").unwrap(), 1 << 20)
            .await
            .unwrap()
            .is_some()
    );
    for arguments in [
        &["gc", "--dry-run", "--grace", "0s"][..],
        &["gc", "--grace", "0s"],
        &["fsck", "--data"],
    ] {
        let begun = Instant::now();
        let said = world.wrun(arguments).good();
        println!("{arguments:?}: {:?}\n{}", begun.elapsed(), said.stdout);
    }
}

//! How fast a large datastore is collected and checked, and how much memory that takes.

use std::path::Path;
use std::time::Instant;

use wrun::datastore::object::local::LocalStore;
use wrun::datastore::object::{Key, ObjectStore};
use wrun::model::digest::Digest;

use super::world::World;

/// A datastore with as many blobs, all of which a run refers to, as `WRUN_KEEPING_REFERRED` says, beside what
/// reading, unpacking and hashing the same files takes on one core.
#[test]
fn what_is_referred_to_is_checked_as_fast_as_is_said() {
    let Some(many) = std::env::var("WRUN_KEEPING_REFERRED").ok() else {
        eprintln!("not measured: WRUN_KEEPING_REFERRED says no number");
        return;
    };
    let world = World::new();
    let elements = ["--n", &many, "--width", "33000", "--quiet"];
    world.run("foreach", &elements).good();
    let begun = Instant::now();
    let bytes = plain(&world.store().join("blobs"));
    let walked = begun.elapsed();
    println!("plain: {walked:?} for {bytes} bytes");
    for arguments in [
        &["gc", "--dry-run", "--grace", "0s"][..],
        &["fsck"],
        &["fsck", "--data"],
    ] {
        let begun = Instant::now();
        let said = world.wrun(arguments).good();
        let took = begun.elapsed();
        let ratio = took.as_secs_f64() / walked.as_secs_f64();
        println!(
            "{arguments:?}: {took:?}, {ratio:.2} of plain\n{}",
            said.stdout
        );
    }
}

/// Reads, unpacks and hashes all files below a directory; how many bytes came out.
fn plain(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap();
    let each = entries.map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return plain(&path);
        }
        let bytes = zstd::stream::decode_all(&std::fs::read(&path).unwrap()[..]).unwrap();
        let digest = Digest::of(&bytes).to_string();
        assert_eq!(path.file_name().unwrap().to_str(), Some(digest.as_str()));
        bytes.len() as u64
    });
    each.sum()
}

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

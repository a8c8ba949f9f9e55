//! What lies in a datastore or a cache of compiled code, and was put there by somebody who knows how.
//!
//! Everything is sealed as wrun seals it, so that the decoders behind the seals are met. The real `wrun` reads it with
//! little address space: whatever would take memory because somebody else's bytes say so ends it with a signal, and the test
//! with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use wrun::datastore::Datastore;
use wrun::fuzz::seal;
use wrun::model::digest::Digest;
use wrun::model::header::RunHeader;
use wrun::sandbox::call::Profile;
use wrun::sandbox::{Cell, Modules};
use wrun::snapshot::manifest::{File, Manifest};

use crate::harness::launcher;
use crate::world::{Said, World};

/// The address space of a command that reads hostile data, in KiB: an honest one needs a fraction of it.
const ROOM: u32 = 3 << 20;

/// What a command says that has only so much room.
fn cramped(world: &World, arguments: &[&str]) -> Said {
    let wrun = world.command(arguments);
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -v {ROOM} && exec \"$0\" \"$@\""))
        .arg(wrun.get_program())
        .args(wrun.get_args())
        .current_dir(world.path())
        .env_clear();
    for (name, value) in wrun.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.output().unwrap().into()
}

/// That a command came to an end of its own: no panic, and no signal.
fn ended(said: &Said, what: &str) {
    assert!(
        (0..100).contains(&said.code),
        "{what}: exit code {}: {}",
        said.code,
        said.stderr
    );
    assert!(!said.stderr.contains("panicked"), "{what}: {}", said.stderr);
}

/// Content that nobody expects behind a good seal.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", Vec::new()),
        ("a list a million deep", vec![0x81; 1_000_000]),
        ("maps a million deep", [0xa1, 0x60].repeat(1_000_000)),
        ("tags a million deep", vec![0xc1; 1_000_000]),
        (
            "bytes of 16 EiB",
            vec![0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        (
            "a text of 16 EiB",
            vec![0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        (
            "a list of 16 EiB",
            vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        (
            "a map of 16 EiB",
            vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        ("a list without end", vec![0x9f; 1000]),
        ("512 MiB of nothing in a few kilobytes", vec![0; 512 << 20]),
        (
            "a list of a million nulls",
            [&[0x9a, 0, 0x0f, 0x42, 0x40][..], &vec![0xf6; 1_000_000]].concat(),
        ),
    ]
}

#[test]
fn sealed_bombs_are_damage() {
    let world = crate::lived_in();
    let index = format!("flows/abuses/index/{:020}", u64::MAX - 1);
    let run = "flows/abuses/runs/1";
    let objects = [
        (index, *b"head"),
        (format!("{run}/journal/0000000000"), *b"jrnl"),
        (format!("{run}/summary"), *b"summ"),
        (format!("{run}/tags"), *b"tags"),
    ];
    let mut all = 0;
    for (name, content) in bombs() {
        for (key, kind) in &objects {
            // The large one once: it is the store of seals that unpacks it, and not who reads what was sealed.
            if content.len() > 100 << 20 && *kind != *b"tags" {
                continue;
            }
            let file = world.store().join(key);
            let good = fs::read(&file).ok();
            fs::write(&file, seal(key, *kind, &content)).unwrap();
            for arguments in [&["show", "abuses/1"][..], &["runs"]] {
                ended(&cramped(&world, arguments), &format!("{name} in {key}"));
                all += 1;
            }
            match good {
                Some(good) => fs::write(&file, good).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
        }
    }
    world.wrun(&["show", "abuses/1"]).good();
    eprintln!("{all} commands over sealed bombs");
}

#[test]
fn blobs_that_say_other_lengths_are_damage() {
    let world = crate::lived_in();
    let mut all = 0;
    for file in files(&world.store().join("blobs")).into_iter().take(4) {
        let good = fs::read(&file).unwrap();
        for length in [
            0,
            1,
            (8 << 20) - 1,
            8 << 20,
            1 << 30,
            1 << 40,
            1 << 62,
            u64::MAX,
        ] {
            let mut bad = good.clone();
            // Where a blob's file says how long it is.
            bad[32..40].copy_from_slice(&length.to_le_bytes());
            fs::write(&file, bad).unwrap();
            let said = cramped(&world, &["code", "abuses/1", "--to", "to"]);
            ended(&said, &format!("a blob of {length} bytes"));
            drop(fs::remove_dir_all(world.path().join("to")));
            all += 1;
        }
        fs::write(&file, good).unwrap();
    }
    eprintln!("{all} blobs with other lengths");
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|it| it.unwrap().path());
    let mut all: Vec<_> = entries
        .flat_map(|it| if it.is_dir() { files(&it) } else { vec![it] })
        .collect();
    all.sort();
    all
}

/// Puts a snapshot with these files in the place of the run's own.
async fn forge(world: &World, change: impl Fn(&mut Manifest, Digest)) {
    let url = world.store().to_str().unwrap().parse().unwrap();
    let datastore = Datastore::open(&url).await.unwrap();
    let run = datastore.run(&"abuses/1".parse().unwrap()).await.unwrap();
    let mut manifest = Manifest::load(&datastore, &run.header().snapshot)
        .await
        .unwrap();
    let contents = datastore
        .blobs()
        .put(Bytes::from_static(b"abuse"))
        .await
        .unwrap();
    change(&mut manifest, contents);
    let snapshot = datastore.put_snapshot(&manifest.encode()).await.unwrap();
    let header = RunHeader {
        snapshot,
        ..run.header().clone()
    };
    let mut bytes = Vec::new();
    ciborium::into_writer(&header, &mut bytes).unwrap();
    let key = format!("flows/abuses/index/{:020}", u64::MAX - 1);
    fs::write(world.store().join(&key), seal(&key, *b"head", &bytes)).unwrap();
}

#[tokio::test]
async fn a_snapshot_is_written_nowhere_but_where_it_was_asked() {
    let world = crate::lived_in();
    let outside = world.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let place = |path: &str, size| {
        let path = path.to_owned();
        move |manifest: &mut Manifest, digest| {
            manifest.files = vec![File {
                path: path.clone(),
                digest,
                size,
                executable: true,
            }];
        }
    };
    for path in [
        "../outside/x",
        "/tmp/wrun-abuse",
        "a/../../outside/x",
        "a/./x",
        "a//x",
        "./x",
        "",
        ".",
        "..",
        "../",
        "a/",
        "\\x",
        "..\\outside\\x",
        "C:x",
        "a\0b",
        ".git/hooks/post-checkout",
        ".GIT/config",
        "sub/.git/x",
        &"d/".repeat(3000),
    ] {
        forge(&world, place(path, 5)).await;
        refused(&world, &format!("{path:.20?}"));
    }
    forge(&world, place("x", u64::MAX)).await;
    refused(&world, "a file of 16 EiB");
    let two = |first: &str, second: &str| {
        let both = [first.to_owned(), second.to_owned()];
        move |manifest: &mut Manifest, digest| {
            let file = |path: &String| File {
                path: path.clone(),
                digest,
                size: 5,
                executable: false,
            };
            manifest.files = both.iter().map(file).collect();
        }
    };
    for (first, second) in [("x", "x"), ("b", "a"), ("a", "a/b")] {
        forge(&world, two(first, second)).await;
        refused(&world, &format!("{first} and {second}"));
    }
    assert!(files(&outside).is_empty());
}

/// That writing the run's code fails and is explained, and leaves nothing but what lies in its directory.
fn refused(world: &World, what: &str) {
    let said = cramped(world, &["code", "abuses/1", "--to", "outside/to"]);
    ended(&said, what);
    assert_ne!(said.code, 0, "{what} was written");
    drop(fs::remove_dir_all(world.path().join("outside/to")));
    assert!(!Path::new("/tmp/wrun-abuse").exists(), "{what}");
}

/// A flow in a few bytes, so that compiling it anew takes no time.
fn tiny() -> Bytes {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func (export "describe") (canon lift (core func $i "f")))
        (func (export "run") (canon lift (core func $i "f"))))"#;
    wat::parse_str(text).unwrap().into()
}

/// Prepares the tiny flow, loads it in a cell, and says whether it was compiled.
async fn compiled(directory: &Path) -> bool {
    let (count, wasm) = (AtomicU32::new(0), tiny());
    let modules = Modules::new(directory.to_owned(), launcher());
    let bytes = async || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<_, io::Error>(wasm.clone())
    };
    let module = modules
        .prepare(&Digest::of(&wasm), Profile::default(), bytes)
        .await
        .unwrap();
    Cell::spawn(&launcher())
        .await
        .unwrap()
        .load(&module)
        .await
        .unwrap();
    count.into_inner() > 0
}

/// Files of the cache with this ending, or with any that are not the key.
fn cached(directory: &Path, ending: &str) -> PathBuf {
    let all = files(directory).into_iter();
    all.into_iter()
        .find(|it| it.extension().is_some_and(|it| it == ending))
        .unwrap()
}

#[tokio::test]
async fn code_that_was_changed_anywhere_is_compiled_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("code");
    assert!(compiled(&path).await && !compiled(&path).await);
    let mut all = 0;
    for ending in ["code", "seal"] {
        let victim = cached(&path, ending);
        let len = fs::metadata(&victim).unwrap().len() as usize;
        for at in (0..len).step_by((len / 24).max(1)) {
            let mut bytes = fs::read(&victim).unwrap();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&victim, bytes).unwrap();
            assert!(
                compiled(&path).await,
                "{ending} with byte {at} changed was loaded"
            );
            all += 1;
        }
    }
    let outside = directory.path().join("outside");
    let code = cached(&path, "code");
    for what in [
        "a link to another file",
        "a link to nothing",
        "a link to itself",
        "a directory",
    ] {
        fs::write(&outside, b"not what was compiled").unwrap();
        fs::remove_file(&code).unwrap();
        match what {
            "a link to another file" => std::os::unix::fs::symlink(&outside, &code).unwrap(),
            "a link to nothing" => std::os::unix::fs::symlink("nothing", &code).unwrap(),
            "a link to itself" => std::os::unix::fs::symlink(&code, &code).unwrap(),
            _ => fs::create_dir(&code).unwrap(),
        }
        let wasm = tiny();
        let digest = Digest::of(&wasm);
        let modules = Modules::new(path.clone(), launcher());
        let made = modules.prepare(&digest, Profile::default(), async || {
            Ok::<_, io::Error>(wasm.clone())
        });
        // Compiled over, or refused with what is wrong; and nothing is written through a link.
        if made.await.is_err() {
            fs::remove_file(&code)
                .or_else(|_| fs::remove_dir(&code))
                .unwrap();
            assert!(compiled(&path).await, "{what}");
        }
        assert_eq!(
            fs::read(&outside).unwrap(),
            b"not what was compiled",
            "{what}"
        );
        all += 1;
    }
    eprintln!("{all} changes of compiled code, 0 loaded");
}

#[tokio::test]
async fn a_key_that_others_can_read_is_no_key() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("code");
    assert!(compiled(&path).await);
    let key = path.join("key");
    let wasm = tiny();
    let digest = Digest::of(&wasm);
    for (file, mode) in [
        (&key, 0o644),
        (&key, 0o660),
        (&path, 0o755),
        (&path, 0o770),
        (&path, 0o777),
    ] {
        let before = fs::metadata(file).unwrap().permissions();
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        let modules = Modules::new(path.clone(), launcher());
        let made = modules.prepare(&digest, Profile::default(), async || {
            Ok::<_, io::Error>(wasm.clone())
        });
        let error = made
            .await
            .expect_err("others could have written it")
            .to_string();
        assert!(!error.is_empty());
        fs::set_permissions(file, before).unwrap();
    }
    fs::rename(&key, path.join("other")).unwrap();
    std::os::unix::fs::symlink(path.join("other"), &key).unwrap();
    let modules = Modules::new(path.clone(), launcher());
    let made = modules.prepare(&digest, Profile::default(), async || {
        Ok::<_, io::Error>(wasm.clone())
    });
    made.await.expect_err("a link is not the key");
}

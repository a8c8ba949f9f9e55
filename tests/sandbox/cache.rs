//! The cache of compiled code: what it keeps, what it refuses, who may use it at once.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use wrun::model::digest::Digest;
use wrun::sandbox::call::Profile;
use wrun::sandbox::{Cell, CompiledModule, ModuleError, Modules};

use crate::harness::*;

/// Prepares a small module in `directory`, and counts how often it had to be compiled.
async fn compiled(directory: &Path, count: &AtomicU32) -> Result<CompiledModule, ModuleError> {
    let modules = Modules::new(directory.to_owned(), launcher());
    let wasm = example("traps");
    let bytes = async || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(wasm.clone())
    };
    modules
        .prepare(&Digest::of(&wasm), Profile::default(), bytes)
        .await
}

fn file(directory: &Path, ending: &str) -> std::path::PathBuf {
    let mut entries = fs::read_dir(directory)
        .expect("the cache")
        .flatten()
        .map(|entry| entry.path());
    entries
        .find(|path| path.extension().is_some_and(|e| e == ending))
        .expect("a file of the cache")
}

#[tokio::test]
async fn a_module_is_compiled_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, count) = (directory.path().join("a/code"), AtomicU32::new(0));
    for _ in 0..3 {
        compiled(&path, &count).await.expect("it compiles");
    }
    assert_eq!(count.into_inner(), 1);
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).expect("the cache").flatten() {
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn damage_is_compiled_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, count) = (directory.path().join("code"), AtomicU32::new(0));
    compiled(&path, &count).await.expect("it compiles");
    let mut times = 1;
    for ending in ["code", "seal"] {
        let damages: [fn(&mut Vec<u8>); 4] = [
            |bytes| *bytes.last_mut().expect("bytes") ^= 1,
            |bytes| bytes.truncate(bytes.len() / 2),
            |bytes| bytes.clear(),
            |bytes| bytes.extend([0; 8]),
        ];
        for damage in damages {
            let victim = file(&path, ending);
            let mut bytes = fs::read(&victim).expect("it is there");
            damage(&mut bytes);
            fs::write(&victim, bytes).expect("it can be damaged");
            let module = compiled(&path, &count).await.expect("it compiles again");
            times += 1;
            assert_eq!(count.load(Ordering::Relaxed), times);
            let mut cell = Cell::spawn(&launcher()).await.expect("a cell starts");
            cell.load(&module).await.expect("it loads");
        }
    }
}

#[tokio::test]
async fn code_under_another_key_is_not_trusted() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, count) = (directory.path().join("code"), AtomicU32::new(0));
    compiled(&path, &count).await.expect("it compiles");
    fs::write(path.join("key"), [9; 32]).expect("the key can be replaced");
    compiled(&path, &count).await.expect("it compiles again");
    assert_eq!(count.into_inner(), 2);
}

#[tokio::test]
async fn code_of_another_module_is_not_trusted() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("code");
    let modules = Modules::new(path.clone(), launcher());
    let mut files = Vec::new();
    for name in ["traps", "asks"] {
        let wasm = example(name);
        let given = wasm.clone();
        let module = modules
            .prepare(&Digest::of(&wasm), Profile::default(), async || Ok(given))
            .await
            .expect("it compiles");
        files.push(module.key().to_owned());
    }
    for ending in ["code", "seal"] {
        let of = |key: &str| path.join(format!("{key}.{ending}"));
        fs::copy(of(&files[0]), of(&files[1])).expect("files can be copied");
    }
    let count = AtomicU32::new(0);
    let wasm = example("asks");
    let bytes = async || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(wasm.clone())
    };
    modules
        .prepare(&Digest::of(&wasm), Profile::default(), bytes)
        .await
        .expect("it compiles");
    assert_eq!(count.into_inner(), 1);
}

#[tokio::test]
async fn a_directory_of_others_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("code");
    fs::create_dir(&path).expect("a directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    match compiled(&path, &AtomicU32::new(0)).await {
        Err(ModuleError::Cache { source, .. }) => {
            assert!(source.to_string().contains("chmod"), "{source}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_at_once_agree_on_a_key() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, count) = (directory.path().join("code"), AtomicU32::new(0));
    let (one, other, third) = tokio::join!(
        compiled(&path, &count),
        compiled(&path, &count),
        compiled(&path, &count)
    );
    for module in [one, other, third] {
        module.expect("it compiles");
    }
    let before = count.load(Ordering::Relaxed);
    compiled(&path, &count).await.expect("it is there");
    assert_eq!(count.into_inner(), before);
}

#[tokio::test]
async fn a_description_is_kept_and_its_damage_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("code");
    let module = guests().await;
    let modules = Modules::new(path.clone(), launcher());
    let first = modules
        .describe(&module)
        .await
        .expect("they describe themselves");
    let kept = file(&path, "definition");
    let mut bytes = fs::read(&kept).expect("it is there");
    let at = bytes
        .windows(6)
        .position(|w| w == b"guests")
        .expect("the flow's name");
    bytes[at] = b'G';
    fs::write(&kept, bytes).expect("it can be damaged");
    assert_eq!(
        modules.describe(&module).await.expect("they do it again"),
        first
    );
    // The damaged file was replaced: no cell is needed now.
    let nobody = wrun::sandbox::Launcher {
        program: "/bin/false".into(),
        args: Vec::new(),
    };
    let modules = Modules::new(path, nobody);
    assert_eq!(modules.describe(&module).await.expect("it is kept"), first);
}

#[tokio::test]
async fn bytes_of_another_digest_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let modules = Modules::new(directory.path().join("code"), launcher());
    let other = Digest::of(b"another module");
    let result = modules
        .prepare(&other, Profile::default(), async || Ok(GUESTS.clone()))
        .await;
    assert!(matches!(result, Err(ModuleError::Damaged { .. })));
    let unreadable = async || Err::<Bytes, _>(io::Error::other("gone"));
    let result = modules
        .prepare(&other, Profile::default(), unreadable)
        .await;
    assert!(matches!(result, Err(ModuleError::Read { .. })));
}

//! Modules made by chance, valid ones and damaged ones, through loading and `describe` in a cell.
//!
//! `tests/generator` makes them: a package of its own, because the generator's crates must not change the features of
//! those that wrun is built of. `WRUN_ABUSE_MODULES` says how many; `WRUN_ABUSE_FIRST` says the first seed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use wrun::model::digest::Digest;
use wrun::sandbox::call::Profile;
use wrun::sandbox::{ModuleError, Modules};

use crate::harness::launcher;

/// The generator, built and running.
fn generator(first: usize, count: usize) -> std::process::Child {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = root.join("target/generator");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--quiet",
            "--locked",
            "--manifest-path",
        ])
        .arg(root.join("tests/generator/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success(), "the generator does not build");
    let program = target.join("release/wrun-test-generator");
    let (first, count) = (first.to_string(), count.to_string());
    let mut command = Command::new(program);
    command.args([first, count]).arg(root.join("guest-sdk/wit"));
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn next(from: &mut impl Read) -> Vec<u8> {
    let mut length = [0; 4];
    from.read_exact(&mut length).unwrap();
    let mut module = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut module).unwrap();
    module
}

/// What became of a module, in a word.
async fn became(modules: &Modules, wasm: Vec<u8>) -> &'static str {
    let bytes = bytes::Bytes::from(wasm);
    let given = bytes.clone();
    let digest = Digest::of(&bytes);
    let prepared = modules.prepare(&digest, Profile::default(), async || {
        Ok::<_, std::io::Error>(given)
    });
    let error = match prepared.await {
        Ok(module) => match modules.describe(&module).await {
            Ok(_) => return "described",
            Err(error) => error,
        },
        Err(error) => error,
    };
    assert!(!error.to_string().contains("panicked"), "{digest}: {error}");
    match error {
        ModuleError::NotWasm { .. } => "is no module",
        ModuleError::CoreModule => "is a core module",
        ModuleError::CompileFailed { .. } => "does not compile",
        ModuleError::WrongWorld { .. } | ModuleError::Import { .. } => "is of another world",
        ModuleError::DescribeFailed { .. } => "does not describe itself",
        other => panic!("{digest}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_module_of_chance_harms_the_agent() {
    let count = crate::count("WRUN_ABUSE_MODULES", 150);
    let mut generator = generator(crate::count("WRUN_ABUSE_FIRST", 1), count);
    let mut from = std::io::BufReader::new(generator.stdout.take().unwrap());
    let mut all = BTreeMap::<&str, usize>::new();
    let before = crate::running::peak_mib(rustix::process::getpid());
    let mut left = count;
    while left > 0 {
        // A shelf of its own for some, so that the disk is not filled.
        let directory = tempfile::tempdir().unwrap();
        let modules = Modules::new(directory.path().join("code"), launcher());
        let some = left.min(500);
        for _ in 0..some {
            *all.entry(became(&modules, next(&mut from)).await)
                .or_default() += 1;
        }
        left -= some;
    }
    assert!(generator.wait().unwrap().success());
    let after = crate::running::peak_mib(rustix::process::getpid());
    assert!(
        after < before.max(100) + 400,
        "{before} MiB before, {after} MiB after"
    );
    assert!(
        all["does not describe itself"] > 0,
        "none was asked: {all:?}"
    );
    eprintln!("{count} modules: {all:?}, {after} MiB");
}

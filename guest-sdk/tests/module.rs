//! The flow of all shapes, compiled as users compile theirs, is a module that a host can run.

#![allow(clippy::unwrap_used)] // in functions that only tests call

use std::path::{Path, PathBuf};
use std::process::Command;

use wit_bindgen_core::wit_parser::WorldItem;
use wit_component::DecodedWasm;

/// Builds `tests/shapes/flow.rs` for WebAssembly, in a package of its own.
fn build() -> PathBuf {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("all-shapes");
    std::fs::create_dir_all(&package).unwrap();
    let manifest = format!(
        r#"[package]
name = "all-shapes"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]
path = {flow:?}

[dependencies]
serde = {{ version = "1", features = ["derive"] }}
wrun-sdk = {{ path = {sdk:?} }}

[profile.release]
overflow-checks = true

[workspace]
"#,
        flow = sdk.join("tests/shapes/flow.rs"),
    );
    std::fs::write(package.join("Cargo.toml"), manifest).unwrap();
    // The versions of this workspace, so that nothing is looked up in the registry.
    std::fs::copy(sdk.join("../Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let target = package.join("target");
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--offline",
            "--release",
            "--target",
            "wasm32-wasip2",
        ])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(&package)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    target.join("wasm32-wasip2/release/all_shapes.wasm")
}

#[test]
fn a_flow_compiles_to_a_component_that_imports_only_what_it_needs() {
    let bytes = std::fs::read(build()).unwrap();
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&bytes).unwrap() else {
        panic!("not a component");
    };
    let world = &resolve.worlds[world];
    let exports: Vec<_> = world
        .exports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect();
    assert_eq!(exports, ["describe", "run"]);

    let mut imports: Vec<_> = world
        .imports
        .iter()
        .filter(|(_, item)| matches!(item, WorldItem::Interface { .. }))
        .map(|(key, _)| resolve.name_world_key(key))
        .collect();
    imports.sort();
    let ours: Vec<_> = imports
        .iter()
        .filter(|name| name.starts_with("wrun:"))
        .collect();
    assert_eq!(
        ours,
        [
            "wrun:flow/artifacts@0.1.0",
            "wrun:flow/feedback@0.1.0",
            "wrun:flow/task@0.1.0",
            "wrun:flow/types@0.1.0"
        ]
    );
    // Whatever printing and exiting need, and nothing else: no clock, no chance, no files.
    for name in imports.iter().filter(|name| !name.starts_with("wrun:")) {
        assert!(
            name.starts_with("wasi:cli/") || name.starts_with("wasi:io/"),
            "{name}"
        );
    }
}

//! Flows in the documentation: each builds, has no problem, passes its own tests and runs.

use std::fs;
use std::path::Path;

use crate::page::Block;
use crate::world::World;

/// Builds all blocks as one package, so that what they need is built once, and looks at each.
pub fn check(blocks: &[Block]) {
    let mut world = World::new("flows");
    let package = world.directory.join("package");
    write(&package, blocks);
    world.directory = package;
    world.succeeds("cargo build --release --examples --target wasm32-wasip2");
    let modules = World::target().join("wasm32-wasip2/release/examples");
    let mut wrong = String::new();
    for (index, block) in blocks.iter().enumerate() {
        let module = modules.join(format!("{}.wasm", name(index)));
        wrong += &look_at(&mut world, block, &module);
        if block.text.contains("#[test]") {
            wrong += &tell(
                &mut world,
                block,
                &format!("cargo test --example {}", name(index)),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn look_at(world: &mut World, block: &Block, module: &Path) -> String {
    let module = module.display();
    let wrong = tell(world, block, &format!("wrun check --module {module}"));
    let needs_a_file = [": Text", ": Blob", ": Files"]
        .iter()
        .any(|file| block.text.contains(file));
    if needs_a_file || !wrong.is_empty() {
        return wrong;
    }
    tell(world, block, &format!("wrun run --module {module}"))
}

fn tell(world: &mut World, block: &Block, command: &str) -> String {
    match world.types(command) {
        (true, _) => String::new(),
        (false, text) => format!("{}: `{command}` failed:\n{text}\n", block.at),
    }
}

fn name(index: usize) -> String {
    format!("block_{index}")
}

/// A package with a library for each block.
fn write(package: &Path, blocks: &[Block]) {
    let root = crate::root();
    let mut manifest = format!(
        "[package]\nname = \"documented\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n\
         [dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\n\
         wrun-sdk = {{ path = {:?} }}\n",
        root.join("guest-sdk"),
    );
    fs::create_dir_all(package.join("examples")).unwrap();
    fs::create_dir_all(package.join("src")).unwrap();
    for (index, block) in blocks.iter().enumerate() {
        let name = name(index);
        let file = package.join(format!("examples/{name}.rs"));
        fs::write(file, format!("// {}\n{}", block.at, block.text)).unwrap();
        manifest += &format!("\n[[example]]\nname = \"{name}\"\ncrate-type = [\"cdylib\"]\n");
    }
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::write(package.join("src/lib.rs"), "//! Nothing.\n").unwrap();
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
}

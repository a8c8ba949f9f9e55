//! What is refused, with which code, and what is said.

use std::fs;

use wrun::cli::exit;

use super::*;

#[test]
fn a_directory_that_does_not_build_shows_what_cargo_says() {
    let world = World::new();
    world
        .wrun(&["run", "nowhere"])
        .fails(exit::NOT_FOUND, &["nowhere"]);
    let flow = world.path().join("flow");
    fs::create_dir_all(flow.join("src")).unwrap();
    let manifest = "[package]\nname = \"f\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    fs::write(flow.join("Cargo.toml"), manifest).unwrap();
    fs::write(flow.join("src/lib.rs"), "fn f() -> u32 { \"text\" }\n").unwrap();
    let mut command = world.command(&["run", "flow"]);
    for name in ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    Said::from(command.output().unwrap())
        .fails(exit::BUILD_FAILED, &["mismatched types", "error:"]);
}

#[test]
fn a_directory_of_other_things_does_not_become_a_datastore() {
    let world = World::new();
    fs::create_dir(world.store()).unwrap();
    fs::write(world.store().join("letter.txt"), "dear").unwrap();
    world
        .run("bench_five", &[])
        .fails(exit::USAGE, &["not a datastore", "`--datastore URL`"]);
    assert_eq!(fs::read_dir(world.store()).unwrap().count(), 1);
}

#[test]
fn unknown_things_are_met_with_what_is_there() {
    let world = World::new();
    world.run("bench_five", &[]).good();
    world
        .wrun(&["show", "five/7"])
        .fails(exit::NOT_FOUND, &["five/7"]);
    world
        .wrun(&["get", "five/1/secnd/count"])
        .fails(exit::NOT_FOUND, &["secnd", "second"]);
    world
        .wrun(&["get", "five/1/second/cont"])
        .fails(exit::NOT_FOUND, &["cont", "count"]);
    fs::write(world.path().join("wrun.toml"), "max-wrokers = 3\n").unwrap();
    world
        .run("bench_five", &[])
        .fails(exit::USAGE, &["max-wrokers", "max-workers"]);
}

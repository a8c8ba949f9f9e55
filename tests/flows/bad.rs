//! What is refused, with which code, and what is said.

use std::fs;

use wrun::cli::exit;

use super::*;

fn module(world: &World, bytes: &[u8]) -> Said {
    fs::write(world.path().join("m.wasm"), bytes).unwrap();
    world.wrun(&["run", "--module", "m.wasm"])
}

#[test]
fn what_is_no_flow_is_refused_before_a_run_exists() {
    let world = World::new();
    module(&world, b"#!/bin/sh\n").fails(exit::INVALID_FLOW, &["not WebAssembly"]);
    let core = wat::parse_str("(module)").unwrap();
    module(&world, &core).fails(exit::INVALID_FLOW, &["core module", "wasm32-wasip2"]);
    let other = wat::parse_str("(component)").unwrap();
    module(&world, &other).fails(exit::INVALID_FLOW, &["the module is no flow", "#[flow]"]);
    world
        .wrun(&["run", "--module", "gone.wasm"])
        .fails(exit::NOT_FOUND, &["gone.wasm"]);
    assert!(!world.store().exists());
}

#[test]
fn wrong_parameters_are_named_with_what_is_expected() {
    let world = World::new();
    world
        .run("bench_fan", &["--n", "many"])
        .fails(exit::USAGE, &["`n`", "`many`", "whole number"]);
    world
        .run("bench_fan", &["--n", "-1"])
        .fails(exit::USAGE, &["-1"]);
    world
        .run("bench_bulk", &["--kind", "texts"])
        .fails(exit::USAGE, &["texts", "text"]);
    world
        .run("bench_fan", &["--m", "1"])
        .fails(exit::USAGE, &["no parameter `m`", "--help"]);
}

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
fn a_datastore_of_a_newer_format_is_left_alone() {
    let world = World::new();
    fs::create_dir(world.store()).unwrap();
    let marker = world.store().join("wrun-datastore");
    fs::write(&marker, "{\"format\":999,\"id\":\"x\"}\n").unwrap();
    world
        .run("bench_five", &[])
        .fails(exit::DAMAGED, &["999", "newer"]);
    assert_eq!(fs::read_dir(world.store()).unwrap().count(), 1);
    fs::remove_file(&marker).unwrap();
    fs::write(world.store().join("letter.txt"), "dear").unwrap();
    world
        .run("bench_five", &[])
        .fails(exit::USAGE, &["not a datastore"]);
}

#[test]
fn damage_is_named_and_never_returned_as_data() {
    let world = World::new();
    world.run("bench_bulk", &["--mib", "2"]).good();
    let blob = world.json(&["get", "bulk/1/start/bulk"])["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = world.store().join("blobs").join(&blob[..2]).join(&blob);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&file, bytes).unwrap();
    let said = world.wrun(&["get", "bulk/1/start/bulk", "-o", "out"]);
    said.fails(exit::DAMAGED, &[&blob[..12], "damaged"]);
    let journal = world.store().join("flows/bulk/runs/1/journal");
    let segment = fs::read_dir(journal)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() / 2]).unwrap();
    world
        .wrun(&["show", "bulk/1"])
        .fails(exit::DAMAGED, &["segment ", "bulk/1", "damaged"]);
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

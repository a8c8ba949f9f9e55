//! The bindings are generated ahead, so that a flow's first build need not generate them. This
//! fails when they are not those of the WIT.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]

use std::path::Path;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};
use wit_bindgen_rust::Opts;

#[test]
fn the_bindings_are_those_of_the_wit() {
    let options = Opts {
        pub_export_macro: true,
        export_macro_name: Some("export_flow".to_owned()),
        default_bindings_module: Some("wrun_sdk::bindings".to_owned()),
        ..Opts::default()
    };
    check("flow", options, "src/bindings.rs");
}

#[test]
fn the_bindings_of_http_are_those_of_the_wit() {
    let options = Opts {
        generate_all: true,
        ..Opts::default()
    };
    check("http", options, "src/http/bindings.rs");
}

fn check(world: &str, options: Opts, path: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(here.join("wit")).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let options = Opts {
        format: true,
        runtime_path: Some("wit_bindgen::rt".to_owned()),
        ..options
    };
    let mut files = Files::default();
    options
        .build()
        .generate(&mut resolve, world, &mut files)
        .unwrap();
    let (_, generated) = files
        .iter()
        .find(|(name, _)| name.ends_with(".rs"))
        .unwrap();
    let generated = std::str::from_utf8(generated).unwrap();

    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        std::fs::write(here.join(path), generated).unwrap();
    }
    let checked_in = std::fs::read_to_string(here.join(path)).unwrap();
    assert!(
        checked_in == generated,
        "`guest-sdk/{path}` is not what the WIT gives; `UPDATE_BINDINGS=1 cargo test -p wrun-sdk --test bindings` writes it anew"
    );
}

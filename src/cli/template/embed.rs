//! The build script of `wrun`: lists the files of the guest SDK, which `wrun new` writes beside a
//! flow, so that none of them can be forgotten.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Files and directories of the SDK that a flow needs; its tests are not among them.
const PARTS: [&str; 5] = [
    "Cargo.toml",
    "src",
    "wit",
    "macros/Cargo.toml",
    "macros/src",
];

fn main() {
    let variable = |name: &str| PathBuf::from(env::var_os(name).expect("cargo sets it"));
    let sdk = variable("CARGO_MANIFEST_DIR").join("guest-sdk");
    let mut files = Vec::new();
    for part in PARTS {
        println!("cargo::rerun-if-changed=guest-sdk/{part}");
        find(&sdk.join(part), &mut files);
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let below = file.strip_prefix(&sdk).expect("it was found there");
        let name = below
            .to_str()
            .expect("sources have plain names")
            .replace('\\', "/");
        writeln!(list, "    ({name:?}, include_str!({file:?})),").expect("memory takes all");
    }
    list.push_str("]\n");
    fs::write(variable("OUT_DIR").join("sdk_files.rs"), list).expect("cargo made the directory");
}

fn find(path: &Path, files: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        return files.push(path.to_owned());
    }
    for entry in fs::read_dir(path).expect("the sources can be read") {
        find(&entry.expect("the sources can be read").path(), files);
    }
}

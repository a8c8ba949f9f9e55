//! The files by which cargo and rustup are told how to build: where they are looked for.
//!
//! Uses nothing of this crate.

use std::path::{Path, PathBuf};

use super::TARGET;

/// Cargo's home, where it keeps what it downloads.
pub(super) fn cargo_home() -> Option<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty());
    set.map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

/// Rustup's home, where it keeps the name of the default toolchain.
pub(super) fn rustup_home() -> Option<PathBuf> {
    let set = std::env::var_os("RUSTUP_HOME").filter(|home| !home.is_empty());
    set.map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".rustup")))
}

/// The files in `dir` that tell cargo and rustup how to build, whether they exist or not.
pub(super) fn inside(dir: &Path) -> [PathBuf; 4] {
    [
        ".cargo/config.toml",
        ".cargo/config",
        "rust-toolchain.toml",
        "rust-toolchain",
    ]
    .map(|name| dir.join(name))
}

/// Every file that tells cargo and rustup how to build in `dir`, whether it exists or not.
pub(super) fn all_for(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = dir.ancestors().flat_map(inside).collect();
    files.extend(
        cargo_home()
            .into_iter()
            .flat_map(|home| ["config.toml", "config"].map(|name| home.join(name))),
    );
    files.extend(rustup_home().map(|home| home.join("settings.toml")));
    files
}

/// The key of cargo's configuration to which flags for the compiler can be added without
/// replacing those that are set in files.
///
/// Cargo takes either those for the target or, when there are none, those of `build`.
pub(super) fn rustflags_key(dir: &Path) -> String {
    let target = format!("target.{TARGET}.rustflags");
    let tables = all_for(dir).into_iter().filter_map(|file| {
        std::fs::read_to_string(file)
            .ok()?
            .parse::<toml::Table>()
            .ok()
    });
    let mut build = std::env::var_os("CARGO_BUILD_RUSTFLAGS").is_some();
    for table in tables {
        if let Some(targets) = table.get("target").and_then(|t| t.as_table()) {
            let concerns = |key: &str| key == TARGET || key.starts_with("cfg(");
            if targets
                .iter()
                .any(|(key, t)| concerns(key) && t.get("rustflags").is_some())
            {
                return target;
            }
        }
        build |= table
            .get("build")
            .is_some_and(|build| build.get("rustflags").is_some());
    }
    if build {
        "build.rustflags".to_owned()
    } else {
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_added_where_the_file_has_its_own() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let write = |text: &str| {
            std::fs::create_dir_all(home.path().join(".cargo")).expect("created");
            std::fs::write(home.path().join(".cargo/config.toml"), text).expect("written");
            rustflags_key(home.path())
        };
        assert_eq!(write("[build]\nrustflags = ['-g']"), "build.rustflags");
        assert_eq!(write(""), "target.wasm32-wasip2.rustflags");
        assert_eq!(
            write("[build]\nrustflags = ['-g']\n[target.wasm32-wasip2]\nrustflags = ['-g']"),
            "target.wasm32-wasip2.rustflags"
        );
        assert_eq!(
            write("[build]\nrustflags = ['-g']\n[target.x86_64-unknown-linux-gnu]\nrustflags = []"),
            "build.rustflags"
        );
    }
}

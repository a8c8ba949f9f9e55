//! Asks the compiler who it is.
//!
//! Uses nothing of this crate.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The compiler that cargo uses in some directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolchain {
    /// What `rustc -Vv` says, without the last line break; empty when it does not answer.
    pub version: String,
    /// The directory of the toolchain.
    pub sysroot: PathBuf,
}

impl Toolchain {
    /// Asks the compiler that cargo would use in `dir`.
    ///
    /// The compiler is found as cargo finds it by default: `RUSTC`, or `rustc` in the path, where rustup
    /// looks at `rust-toolchain.toml`. A `build.rustc` in cargo's configuration is not looked at.
    pub fn of(dir: &Path) -> Self {
        Self {
            version: ask_rustc(dir, &["-Vv"]).unwrap_or_default(),
            sysroot: ask_rustc(dir, &["--print", "sysroot"])
                .unwrap_or_default()
                .into(),
        }
    }

    /// The first line of the version: `rustc 1.95.0 (…)`.
    pub fn short(&self) -> &str {
        self.version.lines().next().unwrap_or("")
    }

    /// Whether the compiler is of version `least`, e.g. `1.95`, or later.
    pub fn is_at_least(&self, least: &str) -> bool {
        let numbers = |text: &str| -> Vec<u32> {
            let plain = text.split(['-', ' ']).next().unwrap_or("");
            plain
                .split('.')
                .map_while(|part| part.parse().ok())
                .collect()
        };
        let own = self.short().strip_prefix("rustc ").unwrap_or("");
        numbers(own) >= numbers(least)
    }

    /// Whether the standard library for `target` is installed.
    pub fn has_target(&self, target: &str) -> bool {
        self.library(target).is_dir()
    }

    /// Where the standard library for `target` lies.
    pub fn library(&self, target: &str) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(target).join("lib")
    }

    /// The compiler's own file.
    pub fn compiler(&self) -> PathBuf {
        self.sysroot
            .join("bin")
            .join(if cfg!(windows) { "rustc.exe" } else { "rustc" })
    }
}

/// What the cargo in `dir` says about itself, e.g. `cargo 1.95.0 (…)`; none when there is none.
pub fn cargo_version(dir: &Path) -> Option<String> {
    ask(dir, "cargo".as_ref(), &["--version"])
}

fn ask_rustc(dir: &Path, question: &[&str]) -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    ask(dir, &rustc, question)
}

fn ask(dir: &Path, program: &OsStr, question: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(question)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let of = |text: &str| Toolchain {
            version: text.to_owned(),
            ..Toolchain::default()
        };
        assert!(of("rustc 1.95.0 (abc 2026-01-01)\nhost: x").is_at_least("1.95"));
        assert!(of("rustc 1.100.0-nightly (abc)").is_at_least("1.95"));
        assert!(!of("rustc 1.94.2").is_at_least("1.95"));
        assert!(!of("").is_at_least("1.95"));
    }
}

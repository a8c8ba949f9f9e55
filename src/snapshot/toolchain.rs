//! Asks the compiler who it is.
//!
//! Uses nothing of this crate.

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
            version: ask(dir, &["-Vv"]).unwrap_or_default(),
            sysroot: ask(dir, &["--print", "sysroot"]).unwrap_or_default().into(),
        }
    }

    /// The first line of the version: `rustc 1.95.0 (…)`.
    pub fn short(&self) -> &str {
        self.version.lines().next().unwrap_or("")
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

fn ask(dir: &Path, question: &[&str]) -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(question)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

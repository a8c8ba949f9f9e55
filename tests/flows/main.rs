//! Whole runs, from outside: the real `wrun`, real modules, a datastore of its own for each test.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]

mod bad;
mod stop;
mod whole;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value as Json;

/// The directory of the modules, built once for all tests.
fn modules() -> &'static Path {
    static MODULES: OnceLock<PathBuf> = OnceLock::new();
    MODULES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let packages = [
            "bench-five",
            "bench-fan",
            "bench-bulk",
            "flaky",
            "grid-search",
            "monte-carlo",
            "penguins",
            "wordcount",
        ];
        let status = Command::new(env!("CARGO"))
            .args(["build", "--release", "--quiet", "--target", "wasm32-wasip2"])
            .args(packages.map(|package| format!("-p{package}")))
            .current_dir(root)
            .status()
            .unwrap();
        assert!(status.success(), "the flows of the tests do not build");
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        target.join("wasm32-wasip2/release")
    })
}

/// A directory with a home, a datastore, and nothing of the machine's environment.
struct World {
    dir: tempfile::TempDir,
}

/// What a command said.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl World {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wrun"));
        let code = std::env::temp_dir().join("wrun-tests-code");
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("XDG_CACHE_HOME", code)
            .env("WRUN_DATASTORE", self.store())
            .env("USER", "ada")
            .env("COLUMNS", "100");
        command
    }

    fn wrun(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs a prebuilt flow with these parameters.
    fn run(&self, module: &str, arguments: &[&str]) -> Said {
        let module = modules().join(format!("{module}.wasm"));
        let mut all = vec!["run", "--module", module.to_str().unwrap()];
        all.extend(arguments);
        self.wrun(&all)
    }

    fn json(&self, arguments: &[&str]) -> Json {
        let mut all = arguments.to_vec();
        all.push("--json");
        let said = self.wrun(&all).good();
        serde_json::from_str(said.stdout.lines().next().unwrap()).unwrap()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    fn fails(self, code: u8, parts: &[&str]) -> Self {
        assert_eq!(self.code, i32::from(code), "{}", self.stderr);
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "`{part}` is not in:\n{}",
                self.stderr
            );
        }
        self
    }
}

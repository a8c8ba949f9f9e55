//! A place for whole runs: a home, a datastore, and nothing of the machine's environment.
//!
//! The tests of flows and of exactness have it in common.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value as Json;

/// The packages with flows.
const FLOWS: [&str; 11] = [
    "bench-five",
    "bench-fan",
    "bench-bulk",
    "fetch",
    "flaky",
    "grid-search",
    "hello",
    "monte-carlo",
    "penguins",
    "wordcount",
    "wrun-test-shapes",
];

/// The directory of the modules, built once for all tests.
pub fn modules() -> &'static Path {
    static MODULES: OnceLock<PathBuf> = OnceLock::new();
    MODULES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // Apart, as the tests of the sandbox build them: cargo unites the features of what it
        // builds together, and the same package would be built twice.
        for packages in [&FLOWS[..], &["wrun-test-guests"], &["wrun-test-random"]] {
            let status = Command::new(env!("CARGO"))
                .args(["build", "--release", "--quiet", "--target", "wasm32-wasip2"])
                .args(["--lib", "--examples"])
                .args(packages.iter().map(|package| format!("-p{package}")))
                .current_dir(root)
                .status()
                .unwrap();
            assert!(status.success(), "{packages:?} do not build");
        }
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        target.join("wasm32-wasip2/release")
    })
}

/// The file of a module: a package of its own, or one of the flows and guests of the tests.
pub fn module(name: &str) -> String {
    let file = format!("{name}.wasm");
    let package = modules().join(&file);
    let path = match package.exists() {
        true => package,
        false => modules().join("examples").join(file),
    };
    path.into_os_string().into_string().unwrap()
}

/// A directory with a home, a datastore, and nothing of the machine's environment.
pub struct World {
    dir: tempfile::TempDir,
}

/// What a command said.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
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

    pub fn wrun(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs a prebuilt flow with these parameters.
    pub fn run(&self, module: &str, arguments: &[&str]) -> Said {
        self.wrun(&[&["run", "--module", &self::module(module)], arguments].concat())
    }

    /// Puts a file into the directory.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    /// The value of an artifact.
    pub fn value(&self, artifact: &str) -> Json {
        self.json(&["get", artifact])["value"].clone()
    }

    /// The names of a step's tasks, in their order.
    pub fn tasks(&self, step: &str) -> Vec<String> {
        let said = self.wrun(&["show", step, "--json"]).good();
        let task = |line| serde_json::from_str::<Json>(line).unwrap()["task"].clone();
        let tasks = said.stdout.lines().map(task);
        tasks.map(|it| it.as_str().unwrap().to_owned()).collect()
    }

    /// What stands in an error, without what differs from machine to machine.
    pub fn text(&self, said: &Said) -> String {
        let directory = self.path().to_str().unwrap();
        let text = said.stderr.replace(directory, "[dir]");
        format!("{text}exit code {}", said.code)
    }

    pub fn json(&self, arguments: &[&str]) -> Json {
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
    pub fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    pub fn fails(self, code: u8, parts: &[&str]) -> Self {
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

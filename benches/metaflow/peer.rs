//! Metaflow in a virtual environment, with a datastore of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The version whose figures are in `docs/performance.md`.
const VERSION: &str = "2.19.39";

/// An installed Metaflow with an empty datastore.
pub struct Metaflow {
    python: PathBuf,
    home: tempfile::TempDir,
}

impl Metaflow {
    /// Installs it below the target directory, unless it is there.
    ///
    /// # Panics
    /// When there is no `python3` with `venv`, or its packages cannot be had.
    pub fn install() -> Self {
        let target = Path::new(env!("CARGO_BIN_EXE_wrun"));
        let target = target
            .ancestors()
            .nth(2)
            .expect("a binary lies in a profile's directory");
        let environment = target.join("metaflow");
        let python = environment.join("bin/python");
        if !environment.join(VERSION).exists() {
            run(Command::new("python3")
                .args(["-m", "venv"])
                .arg(&environment));
            let package = format!("metaflow=={VERSION}");
            run(Command::new(&python).args(["-m", "pip", "install", "-q", &package]));
            std::fs::write(environment.join(VERSION), "").expect("a directory");
        }
        let home = tempfile::tempdir_in(target).expect("a directory");
        Self { python, home }
    }

    /// What it says it is.
    pub fn version(&self) -> String {
        format!("Metaflow {VERSION}")
    }

    fn command(&self, script: &str) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/metaflow");
        let mut command = Command::new(&self.python);
        command
            .arg(scripts.join(script))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("USER", "bench")
            .env("METAFLOW_DATASTORE_SYSROOT_LOCAL", self.home.path())
            .env("METAFLOW_DEFAULT_METADATA", "local")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The time of a command of a flow, which must end with this code.
    pub fn flow(&self, script: &str, arguments: &[&str], code: i32) -> Duration {
        let mut command = self.command(script);
        command.arg("--no-pylint").args(arguments);
        timed(&mut command, code)
    }

    /// The same of the flow whose join fails when it is told so by the environment.
    pub fn broken(&self, arguments: &[&str], broken: bool) -> Duration {
        let mut command = self.command("broken.py");
        command.arg("--no-pylint").args(arguments);
        command.args(["--max-num-splits", "1000"]);
        command.env("BROKEN", if broken { "1" } else { "0" });
        timed(&mut command, i32::from(broken))
    }

    /// The time of a script.
    pub fn python(&self, script: &str) -> Duration {
        timed(&mut self.command(script), 0)
    }

    /// The id of the latest run of a flow.
    pub fn latest(&self, flow: &str) -> String {
        let path = self
            .home
            .path()
            .join(".metaflow")
            .join(flow)
            .join("latest_run");
        std::fs::read_to_string(path)
            .expect("it was run")
            .trim()
            .to_owned()
    }

    /// How long the latest run of `bulk.py` took to store and to load its artifact, in seconds.
    pub fn bulk_times(&self) -> (f64, f64) {
        let output = self.command("times.py").stdout(Stdio::piped()).output();
        let output = String::from_utf8(output.expect("python starts").stdout).expect("text");
        let mut times = output
            .split_whitespace()
            .map(|time| time.parse().expect("a number"));
        let mut next = || times.next().expect("two numbers");
        (next(), next())
    }
}

fn run(command: &mut Command) {
    let status = command.status().expect("python3 starts");
    assert!(status.success(), "{command:?} failed");
}

fn timed(command: &mut Command, code: i32) -> Duration {
    let start = Instant::now();
    let status = command.status().expect("python starts");
    let took = start.elapsed();
    assert_eq!(status.code(), Some(code), "{command:?}");
    took
}

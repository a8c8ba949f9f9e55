//! A place in which commands of the documentation run, with nothing of the machine's environment
//! but its compilers.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wrun::model::digest::Digest;

/// A place.
pub struct World {
    /// Where the next command runs.
    pub directory: PathBuf,
    place: PathBuf,
    /// Held so that no other test run of this checkout is here at the same time.
    _lock: File,
}

impl World {
    /// An empty place, always the same of this name, so that what cargo has built is used again.
    ///
    /// It is outside of the repository: what is around a flow changes how it is built and kept.
    pub fn new(name: &str) -> Self {
        let checkout = Digest::of(crate::root().as_os_str().as_encoded_bytes());
        let place = format!("wrun-docs-{}/{name}", checkout.short());
        let place = std::env::temp_dir().join(place);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        let lock = File::create(place.with_extension("lock")).unwrap();
        lock.lock().unwrap();
        if place.exists() {
            std::fs::remove_dir_all(&place).unwrap();
        }
        std::fs::create_dir_all(place.join("home")).unwrap();
        Self {
            directory: place.clone(),
            place,
            _lock: lock,
        }
    }

    /// A command in this place.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).env_clear();
        command.stdin(Stdio::null());
        for (name, value) in std::env::vars_os() {
            let kept = ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "TMPDIR"];
            if kept.iter().any(|kept| name == *kept) {
                command.env(name, value);
            }
        }
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        for (variable, below) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if std::env::var_os(variable).is_none() && home.join(below).is_dir() {
                command.env(variable, home.join(below));
            }
        }
        command
            .env("PATH", path())
            .env("HOME", self.place.join("home"))
            .env(
                "XDG_CACHE_HOME",
                std::env::temp_dir().join("wrun-tests-code"),
            )
            .env("WRUN_DATASTORE", self.place.join("store"))
            .env("USER", "ada")
            .env("COLUMNS", "100")
            .env("CARGO_TERM_QUIET", "true")
            // What the repository needs has been fetched; nothing else is needed.
            .env("CARGO_NET_OFFLINE", "true");
        if !self.directory.starts_with(crate::root()) {
            command.env("CARGO_TARGET_DIR", Self::target());
        }
        command
    }

    /// Where cargo builds what is in no repository.
    pub fn target() -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs")
    }

    /// Types a line, and says whether it went well and what both streams showed.
    pub fn types(&mut self, line: &str) -> (bool, String) {
        if let Some(directory) = line.strip_prefix("cd ") {
            self.directory = self.directory.join(directory);
            return (self.directory.is_dir(), String::new());
        }
        let mut shell = self.command("sh");
        // The shell joins both streams, so that their lines stand in the order of writing.
        let output = shell
            .args(["-c", &format!("{{ {line}\n}} 2>&1")])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text)
    }

    /// Types a line that must go well.
    pub fn succeeds(&mut self, line: &str) -> String {
        let (good, text) = self.types(line);
        assert!(good, "`{line}` failed:\n{text}");
        text
    }
}

/// The program that is tested, before those of the machine.
fn path() -> std::ffi::OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_wrun"));
    let machine = std::env::var_os("PATH").unwrap_or_default();
    let own = program.parent().unwrap().to_owned();
    std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&machine))).unwrap()
}

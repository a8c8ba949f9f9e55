//! A `wrun` that is not the one under test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version of wasmtime, which is part of the engine's identity, and another as long.
const VERSIONS: [&[u8]; 2] = [b"48.0.8", b"48.0.7"];

/// Makes a program in `directory` that is this `wrun`, and has another engine than this one: wherever its bytes
/// name the version of wasmtime, they name another.
pub fn wrun(directory: &Path) -> PathBuf {
    let program = directory.join("another-wrun");
    let mut bytes = std::fs::read(env!("CARGO_BIN_EXE_wrun")).unwrap();
    let [here, there] = VERSIONS;
    let found = replace(&mut bytes, here, there);
    assert!(found > 0, "the program does not say which wasmtime it has");
    // Written by another process: a program that a test beside this one starts meanwhile would hold the file
    // open, and what is open for writing cannot be executed.
    let mut child = Command::new("sh")
        .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
        .arg(&program)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert!(child.wait().unwrap().success());
    program
}

/// The same command, executed by `program`. It has no variables but those that it was given.
pub fn by(program: &Path, command: &Command) -> Command {
    let mut it = Command::new(program);
    it.args(command.get_args()).env_clear();
    it.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    it.current_dir(command.get_current_dir().unwrap());
    it
}

/// Puts `new` in every place of `old`, which is as long, and counts the places.
pub fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) -> usize {
    assert_eq!(old.len(), new.len());
    let mut places = 0;
    let mut at = 0;
    while at + old.len() <= bytes.len() {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
            places += 1;
            at += old.len();
        } else {
            at += 1;
        }
    }
    places
}

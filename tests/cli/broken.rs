//! A reader that goes away, and colours.

use std::process::Stdio;

use crate::bench::Env;

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let env = Env::with_runs();
    let mut child = env
        .command(&["get", "wordcount/1/total/big", "--raw"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn colours_are_there_when_asked_for_and_only_then() {
    let env = Env::with_runs();
    assert!(!env.wrun(&["runs"]).out.contains('\u{1b}'));
    assert!(
        env.wrun(&["runs", "--color", "always"])
            .out
            .contains("\u{1b}[31mfailed")
    );
    let output = env
        .command(&["runs", "--color", "never"])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    assert!(!output.stdout.contains(&0x1b));
}

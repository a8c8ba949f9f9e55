//! A release build has no points.

use std::path::Path;
use std::process::Command;

/// A program that passes points, with the real source of them.
const PROGRAM: &str = r#"
#[path = "FAILPOINT"]
mod failpoint;

fn main() {
    for word in std::env::args() {
        failpoint::pass("a.point.that.can.fail", &word).unwrap();
        failpoint::reach("a.point.that.is.reached", &word);
    }
    println!("a text that is used");
}
"#;

#[test]
fn of_a_point_nothing_is_left_in_a_release() {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/failpoint.rs");
    let main = dir.path().join("main.rs");
    std::fs::write(
        &main,
        PROGRAM.replace("FAILPOINT", source.to_str().unwrap()),
    )
    .unwrap();
    let program = dir.path().join("program");
    // As the profile of releases: optimised, and without debug assertions. What it would take to arm
    // a point needs a crate that is not given here, so that it cannot be in there.
    let status = Command::new("rustc")
        .args(["--edition", "2024", "-O", "-o"])
        .args([&program, &main])
        .status()
        .unwrap();
    assert!(status.success());
    let bytes = std::fs::read(&program).unwrap();
    let has = |text: &str| bytes.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(has("a text that is used"));
    for text in ["a.point.that", "WRUN_FAILPOINTS"] {
        assert!(!has(text), "`{text}` is in a release");
    }
    let armed = Command::new(&program)
        .env("WRUN_FAILPOINTS", "a.point.that.can.fail=kill")
        .status();
    assert!(armed.unwrap().success());
}

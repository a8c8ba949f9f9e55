//! The template that sets AWS up: its linter has nothing to say, and a stack is made of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::stack::Stack;

fn template() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/aws/wrun.cfn.yaml")
}

/// The linter, which comes with moto; none, and a line on standard error, where there is none.
fn linter() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/moto/bin/cfn-lint");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).map(|directory| directory.join("cfn-lint"));
    let found = std::iter::once(own).chain(others).find(|it| it.is_file());
    if found.is_none() {
        let what = "cfn-lint was not found: `pip install cfn-lint`";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}");
        // Past the capture of the test harness: whoever looks on must see it.
        let _ = writeln!(
            std::io::stderr(),
            "ignored: the template is not linted: {what}"
        );
    }
    found
}

#[test]
fn the_linter_of_templates_has_nothing_to_say() {
    let Some(linter) = linter() else { return };
    let output = Command::new(&linter).arg(template()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}");
    // It does find what is wrong.
    let dir = tempfile::tempdir().unwrap();
    let wrong = dir.path().join("wrong.yaml");
    let text = std::fs::read_to_string(template()).unwrap();
    std::fs::write(&wrong, text.replace("MaxvCpus", "MaxCpus")).unwrap();
    let output = Command::new(&linter).arg(&wrong).output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn a_stack_of_the_template_has_all_that_settings_want() {
    let Some(moto) = super::empty_server() else {
        return;
    };
    let stack = Stack::create(&moto);
    for name in ["Queue", "JobRole", "ExecutionRole", "DriverPolicy"] {
        assert!(stack.output(name).starts_with("arn:aws:"), "{name}");
    }
    assert!(stack.output("Datastore").starts_with("s3://"));
    assert_eq!(stack.output("BatchPlatform"), "fargate");
    let image: wrun::image::ImageName = stack.output("Repository").parse().unwrap();
    assert!(
        matches!(image.registry(), Some(wrun::image::Registry::Ecr { region, .. }) if region == "us-east-1")
    );
}

//! What is said before anything is spent.

use super::cloud::Cloud;
use super::fake::Mood;

/// What is said of a run in Batch, when the settings are these and Batch is so.
fn said(settings: &str, mood: Mood) -> String {
    let cloud = Cloud::new();
    cloud.world.write("wrun.toml", settings);
    cloud.fake.state().mood = mood;
    let mut command = cloud.command(&["run", "--module", &super::world::module("foreach")]);
    command.args(["--with", "batch"]);
    for name in ["QUEUE", "IMAGE", "SHARED_DIRECTORY"] {
        command.env_remove(format!("WRUN_BATCH_{name}"));
    }
    let text = cloud.world.text(&command.output().unwrap().into());
    assert_eq!(cloud.world.wrun(&["runs"]).stdout, "", "nothing was begun");
    text
}

const GOOD: &str = "[batch]\nqueue = \"queue\"\nimage = \"wrun:test\"\nshared-directory = true\n";

#[test]
fn a_directory_that_containers_do_not_see() {
    let text = said(&GOOD.replace("true", "false"), Mood::default());
    insta::assert_snapshot!(text, @"");
}

#[test]
fn settings_that_are_missing() {
    let text = said("[batch]\nshared-directory = true\n", Mood::default());
    insta::assert_snapshot!(text, @"");
    let text = said(&GOOD.replace("image", "job-role"), Mood::default());
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_queue_that_is_not_there() {
    let text = said(&GOOD.replace("\"queue\"", "\"other\""), Mood::default());
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_queue_that_is_disabled() {
    let mood = Mood {
        queue_disabled: true,
        ..Mood::default()
    };
    insta::assert_snapshot!(said(GOOD, mood), @"");
}

#[test]
fn hosts_of_another_kind() {
    let fargate = format!("{GOOD}platform = \"fargate\"\n");
    insta::assert_snapshot!(said(&fargate, Mood::default()), @"");
}

#[test]
fn a_request_that_is_denied() {
    let mood = Mood {
        denied: vec!["describejobqueues"],
        ..Mood::default()
    };
    insta::assert_snapshot!(said(GOOD, mood), @"");
}

#[test]
fn a_directory_and_a_secret_that_are_not_in_a_container() {
    let text = said(
        &format!("grants = [\"read:data=.\"]\n{GOOD}"),
        Mood::default(),
    );
    insta::assert_snapshot!(text, @"");
}

#[test]
fn an_executor_that_is_not_known() {
    let cloud = Cloud::new();
    let module = super::world::module("foreach");
    let said = cloud.wrun(&["run", "--module", &module, "--with", "cloud"]);
    insta::assert_snapshot!(cloud.world.text(&said), @"");
    cloud
        .world
        .write("wrun.toml", "[steps.square]\nexecutor = \"cloud\"\n");
    let said = cloud.wrun(&["run", "--module", &module]);
    insta::assert_snapshot!(cloud.world.text(&said), @"");
}

#[test]
fn credentials_that_are_not_there() {
    let cloud = Cloud::new();
    let module = super::world::module("foreach");
    let mut command = cloud.command(&["run", "--module", &module, "--with", "batch"]);
    command.env_remove("AWS_ACCESS_KEY_ID");
    let said = command.output().unwrap().into();
    insta::assert_snapshot!(cloud.world.text(&said), @"");
}

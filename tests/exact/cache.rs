//! The cache, and what is said of it: `run --cache`, `why`, `diff`, `spin`.

use wrun::cli::exit;
use wrun::model::event::{Event, RunStatus};

use super::*;
use crate::lab::{Flow, Lab};
use crate::results::counts;

fn cached(world: &World, name: &str, more: &[&str]) {
    world
        .run(name, &[&["--quiet", "--cache"], more].concat())
        .good();
}

fn blobs(world: &World) -> Vec<std::path::PathBuf> {
    let children = |path: std::path::PathBuf| {
        let entries = std::fs::read_dir(path).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    let all = children(world.store().join("blobs")).into_iter();
    all.flat_map(children).collect()
}

#[test]
fn what_cannot_have_changed_is_not_executed() {
    let world = World::new();
    world.run("shaky", &["--quiet"]).good();
    cached(&world, "shaky", &[]);
    let all = results::of(&world.store(), "shaky/1");
    assert_eq!(results::of(&world.store(), "shaky/2"), all);
    let (executed, reused) = counts(&world.store(), "shaky/2");
    // Tasks that ask who they are give the same in the same run only, and what failed is no result.
    assert!(reused >= 17, "{executed} executed, {reused} reused");
    assert_eq!(world.json(&["replay", "shaky/2"])["identical"], true);
    // A changed parameter: those are executed that read it, or something else because of it.
    cached(&world, "shaky", &["--note", "!"]);
    assert_eq!(counts(&world.store(), "shaky/3").0, executed + 1);
    // More elements: those that were there are found though the list is another.
    cached(&world, "foreach", &["--n", "10"]);
    cached(&world, "foreach", &["--n", "15"]);
    assert_eq!(counts(&world.store(), "foreach/2"), (7, 11));
    assert_eq!(world.json(&["replay", "foreach/2"])["identical"], true);
}

#[test]
fn a_hit_whose_blob_is_gone_is_executed() {
    let world = World::new();
    let wide = ["--n", "3", "--width", "100000"];
    cached(&world, "foreach", &wide);
    let module = std::fs::read(module("foreach")).unwrap();
    let module = wrun::model::digest::Digest::of(&module).to_string();
    let mut gone = 0;
    for blob in blobs(&world) {
        if !blob.ends_with(&module) {
            std::fs::remove_file(blob).unwrap();
            gone += 1;
        }
    }
    assert_eq!(gone, 3);
    cached(&world, "foreach", &wide);
    assert_eq!(counts(&world.store(), "foreach/2"), (3, 3));
    for run in ["foreach/1", "foreach/2"] {
        assert_eq!(world.json(&["replay", run])["identical"], true);
    }
}

#[test]
fn a_result_that_was_taken_over_is_found_when_the_run_that_made_it_is_gone() {
    let world = World::new();
    for _ in 0..2 {
        cached(&world, "foreach", &["--n", "5"]);
    }
    let module = std::fs::read(module("foreach")).unwrap();
    let module = wrun::model::digest::Digest::of(&module).to_string();
    let notes = std::fs::read_dir(world.store().join("memo").join(module)).unwrap();
    let notes: Vec<_> = notes.map(|entry| entry.unwrap().path()).collect();
    let of_first = notes
        .iter()
        .find(|it| it.to_str().unwrap().ends_with("-foreach-1"));
    std::fs::remove_file(of_first.unwrap()).unwrap();
    cached(&world, "foreach", &["--n", "5"]);
    let (executed, reused) = counts(&world.store(), "foreach/2");
    assert!(reused >= 5, "{executed} executed, {reused} reused");
    assert_eq!(counts(&world.store(), "foreach/3"), (executed, reused));
    assert_eq!(world.json(&["replay", "foreach/3"])["identical"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_cache_that_is_taken_over_goes_on_with_it() {
    let lab = Lab::new(2);
    let flow = Flow::of(module("foreach").as_ref()).await;
    let given: &[(&str, &[u8])] = &[
        ("n", &[8]),
        ("work", &[0]),
        ("width", &[0x18, 50]),
        ("stay", &[0xf4]),
    ];
    lab.run(&flow, given, 1).await;
    lab.run_cached(&flow, given, 1).await;
    let events = lab.events("foreach/2").await;
    let executed = |events: &[Event]| {
        let finished = |event: &&Event| matches!(event, Event::Finished { .. });
        events.iter().filter(finished).count()
    };
    assert!(executed(&events) < 4, "{events:?}");
    let cut = lab
        .copy(|key| !key.contains("/runs/2/") && !key.ends_with("-foreach-2"))
        .await;
    let run = cut.open("foreach/2").await;
    run.writer_at(0).append(&events[..1]).await.unwrap();
    assert_eq!(cut.attach("foreach/2").await, RunStatus::Succeeded);
    let after = cut.events("foreach/2").await;
    assert_eq!(executed(&after), executed(&events));
}

#[test]
fn changed_code_is_executed() {
    let world = World::new();
    cached(&world, "foreach", &[]);
    cached(&world, "foreach_anew", &[]);
    assert_eq!(counts(&world.store(), "foreach/2").1, 0);
    let said = world.wrun(&["why", "foreach/2/square/1"]).good().stdout;
    assert!(said.contains("was executed: module "), "{said}");
}

#[test]
fn why_names_the_part_that_changed() {
    let world = World::new();
    world.run("foreach", &["--quiet"]).good();
    let why = |task: &str| world.wrun(&["why", task]).good().stdout;
    let first = why("foreach/1/square/1");
    assert!(
        first.starts_with("foreach/1/square/1 was executed: no earlier run has it\n"),
        "{first}"
    );
    world.run("foreach", &["--quiet"]).good();
    let again = why("foreach/2/square/1");
    assert!(
        again.contains("nothing has changed: `wrun run --cache` would have taken it over"),
        "{again}"
    );
    cached(&world, "foreach", &["--width", "9"]);
    let changed = why("foreach/3/square/1");
    assert!(
        changed.starts_with("foreach/3/square/1 was executed: reads `width` is not what it was\n"),
        "{changed}"
    );
    let taken = why("foreach/3/start");
    assert!(
        taken.starts_with("foreach/3/start/- was taken over from foreach/"),
        "{taken}"
    );
    world
        .wrun(&["why", "foreach/3"])
        .fails(exit::USAGE, &["is no task", "name one"]);
}

#[test]
fn diff_tells_a_cause_from_what_follows() {
    let world = World::new();
    for note in ["a", "a", "b"] {
        world.run("shaky", &["--quiet", "--note", note]).good();
    }
    let same = world.wrun(&["diff", "shaky/1", "shaky/2"]).good().stdout;
    assert!(
        same.starts_with("shaky/1 and shaky/2: same results"),
        "{same}"
    );
    let other = world.wrun(&["diff", "shaky/2", "shaky/3"]);
    assert_eq!(other.code, i32::from(exit::DIFFERENT));
    insta::assert_snapshot!(other.stdout, @r#"
    shaky/2 and shaky/3: different results, 38 tasks equal
      parameter `note`: "a" -> "b"

    tasks that differ
      end/- (read something else) artifact `line`: "47432841a" -> "47432841b"
    "#);
    let code = world.run("foreach", &["--quiet"]);
    code.good();
    world.run("foreach_anew", &["--quiet"]).good();
    let json = world.wrun(&["diff", "foreach/1", "foreach/2", "--json"]);
    assert_eq!(json.code, i32::from(exit::DIFFERENT));
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let cause = |task: &str| {
        let tasks = json["tasks"].as_array().unwrap();
        let found = tasks.iter().find(|it| it["task"] == task).unwrap();
        found["cause"].clone()
    };
    assert_eq!(cause("square/2"), "itself");
    assert_eq!(json["only_left"][0], "end/-");
    assert_eq!(json["only_right"][0], "finish/-");
}

#[test]
fn spin_tries_the_code_of_today_on_what_was_read() {
    let world = World::new();
    world.run("foreach", &["--quiet", "--n", "5"]).good();
    let anew = module("foreach_anew");
    let spin = |task: &str| world.wrun(&["spin", task, "--module", &anew]);
    let said = spin("foreach/1/square/3").good().stdout;
    assert!(
        said.contains("the result is another: artifact `square`")
            && said.contains("recorded  9")
            && said.contains("now       27"),
        "{said}"
    );
    let same = spin("foreach/1/start").good().stdout;
    assert!(same.contains("the result is the recorded one"), "{same}");
    spin("foreach/1/end").fails(
        exit::USAGE,
        &["the flow of today has no step `end`", "`wrun graph`"],
    );
    spin("foreach/1/square").fails(exit::USAGE, &["has 5 tasks", "name one of them"]);
    // A task that broke is tried with the code that mends it.
    world.run("shaky_work", &["--quiet"]).fails(1, &[]);
    let (broken, mended) = (module("shaky_work"), module("shaky"));
    let spin = |module: &str| world.wrun(&["spin", "shaky/1/work/1.2", "--module", module]);
    spin(&broken).fails(exit::RUN_FAILED, &[]);
    let said = spin(&mended).good().stdout;
    assert!(said.contains("the result is another: outcome"), "{said}");
    // Nothing of it was kept.
    assert_eq!(world.json(&["replay", "shaky/1"])["identical"], true);
}

//! Resume: what succeeded is taken over, the rest comes out as if nothing had happened.

use serde_json::json;
use wrun::cli::exit;

use super::running::Running;
use super::*;
use crate::results::counts;

/// What comes out of `shaky` when nothing breaks.
fn undisturbed() -> results::Results {
    let world = World::new();
    world.run("shaky", &["--quiet"]).good();
    results::of(&world.store(), "shaky/1")
}

fn resume(world: &World, run: &str, name: &str, more: &[&str]) -> world::Said {
    let module = module(name);
    world.wrun(&[&["resume", run, "--module", &module], more].concat())
}

#[test]
fn a_run_that_broke_anywhere_comes_to_the_same_results() {
    let expected = undisturbed();
    for broken in ["shaky_work", "shaky_turn", "shaky_end"] {
        let world = World::new();
        world.run(broken, &["--quiet", "-j", "1"]).fails(1, &[]);
        let done = results::of(&world.store(), "shaky/1").tasks;
        let said = resume(&world, "shaky/1", "shaky", &[]).good();
        assert_eq!(results::of(&world.store(), "shaky/2"), expected, "{broken}");
        let (_, reused) = counts(&world.store(), "shaky/2");
        let succeeded = done.values().filter(|it| it.starts_with("Ok")).count();
        assert_eq!(reused, succeeded, "{broken}: {}", said.stderr);
        let told = format!("took over {reused} tasks from shaky/1");
        assert!(said.stderr.contains(&told), "{}", said.stderr);
        assert!(
            said.stderr.contains("all of it was made by other code"),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn a_resumed_run_can_be_resumed_again_and_again() {
    let expected = undisturbed();
    let world = World::new();
    world.run("shaky_work", &["--quiet"]).fails(1, &[]);
    for (run, name) in [("shaky/1", "shaky_turn"), ("shaky/2", "shaky_end")] {
        resume(&world, run, name, &["--quiet"]).fails(1, &[]);
    }
    let said = resume(&world, "latest", "shaky", &[]).good();
    assert!(said.stderr.contains("from shaky/3"), "{}", said.stderr);
    assert_eq!(results::of(&world.store(), "shaky/4"), expected);
    // Whoever reads it sees what was printed three runs ago.
    let logs = world.wrun(&["logs", "shaky/4/start"]).good().stdout;
    assert!(logs.contains("4 wide"), "{logs}");
    assert_eq!(world.json(&["replay", "shaky/4"])["identical"], true);
}

#[test]
fn resuming_a_finished_run_does_nothing_and_says_so() {
    let world = World::new();
    world.run("shaky", &["--quiet"]).good();
    let said = resume(&world, "shaky/1", "shaky", &[]).good();
    insta::assert_snapshot!(said.stderr, @"run shaky/1 has succeeded: there is nothing to resume (`--from STEP` executes a step again)");
    world
        .wrun(&["show", "shaky/2"])
        .fails(exit::NOT_FOUND, &["`shaky/2` does not exist"]);
}

#[test]
fn from_a_step_on_everything_is_executed_again() {
    let world = World::new();
    world.run("shaky", &["--quiet"]).good();
    let said = resume(&world, "shaky/1", "shaky", &["--from", "turn"]).good();
    let same = |run| results::of(&world.store(), run);
    assert_eq!(same("shaky/1"), same("shaky/2"));
    // Three turns of two steps, the end, and the parts that had failed and were caught.
    let (executed, _) = counts(&world.store(), "shaky/2");
    let caught = same("shaky/1").tasks;
    let caught = caught.values().filter(|it| it.starts_with("Err")).count();
    assert!(caught > 0);
    assert_eq!(executed, 7 + caught, "{}", said.stderr);
    assert!(
        said.stderr.contains("asked for with `--from`"),
        "{}",
        said.stderr
    );
    resume(&world, "shaky/1", "shaky", &["--from", "trun"]).fails(
        exit::USAGE,
        &[
            "the flow has no step `trun`",
            "`wrun graph` shows the steps",
        ],
    );
}

#[test]
fn strict_takes_over_only_what_the_code_of_today_made() {
    let world = World::new();
    world.run("shaky_end", &["--quiet"]).fails(1, &[]);
    let said = resume(&world, "shaky/1", "shaky", &["--strict"]).good();
    assert_eq!(counts(&world.store(), "shaky/2").1, 0);
    assert!(
        said.stderr.contains("nothing was taken over from shaky/1")
            && said.stderr.contains("was made by other code"),
        "{}",
        said.stderr
    );
    // What today's code has made is taken over by the strict as well.
    let said = resume(&world, "shaky/2", "shaky", &["--strict", "--from", "end"]).good();
    assert!(counts(&world.store(), "shaky/3").1 > 20, "{}", said.stderr);
    assert_eq!(results::of(&world.store(), "shaky/3"), undisturbed());
}

#[test]
fn a_changed_parameter_makes_those_run_again_that_depend_on_it() {
    let world = World::new();
    world.run("shaky", &["--quiet"]).good();
    let caught = results::of(&world.store(), "shaky/1").tasks;
    let caught = caught.values().filter(|it| it.starts_with("Err")).count();
    resume(&world, "shaky/1", "shaky", &["--note", "!"]).good();
    assert_eq!(counts(&world.store(), "shaky/2").0, 1 + caught);
    let line = |run: u32| world.value(&format!("shaky/{run}/end/line"));
    let expected = format!("{}!", line(1).as_str().unwrap());
    assert_eq!(line(2), json!(expected));

    let said = resume(&world, "shaky/1", "shaky", &["--width", "5"]).good();
    assert!(
        said.stderr.contains("reads something else than before"),
        "{}",
        said.stderr
    );
    let fresh = World::new();
    fresh.run("shaky", &["--quiet", "--width", "5"]).good();
    assert_eq!(
        results::of(&world.store(), "shaky/3"),
        results::of(&fresh.store(), "shaky/1")
    );
    // The parts that were there before read what they read.
    assert!(counts(&world.store(), "shaky/3").1 >= 12);
}

#[test]
fn after_a_change_of_the_graph_it_is_said_what_cannot_be_kept() {
    let world = World::new();
    world.run("foreach", &["--quiet"]).good();
    let said = resume(&world, "foreach/1", "foreach_anew", &["--from", "finish"]).good();
    let told: Vec<_> = said.stderr.lines().rev().take(5).collect();
    let told: Vec<_> = told.into_iter().rev().collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    took over 4 tasks from foreach/1
      all of it was made by other code than today's; `--strict` executes what other code made
      executed finish/-: did not succeed before
      executed sum/-: its step writes or decides something else than before
      left 1 task of `end` behind: the flow has no such step any more
    ");
    // What was kept was made by the code of then.
    assert_eq!(world.value("foreach/2/finish/line"), "5 in all");
    let original = ["resume", "foreach/1", "--code", "original", "--from", "end"];
    world.wrun(&original).good();
    assert_eq!(world.value("foreach/3/sum/sum"), 5);
    resume(&world, "foreach/1", "single", &["--from", "only"]).fails(
        exit::USAGE,
        &["`foreach/1` is no run of flow `single`", "--code original"],
    );
}

#[test]
fn a_run_that_was_stopped_goes_on_where_it_was() {
    let world = World::new();
    let work = ["--n", "400", "--work", "1", "--max-workers", "2"];
    let mut running = Running::start(&world, "foreach", &work);
    running.until("finished", "square/20");
    running.signal(rustix::process::Signal::INT);
    assert_eq!(running.end().1, Some(i32::from(exit::CANCELLED)));
    resume(&world, "latest", "foreach", &["--quiet"]).good();
    assert!(counts(&world.store(), "foreach/2").1 >= 20);
    let fresh = World::new();
    fresh
        .run("foreach", &["--quiet", "--n", "400", "--work", "1"])
        .good();
    assert_eq!(
        results::of(&world.store(), "foreach/2"),
        results::of(&fresh.store(), "foreach/1")
    );
}

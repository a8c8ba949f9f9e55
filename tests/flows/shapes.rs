//! Every shape of a flow, from the module to the artifacts and the names of the tasks.

use serde_json::json;
use wrun::cli::exit;

use super::*;

#[test]
fn values_of_many_types_go_from_step_to_step() {
    let world = World::new();
    world.run("linear", &[]).good();
    let expected = "{\"a\": Plain, \"b\": Weighted { by: 0.5 }} 0.25 18446744073709551615 \
                    -9223372036854775808 [0, 159, 146, 150]";
    assert_eq!(world.value("linear/1/end/line"), expected);
    let rows = json!([
        {"name": "b", "kind": {"weighted": {"by": 0.5}}, "note": null},
        {"name": "a", "kind": "plain", "note": null},
    ]);
    assert_eq!(world.value("linear/1/start/rows"), rows);
    let infinite = world.wrun(&["get", "linear/1/start/ratio"]).good();
    assert_eq!(infinite.stdout, "Infinity\n");
    // What was `None` was not written.
    world
        .wrun(&["get", "linear/1/start/never"])
        .fails(exit::NOT_FOUND, &["no artifact `never`"]);
    let logs = world.wrun(&["logs", "linear/1"]).good().stdout;
    assert!(
        logs.contains("printed by start") && logs.contains("only a warning"),
        "{logs}"
    );
}

#[test]
fn a_flow_may_be_one_step() {
    let world = World::new();
    world.run("single", &[]).good();
    assert_eq!(world.tasks("single/1/only"), ["only/-"]);
    assert_eq!(world.value("single/1/only/answer"), 42);
}

#[test]
fn a_join_of_a_split_reads_its_sides_and_passes_on_what_agrees() {
    let world = World::new();
    world.run("split", &[]).good();
    assert_eq!(world.value("split/1/end/line"), "[11, 12] agreed 10");
    assert_eq!(world.tasks("split/1/both"), ["both/-"]);
}

#[test]
fn sides_that_do_not_agree_are_named() {
    let world = World::new();
    let said = world.run("disagree", &["--quiet"]);
    insta::assert_snapshot!(world.text(&said), @r"
    disagree/1/both/- failed: broken contract: the join `both` cannot merge `note`: it differs between `left/-` and `right/-`
        hint: read `note` through `Inputs` and write what is to go on
    exit code 1
    ");
    // The sides are kept, and nothing after them was done.
    assert_eq!(world.value("disagree/1/right/note"), "right");
    world
        .wrun(&["show", "disagree/1/end"])
        .fails(exit::NOT_FOUND, &["no task of step `end`"]);
}

#[test]
fn three_foreaches_nest_and_one_may_be_empty() {
    let world = World::new();
    world.run("nested", &[]).good();
    let names = [
        "1:0:0 [0, 0, 0] 0.0.0",
        "1:0:1 [0, 0, 1] 0.0.1",
        "2:0:0 [2, 0, 0] 2.0.0",
        "2:0:1 [2, 0, 1] 2.0.1",
        "2:1:0 [2, 1, 0] 2.1.0",
        "2:1:1 [2, 1, 1] 2.1.1",
    ];
    assert_eq!(world.value("nested/1/joined_planes/names"), json!(names));
    let cells = ["0.0.0", "0.0.1", "2.0.0", "2.0.1", "2.1.0", "2.1.1"];
    let cells = cells.map(|name| format!("cell/{name}"));
    assert_eq!(world.tasks("nested/1/cell"), cells);
    // The plane without rows has a join all the same.
    assert_eq!(world.tasks("nested/1/joined_rows").len(), 3);
    assert_eq!(world.value("nested/1/joined_rows/1/names"), json!([]));
}

#[test]
fn a_foreach_in_a_split_and_a_split_in_a_foreach() {
    let world = World::new();
    world.run("mixed", &[]).good();
    // (200 + 3) + (400 + 6) + (600 + 9), ten times, and 7.
    assert_eq!(world.value("mixed/1/join/total"), 12187);
    let triples = ["triple/0", "triple/1", "triple/2"];
    assert_eq!(world.tasks("mixed/1/triple"), triples);
}

#[test]
fn every_branch_of_a_foreach_takes_its_own_way_at_a_switch() {
    let world = World::new();
    let numbers = ["5", "4", "0"].map(|n| ["--numbers-given", n]).concat();
    world.run("switch", &numbers).good();
    let all = json!(["5 is odd", "4 is even", "0 is nothing"]);
    assert_eq!(world.value("switch/1/gather/all"), all);
    assert_eq!(world.tasks("switch/1/odd"), ["odd/0"]);
    assert_eq!(world.tasks("switch/1/even"), ["even/1"]);
    assert_eq!(world.tasks("switch/1/said").len(), 3);
    assert_eq!(world.value("switch/1/choose/2/way"), "dead-end");
}

#[test]
fn a_loop_turns_as_often_as_it_decides() {
    let world = World::new();
    world.run("turns", &[]).good();
    assert_eq!(world.value("turns/1/end/line"), "1110");
    let turns = ["decide/~1", "decide/~2", "decide/~3"];
    assert_eq!(world.tasks("turns/1/decide"), turns);
    assert_eq!(world.tasks("turns/1/part").len(), 6);
}

#[test]
fn a_loop_may_turn_up_to_its_bound_and_not_further() {
    let world = World::new();
    world.run("turns", &["--turns", "5"]).good();
    assert_eq!(world.value("turns/1/end/line"), "111110");
    let said = world.run("turns", &["--turns", "6", "--quiet"]);
    insta::assert_snapshot!(world.text(&said), @r"
    turns/2/decide/~5 failed: loop bound: step `decide` led back to `cut` after turn 5, the last one
        hint: raise `max_turns` of `decide`, or end the loop before
    exit code 1
    ");
    assert_eq!(world.json(&["show", "turns/2"])["status"], "failed");
    assert_eq!(world.tasks("turns/2/cut").len(), 5);
}

#[test]
fn a_foreach_over_nothing_has_a_join_without_branches() {
    let world = World::new();
    world.run("foreach", &["--n", "0"]).good();
    assert_eq!(world.value("foreach/1/sum/branches"), 0);
    assert_eq!(world.value("foreach/1/sum/sum"), 0);
    world
        .wrun(&["get", "foreach/1/sum/last"])
        .fails(exit::NOT_FOUND, &["no artifact `last`"]);
}

#[test]
fn failures_are_retried_and_caught_as_the_step_says() {
    let world = World::new();
    let ways = ["well", "second", "error", "fatal", "panic"];
    let ways = ways.map(|way| ["--how", way]).concat();
    world.run("lenient", &ways).good();
    let lines = world.wrun(&["get", "lenient/1/gather/lines"]).good().stdout;
    insta::assert_snapshot!(lines, @r#"
    [
      "done by attempt 1",
      "done by attempt 2",
      "Error: it went error []",
      "Fatal: while trying [\"never again\"]",
      "Panic: panic in attempt/4 []"
    ]
    "#);
    let attempts = |task: &str| {
        let show = world.json(&["show", &format!("lenient/1/attempt/{task}")]);
        (show["status"].clone(), show["attempts"].clone())
    };
    assert_eq!(attempts("0"), (json!("succeeded"), json!(1)));
    assert_eq!(attempts("1"), (json!("succeeded"), json!(2)));
    assert_eq!(attempts("2"), (json!("caught"), json!(3)));
    // What is fatal is not tried again.
    assert_eq!(attempts("3"), (json!("caught"), json!(1)));
    assert_eq!(attempts("4"), (json!("caught"), json!(3)));
    let logs = world.wrun(&["logs", "lenient/1/attempt/2"]).good().stdout;
    assert!(
        logs.contains("attempt 0 of attempt/2") && logs.contains("attempt 2 of attempt/2"),
        "{logs}"
    );
}

#[test]
fn a_failure_that_nobody_catches_ends_the_run() {
    let world = World::new();
    let end = |how| ["--quiet", "--how", "well", "--end", how];
    let said = world.run("lenient", &end("bad"));
    insta::assert_snapshot!(world.text(&said), @r"
    lenient/1/strict/- failed: error: the end is bad, attempt 1
    exit code 1
    ");
    // A fatal one is not tried again.
    world
        .run("lenient", &end("fatal"))
        .fails(exit::RUN_FAILED, &["fatal error: the end is fatal"]);
    let show = world.json(&["show", "lenient/2/strict/-"]);
    assert_eq!(show["attempts"], 1);
}

#[test]
fn reports_open_as_files() {
    let world = World::new();
    world.run("pieces", &["--rows", "10"]).good();
    for (report, kind, text) in [
        ("start/page", "html", "<p>279 bytes</p>"),
        (
            "start/picture",
            "svg",
            "<svg xmlns='http://www.w3.org/2000/svg'/>",
        ),
        ("check/page", "md", "# 10 rows"),
    ] {
        let said = world.wrun(&["get", &format!("pieces/1/{report}")]).good();
        let path = said.stdout.trim();
        assert!(path.ends_with(&format!(".{kind}")), "{path}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }
}

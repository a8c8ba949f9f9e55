//! Runs that end well, and what can be read of them.

use super::*;

#[test]
fn five_steps_hand_their_count_on() {
    let world = World::new();
    world.run("bench_five", &[]).good();
    assert_eq!(world.json(&["get", "five/1/end/count"])["value"], 5);
    assert_eq!(world.json(&["show", "five/1"])["status"], "succeeded");
}

#[test]
fn results_depend_on_neither_workers_nor_surroundings() {
    let world = World::new();
    world.run("monte_carlo", &["--max-workers", "1"]).good();
    let other = world
        .command(&[
            "run",
            "--module",
            &module("monte_carlo"),
            "--max-workers",
            "4",
        ])
        .env("TZ", "Asia/Tokyo")
        .env("LANG", "de_DE.UTF-8")
        .current_dir("/")
        .output()
        .unwrap();
    Said::from(other).good();
    let one = world.json(&["get", "monte-carlo/1/end/summary"]);
    let two = world.json(&["get", "monte-carlo/2/end/summary"]);
    assert_eq!(one["digest"], two["digest"]);
    assert!(one["digest"].is_string());
    world.run("monte_carlo", &["--seed", "7"]).good();
    let seeded = world.json(&["get", "monte-carlo/3/end/summary"]);
    assert_ne!(one["digest"], seeded["digest"]);
}

#[test]
fn the_largest_example_comes_to_an_end() {
    let world = World::new();
    world.run("grid_search", &["--quiet"]).good();
    assert_eq!(
        world.json(&["show", "grid-search/1"])["status"],
        "succeeded"
    );
}

#[test]
fn retries_catches_and_timeouts_let_the_flow_go_on() {
    let world = World::new();
    let said = world.run("flaky", &[]).good();
    assert!(
        said.stderr.contains("2 caught, 2 retried"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_foreach_over_many_elements_adds_up() {
    let world = World::new();
    let n = 20_000_u64;
    world
        .run("bench_fan", &["--quiet", "--n", &n.to_string()])
        .good();
    let sum = (0..n).map(|i| i * i).sum::<u64>();
    assert_eq!(world.json(&["get", "fan/1/sum/sum"])["value"], sum);
}

#[test]
fn a_large_artifact_goes_through_in_pieces() {
    let world = World::new();
    world
        .run("bench_bulk", &["--mib", "40", "--kind", "random"])
        .good();
    assert_eq!(world.json(&["get", "bulk/1/read/bytes"])["value"], 40 << 20);
}

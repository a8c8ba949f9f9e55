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

#[test]
fn a_directory_given_as_a_parameter_becomes_an_artifact() {
    let world = World::new();
    let corpus = world.path().join("corpus");
    let deep = "deep".repeat(40);
    std::fs::create_dir_all(corpus.join(&deep)).unwrap();
    std::fs::write(corpus.join("b.txt"), "two three\n").unwrap();
    std::fs::write(
        corpus.join(&deep).join("a.txt"),
        "one two\n".repeat(100_000),
    )
    .unwrap();
    std::fs::write(corpus.join("empty.txt"), "").unwrap();
    std::fs::write(corpus.join(".hidden"), "never").unwrap();
    let run = |paths: &[&str]| {
        let arguments = paths.iter().flat_map(|path| ["--text", path]);
        let arguments: Vec<_> = arguments.collect();
        world.run("wordcount", &arguments).good();
    };
    run(&["corpus"]);
    run(&["corpus/"]);
    std::fs::write(corpus.join("b.txt"), "changed\n").unwrap();

    let value = |of: &str| world.json(&["get", of])["value"].clone();
    assert_eq!(value("wordcount/1/total/words"), 200_002);
    assert_eq!(value("wordcount/1/total/counts")["two"], 100_001);
    let digest = |run: u32| {
        let shown = world.json(&["show", &format!("wordcount/{run}")]);
        let parameters = shown["parameters"].as_array().unwrap().clone();
        let text = parameters
            .into_iter()
            .find(|it| it["name"] == "text")
            .unwrap();
        assert_eq!(text["media"], "application/x-tar");
        text["digest"].clone()
    };
    assert_eq!(digest(1), digest(2), "the same files are the same archive");

    world
        .wrun(&["get", "wordcount/1/text", "--output", "text.tar"])
        .good();
    let listed = Command::new("tar")
        .args(["tf", "text.tar"])
        .current_dir(world.path())
        .output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    assert_eq!(listed, format!("b.txt\n{deep}/a.txt\nempty.txt\n"));
}

#[test]
fn the_graph_of_a_run_says_what_became_of_each_step() {
    let world = World::new();
    world.run("flaky", &[]).good();
    let shown = world.json(&["graph", "flaky/1"]);
    assert_eq!(
        (&shown["run"], &shown["form"]),
        (&"flaky/1".into(), &"text".into())
    );
    let steps = shown["steps"].as_array().unwrap();
    let sum = |what: &str| {
        steps
            .iter()
            .map(|step| step[what].as_u64().unwrap())
            .sum::<u64>()
    };
    assert!(
        sum("caught") > 0 && sum("retried") > 0 && sum("failed") == 0,
        "{shown}"
    );
    let text = world.wrun(&["graph", "latest"]).good().stdout;
    assert!(
        text.starts_with("flaky  run flaky/1: succeeded\n"),
        "{text}"
    );
    assert!(
        text.contains("failed and caught") && text.contains("retr"),
        "{text}"
    );
    let module = modules().join("flaky.wasm");
    let flow = world
        .wrun(&["graph", "--module", module.to_str().unwrap()])
        .good()
        .stdout;
    assert_eq!(text.lines().count(), flow.lines().count());
    assert!(!flow.contains("succeeded"), "{flow}");
    world
        .wrun(&["graph", "flaky/7"])
        .fails(4, &["run `flaky/7` does not exist"]);
}

#[test]
fn a_text_file_given_as_a_parameter_is_its_text() {
    let world = World::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = root.join("examples/penguins/data/penguins.csv");
    world.run("penguins", &[]).good();
    world
        .run("penguins", &["--data", table.to_str().unwrap()])
        .good();
    let counts = |run: u32| world.json(&["get", &format!("penguins/{run}/describe/summaries")]);
    assert_eq!(counts(1)["value"], counts(2)["value"]);
    let given = world.wrun(&["get", "penguins/2/data"]).good();
    assert_eq!(
        given.stdout.trim_end(),
        std::fs::read_to_string(&table).unwrap().trim_end()
    );
}

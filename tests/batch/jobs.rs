//! What is submitted, and that the results are those of this machine.

use super::cloud::Cloud;
use super::world::module;

#[test]
fn a_foreach_is_one_array_job() {
    let cloud = Cloud::new();
    cloud.run("foreach", &["--n", "300", "--quiet"]).good();
    assert_eq!(cloud.fake.calls("submitjob"), 4);
    assert_eq!(cloud.fake.calls("registerjobdefinition"), 1);
    assert_eq!(cloud.fake.state().containers, 303);
    assert_eq!(cloud.world.value("foreach/1/sum/sum"), 299 * 300 * 599 / 6);
    cloud.replay("foreach/1");
}

#[test]
fn a_foreach_is_cut_where_an_array_is_full() {
    let cloud = Cloud::new();
    cloud.world.write("wrun.toml", "[batch]\narray-size = 4\n");
    cloud.run("foreach", &["--n", "9", "--quiet"]).good();
    // Four, four, and one alone; and the three other steps.
    assert_eq!(cloud.fake.calls("submitjob"), 6);
    cloud.replay("foreach/1");
}

#[test]
fn steps_are_executed_where_the_operator_says() {
    let cloud = Cloud::new();
    let settings = "[steps.square]\nexecutor = \"batch\"\nmemory = \"1 GiB\"\n";
    cloud.world.write("wrun.toml", settings);
    let module = module("foreach");
    let run = ["run", "--module", &module, "--n", "5", "--quiet"];
    cloud.wrun(&run).good();
    assert_eq!(cloud.fake.state().containers, 5);
    assert_eq!(cloud.fake.calls("submitjob"), 1);
    let shown = cloud.world.json(&["show", "foreach/1/square/3"]);
    let job = shown["records"][0]["usage"]["job"].as_str();
    assert!(job.is_some_and(|job| job.ends_with(":3")), "{shown}");
    let text = cloud
        .world
        .wrun(&["show", "foreach/1/square/3"])
        .good()
        .stdout;
    assert!(
        text.contains(&format!("in Batch, job {}", job.unwrap())),
        "{text}"
    );
    cloud.replay("foreach/1");
}

#[test]
fn shapes_that_nest_join_in_order() {
    for (flow, run) in [
        ("mixed", "mixed/1"),
        ("nested", "nested/1"),
        ("turns", "turns/1"),
    ] {
        let cloud = Cloud::new();
        cloud.run(flow, &["--quiet"]).good();
        cloud.replay(run);
    }
}

#[test]
fn equal_jobs_share_their_definition_and_others_have_their_own() {
    let cloud = Cloud::new();
    cloud.run("foreach", &["--quiet"]).good();
    cloud.run("linear", &["--quiet"]).good();
    assert_eq!(cloud.fake.calls("registerjobdefinition"), 1);
    // Workers are told what they must know to keep things as the driver does.
    cloud.world.write("wrun.toml", "compression-level = 3\n");
    cloud.run("linear", &["--quiet"]).good();
    assert_eq!(cloud.fake.calls("registerjobdefinition"), 2);
}

#[test]
fn what_failed_here_is_resumed_there_and_the_reverse() {
    let cloud = Cloud::new();
    let (broken, whole) = (module("shaky_end"), module("shaky"));
    let resume = ["resume", "--module", &whole, "--quiet"];
    let batch = ["--with", "batch"];

    cloud.world.run("shaky_end", &["--quiet"]).fails(1, &[]);
    cloud.wrun(&[&resume[..], &batch].concat()).good();
    let there = cloud.fake.state().containers;
    assert!(there > 0);
    cloud.replay("shaky/2");

    let run = ["run", "--module", &broken, "--quiet"];
    cloud.wrun(&[&run[..], &batch].concat()).fails(1, &[]);
    let before = cloud.fake.state().containers;
    cloud.wrun(&[&resume[..], &["shaky/3"]].concat()).good();
    assert_eq!(cloud.fake.state().containers, before);
    cloud.replay("shaky/4");
}

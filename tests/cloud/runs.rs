//! Runs whose datastore is a bucket: made, shown, resumed, replayed, copied.

use std::process::Command;

use super::moto::{Moto, access};
use super::server;
use super::wire::{self, Wire};
use super::world::{Said, World, module};

/// A world whose datastore is in a bucket.
struct Cloud {
    world: World,
    endpoint: String,
}

impl Cloud {
    fn at(endpoint: String) -> Self {
        Self {
            world: World::new(),
            endpoint,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command
            .env("WRUN_DATASTORE", "s3://bucket/team")
            .env("XDG_CACHE_HOME", self.world.path().join("cache"))
            .env(
                "WRUN_CODE_CACHE",
                std::env::temp_dir().join("wrun-tests-code/wrun/code"),
            )
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .envs(access());
        command
    }

    fn wrun(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    fn run(&self, flow: &str, arguments: &[&str]) -> Said {
        self.wrun(&[&["run", "--module", &module(flow)], arguments].concat())
    }
}

#[test]
fn a_run_in_a_bucket_is_shown_resumed_and_replayed() {
    let Some(moto) = server() else { return };
    let cloud = Cloud::at(moto.endpoint());
    cloud.run("flaky", &[]).good();
    let shown = cloud.wrun(&["show", "flaky/1"]).good();
    assert!(shown.stdout.contains("caught"), "{}", shown.stdout);
    let flaky = module("flaky");
    let resume = ["resume", "flaky/1", "--from", "end", "--module", &flaky];
    cloud.wrun(&resume).good();
    cloud.run("grid_search", &[]).good();
    let replayed = cloud.wrun(&["replay", "grid-search/1"]);
    assert!(replayed.good().stdout.contains("identical"));
    // Where the caches are gone, the bucket has all that is needed.
    std::fs::remove_dir_all(cloud.world.path().join("cache")).unwrap();
    cloud.wrun(&["replay", "grid-search/1"]).good();
    cloud
        .wrun(&["tag", "grid-search/1", "--add", "kept"])
        .good();
    let runs = cloud.wrun(&["runs", "--tag", "kept"]).good().stdout;
    assert!(runs.contains("grid-search/1"), "{runs}");
}

#[test]
fn a_bad_wire_changes_no_result() {
    let Some(moto) = server() else { return };
    let here = World::new();
    here.run("grid_search", &[]).good();
    let expected = here.wrun(&["show", "grid-search/1", "--json"]).good();
    let wire = Wire::to(moto.port(), wire::script(9, 20));
    let cloud = Cloud::at(wire.endpoint());
    cloud.run("grid_search", &[]).good();
    let found = cloud.wrun(&["show", "grid-search/1", "--json"]).good();
    assert_eq!(digests(&found.stdout), digests(&expected.stdout));
    assert!(!digests(&found.stdout).is_empty());
    cloud.wrun(&["replay", "grid-search/1"]).good();
    assert!(wire.faults() > 2, "{}", wire.faults());
}

/// Every digest in a text, in order.
fn digests(text: &str) -> Vec<String> {
    let words = text.split('"').filter(|word| word.len() == 64);
    words.map(str::to_owned).collect()
}

#[test]
fn ten_thousand_small_tasks_cost_few_requests() {
    let Some(moto) = server() else { return };
    let cloud = Cloud::at(moto.endpoint());
    // The first run makes the datastore and stores the code.
    cloud.run("bench_fan", &["--n", "10"]).good();
    let before = puts(&moto);
    cloud.run("bench_fan", &["--n", "10000"]).good();
    let puts = puts(&moto) - before;
    assert!(puts <= 300, "{puts} writing requests for 10,000 tasks");
}

fn puts(moto: &Moto) -> u64 {
    let requests = moto.requests();
    ["PUT", "POST", "DELETE"]
        .iter()
        .filter_map(|method| requests.get(*method))
        .sum()
}

#[test]
fn a_copied_run_is_as_good_as_the_first() {
    let Some(moto) = server() else { return };
    let cloud = Cloud::at(moto.endpoint());
    let here = cloud.world.path().join("here");
    let here = here.to_str().unwrap();
    let at_home = |arguments: &[&str]| cloud.wrun(&[arguments, &["--datastore", here]].concat());
    at_home(&["run", "--module", &module("grid_search")]).good();
    at_home(&["run", "--module", &module("bench_five")]).good();
    let copy = ["datastore", "copy", here, "s3://bucket/team"];
    let said = cloud.wrun(&copy).good();
    assert!(
        said.stderr.contains("2 runs copied to s3://bucket/team"),
        "{}",
        said.stderr
    );
    // Once more there is nothing to do.
    let said = cloud.wrun(&copy).good();
    assert!(
        said.stderr.contains("0 runs copied") && said.stderr.contains("0 new blobs"),
        "{}",
        said.stderr
    );
    let replayed = cloud.wrun(&["replay", "grid-search/1"]).good();
    assert!(replayed.stdout.contains("identical"));
    // And back again, one of them, to a third place that is a directory.
    let third = cloud.world.path().join("third");
    let third = third.to_str().unwrap();
    cloud
        .wrun(&["datastore", "copy", "s3://bucket/team", third, "five/1"])
        .good();
    let runs = cloud.wrun(&["runs", "--datastore", third]).good().stdout;
    assert!(
        runs.contains("five/1") && !runs.contains("grid-search"),
        "{runs}"
    );
    cloud
        .wrun(&["replay", "five/1", "--datastore", third])
        .good();
    // Another run under the same name is not overwritten.
    let other = cloud.world.path().join("other");
    let other = other.to_str().unwrap();
    cloud
        .wrun(&[
            "run",
            "--module",
            &module("bench_five"),
            "--datastore",
            other,
        ])
        .good();
    let said = cloud.wrun(&["datastore", "copy", other, third]);
    said.fails(2, &["has another run `five/1`", "runs keep their names"]);
    let info = cloud.wrun(&["datastore", "info"]).good().stdout;
    assert!(
        info.contains("place   s3://bucket/team\n") && info.contains("runs    2\n"),
        "{info}"
    );
}

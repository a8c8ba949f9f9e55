//! The image in a real container engine: it starts, and what is run in it is what is run outside.

use std::path::Path;

use super::crowd::{self, Beside};
use super::docker::{Docker, docker};
use super::world::{Said, World, modules};

/// Flows with parameters: every example that needs no network, and guests that look at what a container changes.
const FLOWS: [(&str, &[&str]); 8] = [
    ("penguins", &[]),
    ("wordcount", &["--text", "/work/corpus"]),
    ("monte_carlo", &[]),
    ("flaky", &[]),
    ("shaky", &[]),
    ("pieces", &["--rows", "20000"]),
    ("nested", &[]),
    ("lenient", &["--how", "second", "--how", "fatal"]),
];

/// A place with files, a datastore, and a container that sees both.
struct Place {
    world: World,
    docker: Docker,
    _others: Beside,
}

impl Place {
    fn new() -> Option<Self> {
        let docker = Docker::find()?;
        let _others = crowd::beside();
        let world = World::new();
        std::fs::create_dir_all(world.path().join("work/corpus")).unwrap();
        std::fs::create_dir(world.store()).unwrap();
        world.write("work/corpus/a.txt", "one two\n".repeat(5000));
        world.write("work/corpus/b.txt", "two three\n");
        Some(Self {
            world,
            docker,
            _others,
        })
    }

    fn inside(&self, flags: &[&str], arguments: &[&str]) -> Said {
        let work = self.world.path().join("work");
        let mounted: [(&Path, &str); 3] = [
            (&self.world.store(), "/store"),
            (modules(), "/modules"),
            (&work, "/work"),
        ];
        let mut command = self.docker.command(&mounted, flags);
        let output = command.args(["--datastore", "/store"]).args(arguments);
        output.output().unwrap().into()
    }

    fn run_inside(&self, flags: &[&str], flow: &str, parameters: &[&str]) -> Said {
        let file = super::world::module(flow);
        let below = Path::new(&file).strip_prefix(modules()).unwrap();
        let module = format!("/modules/{}", below.display());
        let run = ["run", "--quiet", "--module", &module];
        self.inside(flags, &[&run, parameters].concat())
    }

    fn run_outside(&self, flow: &str, parameters: &[&str]) -> Said {
        let here = self.world.path().to_str().unwrap();
        let parameters = parameters
            .iter()
            .map(|it| it.replace("/work", &format!("{here}/work")));
        let parameters: Vec<_> = parameters.collect();
        let parameters: Vec<_> = parameters.iter().map(String::as_str).collect();
        self.world
            .run(flow, &[&["--quiet"], &parameters[..]].concat())
    }
}

#[test]
fn the_image_is_the_one_that_was_printed_and_is_not_run_by_root() {
    let Some(docker) = Docker::find() else { return };
    let _others = crowd::beside();
    let format = "{{.Id}} {{.Config.User}} {{.Architecture}} {{json .Config.Entrypoint}}";
    let said = self::docker(&["image", "inspect", "--format", format, &docker.image]);
    let architecture = wrun::image::Architecture::here().unwrap();
    let expected = format!("{} 65532:65532 {architecture} [\"/wrun\"]", docker.id);
    assert_eq!(said, expected);
    let version = docker.command(&[], &[]).arg("--version").output().unwrap();
    let expected = concat!("wrun ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&version.stdout), expected);
}

#[test]
fn a_file_with_an_image_is_loaded_as_the_same_image() {
    let Some(docker) = Docker::find() else { return };
    let _others = crowd::beside();
    let world = World::new();
    let made = world.json(&[
        "batch",
        "image",
        "--output",
        "image.tar",
        "--tag",
        "wrun-test/file",
    ]);
    let file = world.path().join("image.tar");
    self::docker(&["load", "--input", file.to_str().unwrap()]);
    let name = made["image"].as_str().unwrap();
    let id = self::docker(&["image", "inspect", "--format", "{{.Id}}", name]);
    assert_eq!(
        (id.as_str(), made["id"].as_str()),
        (docker.id.as_str(), Some(id.as_str()))
    );
    self::docker(&["rmi", name]);
}

#[test]
fn a_run_in_a_container_is_a_run_outside_bit_for_bit() {
    let Some(place) = Place::new() else { return };
    // What must not matter: name of the host, time zone, language, number of processors, memory.
    let flags = [
        ["--hostname", "elsewhere"],
        ["--env", "TZ=Pacific/Auckland"],
        ["--env", "LANG=tr_TR.UTF-8"],
        ["--cpus", "0.7"],
        ["--memory", "1g"],
    ];
    let flags = flags.concat();
    for (flow, parameters) in FLOWS {
        let inside = place.run_inside(&flags, flow, parameters);
        let run = place.world.json(&["runs"])["run"]
            .as_str()
            .unwrap()
            .to_owned();
        let replayed = place.world.wrun(&["replay", &run]).good();
        assert!(
            replayed.stdout.starts_with("identical: "),
            "{flow}: {}",
            replayed.stdout
        );
        let outside = place.run_outside(flow, parameters);
        assert_eq!(
            inside.code, outside.code,
            "{flow}: {}{}",
            inside.stderr, outside.stderr
        );
        let (name, number) = run.split_once('/').unwrap();
        let next = format!("{name}/{}", number.parse::<u32>().unwrap() + 1);
        let said = place.world.wrun(&["diff", &run, &next]);
        assert_eq!(said.code, 0, "{flow}: {}{}", said.stdout, said.stderr);
    }
}

#[test]
fn a_run_outside_is_replayed_in_a_container() {
    let Some(place) = Place::new() else { return };
    for (flow, parameters) in FLOWS {
        place.run_outside(flow, parameters);
        let said = place
            .inside(&["--hostname", "elsewhere"], &["replay"])
            .good();
        assert!(
            said.stdout.starts_with("identical: "),
            "{flow}: {}",
            said.stdout
        );
    }
}

//! What is disturbed: a command over a datastore that was prepared, and how it goes on afterwards.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use wrun::cli::exit;

use super::check::{self, Found};
use super::keeping::{self, Keeping};
use super::world::{World, module};

/// Ends a run before its end is written: before its second segment. Where so much is slow that the
/// first would hold everything, before that.
pub const UNENDED: &str = "journal.append=kill@2,run.end=kill";
/// A command that takes longer hangs.
const HANGS: Duration = Duration::from_secs(300);

/// A command over a datastore that was prepared.
pub struct Scenario {
    pub name: &'static str,
    /// What has happened before, each with what was to happen at the points meanwhile.
    before: Vec<(Vec<String>, &'static str)>,
    /// What is disturbed.
    act: Vec<String>,
    /// The run that it drives, by which it is continued; without one it is done again.
    run: Option<&'static str>,
    /// The exit code of the command when nothing disturbs it.
    pub code: i32,
    /// Whether it tells events.
    json: bool,
    /// Whether nothing is kept for it: no compiled code, no stamp.
    cold: bool,
    /// What a collection or a repair finds, and must leave.
    keeping: Option<Keeping>,
    template: World,
}

/// How a command ended, and what it said.
pub struct Said {
    pub status: ExitStatus,
    pub lines: Vec<Json>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Whether it has ended itself at a point.
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|it| (*it).to_owned()).collect()
}

impl Scenario {
    /// A run of a flow of the tests.
    fn run(name: &'static str, flow: &str, run: &'static str, more: &[&str]) -> Self {
        let module = module(flow);
        let act = [&["run", "--module", &module], more].concat();
        Self::of(name, &act, Some(run))
    }

    pub fn of(name: &'static str, act: &[&str], run: Option<&'static str>) -> Self {
        Self {
            name,
            before: Vec::new(),
            act: owned(act),
            run,
            code: 0,
            json: run.is_some(),
            cold: false,
            keeping: None,
            template: World::new(),
        }
    }

    /// The same after this has happened.
    pub fn after(mut self, arguments: &[&str], points: &'static str) -> Self {
        self.before.push((owned(arguments), points));
        self
    }

    fn ends_with(mut self, code: u8) -> Self {
        self.code = code.into();
        self
    }

    /// It collects or repairs.
    pub fn keeping(mut self, keeping: Keeping) -> Self {
        self.keeping = Some(keeping);
        self
    }

    fn cold(mut self) -> Self {
        self.cold = true;
        self
    }

    /// Does what has to be done before, once.
    fn prepared(mut self) -> Self {
        for (arguments, points) in &self.before {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let said = self
                .template
                .command(&arguments)
                .env("WRUN_FAILPOINTS", points)
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&said.stderr);
            assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        }
        if let Some(keeping) = &mut self.keeping {
            keeping.prepare(&self.template);
        }
        self
    }

    /// Whether it collects or repairs.
    pub fn keeps(&self) -> bool {
        self.keeping.is_some()
    }

    /// All that is in a world after a disturbance, checked.
    pub fn look(&self, world: &World, shown: &[Json]) -> Found {
        match &self.keeping {
            Some(keeping) => keeping.look(world, shown),
            None => found(world, shown),
        }
    }

    /// All that is in a world when everything was done, checked.
    pub fn found(&self, world: &World, shown: &[Json]) -> Found {
        match &self.keeping {
            Some(keeping) => keeping.found(world, shown),
            None => found(world, shown),
        }
    }

    /// A world in which all is ready.
    pub fn fresh(&self) -> World {
        let world = World::new();
        copy(self.template.path(), world.path());
        world
    }

    /// Does what is disturbed, with these variables.
    pub fn act(&self, world: &World, variables: &[(&str, &str)]) -> Said {
        let mut arguments: Vec<_> = self.act.iter().map(String::as_str).collect();
        if self.json {
            arguments.push("--json");
        }
        let mut command = world.command(&arguments);
        if self.cold {
            command.env("XDG_CACHE_HOME", world.path().join("cache"));
            for (variable, below) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
                let home = || Some(std::env::home_dir()?.join(below).into_os_string());
                if let Some(value) = std::env::var_os(variable).or_else(home) {
                    command.env(variable, value);
                }
            }
        }
        command.envs(variables.iter().copied());
        said(command, world)
    }

    /// Goes on after a disturbance, until all is done that was to be done.
    pub fn recover(&self, world: &World) {
        let Some(run) = self.run else {
            let said = self.act(world, &[]);
            assert_eq!(said.status.code(), Some(self.code), "{}", said.stderr);
            if let Some(keeping) = &self.keeping {
                keeping.prove(world);
            }
            return;
        };
        let attach = said(world.command(&["attach", run, "--quiet"]), world);
        let code = attach.status.code();
        if code == Some(exit::NOT_FOUND.into()) {
            let said = self.act(world, &[]);
            assert_eq!(said.status.code(), Some(self.code), "{}", said.stderr);
        } else if code == Some(exit::USAGE.into()) {
            let text = &attach.stderr;
            assert!(text.contains("has ended already"), "{text}");
        } else {
            assert_eq!(code, Some(self.code), "{}", attach.stderr);
        }
    }

    /// Continues a run that has failed, in a new one.
    pub fn resume(&self, world: &World) {
        let run = self.run.expect("it drives a run");
        let at = self.act.iter().position(|it| it == "--module");
        let module = &self.act[at.expect("it names its module") + 1];
        let resume = ["resume", run, "--module", module, "--quiet"];
        let said = said(world.command(&resume), world);
        assert_eq!(said.status.code(), Some(self.code), "{}", said.stderr);
    }
}

/// All that is in the datastores of a world, checked.
pub fn found(world: &World, shown: &[Json]) -> Found {
    let mut found = check::all(&world.store(), shown);
    let other = world.path().join("other");
    if other.exists() {
        let copied = check::all(&other, &[]);
        let named = |name: String| format!("copied {name}");
        found
            .runs
            .extend(copied.runs.into_iter().map(|(name, it)| (named(name), it)));
    }
    if let Ok(got) = std::fs::read_to_string(world.path().join("got")) {
        found.counts.insert("got".to_owned(), got);
    }
    found
}

/// Executes a command to its end and reads what it said.
pub fn said(mut command: Command, world: &World) -> Said {
    let (out, err) = (world.path().join("stdout"), world.path().join("stderr"));
    let child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .spawn()
        .unwrap();
    let status = ended(child);
    let text = std::fs::read_to_string(&out).unwrap();
    let whole = text.split_inclusive('\n').filter(|it| it.ends_with('\n'));
    Said {
        status,
        lines: whole
            .filter_map(|it| serde_json::from_str(it).ok())
            .collect(),
        stdout: text,
        stderr: std::fs::read_to_string(&err).unwrap(),
    }
}

/// Waits for a process, which must not hang.
pub fn ended(mut child: Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > HANGS {
            child.kill().unwrap();
            panic!("the command hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Copies a directory with all that is in it; what is old stays so.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let there = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir_all(&there).unwrap();
            copy(&path, &there);
        } else {
            std::fs::copy(&path, &there).unwrap();
            let written = path.metadata().unwrap().modified().unwrap();
            let file = File::options().append(true).open(&there).unwrap();
            file.set_modified(written).unwrap();
        }
    }
}

const SMALL: [&str; 4] = ["--many", "2", "--width", "3"];
pub const BLOBS: [&str; 4] = ["--n", "3", "--width", "40000"];

/// A resumption of a run of `shaky` that was broken in the named ways, one after the other.
fn resumed(name: &'static str, broken: [&str; 2], run: &'static str) -> Scenario {
    let (first, last) = (module(broken[0]), module("shaky"));
    let act = ["resume", "--module", &last];
    let it = Scenario::of(name, &act, Some(run));
    let it = it.after(&[&["run", "--module", &first][..], &SMALL].concat(), "");
    match broken[1] {
        "" => it,
        second => it.after(&["resume", "--module", &module(second)], ""),
    }
}

/// Flows of every shape, and all else that writes to a datastore in a directory.
pub fn local() -> Vec<Scenario> {
    let (foreach, linear) = (module("foreach"), module("linear"));
    let run_foreach = [&["run", "--module", &foreach][..], &BLOBS].concat();
    let run_linear = ["run", "--module", &linear];
    let copy = ["datastore", "copy", "store", "other"];
    let got = ["get", "foreach/1/square/1/word", "--output", "got"];
    let hello = format!("{}/examples/hello", env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![
        Scenario::run("linear", "linear", "linear/1", &[]),
        Scenario::run("foreach", "foreach", "foreach/1", &BLOBS),
        Scenario::run("nested", "nested", "nested/1", &[]),
        Scenario::run("shaky", "shaky", "shaky/1", &SMALL),
        Scenario::run("disagree", "disagree", "disagree/1", &[]).ends_with(exit::RUN_FAILED),
        Scenario::run(
            "large",
            "foreach",
            "foreach/1",
            &["--n", "1", "--width", "9000000"],
        ),
        resumed("resume", ["shaky_work", ""], "shaky/2"),
        resumed("resume of resume", ["shaky_work", "shaky_turn"], "shaky/3"),
        Scenario::of(
            "cache",
            &[&run_foreach[..], &["--cache"]].concat(),
            Some("foreach/2"),
        )
        .after(&run_foreach, ""),
        Scenario::of("attach", &["attach"], Some("foreach/1")).after(&run_foreach, UNENDED),
        Scenario::run("cold", "linear", "linear/1", &[]).cold(),
        Scenario::of("build", &["run", &hello], Some("hello/1")).cold(),
        Scenario::of("tag", &["tag", "linear/1", "--add", "a"], None).after(&run_linear, ""),
        Scenario::of("tag again", &["tag", "linear/1", "--add", "b"], None)
            .after(&run_linear, "")
            .after(&["tag", "linear/1", "--add", "a"], ""),
        Scenario::of("copy", &copy, None).after(&run_foreach, ""),
        Scenario::of("get", &got, None).after(&run_foreach, ""),
    ];
    all.extend(keeping::scenarios());
    all.into_iter().map(Scenario::prepared).collect()
}

/// The file that a scenario's points are logged to.
pub fn log(world: &World) -> PathBuf {
    world.path().join("points")
}

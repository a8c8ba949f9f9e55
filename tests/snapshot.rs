//! Code snapshots: sources come back and build to the same module, and unchanged code costs nothing.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wrun::datastore::Datastore;
use wrun::model::definition::Definition;
use wrun::snapshot::{self, Built, FlowPackage, Options, Snapshot, Source, Stamps};

/// A workspace like that of this project: a package at its root that no flow needs, an SDK with
/// macros, and several flows, one of which is built here.
const HOUSE: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        r#"
        [workspace]
        members = [".", "sdk", "sdk/macros", "flows/*"]
        [workspace.package]
        version = "0.3.0"
        edition = "2024"
        [workspace.dependencies]
        sdk = { path = "sdk" }
        macros = { path = "sdk/macros" }
        [package]
        name = "house"
        version.workspace = true
        edition.workspace = true
        [profile.release]
        overflow-checks = true
        "#,
    ),
    ("src/lib.rs", "//! Not part of any flow."),
    (
        "rust-toolchain.toml",
        include_str!("../rust-toolchain.toml"),
    ),
    (".cargo/config.toml", include_str!("../.cargo/config.toml")),
    (
        "sdk/Cargo.toml",
        "[package]\nname = 'sdk'\nversion.workspace = true\nedition.workspace = true\n\
         [dependencies]\nmacros.workspace = true",
    ),
    (
        "sdk/src/lib.rs",
        "pub use macros::answer;\npub fn cut(s: &str, n: usize) -> &str { &s[n..] }",
    ),
    (
        "sdk/macros/Cargo.toml",
        "[package]\nname = 'macros'\nversion.workspace = true\nedition.workspace = true\n\
         [lib]\nproc-macro = true",
    ),
    (
        "sdk/macros/src/lib.rs",
        "#[proc_macro]\npub fn answer(_: proc_macro::TokenStream) -> proc_macro::TokenStream { \
         \"42\".parse().unwrap() }",
    ),
    ("flows/hello/Cargo.toml", FLOW),
    (
        "flows/hello/src/lib.rs",
        "mod more;\n#[unsafe(no_mangle)]\npub extern \"C\" fn run(n: usize) -> usize {\n\
         let table = include_str!(\"../data/table.csv\");\n\
         sdk::cut(table, n).len() + more::more() + sdk::answer!() }",
    ),
    (
        "flows/hello/src/more.rs",
        "pub fn more() -> usize { panic!(\"not today\") }",
    ),
    ("flows/hello/data/table.csv", "a,b\n1,2\n"),
    ("flows/hello/.gitignore", "*.csv\nsecret.txt\n"),
    ("flows/hello/secret.txt", "not for a snapshot"),
    (
        "flows/hello/notes.csv",
        "ignored, and the compiler does not read it",
    ),
    ("flows/hello/README.md", "# hello"),
    (
        "flows/other/Cargo.toml",
        "[package]\nname = 'other'\nversion.workspace = true\nedition.workspace = true",
    ),
    ("flows/other/src/lib.rs", ""),
];

const FLOW: &str = "[package]\nname = 'hello'\nversion.workspace = true\nedition.workspace = true\n\
    [lib]\ncrate-type = ['cdylib']\n[dependencies]\nsdk.workspace = true";

/// Files in a temporary directory, older than anything that is built from them.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let it = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for (path, text) in files {
            it.write(path, text);
        }
        it.age();
        it
    }

    fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Waits until what was written is older than a tick of the file system's clock.
    #[allow(
        clippy::disallowed_methods,
        reason = "the clock of a file system cannot be set"
    )]
    fn age(&self) {
        std::thread::sleep(Duration::from_millis(60));
    }

    fn build(&self, path: &str) -> (FlowPackage, Built) {
        build(&self.path(path))
    }

    fn stamps(&self) -> Stamps {
        Stamps::in_directory(&self.path("cache"))
    }
}

fn build(path: &Path) -> (FlowPackage, Built) {
    let package = snapshot::locate(path).unwrap();
    let built = snapshot::build(&package, Options { quiet: true }).unwrap();
    (package, built)
}

async fn collect(ds: &Datastore, package: &FlowPackage, built: &Built) -> Snapshot {
    let definition = Definition {
        name: "hello".into(),
        ..Definition::default()
    };
    snapshot::collect(ds, Source::Package { package, built }, &definition)
        .await
        .unwrap()
}

fn paths(snapshot: &Snapshot) -> Vec<&str> {
    snapshot
        .manifest
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect()
}

#[tokio::test]
async fn restored_sources_build_to_the_same_module() {
    let world = World::new(HOUSE);
    let ds = Datastore::memory().await;
    let (package, built) = world.build("flows/hello/src");
    let first = collect(&ds, &package, &built).await;
    assert_eq!(
        paths(&first),
        [
            ".cargo/config.toml",
            "Cargo.lock",
            "Cargo.toml",
            "Cargo.toml.orig",
            "flows/hello/.gitignore",
            "flows/hello/Cargo.toml",
            "flows/hello/README.md",
            "flows/hello/data/table.csv",
            "flows/hello/src/lib.rs",
            "flows/hello/src/more.rs",
            "rust-toolchain.toml",
            "sdk/Cargo.toml",
            "sdk/macros/Cargo.toml",
            "sdk/macros/src/lib.rs",
            "sdk/src/lib.rs",
        ]
    );
    let origin = first.manifest.origin.as_ref().unwrap();
    assert_eq!(
        (origin.package.as_str(), origin.directory.as_str()),
        ("hello", "flows/hello")
    );
    assert!(
        origin.toolchain.starts_with("rustc 1."),
        "{}",
        origin.toolchain
    );
    assert!(origin.cargo_lock.is_some());

    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("a/longer/way/to/the same sources");
    let manifest = snapshot::Manifest::load(&ds, &first.digest).await.unwrap();
    assert_eq!(manifest, first.manifest);
    let module = snapshot::restore(&ds, &manifest, &to).await.unwrap();
    assert_eq!(fs::read(module).unwrap(), fs::read(&built.module).unwrap());
    let original = fs::read_to_string(to.join("Cargo.toml.orig")).unwrap();
    assert_eq!(
        original,
        fs::read_to_string(world.path("Cargo.toml")).unwrap()
    );

    let (package, built) = build(&to.join("flows/hello"));
    let again = collect(&ds, &package, &built).await;
    assert_eq!(
        again.module, first.module,
        "the restored sources build to another module"
    );
}

#[tokio::test]
async fn the_same_code_has_the_same_snapshot_wherever_it_lies() {
    let (one, two) = (World::new(HOUSE), World::new(HOUSE));
    let ds = Datastore::memory().await;
    let (package, built) = one.build("flows/hello");
    let first = collect(&ds, &package, &built).await;
    let (package, built) = two.build("flows/hello");
    assert_eq!(collect(&ds, &package, &built).await.digest, first.digest);
}

#[tokio::test]
async fn nothing_is_started_while_nothing_has_changed() {
    let world = World::new(HOUSE);
    let ds = Datastore::memory().await;
    let flow = world.path("flows/hello");
    let remember = async || {
        let (package, built) = world.build("flows/hello");
        let snapshot = collect(&ds, &package, &built).await;
        (
            world.stamps().remember(&package, &built, &snapshot, "here"),
            snapshot,
        )
    };
    assert!(world.stamps().warm(&flow).is_none());
    world.age();
    assert!(!world.path("Cargo.lock").exists());
    let (remembered, snapshot) = remember().await;
    assert!(remembered, "although cargo has just made the lock file");
    let warm = world
        .stamps()
        .warm(&flow.join("src"))
        .expect("nothing has changed");
    assert_eq!(
        (warm.snapshot, warm.module_digest),
        (snapshot.digest, snapshot.module)
    );
    assert_eq!(
        (warm.definition.name.as_str(), warm.datastore.as_str()),
        ("hello", "here")
    );

    let changes: &[(&str, &str)] = &[
        ("flows/hello/src/more.rs", "pub fn more() -> usize { 1 }"),
        ("flows/hello/src/new.rs", ""),
        ("flows/hello/data/table.csv", "a,b\n"),
        ("sdk/src/deeper/new.rs", ""),
        ("flows/hello/.cargo/config.toml", ""),
        ("flows/hello/build.rs", "fn main() {}"),
        (".gitignore", "*.md"),
    ];
    for (path, text) in changes {
        world.write(path, text);
        assert!(world.stamps().warm(&flow).is_none(), "`{path}` changed");
        world.age();
        assert!(remember().await.0, "{path}");
        assert!(world.stamps().warm(&flow).is_some(), "{path}");
    }
    // What nobody reads is no change.
    world.write("flows/other/src/lib.rs", "// changed");
    world.write("flows/hello/.wrun/wrun-datastore", "");
    assert!(world.stamps().warm(&flow).is_some());
    fs::remove_file(world.path("target/wasm32-wasip2/release/hello.wasm")).unwrap();
    assert!(world.stamps().warm(&flow).is_none());
}

#[tokio::test]
async fn an_edit_while_cargo_builds_is_not_forgotten() {
    let world = World::new(HOUSE);
    let ds = Datastore::memory().await;
    world.build("flows/hello");
    world.age();
    let (package, built) = world.build("flows/hello");
    world.write("flows/hello/src/more.rs", "pub fn more() -> usize { 7 }");
    let snapshot = collect(&ds, &package, &built).await;
    assert!(!world.stamps().remember(&package, &built, &snapshot, "here"));
}

#[test]
fn a_damaged_stamp_is_no_stamp() {
    let world = World::new(&[("Cargo.toml", "[package]\nname = 'x'")]);
    let stamps = world.stamps();
    assert!(stamps.warm(&world.root()).is_none());
    fs::create_dir_all(world.path("cache")).unwrap();
    for entry in ["x", "y"] {
        fs::write(world.path("cache").join(entry), "wrunst01 nothing").unwrap();
    }
    assert!(stamps.warm(&world.root()).is_none());
}

/// `wrun` with a home and nothing of the surroundings but what cargo needs.
fn wrun(world: &World) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::cargo_bin("wrun").unwrap();
    for name in ["WRUN_DATASTORE", "WRUN_CODE_CACHE", "NO_COLOR", "RUSTFLAGS"] {
        command.env_remove(name);
    }
    command
        .env("XDG_CACHE_HOME", world.path("cache"))
        .env("XDG_CONFIG_HOME", world.path("config"));
    command
        .env("CARGO_TERM_COLOR", "never")
        .current_dir(world.root());
    command
}

/// What a refused command says, with the world's own directory taken out.
fn refusal(world: &World, arguments: &[&str], code: i32) -> String {
    let output = wrun(world)
        .args(arguments)
        .assert()
        .code(code)
        .get_output()
        .clone();
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    text.replace(world.root().to_str().unwrap(), "<world>")
}

fn json(output: &[u8]) -> serde_json::Value {
    serde_json::from_slice(output).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(output)))
}

#[tokio::test]
async fn a_new_flow_builds_and_its_code_comes_back() {
    let world = World::new(&[]);
    let said = wrun(&world).args(["new", "first-flow"]).assert().success();
    insta::assert_snapshot!(String::from_utf8_lossy(&said.get_output().stderr), @r"
    made the flow first-flow in first-flow; next:

      cd first-flow
      cargo test
      wrun run
    ");
    // The versions that are on this machine already, so that nothing is downloaded.
    fs::write(
        world.path("first-flow/Cargo.lock"),
        include_str!("../Cargo.lock"),
    )
    .unwrap();
    let built = wrun(&world)
        .args(["build", "first-flow/src", "--json"])
        .assert()
        .success();
    let built = json(&built.get_output().stdout);
    let module = world.path("first-flow/target/wasm32-wasip2/release/first_flow.wasm");
    assert_eq!(built["module"].as_str(), module.to_str());
    let bytes = fs::read(&module).unwrap();
    let home = std::env::var("HOME").unwrap();
    let leaked = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(
        !leaked(&home) && !leaked(world.root().to_str().unwrap()),
        "a directory is in the module"
    );

    let (package, built) = world.build("first-flow");
    let url = wrun::datastore::DatastoreUrl::directory(world.path("first-flow/.wrun"));
    let ds = Datastore::open_or_create(&url).await.unwrap();
    let snapshot = collect(&ds, &package, &built).await;
    ds.create_run(&"first-flow".parse().unwrap(), |run| header(run, &snapshot))
        .await
        .unwrap();
    let at = |command: &mut assert_cmd::Command| {
        command
            .current_dir(world.path("first-flow/src"))
            .assert()
            .success()
            .get_output()
            .clone()
    };
    let listed = json(&at(wrun(&world).args(["code", "latest", "--json"])).stdout);
    assert_eq!(
        listed["snapshot"].as_str(),
        Some(&*snapshot.digest.to_string())
    );
    assert_eq!(
        listed["files"].as_array().unwrap().len(),
        snapshot.manifest.files.len()
    );
    let text = String::from_utf8(at(wrun(&world).arg("code")).stdout).unwrap();
    assert!(text.contains("wrun-sdk/macros/src/lib.rs"), "{text}");

    let to = world.path("restored");
    at(wrun(&world).args(["code", "--to", to.to_str().unwrap()]));
    let (package, built) = build(&to);
    assert_eq!(collect(&ds, &package, &built).await.module, snapshot.module);
}

fn header(run: wrun::model::id::RunId, snapshot: &Snapshot) -> wrun::model::header::RunHeader {
    wrun::model::header::RunHeader {
        run,
        created_at: Default::default(),
        clock: Default::default(),
        known_as: 1,
        parameters: Vec::new(),
        snapshot: snapshot.digest,
        module: snapshot.module,
        seed: 0,
        limits: Default::default(),
        steps: Default::default(),
        grants: Default::default(),
        imports: Vec::new(),
        engine: snapshot.module,
        origin: None,
        anew: Default::default(),
        cache: false,
        user: "somebody".into(),
        tags: Vec::new(),
        wrun: "0.1.0".into(),
    }
}

#[test]
fn what_cannot_be_built_is_refused_with_what_to_do() {
    let package = |name: &str| format!("[package]\nname = '{name}'\nedition = '2024'\n");
    let flow = |name: &str| package(name) + "[lib]\ncrate-type = ['cdylib']\n";
    let world = World::new(&[
        ("plain/Cargo.toml", &package("plain")),
        ("plain/src/lib.rs", ""),
        (
            "many/Cargo.toml",
            "[workspace]\nmembers = ['a', 'b']\nresolver = '3'",
        ),
        ("many/a/Cargo.toml", &flow("a")),
        ("many/a/src/lib.rs", ""),
        ("many/b/Cargo.toml", &flow("b")),
        ("many/b/src/lib.rs", ""),
        ("wrong/Cargo.toml", "[package]\nname = 7"),
        ("file.txt", ""),
    ]);
    let said = [
        refusal(&world, &["build", "nowhere"], 4),
        refusal(&world, &["build", "file.txt"], 2),
        refusal(&world, &["build", "plain"], 3),
        refusal(&world, &["build", "many"], 2),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    error: there is no `<world>/nowhere`
      caused by: No such file or directory (os error 2)
      hint: `wrun new my-flow` makes a flow that builds
      hint: give the directory of a flow, or `--module FILE.wasm` for one that is built

    error: `<world>/file.txt` is neither a flow's directory nor its `Cargo.toml`
      hint: `wrun new my-flow` makes a flow that builds
      hint: give the directory of a flow, or `--module FILE.wasm` for one that is built

    error: package `plain` does not build a module: it is not a `cdylib`
      hint: add these two lines to `<world>/plain/Cargo.toml`:
        [lib]
        crate-type = ["cdylib"]

    error: `<world>/many/Cargo.toml` has 2 flows, and it is not said which is meant
      hint: name one of them, below `<world>/many`: `a`, `b`
    "#);
    let wrong = refusal(&world, &["build", "wrong"], 3);
    assert!(
        wrong.starts_with("error: cargo cannot read `<world>/wrong/Cargo.toml`\n"),
        "{wrong}"
    );
    assert!(wrong.contains("invalid type: integer `7`"), "{wrong}");
}

#[test]
fn a_flow_that_does_not_compile_shows_the_words_of_the_compiler() {
    let world = World::new(HOUSE);
    world.write(
        "flows/hello/src/more.rs",
        "pub fn more() -> usize { \"text\" }",
    );
    let said = refusal(&world, &["build", "flows/hello"], 3);
    assert!(said.contains("error[E0308]: mismatched types"), "{said}");
    assert!(said.contains("flows/hello/src/more.rs:1:26"), "{said}");
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains("does not build"))
        .collect();
    assert_eq!(
        ours,
        ["error: package `hello` does not build: `cargo` ended with exit status: 101"]
    );
}

#[test]
fn a_directory_that_is_in_use_is_left_alone() {
    let world = World::new(&[("taken/file", "mine")]);
    let said = refusal(&world, &["new", "taken"], 2);
    insta::assert_snapshot!(said, @r"
    error: `taken` exists and is not an empty directory
      hint: choose another name, or another directory with `--dir`
    ");
    assert_eq!(fs::read_dir(world.path("taken")).unwrap().count(), 1);
}

#[test]
fn doctor_says_what_is_there_and_what_is_not() {
    let world = World::new(&[
        ("flow/Cargo.toml", "[package]\nname = 'flow'"),
        ("flow/src/lib.rs", ""),
    ]);
    let good = wrun(&world)
        .args(["doctor", "flow", "--json"])
        .assert()
        .success();
    let good = json(&good.get_output().stdout);
    assert_eq!(good["ok"].as_bool(), Some(true), "{good}");
    let seed = good["settings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["key"] == "seed")
        .unwrap();
    assert_eq!(
        (seed["value"].as_str(), seed["origin"].as_str()),
        (Some("0"), Some("default"))
    );

    world.write("flow/wrun.toml", "datastore = '/proc/nowhere'\n");
    let broken = wrun(&world)
        .args(["doctor", "flow"])
        .env("WRUN_SED", "1")
        .assert()
        .code(6);
    let text = String::from_utf8(broken.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains("hint: name another directory with `--datastore`"),
        "{text}"
    );
    assert!(text.contains("`WRUN_SED` is no setting"), "{text}");
    assert!(text.contains("flow/wrun.toml:1"), "{text}");
}

//! Code snapshots: sources come back and build to the same module, and unchanged code costs nothing.

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
    // The first build writes the lock file, which is younger than the build.
    assert!(!remember().await.0);
    world.age();
    let (remembered, snapshot) = remember().await;
    assert!(remembered);
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

//! The examples: each builds to a module whose flow has no problem.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use wrun::model::definition::Definition;
use wrun::model::digest::Digest;
use wrun::model::graph::FlowGraph;
use wrun::sandbox::call::Profile;
use wrun::sandbox::{Launcher, Modules};

/// The names of all examples, sorted.
fn examples() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = std::fs::read_dir(root).expect("there is a directory of examples");
    let packages = entries.map(|entry| entry.expect("it can be read").path());
    let mut names: Vec<_> = packages
        .filter(|path| path.join("Cargo.toml").exists())
        .map(|path| {
            path.file_name()
                .expect("it has a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

fn build(names: &[String]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--target", "wasm32-wasip2"]);
    command.args(names.iter().flat_map(|name| ["-p", name]));
    let status = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the examples do not build");
    let binary = Path::new(env!("CARGO_BIN_EXE_wrun"));
    let target = binary
        .ancestors()
        .nth(2)
        .expect("binaries lie in a profile of a target directory");
    target.join("wasm32-wasip2/release")
}

async fn describe(modules: &Modules, path: &Path) -> Definition {
    let bytes = Bytes::from(std::fs::read(path).expect("cargo has built it"));
    let digest = Digest::of(&bytes);
    let given = async || Ok::<_, io::Error>(bytes.clone());
    let module = modules
        .prepare(&digest, Profile::default(), given)
        .await
        .expect("it compiles");
    modules
        .describe(&module)
        .await
        .expect("it describes itself")
}

#[tokio::test]
async fn every_example_is_a_flow_without_a_problem() {
    let names = examples();
    let built = build(&names);
    let cache = tempfile::tempdir().expect("a temporary directory");
    let program = env!("CARGO_BIN_EXE_wrun").into();
    let launcher = Launcher {
        program,
        args: vec!["cell".into()],
    };
    let modules = Modules::new(cache.path().join("code"), launcher);
    for name in &names {
        let module = built.join(name.replace('-', "_")).with_extension("wasm");
        let definition = describe(&modules, &module).await;
        assert_eq!(&definition.name, name);
        assert!(
            !definition.docs.is_empty(),
            "{name} says nothing about itself"
        );
        if let Err(problems) = FlowGraph::new(&definition) {
            let lines: Vec<_> = problems
                .iter()
                .map(|it| format!("{} {}", it.site, it.fault))
                .collect();
            panic!("{name}:\n{}", lines.join("\n"));
        }
    }
}

#[test]
fn every_example_has_a_readme_and_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let list = std::fs::read_to_string(root.join("README.md")).expect("there is a list");
    let names = examples();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let readme = std::fs::read_to_string(root.join(&name).join("README.md")).expect("a README");
        assert!(readme.starts_with(&format!("# {name}\n")), "{name}");
        assert!(
            list.contains(&format!("| [{name}]({name}) |")),
            "{name} is not listed"
        );
    }
}

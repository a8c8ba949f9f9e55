//! The guest SDK as a package that stands alone.
//!
//! In this repository the SDK inherits versions and dependencies from the workspace. Beside a flow
//! there is no such workspace: what is inherited is written out, and what only the SDK's own tests and
//! lints need is taken out.

use toml::{Table, Value};

/// Where the SDK lies in a new flow.
pub(crate) const DIRECTORY: &str = "wrun-sdk";

/// The files of the SDK in this repository, by their path below `guest-sdk`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk_files.rs"));
/// The manifest from which the SDK inherits.
const WORKSPACE: &str = include_str!("../../../Cargo.toml");
const LICENSE: &str = include_str!("../../../LICENSE");

/// The files of the SDK as a new flow gets them.
pub(crate) fn files() -> Vec<super::File> {
    let workspace: Table = WORKSPACE.parse().expect("cargo has read it");
    let mut files: Vec<super::File> = FILES
        .iter()
        .map(|(path, text)| {
            let is_manifest = path.ends_with("Cargo.toml");
            let text = if is_manifest {
                alone(text, &workspace)
            } else {
                (*text).to_owned()
            };
            (format!("{DIRECTORY}/{path}"), text)
        })
        .collect();
    files.push((format!("{DIRECTORY}/LICENSE"), LICENSE.to_owned()));
    files
}

/// The manifest `text` with what it inherits from `workspace` written out.
fn alone(text: &str, workspace: &Table) -> String {
    let mut manifest: Table = text.parse().expect("cargo has read it");
    manifest.remove("dev-dependencies");
    manifest.remove("lints");
    let shared = |table: &str| workspace["workspace"].get(table).and_then(Value::as_table);
    for (table, shared) in [
        ("package", shared("package")),
        ("dependencies", shared("dependencies")),
    ] {
        let (Some(own), Some(shared)) = (manifest.get_mut(table), shared) else {
            continue;
        };
        for (key, value) in own
            .as_table_mut()
            .expect("a table of a manifest")
            .iter_mut()
        {
            if value.get("workspace").and_then(Value::as_bool) == Some(true)
                && let Some(inherited) = shared.get(key)
            {
                *value = inherited.clone();
                local_path(value);
            }
        }
    }
    format!(
        "# Part of wrun {}; written by `wrun new`.\n\n{manifest}",
        env!("CARGO_PKG_VERSION")
    )
}

/// Paths in the workspace's manifest start at its root, those in the SDK's at the SDK.
fn local_path(dependency: &mut Value) {
    if let Some(Value::String(path)) = dependency.get_mut("path")
        && let Some(below) = path.strip_prefix("guest-sdk/")
    {
        *path = below.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_inherit_nothing_and_keep_what_a_build_needs() {
        let files = files();
        let manifest = |path: &str| -> Table {
            let (_, text) = files.iter().find(|(p, _)| p == path).expect("it is there");
            assert!(!text.contains("workspace"), "{text}");
            text.parse().unwrap()
        };
        let sdk = manifest("wrun-sdk/Cargo.toml");
        assert_eq!(
            sdk["dependencies"]["wrun-sdk-macros"]["path"].as_str(),
            Some("macros")
        );
        assert_eq!(sdk["package"]["edition"].as_str(), Some("2024"));
        assert!(!sdk.contains_key("dev-dependencies"));
        let macros = manifest("wrun-sdk/macros/Cargo.toml");
        assert_eq!(macros["lib"]["proc-macro"].as_bool(), Some(true));
    }
}

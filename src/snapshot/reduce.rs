//! Rewrites a workspace's `Cargo.toml` so that it names only the packages that are there.
//!
//! A flow may be one of many members of a workspace. A snapshot holds only the members that the flow
//! needs, and cargo refuses a workspace whose members are missing. So `members` becomes the list
//! of those that are there, and when the workspace's root is itself a package that the flow does
//! not need, everything that belongs to that package is taken out. What decides how the rest is
//! built stays: `workspace.package`, `workspace.dependencies`, `workspace.lints`, `profile`, `patch`.
//!
//! The packages keep their places below the root and cargo names symbols after these, so the module
//! that is built from the reduced workspace is the same, byte for byte.
//!
//! Pure: text in, text out.

use toml::{Table, Value};

/// The file beside a reduced `Cargo.toml` that holds the original.
pub const ORIGINAL: &str = "Cargo.toml.orig";

/// A `Cargo.toml` that cannot be understood, though cargo did.
#[derive(Debug, thiserror::Error)]
#[error("could not reduce the workspace's `Cargo.toml`")]
pub struct ReduceError(#[from] toml::de::Error);

/// Tables and lists of a manifest that do not belong to the package in it.
const OF_THE_WORKSPACE: [&str; 5] = ["cargo-features", "patch", "profile", "replace", "workspace"];

/// The manifest `text` of a workspace with these `members` only; `keep_package` when the package
/// in the same file is one of them.
///
/// `members` are directories relative to the workspace's, without the workspace's own.
///
/// # Errors
/// [`ReduceError`] when `text` is not TOML.
pub fn reduce(text: &str, members: &[String], keep_package: bool) -> Result<String, ReduceError> {
    let mut manifest: Table = text.parse()?;
    let resolver = resolver(&manifest);
    if !keep_package {
        manifest.retain(|key, _| OF_THE_WORKSPACE.contains(&key));
    }
    let workspace = manifest
        .entry("workspace")
        .or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(workspace) = workspace {
        let list = members.iter().cloned().map(Value::String).collect();
        workspace.insert("members".to_owned(), Value::Array(list));
        workspace.remove("default-members");
        if let Some(resolver) = resolver {
            workspace
                .entry("resolver")
                .or_insert(Value::String(resolver.to_owned()));
        }
    }
    let note = "# Reduced to the packages of a flow; the original is beside it.\n";
    Ok(format!("{note}{manifest}"))
}

/// The version of the resolver that follows from the edition of the root package, and would
/// be lost with it.
fn resolver(manifest: &Table) -> Option<&'static str> {
    let package = manifest.get("package")?;
    if let Some(own) = package.get("resolver").and_then(Value::as_str) {
        return ["1", "2", "3"].into_iter().find(|known| *known == own);
    }
    let edition = match package.get("edition") {
        Some(Value::String(edition)) => edition.as_str(),
        Some(Value::Table(_)) => manifest
            .get("workspace")?
            .get("package")?
            .get("edition")?
            .as_str()?,
        _ => "2015",
    };
    Some(match edition {
        "2015" | "2018" => "1",
        "2021" => "2",
        _ => "3",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = r#"
        [workspace]
        members = ["examples/*", "sdk"]
        default-members = ["sdk"]
        [workspace.dependencies]
        sdk = { path = "sdk" }
        [package]
        name = "house"
        edition = "2024"
        [dependencies]
        unrelated = "1"
        [profile.release]
        overflow-checks = true
    "#;

    #[test]
    fn an_unrelated_package_goes_and_what_decides_the_build_stays() {
        let members = ["examples/hello".to_owned(), "sdk".to_owned()];
        insta::assert_snapshot!(reduce(ROOT, &members, false).unwrap(), @r#"
        # Reduced to the packages of a flow; the original is beside it.
        [profile.release]
        overflow-checks = true

        [workspace]
        members = ["examples/hello", "sdk"]
        resolver = "3"

        [workspace.dependencies.sdk]
        path = "sdk"
        "#);
    }

    #[test]
    fn a_package_that_is_needed_stays() {
        let text = reduce(ROOT, &[], true).unwrap();
        let table: Table = text.parse().unwrap();
        assert_eq!(table["package"]["name"].as_str(), Some("house"));
        assert_eq!(
            table["workspace"]["members"].as_array().map(Vec::len),
            Some(0)
        );
    }

    #[test]
    fn the_resolver_follows_from_the_edition_even_when_it_is_inherited() {
        let of = |text: &str| resolver(&text.parse().unwrap());
        assert_eq!(of("[package]\nedition = '2021'"), Some("2"));
        assert_eq!(of("[package]\nname = 'x'"), Some("1"));
        assert_eq!(
            of("[workspace.package]\nedition = '2024'\n[package]\nedition = { workspace = true }"),
            Some("3")
        );
        assert_eq!(of("[workspace]"), None);
    }
}

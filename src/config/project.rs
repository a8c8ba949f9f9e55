//! Finds the project around a directory: its package, its workspace, its datastore.
//!
//! Without asking cargo, because every command needs it and most run in a few milliseconds. A
//! workspace is the nearest directory with a `Cargo.toml` that has a `workspace` table and does not
//! exclude the package; `package.workspace`, by which a package names a workspace elsewhere, is not
//! looked at.

use std::path::{Path, PathBuf};

/// The file of settings beside a flow or a workspace.
pub const FILE: &str = "wrun.toml";
/// The directory of a project in which wrun keeps what it makes.
pub const HOME: &str = ".wrun";
/// The file that tells a datastore from any other directory.
pub const MARKER: &str = "wrun-datastore";

/// The project around a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The directory itself, without links.
    pub directory: PathBuf,
    /// The directory of the nearest `Cargo.toml`.
    pub package: Option<PathBuf>,
    /// The directory of the workspace around it; the package's own when there is none.
    pub workspace: Option<PathBuf>,
}

impl Project {
    /// The project around `directory`, which may also be a file in it.
    pub fn find(directory: &Path) -> Self {
        let mut start = directory
            .canonicalize()
            .unwrap_or_else(|_| directory.to_owned());
        if start.is_file() {
            start.pop();
        }
        let package = start
            .ancestors()
            .find(|dir| dir.join("Cargo.toml").is_file());
        let package = package.map(Path::to_owned);
        let workspace = package.as_ref().map(|package| {
            let around = package
                .ancestors()
                .find(|dir| is_workspace_of(dir, package));
            around.unwrap_or(package).to_owned()
        });
        Self {
            directory: start,
            package,
            workspace,
        }
    }

    /// The files of settings, those that come first are overruled by those that follow.
    ///
    /// Outside any package it is the nearest one at or above the directory.
    pub fn files(&self) -> Vec<PathBuf> {
        let (Some(package), Some(workspace)) = (&self.package, &self.workspace) else {
            let nearest = self.directory.ancestors().map(|dir| dir.join(FILE));
            return nearest.filter(|file| file.is_file()).take(1).collect();
        };
        let mut files = vec![workspace.join(FILE), package.join(FILE)];
        files.dedup();
        files
    }

    /// The directory in which wrun keeps what it makes for this project.
    pub fn home(&self) -> PathBuf {
        self.workspace
            .as_ref()
            .unwrap_or(&self.directory)
            .join(HOME)
    }

    /// The datastore, whether it exists or not.
    ///
    /// The nearest one that exists between the directory and its workspace, or the one that a run
    /// would make beside the workspace. Outside any workspace the nearest one above.
    pub fn datastore(&self) -> PathBuf {
        let inside = |dir: &&Path| match &self.workspace {
            Some(workspace) => dir.starts_with(workspace),
            None => true,
        };
        let homes = self
            .directory
            .ancestors()
            .take_while(inside)
            .map(|dir| dir.join(HOME));
        let mut existing = homes.filter(|home| home.join(MARKER).is_file());
        existing.next().unwrap_or_else(|| self.home())
    }
}

/// Whether `dir` is the root of a workspace that `package` may belong to.
fn is_workspace_of(dir: &Path, package: &Path) -> bool {
    let Ok(text) = std::fs::read_to_string(dir.join("Cargo.toml")) else {
        return false;
    };
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return false;
    };
    let Some(workspace) = manifest.get("workspace") else {
        return false;
    };
    let excluded = workspace.get("exclude").and_then(|list| list.as_array());
    let excluded = excluded
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.as_str());
    !excluded
        .map(|entry| dir.join(entry))
        .any(|entry| package.starts_with(entry))
}

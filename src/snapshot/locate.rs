//! Finds the package of a flow and the local packages that it is made of.
//!
//! Asks `cargo metadata`, because only cargo knows what a workspace is. Does not resolve
//! dependencies from registries, so it needs neither the network nor a lock file.
//!
//! Uses nothing of this crate but errors of [`super::build`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::build::BuildError;

/// The package of a flow, and the local packages that it is made of.
#[derive(Clone, Debug)]
pub struct FlowPackage {
    /// The package's name in its `Cargo.toml`.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// The name of its library, from which the file name of the module follows.
    pub library: String,
    /// The directory of its `Cargo.toml`.
    pub dir: PathBuf,
    /// The directory of the workspace's `Cargo.toml`.
    pub workspace_root: PathBuf,
    /// Where cargo puts what it builds.
    pub target_dir: PathBuf,
    /// The members of the workspace: their directories, sorted.
    pub members: Vec<PathBuf>,
    /// The package itself and every package that it reaches by a path, sorted by directory.
    pub closure: Vec<LocalPackage>,
}

/// A package that lies on this machine and not in a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalPackage {
    /// The directory of its `Cargo.toml`.
    pub dir: PathBuf,
    /// The directory of the workspace that it belongs to.
    pub workspace_root: PathBuf,
    /// The package's name.
    pub name: String,
}

impl FlowPackage {
    /// The package's `Cargo.toml`.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join("Cargo.toml")
    }

    /// The lowest directory that holds the workspace and every local package.
    ///
    /// Paths in a snapshot are relative to it, so that relative paths between packages keep their
    /// meaning. It is the workspace's own directory unless a path leads out of that.
    pub fn tree_root(&self) -> PathBuf {
        let mut root = self.workspace_root.clone();
        for package in &self.closure {
            for dir in [&package.dir, &package.workspace_root] {
                while !dir.starts_with(&root) && root.pop() {}
            }
        }
        root
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Clone, Deserialize)]
struct Package {
    name: String,
    version: String,
    id: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Clone, Deserialize)]
struct Dependency {
    path: Option<PathBuf>,
}

#[derive(Clone, Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

impl Package {
    fn dir(&self) -> PathBuf {
        let mut dir = self.manifest_path.clone();
        dir.pop();
        dir
    }

    /// The target that becomes a module.
    fn module_target(&self) -> Option<&Target> {
        self.targets
            .iter()
            .find(|t| t.crate_types.iter().any(|kind| kind == "cdylib"))
    }
}

/// Finds the flow at `path`: its directory, its `Cargo.toml`, or any directory below.
///
/// The directory of a workspace without a package of its own stands for its only flow, if it has
/// just one. Symbolic links in `path` are resolved first, as cargo does.
///
/// # Errors
/// [`BuildError`] says which `Cargo.toml` was not found, which flows there are to choose from, or
/// what a package lacks to be a flow.
pub fn locate(path: &Path) -> Result<FlowPackage, BuildError> {
    let manifest = find_manifest(path)?;
    let metadata = read_metadata(&manifest)?;
    let package = choose(&metadata, &manifest)?;
    let target = package
        .module_target()
        .ok_or_else(|| BuildError::NotCdylib {
            package: package.name.clone(),
            manifest: package.manifest_path.clone(),
        })?;
    let members = metadata
        .packages
        .iter()
        .filter(|p| metadata.workspace_members.contains(&p.id))
        .map(Package::dir);
    let mut members: Vec<_> = members.collect();
    members.sort();
    Ok(FlowPackage {
        name: package.name.clone(),
        version: package.version.clone(),
        library: target.name.clone(),
        dir: package.dir(),
        workspace_root: metadata.workspace_root.clone(),
        target_dir: metadata.target_directory.clone(),
        members,
        closure: closure(&metadata, package)?,
    })
}

/// The nearest `Cargo.toml` at or above `path`.
pub(crate) fn find_manifest(path: &Path) -> Result<PathBuf, BuildError> {
    let nowhere = |source| BuildError::NoPath {
        path: path.to_owned(),
        source,
    };
    let start = path.canonicalize().map_err(nowhere)?;
    if start.is_file() {
        if start.file_name().is_some_and(|name| name == "Cargo.toml") {
            return Ok(start);
        }
        return Err(BuildError::NotAFlow {
            path: path.to_owned(),
        });
    }
    start
        .ancestors()
        .map(|dir| dir.join("Cargo.toml"))
        .find(|manifest| manifest.is_file())
        .ok_or(BuildError::NoManifest { path: start })
}

/// Asks cargo about the workspace around `manifest`.
fn read_metadata(manifest: &Path) -> Result<Metadata, BuildError> {
    let dir = manifest.parent().unwrap_or(Path::new("/"));
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(manifest)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .map_err(BuildError::from_spawn)?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(BuildError::Metadata {
            manifest: manifest.to_owned(),
            message,
        });
    }
    serde_json::from_slice(&output.stdout).map_err(|source| BuildError::MetadataForm {
        manifest: manifest.to_owned(),
        source,
    })
}

/// The package that `manifest` means.
fn choose<'m>(metadata: &'m Metadata, manifest: &Path) -> Result<&'m Package, BuildError> {
    if let Some(package) = metadata
        .packages
        .iter()
        .find(|p| p.manifest_path == manifest)
    {
        let flows = || {
            metadata
                .packages
                .iter()
                .filter(|p| p.module_target().is_some())
        };
        // The root of a workspace may be a package that is no flow, such as the library around it.
        if package.module_target().is_some() || flows().count() == 0 {
            return Ok(package);
        }
        if metadata.workspace_root != package.dir() {
            return Ok(package);
        }
    }
    let mut flows = metadata
        .packages
        .iter()
        .filter(|p| p.module_target().is_some());
    match (flows.next(), flows.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(BuildError::NoFlow {
            manifest: manifest.to_owned(),
        }),
        (Some(first), Some(second)) => {
            let mut packages: Vec<_> = [first, second]
                .into_iter()
                .chain(flows)
                .map(Package::dir)
                .collect();
            packages.sort();
            Err(BuildError::SeveralFlows {
                manifest: manifest.to_owned(),
                packages,
            })
        }
    }
}

/// Every local package that `flow` reaches by a path, itself included.
///
/// Also those only needed for its tests: cargo reads their manifests before it builds anything.
fn closure(metadata: &Metadata, flow: &Package) -> Result<Vec<LocalPackage>, BuildError> {
    let mut known: BTreeMap<PathBuf, (Package, PathBuf)> = BTreeMap::new();
    learn(&mut known, metadata);
    let mut found: BTreeMap<PathBuf, LocalPackage> = BTreeMap::new();
    let mut open = vec![flow.dir()];
    open.extend(patched(&metadata.workspace_root));
    while let Some(dir) = open.pop() {
        if found.contains_key(&dir) {
            continue;
        }
        if !known.contains_key(&dir) {
            learn(&mut known, &read_metadata(&dir.join("Cargo.toml"))?);
        }
        let Some((package, workspace_root)) = known.get(&dir) else {
            return Err(BuildError::NoManifest { path: dir });
        };
        open.extend(package.dependencies.iter().filter_map(|d| d.path.clone()));
        let (name, workspace_root) = (package.name.clone(), workspace_root.clone());
        found.insert(
            dir.clone(),
            LocalPackage {
                dir,
                workspace_root,
                name,
            },
        );
    }
    Ok(found.into_values().collect())
}

fn learn(known: &mut BTreeMap<PathBuf, (Package, PathBuf)>, metadata: &Metadata) {
    for package in &metadata.packages {
        let entry = (package.clone(), metadata.workspace_root.clone());
        known.entry(package.dir()).or_insert(entry);
    }
}

/// The packages that `[patch]` puts in the place of others by a path.
fn patched(workspace_root: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(workspace_root.join("Cargo.toml")).unwrap_or_default();
    let Ok(table) = text.parse::<toml::Table>() else {
        return Vec::new();
    };
    let Some(patch) = table.get("patch").and_then(|p| p.as_table()) else {
        return Vec::new();
    };
    let entries = patch.values().filter_map(|registry| registry.as_table());
    let paths = entries
        .flat_map(|registry| registry.values())
        .filter_map(|d| d.get("path")?.as_str());
    paths
        .filter_map(|path| workspace_root.join(path).canonicalize().ok())
        .collect()
}

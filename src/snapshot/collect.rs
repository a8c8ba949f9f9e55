//! Freezes the code of a flow: module and sources become blobs, and a manifest names them.
//!
//! Uses `model`, `datastore` and the neighbours [`super::gather`], [`super::reduce`] and
//! [`super::manifest`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::build::{self, Built};
use super::gather::{self, Content, GatherError, Gathered};
use super::locate::FlowPackage;
use super::manifest::{File, LeftOut, Manifest, Module, Origin, VERSION};
use super::reduce::{self, ReduceError};
use crate::model::definition::Definition;
use crate::model::digest::Digest;

/// Where a module comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A package that was built.
    Package {
        /// The package.
        package: &'a FlowPackage,
        /// What cargo made of it.
        built: &'a Built,
    },
    /// A file, of which nothing more is known.
    Module(&'a Path),
}

/// A snapshot that is in the datastore.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The digest of the manifest, by which a run names its snapshot.
    pub digest: Digest,
    /// The digest of the module.
    pub module: Digest,
    /// The manifest.
    pub manifest: Manifest,
    /// What was looked at on disk.
    pub(super) seen: Gathered,
}

/// Why the code of a flow could not be frozen.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file of the sources cannot be kept.
    #[error("could not take a snapshot of the code")]
    Gather(#[from] GatherError),
    /// The workspace's manifest cannot be rewritten.
    #[error(transparent)]
    Reduce(#[from] ReduceError),
    /// The module cannot be read.
    #[error("could not read the module `{}`", path.display())]
    Module {
        /// The module's file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SnapshotError {
    /// What whoever sees this error can do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Gather(
                GatherError::TooLarge { .. }
                | GatherError::TooMuch { .. }
                | GatherError::TooMany { .. },
            ) => vec![
                "name what is no source code in `.gitignore`".into(),
                "give data to a step as a parameter: a `Blob` parameter takes a file of any size"
                    .into(),
            ],
            Self::Gather(GatherError::LinkOutside { .. }) => {
                vec!["put the file itself where the link is".into()]
            }
            _ => Vec::new(),
        }
    }
}

/// A snapshot that is not stored yet.
pub(super) struct Assembled {
    pub(super) manifest: Manifest,
    pub(super) module: Vec<u8>,
    /// The contents of the files, in the order of the manifest.
    pub(super) contents: Vec<Vec<u8>>,
    pub(super) seen: Gathered,
}

/// Reads everything that belongs to a snapshot.
pub(super) fn assemble(
    source: Source<'_>,
    definition: &Definition,
) -> Result<Assembled, SnapshotError> {
    let path = match source {
        Source::Package { built, .. } => &built.module,
        Source::Module(path) => path,
    };
    let module = build::read_module(path).map_err(|source| SnapshotError::Module {
        path: path.to_owned(),
        source,
    })?;
    let mut manifest = Manifest {
        version: VERSION,
        module: Module {
            digest: Digest::of(&module),
            size: module.len() as u64,
        },
        definition: definition.clone(),
        origin: None,
        files: Vec::new(),
        left_out: Vec::new(),
    };
    let mut contents = Vec::new();
    let mut seen = Gathered::default();
    if let Source::Package { package, built } = source {
        seen = gather::gather(package, &built.inputs)?;
        let mut files = read_all(&seen)?;
        reduce_workspaces(package, &seen.root, &mut files)?;
        manifest.origin = Some(origin(package, built, &seen.root, &files));
        for (path, content) in files {
            let Content { bytes, executable } = content;
            let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
            manifest.files.push(File {
                path,
                digest,
                size,
                executable,
            });
            contents.push(bytes);
        }
        let left_out = seen.left_out.clone().into_iter();
        manifest.left_out = left_out
            .map(|(path, reason)| LeftOut { path, reason })
            .collect();
    }
    Ok(Assembled {
        manifest,
        module,
        contents,
        seen,
    })
}

fn read_all(seen: &Gathered) -> Result<BTreeMap<String, Content>, GatherError> {
    let dir = gather::open_root(&seen.root)?;
    let read = |path: &String| Ok((path.clone(), gather::read(&seen.root, &dir, path)?));
    seen.files.iter().map(read).collect()
}

fn origin(
    package: &FlowPackage,
    built: &Built,
    root: &Path,
    files: &BTreeMap<String, Content>,
) -> Origin {
    let lock = below(root, &package.workspace_root.join("Cargo.lock"));
    Origin {
        package: package.name.clone(),
        package_version: package.version.clone(),
        directory: below(root, &package.dir),
        toolchain: built.toolchain.clone(),
        command: built.command.clone(),
        cargo_lock: files.get(&lock).map(|content| Digest::of(&content.bytes)),
    }
}

/// The path below `root`, with `/` between names.
fn below(root: &Path, path: &Path) -> String {
    let names = path.strip_prefix(root).unwrap_or(path).components();
    names
        .map(|name| name.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

/// Puts a reduced `Cargo.toml` into the place of each workspace that has more members than the flow needs.
fn reduce_workspaces(
    package: &FlowPackage,
    root: &Path,
    files: &mut BTreeMap<String, Content>,
) -> Result<(), ReduceError> {
    let mut workspaces: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for local in &package.closure {
        workspaces
            .entry(&local.workspace_root)
            .or_default()
            .push(&local.dir);
    }
    for (workspace, needed) in workspaces {
        let own = workspace == package.workspace_root;
        if own
            && package
                .members
                .iter()
                .all(|member| needed.contains(&member.as_path()))
        {
            continue;
        }
        let path = below(root, &workspace.join("Cargo.toml"));
        let Some(original) = files.get(&path).cloned() else {
            continue;
        };
        let keep_package = needed.contains(&workspace);
        let members = needed.iter().filter(|dir| **dir != workspace);
        let members: Vec<_> = members.map(|dir| below(workspace, dir)).collect();
        let text = String::from_utf8_lossy(&original.bytes);
        let bytes = reduce::reduce(&text, &members, keep_package)?.into_bytes();
        files.insert(
            path,
            Content {
                bytes,
                executable: false,
            },
        );
        files.insert(below(root, &workspace.join(reduce::ORIGINAL)), original);
    }
    Ok(())
}

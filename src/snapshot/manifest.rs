//! The manifest of a snapshot: what the code of a run was.
//!
//! Stored as CBOR in the deterministic form of RFC 8949, so that the same code has the same digest
//! whoever collects it. Nothing of time, machine or user is in it.
//!
//! Uses `model` and `datastore`.

use serde::{Deserialize, Serialize};

use crate::datastore::{BlobError, Datastore, cbor};
use crate::model::definition::Definition;
use crate::model::digest::Digest;

/// The version of the manifest's form.
pub const VERSION: u32 = 1;

/// What the code of a run was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form: [`VERSION`].
    pub version: u32,
    /// The module.
    pub module: Module,
    /// What the module says about itself.
    pub definition: Definition,
    /// How it was built; none when a module was given as a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The sources, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// What belongs to the sources and is not in the snapshot, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The digest of its bytes, under which it is stored as a blob.
    pub digest: Digest,
    /// The number of its bytes.
    pub size: u64,
}

/// How a module was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The package's name.
    pub package: String,
    /// The package's version.
    pub package_version: String,
    /// The package's directory, relative to the root of the sources; empty for the root itself.
    pub directory: String,
    /// What `rustc -Vv` said.
    pub toolchain: String,
    /// The command, with `$CARGO_HOME` where a directory of the machine stood.
    pub command: Vec<String>,
    /// The digest of `Cargo.lock`, which names every package of a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cargo_lock: Option<Digest>,
}

/// A source file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where it lies, relative to the root of the sources, with `/` between names.
    pub path: String,
    /// The digest of its bytes, under which it is stored as a blob.
    pub digest: Digest,
    /// The number of its bytes.
    pub size: u64,
    /// Whether it can be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// Something that belongs to the sources and is not in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Where it lies.
    pub path: String,
    /// Why it is not there.
    pub reason: String,
}

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// They were written by a wrun that knows more.
    #[error("snapshot is of version {found}, and this wrun reads up to version {VERSION}")]
    TooNew {
        /// The version that was found.
        found: u32,
    },
    /// They are not a manifest at all.
    #[error("not the manifest of a snapshot: {0}")]
    Form(String),
    /// They could not be read.
    #[error("could not read the snapshot `{digest}`")]
    Read {
        /// The snapshot.
        digest: Digest,
        /// What the datastore said.
        source: BlobError,
    },
}

impl Manifest {
    /// The manifest as it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes).expect("a manifest is made of plain values");
        cbor::normalise(&bytes)
            .expect("ciborium writes well-formed values")
            .into_owned()
    }

    /// The manifest that [`Manifest::encode`] wrote.
    ///
    /// # Errors
    /// [`ManifestError::TooNew`] when a later wrun wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let form =
            |error: ciborium::de::Error<std::io::Error>| ManifestError::Form(error.to_string());
        let head: Head = ciborium::from_reader(bytes).map_err(form)?;
        if head.version > VERSION {
            return Err(ManifestError::TooNew {
                found: head.version,
            });
        }
        ciborium::from_reader(bytes).map_err(form)
    }

    /// The manifest of snapshot `digest`.
    ///
    /// # Errors
    /// [`ManifestError::Read`] when it is not in the datastore or damaged there.
    pub async fn load(ds: &Datastore, digest: &Digest) -> Result<Self, ManifestError> {
        let read = |source| ManifestError::Read {
            digest: *digest,
            source,
        };
        Self::decode(&ds.get_snapshot(digest).await.map_err(read)?)
    }

    /// The bytes of all source files together; the largest number when what is said is more than that.
    pub fn size(&self) -> u64 {
        let sizes = self.files.iter().map(|file| file.size);
        sizes.fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A manifest with one file of each kind.
    pub(crate) fn sample() -> Manifest {
        let file = |path: &str, executable| File {
            path: path.to_owned(),
            digest: Digest::of(path.as_bytes()),
            size: path.len() as u64,
            executable,
        };
        Manifest {
            version: VERSION,
            module: Module {
                digest: Digest::of(b"module"),
                size: 6,
            },
            definition: Definition {
                name: "hello".into(),
                ..Definition::default()
            },
            origin: Some(Origin {
                package: "hello".into(),
                package_version: "0.1.0".into(),
                directory: String::new(),
                toolchain: "rustc 1.95.0".into(),
                command: vec!["cargo".into(), "build".into()],
                cargo_lock: None,
            }),
            files: vec![file("Cargo.toml", false), file("run.sh", true)],
            left_out: vec![LeftOut {
                path: "link".into(),
                reason: "a link".into(),
            }],
        }
    }

    #[test]
    fn a_manifest_is_read_back_as_it_was() {
        let manifest = sample();
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
        assert_eq!(manifest.size(), 16);
    }

    #[test]
    fn keys_are_in_the_order_of_their_encoding() {
        let ciborium::Value::Map(entries) =
            ciborium::from_reader::<ciborium::Value, _>(&sample().encode()[..]).unwrap()
        else {
            panic!("a manifest is a map")
        };
        let keys: Vec<_> = entries
            .iter()
            .filter_map(|(key, _)| key.as_text())
            .collect();
        assert_eq!(
            keys,
            [
                "files",
                "module",
                "origin",
                "version",
                "left_out",
                "definition"
            ]
        );
    }

    #[test]
    fn a_later_version_is_refused_as_such() {
        let later = Manifest {
            version: VERSION + 1,
            ..sample()
        };
        let error = Manifest::decode(&later.encode()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "snapshot is of version 2, and this wrun reads up to version 1"
        );
        assert!(matches!(
            Manifest::decode(b"\xff"),
            Err(ManifestError::Form(_))
        ));
    }
}

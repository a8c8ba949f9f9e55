//! Artifacts: named values that flow between steps.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::Digest;
use super::name::ArtifactName;

/// The largest value that lives inside the record that refers to it, in bytes.
pub const INLINE_VALUE: usize = 32 * 1024;
/// The most bytes of values that live inside one record.
pub const INLINE_RECORD: usize = 256 * 1024;

/// What the bytes of an artifact are, e.g. `application/cbor`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Arc<str>);

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(from)?.into()))
    }
}

impl MediaType {
    /// Values that everyone can look into: CBOR in the deterministic form of RFC 8949.
    pub const CBOR: &'static str = "application/cbor";
    /// Bytes of no known kind.
    pub const BYTES: &'static str = "application/octet-stream";
    /// A text.
    pub const TEXT: &'static str = "text/plain";
    /// An archive of files.
    pub const TAR: &'static str = "application/x-tar";

    /// A media type, e.g. `text/html`.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The media type of CBOR values.
    pub fn cbor() -> Self {
        Self::new(Self::CBOR)
    }

    /// Whether the bytes are a CBOR value.
    pub fn is_cbor(&self) -> bool {
        &*self.0 == Self::CBOR
    }

    /// The media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A value without a name: its digest, its size and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The digest of the bytes.
    pub digest: Digest,
    /// The number of bytes, uncompressed.
    pub size: u64,
    /// What the bytes are.
    pub media: MediaType,
    /// Where the bytes are.
    pub at: ValueAt,
}

/// Where the bytes of a value are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueAt {
    /// In the datastore's blobs, under the value's digest.
    Blob,
    /// Here.
    Inline(Bytes),
    /// In a record that holds a value of this digest inline; the bytes were left out of memory.
    ///
    /// Never stored.
    #[serde(skip)]
    Record,
}

impl Value {
    /// A value whose bytes are here.
    pub fn inline(media: MediaType, bytes: Bytes) -> Self {
        let digest = Digest::of(&bytes);
        Self {
            digest,
            size: bytes.len() as u64,
            media,
            at: ValueAt::Inline(bytes),
        }
    }

    /// The same value without its bytes, for keeping many of them in memory.
    pub fn slim(&self) -> Self {
        let at = match self.at {
            ValueAt::Blob => ValueAt::Blob,
            ValueAt::Inline(_) | ValueAt::Record => ValueAt::Record,
        };
        Self {
            digest: self.digest,
            size: self.size,
            media: self.media.clone(),
            at,
        }
    }
}

/// A value with its name, as a record lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The name by which steps read it.
    pub name: ArtifactName,
    /// The value.
    pub value: Value,
}

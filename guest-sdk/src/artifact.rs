//! How values become artifacts and come back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::abi::{Read, Write};
use crate::blob::Blob;
use crate::cbor;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::report::Report;
use crate::type_name;
use crate::value::Text;

/// A type that can be an artifact that a step writes.
///
/// Every type with serde's `Serialize`, kept as a CBOR value; and [`Blob`], [`Text`] and
/// [`Report`], kept as they are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an artifact",
    label = "not an artifact",
    note = "add `#[derive(Serialize, Deserialize)]` to the type, or use `Blob`, `Text` or `Report`"
)]
pub trait ToArtifact {
    /// Writes it under `name`.
    #[doc(hidden)]
    fn write(self, to: &dyn Host, name: &str) -> Result<()>;
}

/// A type as which a step can read an artifact.
///
/// Every type with serde's `Deserialize`, from a CBOR value; and [`Blob`], [`Text`] and [`Report`].
#[diagnostic::on_unimplemented(
    message = "an artifact cannot be read as `{Self}`",
    label = "not an artifact",
    note = "add `#[derive(Serialize, Deserialize)]` to the type, or use `Blob` or `Text`"
)]
pub trait FromArtifact: Sized {
    /// Reads it; none when it was never written.
    #[doc(hidden)]
    fn read(from: &From<'_>, name: &str) -> Result<Option<Self>>;

    /// Reads it; none when it was never written or is `null`.
    #[doc(hidden)]
    fn read_optional(from: &From<'_>, name: &str) -> Result<Option<Self>> {
        Self::read(from, name)
    }
}

/// Where artifacts are read from.
#[doc(hidden)]
pub enum From<'a> {
    /// What the task itself reads.
    Task(&'a dyn Host),
    /// One branch of a join.
    Branch(&'a dyn Host, u32),
}

impl From<'_> {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            From::Task(host) => host.get(name),
            From::Branch(host, branch) => host.branch_get(*branch, name),
        }
    }

    fn open(&self, name: &str) -> Option<Blob> {
        match self {
            From::Task(host) => host.open(name),
            From::Branch(host, branch) => host.branch_open(*branch, name),
        }
    }

    fn place(&self) -> String {
        match self {
            From::Task(_) => String::new(),
            From::Branch(host, branch) => format!(" of `{}`", host.branch_task(*branch)),
        }
    }

    /// An artifact that must be there.
    pub fn required<T: FromArtifact>(&self, name: &str) -> Result<T> {
        T::read(self, name)?.ok_or_else(|| {
            Error::new(format_args!(
                "artifact `{name}`{} was never written; read it as `Option<{}>` if it may be missing",
                self.place(),
                type_name::of::<T>()
            ))
            .fatal()
        })
    }

    /// An artifact that may be missing.
    ///
    /// It is missing too when it is `null`: the value of a parameter that may be left out and was.
    pub fn optional<T: FromArtifact>(&self, name: &str) -> Result<Option<T>> {
        T::read_optional(self, name)
    }

    fn refused<T>(&self, name: &str, why: String) -> Error {
        let ty = type_name::of::<T>();
        let message = format!("artifact `{name}`{} cannot be read as `{ty}`", self.place());
        Error::new(why).context(message).fatal()
    }
}

impl<T: Serialize> ToArtifact for T {
    fn write(self, to: &dyn Host, name: &str) -> Result<()> {
        let bytes = cbor::encode(&self).map_err(|why| {
            Error::new(why)
                .context(format_args!("artifact `{name}` cannot be written"))
                .fatal()
        })?;
        // The value goes first, so that only one of the two forms is in memory while the host works.
        drop(self);
        to.put(name, cbor::MEDIA_TYPE, &bytes);
        Ok(())
    }
}

impl<T: DeserializeOwned> FromArtifact for T {
    fn read(from: &From<'_>, name: &str) -> Result<Option<Self>> {
        let Some(bytes) = from.get(name) else {
            return Ok(None);
        };
        match cbor::decode(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(_) if cbor::is_null(&bytes) => Ok(None),
            Err(why) => Err(from.refused::<Self>(name, why)),
        }
    }

    // Asked before the type is: for some types, `Json` among them, `null` is a value.
    fn read_optional(from: &From<'_>, name: &str) -> Result<Option<Self>> {
        match from.get(name) {
            Some(bytes) if !cbor::is_null(&bytes) => match cbor::decode(&bytes) {
                Ok(value) => Ok(Some(value)),
                Err(why) => Err(from.refused::<Self>(name, why)),
            },
            _ => Ok(None),
        }
    }
}

impl ToArtifact for Blob {
    fn write(self, to: &dyn Host, name: &str) -> Result<()> {
        Blob::write(self, to, name)
    }
}

impl FromArtifact for Blob {
    fn read(from: &From<'_>, name: &str) -> Result<Option<Self>> {
        Ok(from.open(name).filter(|blob| !is_left_out(blob)))
    }
}

/// Whether this is no file at all: a parameter that may be left out and was has the value `null`.
fn is_left_out(blob: &Blob) -> bool {
    blob.len() == 1
        && blob.media_type() == cbor::MEDIA_TYPE
        && blob.read_at(0, 1).is_ok_and(|bytes| cbor::is_null(&bytes))
}

impl ToArtifact for Text {
    fn write(self, to: &dyn Host, name: &str) -> Result<()> {
        to.put(name, "text/plain", self.as_bytes());
        Ok(())
    }
}

impl FromArtifact for Text {
    fn read(from: &From<'_>, name: &str) -> Result<Option<Self>> {
        let Some(bytes) = from.get(name) else {
            return Ok(None);
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Text::new(text))),
            Err(error) if cbor::is_null(error.as_bytes()) => Ok(None),
            Err(error) => Err(from.refused::<Self>(name, error.to_string())),
        }
    }
}

impl ToArtifact for Report {
    fn write(self, to: &dyn Host, name: &str) -> Result<()> {
        to.put(name, self.media_type(), self.bytes());
        Ok(())
    }
}

impl FromArtifact for Report {
    fn read(from: &From<'_>, name: &str) -> Result<Option<Self>> {
        let Some(blob) = from.open(name) else {
            return Ok(None);
        };
        Ok(Some(Report::of(&blob.media_type(), blob.to_vec()?)))
    }
}

/// The artifacts that a step writes: a struct with one field for each, made by
/// `#[derive(Artifacts)]`.
///
/// A field of type `Option<T>` is an artifact that may be missing: `None` writes nothing. A step that
/// writes nothing returns `()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which artifacts it holds",
    label = "a step returns a struct of artifacts",
    note = "add `#[derive(Artifacts)]` to a struct whose fields are the artifacts, and return it"
)]
pub trait Artifacts: Sized {
    /// What it writes.
    #[doc(hidden)]
    fn writes() -> Vec<Write>;

    /// Writes every field.
    #[doc(hidden)]
    fn write(self, to: &dyn Host) -> Result<()>;
}

impl Artifacts for () {
    fn writes() -> Vec<Write> {
        Vec::new()
    }

    fn write(self, _: &dyn Host) -> Result<()> {
        Ok(())
    }
}

/// The artifacts that a join reads of each branch: what `#[derive(Artifacts)]` makes of a struct
/// whose fields can all be read.
#[diagnostic::on_unimplemented(
    message = "`Inputs` cannot read the branches as `{Self}`",
    label = "not a struct of artifacts that can be read",
    note = "add `#[derive(Artifacts)]` to a struct whose fields are the artifacts, each of a type that can be read back"
)]
pub trait FromBranch: Sized {
    /// What it reads.
    #[doc(hidden)]
    fn reads() -> Vec<Read>;

    /// Reads every field.
    #[doc(hidden)]
    fn read(from: &From<'_>) -> Result<Self>;
}

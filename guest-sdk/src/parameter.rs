//! The types that a parameter may have.

use crate::abi::ParamKind;
use crate::artifact::FromArtifact;
use crate::blob::Blob;
use crate::files::Files;
use crate::value::{Json, Text};

/// A type that a parameter may have: `bool`, the integers up to 64 bits, `f32`, `f64`, `String`, lists
/// of these as `Vec`, [`Json`], [`Blob`], [`Files`] and [`Text`]; each also as `Option`.
#[diagnostic::on_unimplemented(
    message = "a parameter cannot have the type `{Self}`",
    label = "not a type of parameters",
    note = "use `bool`, an integer, `f32`, `f64`, `String`, a `Vec` of these, `Json`, `Blob`, `Files` or `Text`"
)]
pub trait Parameter: FromArtifact {
    #[doc(hidden)]
    const KIND: ParamKind;
    #[doc(hidden)]
    const BITS: u8 = 0;
    #[doc(hidden)]
    const MANY: bool = false;
}

/// A type of which a parameter may have many.
#[diagnostic::on_unimplemented(
    message = "a parameter cannot be a list of `{Self}`",
    label = "not a type of parameters that come in lists",
    note = "use a `Vec` of `bool`, an integer, `f32`, `f64` or `String`, or `Json`; several files are `Files`"
)]
pub trait Scalar: Parameter {}

macro_rules! scalars {
    ($($type:ty => $kind:ident $bits:literal;)*) => {
        $(
            impl Parameter for $type {
                const KIND: ParamKind = ParamKind::$kind;
                const BITS: u8 = $bits;
            }

            impl Scalar for $type {}
        )*
    };
}

// `usize` and `isize` have the width that they have inside a module.
scalars! {
    bool => Boolean 0;
    i8 => Signed 8;
    i16 => Signed 16;
    i32 => Signed 32;
    i64 => Signed 64;
    isize => Signed 32;
    u8 => Unsigned 8;
    u16 => Unsigned 16;
    u32 => Unsigned 32;
    u64 => Unsigned 64;
    usize => Unsigned 32;
    f32 => Float 32;
    f64 => Float 64;
    String => Text 0;
}

impl<T: Scalar> Parameter for Vec<T>
where
    Vec<T>: FromArtifact,
{
    const KIND: ParamKind = T::KIND;
    const BITS: u8 = T::BITS;
    const MANY: bool = true;
}

impl Parameter for Json {
    const KIND: ParamKind = ParamKind::Json;
}

impl Parameter for Blob {
    const KIND: ParamKind = ParamKind::Blob;
}

// Many files, and one artifact.
impl Parameter for Files {
    const KIND: ParamKind = ParamKind::Blob;
    const MANY: bool = true;
}

impl Parameter for Text {
    const KIND: ParamKind = ParamKind::TextFile;
}

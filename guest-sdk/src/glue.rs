//! What the code calls that the macros write. Not for people: it may change in any version.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::abi::{
    Context, Decision, Definition, Edge, FanOut, Outcome, ParamKind, Parameter, Read, Resources,
    Retry, Step, SwitchCase, Write,
};
pub use crate::artifact::From;
use crate::artifact::{Artifacts, FromArtifact, FromBranch};
use crate::cbor;
use crate::error::{Error, IntoError, Result};
pub use crate::feedback::log;
pub use crate::host::{Host, Level};
use crate::inputs::Inputs;
pub use crate::memory::{Memory, Stored, Stores};
use crate::parameter;
use crate::task::Task;
use crate::type_name;
use crate::value::Json;

/// What `#[flow]` makes of a module.
pub trait Flow {
    /// Says what the flow is.
    fn describe() -> Definition;

    /// Runs one step.
    fn run(step: &str, host: &Arc<dyn Host>) -> Result<Outcome>;
}

/// The name and version of this SDK.
pub fn sdk() -> String {
    concat!("wrun-sdk ", env!("CARGO_PKG_VERSION")).to_owned()
}

/// An artifact that a step reads as `T`.
pub fn read<T>(name: &str, optional: bool) -> Read {
    Read {
        name: name.to_owned(),
        ty: type_name::of::<T>(),
        optional,
    }
}

/// An artifact that a step writes as `T`.
pub fn write<T>(name: &str) -> Write {
    Write {
        name: name.to_owned(),
        ty: type_name::of::<T>(),
    }
}

/// The name of the type of a foreach element.
pub fn type_of<T>() -> String {
    type_name::of::<T>()
}

/// What a join reads of each branch.
pub fn inputs<T: FromBranch>() -> Vec<Read> {
    T::reads()
}

/// What a step writes that returns `R`.
pub fn writes<R: StepResult>() -> Vec<Write> {
    R::Artifacts::writes()
}

/// A parameter of type `T`.
pub fn parameter<T: parameter::Parameter>(
    name: &str,
    docs: &str,
    default: Option<Vec<u8>>,
    choices: &[&str],
) -> Parameter {
    Parameter {
        name: name.to_owned(),
        docs: docs.to_owned(),
        kind: T::KIND,
        bits: T::BITS,
        many: T::MANY,
        ty: type_name::of::<T>(),
        default,
        choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
    }
}

/// The default of a parameter that may be left out.
pub fn no_value() -> Option<Vec<u8>> {
    Some(cbor::null())
}

/// The default of a parameter.
pub fn default<T: Serialize>(value: T) -> Option<Vec<u8>> {
    Some(cbor::encode(&value).expect("numbers, texts and lists of them can be encoded"))
}

/// A type whose default may be written as a text in quotes.
#[diagnostic::on_unimplemented(
    message = "the default of a `{Self}` is not a text in quotes",
    label = "a value of type `{Self}` is expected",
    note = "write the value as it is written in Rust, e.g. `default = 8`"
)]
pub trait FromText {
    /// The value of a default.
    fn from_text(text: &str) -> Self;
}

impl FromText for String {
    fn from_text(text: &str) -> Self {
        text.to_owned()
    }
}

impl FromText for Json {
    fn from_text(text: &str) -> Self {
        text.into()
    }
}

/// What a step may return: artifacts, or a `Result` of them.
#[diagnostic::on_unimplemented(
    message = "a step cannot return `{Self}`",
    label = "neither a struct of artifacts nor a `Result` of one",
    note = "return `()`, a struct with `#[derive(Artifacts)]`, or a `Result` of one of these"
)]
pub trait StepResult {
    /// What it writes.
    type Artifacts: Artifacts;

    /// The artifacts, or why there are none.
    fn into_result(self) -> Result<Self::Artifacts>;
}

impl<T: Artifacts> StepResult for T {
    type Artifacts = T;

    fn into_result(self) -> Result<T> {
        Ok(self)
    }
}

impl<T: Artifacts, E: IntoError> StepResult for std::result::Result<T, E> {
    type Artifacts = T;

    fn into_result(self) -> Result<T> {
        self.map_err(IntoError::into_error)
    }
}

/// Ends a step: finds what follows and writes the artifacts.
pub fn finish<R: StepResult>(
    result: R,
    host: &Arc<dyn Host>,
    outcome: impl FnOnce(&R::Artifacts) -> Result<Outcome>,
) -> Result<Outcome> {
    let artifacts = result.into_result()?;
    let outcome = outcome(&artifacts)?;
    artifacts.write(&**host)?;
    Ok(outcome)
}

/// Nothing is to be decided.
pub fn done<T>(_: &T) -> Result<Outcome> {
    Ok(Outcome::Done)
}

/// Reads an artifact that must be there.
pub fn required<T: FromArtifact>(host: &Arc<dyn Host>, name: &str) -> Result<T> {
    From::Task(&**host).required(name)
}

/// Reads an artifact that may be missing.
pub fn optional<T: FromArtifact>(host: &Arc<dyn Host>, name: &str) -> Result<Option<T>> {
    From::Task(&**host).optional(name)
}

/// Reads the foreach element.
pub fn item<T: DeserializeOwned>(host: &Arc<dyn Host>) -> Result<T> {
    let bytes = host
        .item()
        .ok_or_else(|| Error::new("this task has no foreach element").fatal())?;
    cbor::decode(&bytes).map_err(|why| {
        let ty = type_name::of::<T>();
        Error::new(why)
            .context(format_args!("the foreach element cannot be read as `{ty}`"))
            .fatal()
    })
}

/// The branches of a join.
pub fn branches<T: FromBranch>(host: &Arc<dyn Host>) -> Inputs<T> {
    Inputs::new(host.clone())
}

/// Who the task is.
pub fn task(host: &Arc<dyn Host>) -> Task {
    Task::new(host.task())
}

/// A list of which a foreach makes one task for each element.
#[diagnostic::on_unimplemented(
    message = "a foreach cannot go over `{Self}`",
    label = "not a list",
    note = "make the artifact that `foreach` names a `Vec`"
)]
pub trait List {
    /// What each task is given.
    type Element;

    /// How many elements there are.
    fn count(&self) -> usize;
}

macro_rules! lists {
    ($([$($generics:tt)*] $type:ty;)*) => {
        $(impl<$($generics)*> List for $type {
            type Element = T;

            fn count(&self) -> usize {
                self.len()
            }
        })*
    };
}

lists! {
    [T] Vec<T>;
    [T] VecDeque<T>;
    [T] BTreeSet<T>;
    [T] Box<[T]>;
    [T, const N: usize] [T; N];
}

/// How many tasks follow.
///
/// `E` is the element that the step reads that follows.
pub fn items<E, T: List<Element = E>>(artifact: &str, list: &T) -> Result<Outcome> {
    let count = list.count();
    let count = u32::try_from(count).map_err(|_| {
        Error::new(format_args!(
            "`{artifact}` has {count} elements, more than a foreach can have"
        ))
        .fatal()
    })?;
    Ok(Outcome::Items(count))
}

/// Which case follows: what `value` is as text.
pub fn case<T: Serialize>(artifact: &str, value: &T) -> Result<Outcome> {
    let text = cbor::encode(value).and_then(|bytes| cbor::decode::<String>(&bytes));
    let text = text.map_err(|why| {
        Error::new(why)
            .context(format_args!(
                "`{artifact}` does not name a case: it must be a text or an enum without data"
            ))
            .fatal()
    })?;
    Ok(Outcome::Case(text))
}

/// A field of a struct of artifacts, to be shown if its type can be.
///
/// Where it can, the method here is found; where not, that of [`Unshown`].
pub struct Shown<'a, T>(pub &'a T);

impl<'a, T: fmt::Debug> Shown<'a, T> {
    /// The field.
    pub fn value(&self) -> &'a dyn fmt::Debug {
        self.0
    }
}

/// Shows `_` in the place of what cannot be shown.
pub trait Unshown {
    /// The place.
    fn value(&self) -> &'static dyn fmt::Debug {
        struct Place;

        impl fmt::Debug for Place {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("_")
            }
        }

        &Place
    }
}

impl<T> Unshown for Shown<'_, T> {}

/// The host asked for a step that the flow does not have.
pub fn unknown_step(step: &str) -> Result<Outcome> {
    Err(Error::new(format_args!("the module has no step `{step}`")).fatal())
}

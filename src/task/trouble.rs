//! Failures that no step is to blame for: of the machine, and of what is stored.

use std::error::Error;

use super::list::ListError;
use super::values::ValueError;
use crate::datastore::BlobError;
use crate::datastore::journal::JournalError;
use crate::datastore::object::{self, StoreError};
use crate::model::failure::{Failure, FailureKind};

/// The machine could not do `what`, because of `error` and its causes.
pub fn infrastructure(what: &str, error: &(dyn Error + 'static)) -> Failure {
    failure(FailureKind::Infrastructure, what, error)
}

/// `what` could not be done, because of `error` and its causes, and will not be the next time either.
pub fn misconfigured(what: &str, error: &(dyn Error + 'static)) -> Failure {
    failure(FailureKind::Misconfigured, what, error)
}

/// `what` could not be read, because of `error`: another try helps when the store did not answer,
/// and does not when what it keeps is not what was stored.
pub fn unreadable<E: Error + Stored + 'static>(what: &str, error: &E) -> Failure {
    if !error.is_damage() {
        return infrastructure(what, error);
    }
    failure(FailureKind::Damaged, what, error).with_hint(
        "`wrun fsck --data --repair` computes it again where that can be, and says what else can be done",
    )
}

fn failure(kind: FailureKind, what: &str, error: &(dyn Error + 'static)) -> Failure {
    let mut failure = Failure::new(kind, format!("{what}: {error}"));
    let mut remedy = remedy(error);
    let mut source = error.source();
    while let Some(cause) = source {
        failure.causes.push(cause.to_string());
        remedy = remedy.or_else(|| self::remedy(cause));
        source = cause.source();
    }
    match remedy {
        Some(remedy) => failure.with_hint(format!("{remedy}, then `wrun resume` goes on")),
        None => failure,
    }
}

/// What can be done about an error, when it is one of a store or of the system.
fn remedy(error: &(dyn Error + 'static)) -> Option<&'static str> {
    match error.downcast_ref::<StoreError>() {
        Some(error) => error.remedy(),
        None => object::remedy(error.downcast_ref()?),
    }
}

/// An error of reading what is stored.
pub trait Stored {
    /// Whether what is stored is damaged, gone or not understood, so that reading it again gives
    /// the same error.
    fn is_damage(&self) -> bool;
}

impl Stored for BlobError {
    fn is_damage(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}

impl Stored for JournalError {
    fn is_damage(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}

impl Stored for ValueError {
    fn is_damage(&self) -> bool {
        match self {
            Self::Blob(error) => error.is_damage(),
            Self::Journal(error) => error.is_damage(),
            Self::Unknown(_) => true,
        }
    }
}

impl Stored for ListError {
    fn is_damage(&self) -> bool {
        match self {
            Self::Value(error) => error.is_damage(),
            Self::Cbor(_) | Self::Index { .. } => true,
        }
    }
}

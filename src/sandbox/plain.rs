//! Failures on the wire.
//!
//! In a record a failure leaves out what is empty. The encoding of the wire has no names and so
//! cannot leave anything out: there a failure is all of its fields.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::failure::{Failure, FailureKind};
use crate::model::record::Outcome;

#[derive(Serialize, Deserialize)]
struct Plain {
    kind: FailureKind,
    message: String,
    causes: Vec<String>,
    source: Option<String>,
    backtrace: Vec<String>,
    hint: Option<String>,
}

impl From<&Failure> for Plain {
    fn from(failure: &Failure) -> Self {
        let Failure {
            kind,
            message,
            causes,
            source,
            backtrace,
            hint,
        } = failure.clone();
        Self {
            kind,
            message,
            causes,
            source,
            backtrace,
            hint,
        }
    }
}

impl From<Plain> for Failure {
    fn from(plain: Plain) -> Self {
        let Plain {
            kind,
            message,
            causes,
            source,
            backtrace,
            hint,
        } = plain;
        Self {
            kind,
            message,
            causes,
            source,
            backtrace,
            hint,
        }
    }
}

/// For fields of type `Box<Failure>`.
pub mod boxed {
    use super::*;

    /// Writes all fields.
    pub fn serialize<S: Serializer>(failure: &Failure, to: S) -> Result<S::Ok, S::Error> {
        Plain::from(failure).serialize(to)
    }

    /// Reads all fields.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Box<Failure>, D::Error> {
        Ok(Box::new(Plain::deserialize(from)?.into()))
    }
}

/// For fields of type `Result<Outcome, Failure>`.
pub mod result {
    use super::*;

    /// Writes the outcome, or all fields of the failure.
    pub fn serialize<S: Serializer>(
        result: &Result<Outcome, Failure>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        result.as_ref().map_err(Plain::from).serialize(to)
    }

    /// Reads the outcome, or all fields of the failure.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Result<Outcome, Failure>, D::Error> {
        Ok(Result::<Outcome, Plain>::deserialize(from)?.map_err(Failure::from))
    }
}

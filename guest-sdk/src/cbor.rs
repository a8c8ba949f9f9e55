//! Values as CBOR, the form in which artifacts are kept.
//!
//! The host brings what is written in here into the deterministic form of RFC 8949.

use ciborium::de::Error as DecodeError;
use ciborium::ser::Error as EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The media type of values that others can look into.
pub(crate) const MEDIA_TYPE: &str = "application/cbor";

/// CBOR's `null`.
const NULL: [u8; 1] = [0xf6];

/// Whether the bytes are CBOR's `null`.
pub(crate) fn is_null(bytes: &[u8]) -> bool {
    bytes == NULL
}

/// CBOR's `null`.
pub(crate) fn null() -> Vec<u8> {
    NULL.to_vec()
}

/// Encodes a value.
///
/// # Errors
/// A text when the value's own `Serialize` refuses.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    match ciborium::into_writer(value, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(EncodeError::Value(text)) => Err(text),
        Err(EncodeError::Io(error)) => Err(error.to_string()),
    }
}

/// Decodes a value.
///
/// # Errors
/// A text that says what is wrong with the bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    ciborium::from_reader(bytes).map_err(|error| match error {
        DecodeError::Io(_) => "the value ends too early".to_owned(),
        DecodeError::Syntax(at) => format!("the value is not CBOR from byte {at} on"),
        DecodeError::Semantic(_, text) => text,
        DecodeError::RecursionLimitExceeded => "the value is nested too deeply".to_owned(),
    })
}

//! Kinds of value that Rust has no type of its own for: text files, byte strings, JSON.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

/// A whole text that is kept as text and not as a CBOR value: `text/plain`.
///
/// As a parameter it is given as the path of a file. Use `String` for a text that is a value among
/// others, and [`Blob`](crate::Blob) for a text that may not fit into memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(String);

impl Text {
    /// A text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as an ordinary string.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A byte string inside a value.
///
/// A `Vec<u8>` is kept as a list of numbers, which is slower and up to twice as large.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(#[serde(with = "serde_bytes")] Vec<u8>);

impl Bytes {
    /// These bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes as an ordinary vector.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl<T: Into<Vec<u8>>> From<T> for Bytes {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl Deref for Bytes {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

/// Any JSON value: a parameter whose shape is not fixed, or an artifact of mixed content.
///
/// ```
/// use wrun_sdk::prelude::*;
///
/// let settings = Json(json!({ "depth": 3, "names": ["a", "b"] }));
/// assert_eq!(settings["depth"], 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub serde_json::Value);

impl Json {
    /// The value as a type of your own.
    ///
    /// # Errors
    /// When it has not the type's shape.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> crate::Result<T> {
        Ok(T::deserialize(&self.0)?)
    }
}

impl<T: Into<serde_json::Value>> From<T> for Json {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl Deref for Json {
    type Target = serde_json::Value;

    fn deref(&self) -> &serde_json::Value {
        &self.0
    }
}

impl DerefMut for Json {
    fn deref_mut(&mut self) -> &mut serde_json::Value {
        &mut self.0
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn bytes_are_one_byte_string() {
        assert_eq!(cbor::encode(&Bytes::new([1, 200])).unwrap(), [0x42, 1, 200]);
        assert_eq!(
            cbor::decode::<Bytes>(&[0x42, 1, 200]).unwrap(),
            Bytes::new([1, 200])
        );
    }

    #[test]
    fn json_is_a_value_like_any_other() {
        let json = Json(serde_json::json!({ "a": [1, -2, 0.5, null, true, "x"] }));
        let bytes = cbor::encode(&json).unwrap();

        assert_eq!(bytes[0], 0xa1);
        assert_eq!(cbor::decode::<Json>(&bytes).unwrap(), json);
    }

    #[test]
    fn json_is_parsed_into_a_type() {
        let json = Json(serde_json::json!([1, 2]));
        assert_eq!(json.parse::<Vec<u8>>().unwrap(), [1, 2]);
        assert!(json.parse::<bool>().is_err());
    }
}

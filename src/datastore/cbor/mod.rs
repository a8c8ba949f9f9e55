//! CBOR in the deterministic form of RFC 8949, section 4.2.1: one value, one digest.
//!
//! Shortest integers, lengths and floats, definite lengths, keys of maps in the order of their
//! encoding, one NaN. [`normalise`] brings any well-formed value into this form; [`view`] shows it
//! as JSON or text. Input is not trusted: depth is bounded, and nothing is allocated for a length
//! before the bytes were seen.

use std::borrow::Cow;

pub mod differ;
mod head;
mod rewrite;
mod scan;
mod view;

pub use view::{from_json, to_json, to_text};

/// How deep arrays, maps and tags may lie in each other.
pub const MAX_DEPTH: usize = 64;

/// Why bytes are not one CBOR value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// They end inside the value.
    #[error("the value is cut off after {at} bytes")]
    Truncated {
        /// How many there are.
        at: usize,
    },
    /// Something follows the value.
    #[error("{extra} bytes follow the value, which ends at byte {at}")]
    Trailing {
        /// Where the value ends.
        at: usize,
        /// How many bytes follow.
        extra: usize,
    },
    /// Values lie too deep in each other.
    #[error("the value at byte {at} lies more than {MAX_DEPTH} levels deep")]
    TooDeep {
        /// Where.
        at: usize,
    },
    /// RFC 8949 does not allow it.
    #[error("byte {at} is not allowed there: {reason}")]
    Malformed {
        /// Where.
        at: usize,
        /// Why not.
        reason: &'static str,
    },
    /// A text that is not UTF-8.
    #[error("the text at byte {at} is not UTF-8")]
    Utf8 {
        /// Where the text begins.
        at: usize,
    },
    /// A map has a key twice.
    #[error("the map at byte {at} has a key twice")]
    DuplicateKey {
        /// Where the map begins.
        at: usize,
    },
    /// The value is something else than a list.
    #[error("the value is not a list")]
    NotAList,
}

/// Checks `bytes` and brings them into deterministic form.
///
/// Allocates nothing when they are in that form already. Idempotent.
///
/// # Errors
/// [`CborError`] says what is not one well-formed and valid value, and where.
pub fn normalise(bytes: &[u8]) -> Result<Cow<'_, [u8]>, CborError> {
    if scan::check(bytes)? {
        return Ok(Cow::Borrowed(bytes));
    }
    rewrite::rewrite(bytes).map(Cow::Owned)
}

/// Where each element of a list begins, and where the last one ends.
///
/// # Errors
/// [`CborError::NotAList`], or what is wrong with the value.
pub fn list_offsets(bytes: &[u8]) -> Result<Vec<u64>, CborError> {
    scan::list_offsets(bytes)
}

#[cfg(test)]
mod tests;

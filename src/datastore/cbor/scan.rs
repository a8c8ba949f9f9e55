//! Validates a value and tells whether it is in deterministic form, without allocating.

use super::head::{Head, Input, is_big_number, is_shortest_float};
use super::{CborError, MAX_DEPTH};

/// Checks that `bytes` are one valid value; whether it is in deterministic form.
///
/// Keys that are there twice are found only in deterministic maps; elsewhere the rewriting finds
/// them.
pub(super) fn check(bytes: &[u8]) -> Result<bool, CborError> {
    let mut input = Input::new(bytes);
    let strict = item(&mut input, 0)?;
    input.finish()?;
    Ok(strict)
}

/// Reads one item; whether it is in deterministic form.
pub(super) fn item(input: &mut Input<'_>, depth: usize) -> Result<bool, CborError> {
    let head = input.head()?;
    if depth > MAX_DEPTH {
        return Err(CborError::TooDeep { at: head.at });
    }
    let strict = match head.major {
        0 | 1 => true,
        2 | 3 => return string(input, head),
        4 => array(input, head, depth)?,
        5 => map(input, head, depth)?,
        6 => tag(input, head, depth)?,
        _ if matches!(head.info, 25..=27) => return Ok(is_shortest_float(head)),
        _ => return Ok(true),
    };
    Ok(strict && head.is_shortest())
}

fn string(input: &mut Input<'_>, head: Head) -> Result<bool, CborError> {
    if !head.is_indefinite() {
        input.string(head)?;
        return Ok(head.is_shortest());
    }
    while input.piece(head)?.is_some() {}
    Ok(false)
}

fn array(input: &mut Input<'_>, head: Head, depth: usize) -> Result<bool, CborError> {
    let mut strict = true;
    let mut left = head.argument;
    while more(input, head, &mut left) {
        strict &= item(input, depth + 1)?;
    }
    Ok(strict)
}

fn map(input: &mut Input<'_>, head: Head, depth: usize) -> Result<bool, CborError> {
    let mut strict = true;
    let mut before: Option<&[u8]> = None;
    let mut left = head.argument;
    while more(input, head, &mut left) {
        let start = input.at;
        strict &= item(input, depth + 1)?;
        let key = &input.bytes[start..input.at];
        if strict && before == Some(key) {
            return Err(CborError::DuplicateKey { at: head.at });
        }
        strict &= before.is_none_or(|before| before < key);
        before = Some(key);
        strict &= item(input, depth + 1)?;
    }
    Ok(strict)
}

fn tag(input: &mut Input<'_>, head: Head, depth: usize) -> Result<bool, CborError> {
    if !is_big_number(head.argument) {
        return item(input, depth + 1);
    }
    let content = input.head()?;
    if content.major != 2 {
        return Err(content.malformed("a big number is a byte string"));
    }
    let start = input.at;
    let strict = string(input, content)?;
    // Shorter ones are integers, and leading zeros are left out (RFC 8949, 3.4.3).
    Ok(strict && content.argument > 8 && input.bytes[start] != 0)
}

/// Whether an array or a map goes on. `left` counts down what a definite one still holds.
pub(super) fn more(input: &mut Input<'_>, head: Head, left: &mut u64) -> bool {
    if head.is_indefinite() {
        return !input.ends();
    }
    let goes_on = *left > 0;
    *left = left.saturating_sub(1);
    goes_on
}

/// See [`super::list_offsets`].
pub(super) fn list_offsets(bytes: &[u8]) -> Result<Vec<u64>, CborError> {
    let mut input = Input::new(bytes);
    let head = input.head()?;
    if head.major != 4 {
        return Err(CborError::NotAList);
    }
    // Every element has at least one byte, so a length that is not true claims no more than that.
    let mut offsets = Vec::with_capacity(head.argument.min(bytes.len() as u64) as usize + 1);
    let mut left = head.argument;
    let mut end = input.at;
    while more(&mut input, head, &mut left) {
        offsets.push(input.at as u64);
        item(&mut input, 1)?;
        end = input.at;
    }
    offsets.push(end as u64);
    input.finish()?;
    Ok(offsets)
}

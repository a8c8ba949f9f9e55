//! Writes a value again, in deterministic form.
//!
//! Runs only on what [`super::scan`] found to be valid; it checks all the same.

use super::head::{self, Head, Input, float, is_big_number};
use super::scan::more;
use super::{CborError, MAX_DEPTH};

/// See [`super::normalise`].
pub(super) fn rewrite(bytes: &[u8]) -> Result<Vec<u8>, CborError> {
    let mut input = Input::new(bytes);
    let mut out = Vec::with_capacity(bytes.len());
    item(&mut input, &mut out, 0)?;
    input.finish()?;
    Ok(out)
}

fn item(input: &mut Input<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), CborError> {
    let head = input.head()?;
    if depth > MAX_DEPTH {
        return Err(CborError::TooDeep { at: head.at });
    }
    match head.major {
        0 | 1 => head::write(head.major, head.argument, out),
        2 | 3 => string(input, head, out)?,
        4 => array(input, head, out, depth)?,
        5 => map(input, head, out, depth)?,
        6 if is_big_number(head.argument) => big_number(input, head, out)?,
        6 => {
            head::write(6, head.argument, out);
            item(input, out, depth + 1)?;
        }
        _ if matches!(head.info, 25..=27) => head::write_float(float(head), out),
        _ => head::write(7, head.argument, out),
    }
    Ok(())
}

fn string(input: &mut Input<'_>, head: Head, out: &mut Vec<u8>) -> Result<(), CborError> {
    if !head.is_indefinite() {
        let bytes = input.string(head)?;
        head::write(head.major, bytes.len() as u64, out);
        out.extend_from_slice(bytes);
        return Ok(());
    }
    let bytes = gather(input, head)?;
    head::write(head.major, bytes.len() as u64, out);
    out.extend_from_slice(&bytes);
    Ok(())
}

/// All pieces of a string of indefinite length.
fn gather(input: &mut Input<'_>, head: Head) -> Result<Vec<u8>, CborError> {
    let mut bytes = Vec::new();
    while let Some(piece) = input.piece(head)? {
        bytes.extend_from_slice(piece);
    }
    Ok(bytes)
}

fn array(
    input: &mut Input<'_>,
    head: Head,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), CborError> {
    let start = out.len();
    let (mut left, mut count) = (head.argument, 0);
    if !head.is_indefinite() {
        head::write(4, head.argument, out);
    }
    while more(input, head, &mut left) {
        item(input, out, depth + 1)?;
        count += 1;
    }
    if head.is_indefinite() {
        let mut first = Vec::with_capacity(9);
        head::write(4, count, &mut first);
        out.splice(start..start, first);
    }
    Ok(())
}

fn map(
    input: &mut Input<'_>,
    head: Head,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), CborError> {
    let start = out.len();
    // Where each key begins, where it ends, and where its value ends.
    let mut entries: Vec<[usize; 3]> = Vec::new();
    let mut left = head.argument;
    while more(input, head, &mut left) {
        let key = out.len();
        item(input, out, depth + 1)?;
        let value = out.len();
        item(input, out, depth + 1)?;
        entries.push([key, value, out.len()]);
    }
    entries.sort_by(|a, b| out[a[0]..a[1]].cmp(&out[b[0]..b[1]]));
    let twice = |pair: &[[usize; 3]]| out[pair[0][0]..pair[0][1]] == out[pair[1][0]..pair[1][1]];
    if entries.windows(2).any(twice) {
        return Err(CborError::DuplicateKey { at: head.at });
    }
    let mut sorted = Vec::with_capacity(out.len() - start + 9);
    head::write(5, entries.len() as u64, &mut sorted);
    for [key, _, end] in entries {
        sorted.extend_from_slice(&out[key..end]);
    }
    out.truncate(start);
    out.extend_from_slice(&sorted);
    Ok(())
}

/// A big number: an integer when it is small enough, else without leading zeros (RFC 8949, 3.4.3).
fn big_number(input: &mut Input<'_>, tag: Head, out: &mut Vec<u8>) -> Result<(), CborError> {
    let head = input.head()?;
    if head.major != 2 {
        return Err(head.malformed("a big number is a byte string"));
    }
    let bytes = if head.is_indefinite() {
        gather(input, head)?
    } else {
        input.string(head)?.to_vec()
    };
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros..];
    if digits.len() <= 8 {
        let number = digits
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        // Tags 2 and 3 stand for the same -1 - n as the major types 0 and 1.
        head::write(tag.argument as u8 - 2, number, out);
    } else {
        head::write(6, tag.argument, out);
        head::write(2, digits.len() as u64, out);
        out.extend_from_slice(digits);
    }
    Ok(())
}

//! Shows a value as JSON for machines and as text for people, and makes one from JSON.
//!
//! Values come from guests: in text nothing reaches a terminal that could move its cursor or
//! reorder its line.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

use super::head::{self, Head, Input, float, is_big_number};
use super::scan::{check, more};
use super::{CborError, normalise};

/// How wide a line of text gets before a list or a map is broken into lines.
const WIDTH: usize = 80;
/// How many bytes of a byte string are shown in text.
const SHOWN: usize = 32;

/// The value as JSON, for programs.
///
/// What JSON does not have is text, from which a program that knows the type gets the value back:
/// byte strings as base64url without padding (RFC 8949, section 6.1); NaN and the infinities as `"NaN"`,
/// `"Infinity"` and `"-Infinity"`, as in the JSON of protocol buffers; integers beyond 64 bits in
/// decimal; keys that are not text in the form of [`to_text`]. `undefined` is null, and tags are left out.
///
/// # Errors
/// [`CborError`] when the bytes are not one valid value.
pub fn to_json(bytes: &[u8]) -> Result<Value, CborError> {
    let bytes = normalise(bytes)?;
    json(&mut Input::new(&bytes))
}

fn json(input: &mut Input<'_>) -> Result<Value, CborError> {
    let head = input.head()?;
    Ok(match head.major {
        0 => Value::Number(head.argument.into()),
        1 => integer(-1 - i128::from(head.argument)),
        2 => Value::String(base64url(input.string(head)?)),
        3 => Value::String(String::from_utf8_lossy(input.string(head)?).into_owned()),
        4 => {
            let mut list = Vec::new();
            let mut left = head.argument;
            while more(input, head, &mut left) {
                list.push(json(input)?);
            }
            Value::Array(list)
        }
        5 => {
            let mut map = Map::new();
            let mut left = head.argument;
            while more(input, head, &mut left) {
                let name = name(input)?;
                map.insert(name, json(input)?);
            }
            Value::Object(map)
        }
        6 if is_big_number(head.argument) => {
            let content = input.head()?;
            Value::String(big(head, input.string(content)?))
        }
        6 => json(input)?,
        _ if matches!(head.info, 25..=27) => json_number(float(head)),
        _ => match head.argument {
            20 => Value::Bool(false),
            21 => Value::Bool(true),
            _ => Value::Null,
        },
    })
}

fn json_number(value: f64) -> Value {
    Number::from_f64(value).map_or_else(
        || {
            let mut text = String::new();
            number(value, &mut text);
            Value::String(text)
        },
        Value::Number,
    )
}

fn integer(value: i128) -> Value {
    match i64::try_from(value) {
        Ok(small) => Value::Number(small.into()),
        Err(_) => Value::String(value.to_string()),
    }
}

/// The key of a map as text.
fn name(input: &mut Input<'_>) -> Result<String, CborError> {
    let mut ahead = *input;
    let head = ahead.head()?;
    if head.major == 3 {
        *input = ahead;
        return Ok(String::from_utf8_lossy(input.string(head)?).into_owned());
    }
    let mut text = String::new();
    flat(input, &mut text)?;
    Ok(text)
}

/// A number of more than 64 bits: in decimal as far as 128 bits go, else in hexadecimal.
fn big(tag: Head, digits: &[u8]) -> String {
    let negative = tag.argument == 3;
    if digits.len() < 16 || digits.len() == 16 && digits[0] < 0x80 {
        let size = digits
            .iter()
            .fold(0_i128, |sum, byte| sum << 8 | i128::from(*byte));
        return if negative {
            (-1 - size).to_string()
        } else {
            size.to_string()
        };
    }
    let hex: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    if negative {
        format!("-1-0x{hex}")
    } else {
        format!("0x{hex}")
    }
}

/// Base64 with the alphabet for URLs and without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for i in 0..=three.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize]));
        }
    }
    text
}

/// The value as text, for people: JSON where JSON has it, lists and maps broken into lines where
/// they are long, byte strings as `h'…'`, control characters escaped.
///
/// # Errors
/// [`CborError`] when the bytes are not one valid value.
pub fn to_text(bytes: &[u8]) -> Result<String, CborError> {
    check(bytes)?;
    let bytes = normalise(bytes)?;
    let mut text = String::new();
    pretty(&mut Input::new(&bytes), &mut text, 0)?;
    Ok(text)
}

/// Writes one item on as many lines as it needs, after `indent` columns.
fn pretty(input: &mut Input<'_>, out: &mut String, indent: usize) -> Result<(), CborError> {
    let mut ahead = *input;
    let head = ahead.head()?;
    if !matches!(head.major, 4 | 5) || head.argument == 0 || fits(*input, indent)? {
        return flat(input, out);
    }
    *input = ahead;
    let (open, close) = brackets(head);
    out.push(open);
    let mut left = head.argument;
    while more(input, head, &mut left) {
        let _ = write!(out, "\n{:1$}", "", indent + 2);
        if head.major == 5 {
            flat(input, out)?;
            out.push_str(": ");
        }
        pretty(input, out, indent + 2)?;
        if left > 0 {
            out.push(',');
        }
    }
    let _ = write!(out, "\n{:1$}{close}", "", indent);
    Ok(())
}

/// What is around a list or a map.
fn brackets(head: Head) -> (char, char) {
    if head.major == 4 {
        ('[', ']')
    } else {
        ('{', '}')
    }
}

/// Whether the next item fits on the rest of a line.
fn fits(mut input: Input<'_>, indent: usize) -> Result<bool, CborError> {
    let start = input.at;
    super::scan::item(&mut input, 0)?;
    // An item of so many bytes cannot be short as text, so it need not be written to see that.
    if input.at - start > 4 * WIDTH {
        return Ok(false);
    }
    input.at = start;
    let mut line = String::new();
    flat(&mut input, &mut line)?;
    Ok(indent + line.chars().count() <= WIDTH)
}

/// Writes one item on one line.
fn flat(input: &mut Input<'_>, out: &mut String) -> Result<(), CborError> {
    let head = input.head()?;
    match head.major {
        0 => out.push_str(&head.argument.to_string()),
        1 => out.push_str(&(-1 - i128::from(head.argument)).to_string()),
        2 => bytes(input.string(head)?, out),
        3 => quoted(&String::from_utf8_lossy(input.string(head)?), out),
        4 | 5 => flat_container(input, head, out)?,
        6 if is_big_number(head.argument) => {
            let content = input.head()?;
            out.push_str(&big(head, input.string(content)?));
        }
        6 => {
            let _ = write!(out, "{}(", head.argument);
            flat(input, out)?;
            out.push(')');
        }
        _ if matches!(head.info, 25..=27) => number(float(head), out),
        _ => match head.argument {
            20 => out.push_str("false"),
            21 => out.push_str("true"),
            22 => out.push_str("null"),
            23 => out.push_str("undefined"),
            other => out.push_str(&format!("simple({other})")),
        },
    }
    Ok(())
}

fn flat_container(input: &mut Input<'_>, head: Head, out: &mut String) -> Result<(), CborError> {
    let (open, close) = brackets(head);
    out.push(open);
    let mut left = head.argument;
    while more(input, head, &mut left) {
        flat(input, out)?;
        if head.major == 5 {
            out.push_str(": ");
            flat(input, out)?;
        }
        if left > 0 {
            out.push_str(", ");
        }
    }
    out.push(close);
    Ok(())
}

fn number(value: f64, out: &mut String) {
    let _ = match value {
        v if v.is_nan() => write!(out, "NaN"),
        v if v.is_infinite() => write!(out, "{}Infinity", if v < 0.0 { "-" } else { "" }),
        v => write!(out, "{v:?}"),
    };
}

fn bytes(bytes: &[u8], out: &mut String) {
    out.push_str("h'");
    for byte in bytes.iter().take(SHOWN) {
        let _ = write!(out, "{byte:02x}");
    }
    if bytes.len() > SHOWN {
        let _ = write!(out, "…' ({} bytes)", bytes.len());
    } else {
        out.push('\'');
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Characters that take no room, end a line or change the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// A JSON value as CBOR in deterministic form.
///
/// Whole numbers that fit 64 bits become integers, all others floats.
pub fn from_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xF6),
        Value::Bool(false) => out.push(0xF4),
        Value::Bool(true) => out.push(0xF5),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(list) => {
            head::write(4, list.len() as u64, out);
            list.iter().for_each(|element| write_json(element, out));
        }
        Value::Object(map) => {
            // The encoding of a shorter text comes first, whatever its characters.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(name, _)| (name.len(), name.as_bytes()));
            head::write(5, entries.len() as u64, out);
            for (name, value) in entries {
                write_string(name, out);
                write_json(value, out);
            }
        }
    }
}

fn write_number(number: &Number, out: &mut Vec<u8>) {
    if let Some(n) = number.as_u64() {
        head::write(0, n, out);
    } else if let Some(n) = number.as_i64() {
        head::write(1, !n as u64, out);
    } else {
        head::write_float(number.as_f64().unwrap_or(f64::NAN), out);
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    head::write(3, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

//! Reads one file of settings into a list of dotted keys with their lines.
//!
//! Knows TOML and nothing of what the keys mean.

use std::fmt;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// Text; all that flags and variables have.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Texts in brackets.
    List(Vec<String>),
    /// A table with nothing in it.
    Empty,
    /// Any other kind, by name.
    Other(&'static str),
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.pad(text),
            Self::Integer(number) => f.pad(&number.to_string()),
            Self::Float(number) => f.pad(&number.to_string()),
            Self::Boolean(truth) => f.pad(&truth.to_string()),
            Self::List(texts) => f.pad(&texts.join(", ")),
            Self::Empty => f.pad("an empty table"),
            Self::Other(kind) => f.pad(kind),
        }
    }
}

/// One line of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key with the tables around it, e.g. `limits.memory`.
    pub key: String,
    /// The value.
    pub value: Raw,
    /// The line of the key, from 1.
    pub line: usize,
}

/// The entries of the file, in the order of their keys; none when there is no file.
///
/// # Errors
/// [`ConfigError::Syntax`] with the line when it is not TOML.
pub fn read(path: &Path) -> Result<Vec<Entry>, ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(ConfigError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    parse(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_of(&text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })
}

/// The entries of a text.
pub(crate) fn parse(text: &str) -> Result<Vec<Entry>, toml::de::Error> {
    let table = DeTable::parse(text)?;
    let mut entries = Vec::new();
    flatten(&mut entries, text, "", table.get_ref());
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(entries)
}

fn flatten(entries: &mut Vec<Entry>, text: &str, prefix: &str, table: &DeTable<'_>) {
    for (name, value) in table.iter() {
        let key = match prefix {
            "" => name.get_ref().to_string(),
            _ => format!("{prefix}.{}", name.get_ref()),
        };
        let line = line_of(text, name.span().start);
        let value = match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => {
                flatten(entries, text, &key, inner);
                continue;
            }
            DeValue::Table(_) => Raw::Empty,
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Integer(number) => {
                let digits = i64::from_str_radix(number.as_str(), number.radix());
                digits.map_or(Raw::Other("a number that is too large"), Raw::Integer)
            }
            DeValue::Float(number) => number
                .as_str()
                .parse()
                .map_or(Raw::Other("a number"), Raw::Float),
            DeValue::Boolean(truth) => Raw::Boolean(*truth),
            DeValue::Datetime(_) => Raw::Other("a date"),
            DeValue::Array(values) => {
                let text = |value: &DeValue<'_>| Some(value.as_str()?.to_owned());
                let texts = values.iter().map(|value| text(value.get_ref()));
                texts
                    .collect::<Option<_>>()
                    .map_or(Raw::Other("a list"), Raw::List)
            }
        };
        entries.push(Entry { key, value, line });
    }
}

fn line_of(text: &str, position: usize) -> usize {
    let before = text.as_bytes().iter().take(position);
    before.filter(|byte| **byte == b'\n').count() + 1
}

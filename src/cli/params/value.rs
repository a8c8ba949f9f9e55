//! One text from the command line, made a value of the kind that a parameter wants.

use std::path::Path;

use ciborium::Value;

use super::Files;
use crate::cli::suggest;
use crate::datastore::cbor;
use crate::model::definition::ParamKind;
use crate::model::graph::Param;

/// Advice for whoever gives a directory where a file is expected.
pub(super) const DIRECTORY: &str = "a parameter of the type `Files` takes a directory";

/// Why a text is not a value of the parameter: what was expected instead, and advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) expected: String,
    pub(super) hint: Option<String>,
}

impl Refusal {
    fn new(expected: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            hint: None,
        }
    }
}

/// The value of `text` for `param`, which is not a blob.
pub(super) fn convert(param: &Param, text: &str, files: &dyn Files) -> Result<Value, Refusal> {
    check_choice(param, text)?;
    match param.kind {
        ParamKind::Boolean => boolean(text),
        ParamKind::Signed => signed(text, param.bits),
        ParamKind::Unsigned => unsigned(text, param.bits),
        ParamKind::Float => float(text, param.bits),
        ParamKind::Text => Ok(Value::Text(text.to_owned())),
        ParamKind::Json => json(text, files),
        ParamKind::TextFile => text_of(text, files).map(Value::Text),
        ParamKind::Blob => Err(Refusal::new("a file, and not a value")),
    }
}

/// `value` in deterministic CBOR; refused when it is nested too deeply.
pub(super) fn encode(value: &Value) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("memory takes what is written to it");
    match cbor::normalise(&bytes) {
        Ok(normal) => Ok(normal.into_owned()),
        Err(error) => Err(Refusal::new(format!("a value that can be kept ({error})"))),
    }
}

/// The list without elements, in CBOR.
pub(super) fn empty_list() -> Vec<u8> {
    vec![0x80]
}

fn check_choice(param: &Param, text: &str) -> Result<(), Refusal> {
    let choices = || param.choices.iter().map(String::as_str);
    if param.choices.is_empty() || choices().any(|choice| choice == text) {
        return Ok(());
    }
    let hint = suggest::did_you_mean(text, choices());
    Err(Refusal {
        expected: format!("one of {}", suggest::list(choices())),
        hint,
    })
}

fn boolean(text: &str) -> Result<Value, Refusal> {
    match text {
        "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
        "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
        _ => Err(Refusal::new("`true` or `false`")),
    }
}

/// Digits may be grouped by `_`.
fn digits(text: &str) -> String {
    text.replace('_', "")
}

fn signed(text: &str, bits: u8) -> Result<Value, Refusal> {
    let shift = 64 - u32::from(bits.clamp(1, 64));
    let (min, max) = (i64::MIN >> shift, i64::MAX >> shift);
    match digits(text).parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(Value::Integer(number.into())),
        _ => Err(Refusal::new(format!("a whole number from {min} to {max}"))),
    }
}

fn unsigned(text: &str, bits: u8) -> Result<Value, Refusal> {
    let max = u64::MAX >> (64 - u32::from(bits.clamp(1, 64)));
    match digits(text).parse::<u64>() {
        Ok(number) if number <= max => Ok(Value::Integer(number.into())),
        _ => Err(Refusal::new(format!("a whole number from 0 to {max}"))),
    }
}

fn float(text: &str, bits: u8) -> Result<Value, Refusal> {
    let text = digits(text);
    let number = match bits {
        32 => text.parse::<f32>().map(f64::from),
        _ => text.parse::<f64>(),
    };
    let written_infinite = text.to_ascii_lowercase().contains("inf");
    match number {
        Ok(number) if number.is_infinite() && !written_infinite => {
            Err(Refusal::new(format!("a number that {bits} bits can hold")))
        }
        // All texts for "not a number" are one value.
        Ok(number) if number.is_nan() => Ok(Value::Float(f64::NAN)),
        Ok(number) => Ok(Value::Float(number)),
        Err(_) => Err(Refusal::new("a number, e.g. `0.5` or `1e-3`")),
    }
}

fn json(text: &str, files: &dyn Files) -> Result<Value, Refusal> {
    let contents;
    let text = match text.strip_prefix('@') {
        Some(path) => {
            contents = text_of(path, files)?;
            &contents
        }
        None => text,
    };
    let parsed: serde_json::Value = serde_json::from_str(text).map_err(|error| Refusal {
        expected: format!("JSON ({error})"),
        hint: Some("text in JSON has quotes, which the shell needs quoted: `'\"text\"'`; `@FILE` reads a file".into()),
    })?;
    Value::serialized(&parsed).map_err(|error| Refusal::new(format!("JSON ({error})")))
}

/// The contents of a text file.
pub(super) fn text_of(path: &str, files: &dyn Files) -> Result<String, Refusal> {
    let bytes = files.read(Path::new(path)).map_err(|error| Refusal {
        expected: format!("the path of a text file ({error})"),
        hint: (error.kind() == std::io::ErrorKind::IsADirectory).then(|| DIRECTORY.to_owned()),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Refusal::new(format!(
            "the path of a file in UTF-8 (byte {at} of it is not)"
        ))
    })
}

//! Values as people and machines read them.

use ciborium::Value;

/// The default of a parameter, as it would be typed.
pub fn default_text(cbor: &[u8]) -> String {
    match ciborium::from_reader::<Value, _>(cbor) {
        Ok(Value::Text(text)) => text,
        Ok(value) => format!("{value:?}"),
        Err(_) => "?".into(),
    }
}

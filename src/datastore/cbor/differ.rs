//! Finds the first place where two values differ.

use ciborium::value::Value;

use super::view;

/// The most characters of a value that are shown.
const SHOWN: usize = 120;

/// The first place where two values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The way to it: `[3]` for elements, `.name` or `["any text"]` for members; empty for the whole.
    pub path: String,
    /// What is there in the first value; none when it has no such element or member.
    pub left: Option<String>,
    /// What is there in the second value.
    pub right: Option<String>,
}

/// The first difference of two values in deterministic CBOR; none when they are equal.
///
/// Values are equal when their bytes are: a NaN equals itself, and 1 differs from 1.0.
pub fn difference(left: &[u8], right: &[u8]) -> Option<Difference> {
    if left == right {
        return None;
    }
    let decode = |bytes: &[u8]| ciborium::from_reader::<Value, _>(bytes).ok();
    let mut path = String::new();
    let found = match (decode(left), decode(right)) {
        (Some(left), Some(right)) => descend(&left, &right, &mut path),
        _ => None,
    };
    // What cannot be decoded, or differs only in its form, differs as a whole.
    Some(found.unwrap_or_else(|| Difference {
        path: String::new(),
        left: Some(shown(left)),
        right: Some(shown(right)),
    }))
}

fn descend(left: &Value, right: &Value, path: &mut String) -> Option<Difference> {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            for at in 0..left.len().max(right.len()) {
                let step = format!("[{at}]");
                if let Some(found) = both(left.get(at), right.get(at), &step, path) {
                    return Some(found);
                }
            }
            None
        }
        (Value::Map(left), Value::Map(right)) => {
            let of = |map: &[(Value, Value)], key: &Value| {
                let found = map.iter().find(|(other, _)| encoded(other) == encoded(key));
                found.map(|(_, value)| value.clone())
            };
            let more = right.iter().filter(|(key, _)| of(left, key).is_none());
            for (key, _) in left.iter().chain(more) {
                let (mine, theirs) = (of(left, key), of(right, key));
                if let Some(found) = both(mine.as_ref(), theirs.as_ref(), &member(key), path) {
                    return Some(found);
                }
            }
            None
        }
        (Value::Tag(a, left), Value::Tag(b, right)) if a == b => descend(left, right, path),
        (left, right) => leaf(Some(left), Some(right), path),
    }
}

fn both(
    left: Option<&Value>,
    right: Option<&Value>,
    step: &str,
    path: &mut String,
) -> Option<Difference> {
    let before = path.len();
    path.push_str(step);
    let found = match (left, right) {
        (Some(left), Some(right)) => descend(left, right, path),
        (left, right) => leaf(left, right, path),
    };
    path.truncate(before);
    found
}

fn leaf(left: Option<&Value>, right: Option<&Value>, path: &str) -> Option<Difference> {
    let (left, right) = (left.map(encoded), right.map(encoded));
    (left != right).then(|| Difference {
        path: path.to_owned(),
        left: left.map(|bytes| shown(&bytes)),
        right: right.map(|bytes| shown(&bytes)),
    })
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("a vector takes every byte");
    bytes
}

fn member(key: &Value) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match key {
        Value::Text(text) if !text.is_empty() && text.chars().all(plain) => format!(".{text}"),
        other => format!("[{}]", shown(&encoded(other))),
    }
}

fn shown(bytes: &[u8]) -> String {
    let Ok(text) = view::to_text(bytes) else {
        return format!("{} bytes that are no CBOR", bytes.len());
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn between(left: serde_json::Value, right: serde_json::Value) -> (String, String, String) {
        let found = difference(&view::from_json(&left), &view::from_json(&right));
        let found = found.expect("they differ");
        let text = |side: Option<String>| side.unwrap_or_else(|| "nothing".into());
        (found.path, text(found.left), text(found.right))
    }

    #[test]
    fn the_way_to_the_first_difference_is_named() {
        let left = json!({"rows": [{"a": 1}, {"a": 2, "b c": [true]}]});
        let right = json!({"rows": [{"a": 1}, {"a": 2, "b c": [false]}]});
        let found = between(left.clone(), right);
        assert_eq!(
            found,
            (".rows[1][\"b c\"][0]".into(), "true".into(), "false".into())
        );
        assert_eq!(
            difference(&view::from_json(&left), &view::from_json(&left)),
            None
        );
        let found = between(json!([1, 2]), json!([1]));
        assert_eq!(found, ("[1]".into(), "2".into(), "nothing".into()));
        let found = between(json!({"a": 1}), json!({"a": 1, "b": null}));
        assert_eq!(found, (".b".into(), "nothing".into(), "null".into()));
    }

    #[test]
    fn kinds_of_numbers_differ() {
        assert_eq!(between(json!(1), json!("1")).0, "");
        let float = |x: f64| {
            let mut bytes = Vec::new();
            ciborium::into_writer(&x, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(difference(&float(f64::NAN), &float(f64::NAN)), None);
        assert!(difference(&float(0.0), &float(-0.0)).is_some());
        assert!(difference(&float(1.0), &view::from_json(&json!(1))).is_some());
    }
}

//! Values as people and machines read them.

use serde_json::{Value as Json, json};

use crate::datastore::cbor;
use crate::model::artifact::MediaType;
use crate::report::{clean, human, json as shape};

/// The major type of text in CBOR (RFC 8949, section 3.1).
const TEXT: u8 = 3;

/// The kind of a media type without its parameters: `text/html` of `text/html; charset=utf-8`.
pub fn essence(media: &MediaType) -> &str {
    media.as_str().split(';').next().unwrap_or_default().trim()
}

/// Whether the bytes are text.
pub fn is_text(media: &MediaType) -> bool {
    let essence = essence(media);
    essence.starts_with("text/") || matches!(essence, "image/svg+xml" | "application/json")
}

/// The ending of a file that holds bytes of this kind.
pub fn extension(media: &MediaType) -> &'static str {
    match essence(media) {
        "text/html" => "html",
        "text/markdown" => "md",
        "text/csv" => "csv",
        "image/svg+xml" => "svg",
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "application/json" => "json",
        "application/pdf" => "pdf",
        MediaType::TAR => "tar",
        MediaType::CBOR => "cbor",
        "application/vnd.apache.arrow.stream" | "application/vnd.apache.arrow.file" => "arrow",
        other if other.starts_with("text/") => "txt",
        _ => "bin",
    }
}

/// The value for a person, over as many lines as it takes; none when it is not for reading.
pub fn text(media: &MediaType, bytes: &[u8]) -> Option<String> {
    if media.is_cbor() {
        // A text that stands alone needs no quotation marks.
        let is_text = bytes.first().is_some_and(|head| head >> 5 == 3);
        if let (true, Ok(Json::String(text))) = (is_text, cbor::to_json(bytes)) {
            return Some(clean::block(&text).into_owned());
        }
        return cbor::to_text(bytes)
            .ok()
            .map(|text| clean::block(&text).into_owned());
    }
    let text = std::str::from_utf8(bytes).ok().filter(|_| is_text(media))?;
    Some(clean::block(text).into_owned())
}

/// The value for a machine: JSON for CBOR, `{"text": …}` or `{"base64": …}` for all else.
pub fn to_json(media: &MediaType, bytes: &[u8]) -> Json {
    match media.is_cbor().then(|| cbor::to_json(bytes)) {
        Some(Ok(value)) => json!({ "value": value }),
        _ => shape::bytes(bytes).into(),
    }
}

/// The value on one line of at most `width` characters.
pub fn preview(media: &MediaType, bytes: &[u8], width: usize) -> String {
    if media.is_cbor() {
        // Only what is text itself has quotes: NaN is text in JSON, and none for a person.
        let quoted = bytes.first().is_some_and(|head| head >> 5 == TEXT);
        return match cbor::to_json(bytes) {
            Ok(Json::String(text)) if quoted => clean::short(&format!("{text:?}"), width),
            Ok(Json::String(text)) => clean::short(&text, width),
            Ok(value) => clean::short(&value.to_string(), width),
            Err(_) => "damaged CBOR".to_owned(),
        };
    }
    match std::str::from_utf8(bytes).ok().filter(|_| is_text(media)) {
        Some(text) => clean::short(text.lines().next().unwrap_or_default(), width),
        None => human::bytes(bytes.len() as u64),
    }
}

/// Whether the value is `null`: what a parameter is that may be left out.
pub fn is_null(bytes: &[u8]) -> bool {
    matches!(cbor::to_json(bytes), Ok(Json::Null))
}

/// The default of a parameter, as it would be typed.
pub fn default_text(bytes: &[u8]) -> String {
    match cbor::to_json(bytes) {
        Ok(Json::String(text)) => clean::line(&text).into_owned(),
        Ok(value) => clean::line(&value.to_string()).into_owned(),
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_quotes_text_and_nothing_else() {
        let shown = |bytes: &[u8]| preview(&MediaType::cbor(), bytes, 40);
        assert_eq!(shown(&[0x63, b'N', b'a', b'N']), "\"NaN\"");
        assert_eq!(shown(&[0xf9, 0x7e, 0x00]), "NaN");
        assert_eq!(shown(&[0xf9, 0xfc, 0x00]), "-Infinity");
        assert_eq!(shown(&[0x82, 0x01, 0xf6]), "[1,null]");
    }
}

//! How a value is commonly spelled: by logs, URLs, headers, dumps.

/// The shortest spelling, other than the value itself, that is searched for, in bytes.
const SHORTEST: usize = 6;
/// The shortest line of a value of many lines that is searched for by itself, in bytes.
const SHORTEST_LINE: usize = 16;

/// The value and its spellings, each once.
pub fn spellings(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let upper = in_url(value, |byte| format!("%{byte:02X}"));
    let lower = in_url(value, |byte| format!("%{byte:02x}"));
    let form = upper.replace("%20", "+");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::Value::from(value).to_string();
    let debug = format!("{value:?}");
    let inside = |quoted: &str| quoted[1..quoted.len() - 1].to_owned();
    let mut all = vec![
        upper,
        lower,
        form,
        hex.to_uppercase(),
        hex,
        inside(&json),
        inside(&debug),
        value.trim().to_owned(),
    ];
    for alphabet in [STANDARD, FOR_URLS] {
        all.extend((0..3).map(|before| base64_inside(bytes, before, alphabet)));
    }
    let lines = value.lines().map(str::trim);
    let lines = lines.filter(|line| line.len() >= SHORTEST_LINE);
    all.extend(lines.map(str::to_owned));
    all.retain(|spelling| spelling.len() >= SHORTEST);
    if !value.is_empty() {
        all.push(value.to_owned());
    }
    all.sort();
    all.dedup();
    all.into_iter().map(String::into_bytes).collect()
}

/// As it stands in a URL: everything but letters, digits and `-._~` encoded.
fn in_url(text: &str, encoded: impl Fn(u8) -> String) -> String {
    let piece = |byte: u8| match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        true => char::from(byte).to_string(),
        false => encoded(byte),
    };
    text.bytes().map(piece).collect()
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What the Base64 of a text has of `bytes` for sure, where `before` (0 to 2) bytes of a group of
/// three come before them: the digits that depend on nothing else.
fn base64_inside(bytes: &[u8], before: usize, alphabet: &[u8; 64]) -> String {
    let first = (before * 8).div_ceil(6);
    let last = (before + bytes.len()) * 8 / 6;
    let bit = |at: usize| match at.checked_sub(before * 8) {
        Some(at) => bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1),
        None => 0,
    };
    let digit = |position: usize| {
        let bits = (position * 6..position * 6 + 6).map(bit);
        let value = bits.fold(0, |value, bit| value << 1 | usize::from(bit));
        char::from(alphabet[value])
    };
    (first..last).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_there() {
        let all = spellings("s3/cr3t k\u{e9}y\"!");
        let shown: Vec<_> = all.iter().map(|it| String::from_utf8_lossy(it)).collect();
        for expected in [
            "s3/cr3t k\u{e9}y\"!",
            "s3%2Fcr3t%20k%C3%A9y%22%21",
            "s3%2fcr3t%20k%c3%a9y%22%21",
            "s3%2Fcr3t+k%C3%A9y%22%21",
            "73332f63723374206bc3a9792221",
            "73332F63723374206BC3A9792221",
            "s3/cr3t k\u{e9}y\\\"!",
            // `printf` of it alone, after one and after two bytes, through `base64`.
            "czMvY3IzdCBrw6l5Ii",
            "zMy9jcjN0IGvDqXkiI",
            "MzL2NyM3Qga8OpeSIh",
        ] {
            assert!(
                shown.iter().any(|it| it == expected),
                "{expected}: {shown:#?}"
            );
        }
    }

    #[test]
    fn short_spellings_of_short_values_are_left_out() {
        assert_eq!(spellings("ab"), [b"ab".to_vec()]);
        assert!(spellings("").is_empty());
    }

    #[test]
    fn a_line_of_many_is_a_spelling() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END KEY-----\n";
        let all = spellings(key);
        assert!(all.contains(&b"MIIEvQIBADANBgkqhkiG9w0B".to_vec()));
    }
}

//! What is done to a URL before it is sent.

use std::fmt::Write;

/// The parts that a request is sent with.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Before `://`, as it stands there.
    pub scheme: &'a str,
    /// Host and port.
    pub authority: &'a str,
    /// Path and query.
    pub target: &'a str,
}

/// Takes a URL apart; none when it is none.
pub fn parts(url: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    Some(Parts {
        scheme,
        authority,
        target,
    })
}

/// A URL without what only a reader needs, and with everything encoded that cannot be sent.
pub fn encoded(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default().trim();
    escape(url, |byte| {
        byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
    })
}

/// The name or the value of a query.
pub fn part(text: &str) -> String {
    escape(text, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
    })
}

fn escape(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match stays(byte) {
            true => escaped.push(char::from(byte)),
            false => write!(escaped, "%{byte:02X}").expect("memory takes all"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_three_parts() {
        for (url, expected) in [
            ("https://a.b:8080/c?d", ("https", "a.b:8080", "/c?d")),
            ("http://[::1]?d", ("http", "[::1]", "?d")),
            ("http://a", ("http", "a", "")),
        ] {
            let (scheme, authority, target) = expected;
            let expected = Parts {
                scheme,
                authority,
                target,
            };
            assert_eq!(parts(url), Some(expected));
        }
        assert_eq!(parts("a.b/c"), None);
    }

    #[test]
    fn what_is_encoded_stays_as_it_is() {
        assert_eq!(encoded("https://a/%20 {}#b"), "https://a/%20%20%7B%7D");
        assert_eq!(part("50% & more"), "50%25%20%26%20more");
    }
}

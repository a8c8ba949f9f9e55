//! Whom a step may ask over HTTP: scheme, host and port.
//!
//! There is one spelling of each. Numbers that are no address as people write it (`0x7f.1`,
//! `2130706433`, `0177.0.0.1`), names that are not ASCII, and names with a password before them are
//! refused and not guessed at: what one program takes for a name is an address for another.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// In clear text.
    Http,
    /// Encrypted, to whom it says it is.
    Https,
}

impl Scheme {
    /// The port where none is said.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Whose machine it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Why a text names no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Neither `http://` nor `https://` stands before it.
    #[error("`{0}` begins neither with `http://` nor with `https://`")]
    Scheme(String),
    /// More than a host and a port.
    #[error("`{0}` is more than a host and a port")]
    More(String),
    /// A host that is neither a name nor an address.
    #[error(
        "`{0}` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`"
    )]
    Host(String),
    /// A port that is none.
    #[error("`{0}` is no port: there are 1 to 65535")]
    Port(String),
}

/// Scheme, host and port; as text `https://api.example.com`, with a port where it is not the usual
/// one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    text: String,
    scheme: Scheme,
    host: Host,
    port: u16,
}

impl Origin {
    /// The origin of an authority: host and port, as they stand in a URL.
    ///
    /// # Errors
    /// [`OriginError`] when it is anything else.
    pub fn new(scheme: Scheme, authority: &str) -> Result<Self, OriginError> {
        let cut = || authority.chars().take(200).collect::<String>();
        if authority.contains(['@', '/', '?', '#', '\\']) {
            return Err(OriginError::More(cut()));
        }
        let (host, port) = split(authority).ok_or_else(|| OriginError::Host(cut()))?;
        let port = match port {
            None => scheme.port(),
            Some(digits) => number(digits).ok_or_else(|| OriginError::Port(digits.to_owned()))?,
        };
        let host = parse_host(host).ok_or_else(|| OriginError::Host(cut()))?;
        let mut text = format!("{}://", scheme.name());
        text += &match &host {
            Host::Name(name) => name.clone(),
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        };
        if port != scheme.port() {
            text += &format!(":{port}");
        }
        Ok(Self {
            text,
            scheme,
            host,
            port,
        })
    }

    /// The one way to write it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port as they stand in a URL.
    pub fn authority(&self) -> &str {
        &self.text[self.scheme.name().len() + "://".len()..]
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whose machine it is.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// The host, and the port if one is said.
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => &authority[..rest.find(']')? + 2],
        None => &authority[..authority.find(':').unwrap_or(authority.len())],
    };
    match &authority[host.len()..] {
        "" => Some((host, None)),
        rest => rest.strip_prefix(':').map(|port| (host, Some(port))),
    }
}

fn number(digits: &str) -> Option<u16> {
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port: u16 = digits.parse().ok()?;
    (all && port > 0).then_some(port)
}

fn parse_host(text: &str) -> Option<Host> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(Host::Address(address.into()));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let name = text.to_ascii_lowercase();
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(is_letter) && !label.starts_with('-')
    };
    let last = name.rsplit('.').next()?;
    let is_name = name.len() <= 253 && name.split('.').all(is_label) && !is_number(last);
    is_name.then_some(Host::Name(name))
}

/// Whether some program reads a host that ends in this label as an address.
fn is_number(label: &str) -> bool {
    let digits = label.bytes().all(|byte| byte.is_ascii_digit());
    let hex = label.strip_prefix("0x");
    digits || hex.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let scheme = || OriginError::Scheme(text.chars().take(200).collect());
        let (name, rest) = text.split_once("://").ok_or_else(scheme)?;
        let known = match name.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(scheme()),
        };
        Self::new(known, rest.strip_suffix('/').unwrap_or(rest))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.text
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn there_is_one_spelling() {
        for (given, one) in [
            ("https://api.example.com", "https://api.example.com"),
            ("HTTPS://API.Example.com:443/", "https://api.example.com"),
            ("http://api.example.com:443", "http://api.example.com:443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[0:0::1]:80", "http://[::1]"),
            (
                "http://my_host-1.xn--bcher-kva.example",
                "http://my_host-1.xn--bcher-kva.example",
            ),
        ] {
            let origin: Origin = given.parse().expect(given);
            assert_eq!(origin.to_string(), one);
            assert_eq!(one.parse(), Ok(origin));
        }
        let origin: Origin = "http://[::1]:8080".parse().expect("an origin");
        assert_eq!((origin.authority(), origin.port()), ("[::1]:8080", 8080));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        let said: Vec<String> = [
            "api.example.com",
            "ftp://example.com",
            "https://example.com/v1",
            "https://ada:secret@example.com",
            "https://",
            "https://example.com.",
            "https://exa mple.com",
            "https://bücher.example",
            "https://%6cocalhost",
            "http://2130706433",
            "http://0x7f000001",
            "http://0177.0.0.1",
            "http://127.1",
            "http://1.2.3.0x4",
            "http://127.0.0.1.",
            "http://[::1",
            "http://[fe80::1%eth0]",
            "http://::1",
            "http://example.com:",
            "http://example.com:0",
            "http://example.com:+80",
            "http://example.com:65536",
        ]
        .iter()
        .map(|text| text.parse::<Origin>().expect_err(text).to_string())
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        `api.example.com` begins neither with `http://` nor with `https://`
        `ftp://example.com` begins neither with `http://` nor with `https://`
        `example.com/v1` is more than a host and a port
        `ada:secret@example.com` is more than a host and a port
        `` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `example.com.` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `exa mple.com` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `bücher.example` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `%6cocalhost` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `2130706433` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `0x7f000001` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `0177.0.0.1` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `127.1` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `1.2.3.0x4` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `127.0.0.1.` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `[::1` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `[fe80::1%eth0]` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
        `:1` is no port: there are 1 to 65535
        `` is no port: there are 1 to 65535
        `0` is no port: there are 1 to 65535
        `+80` is no port: there are 1 to 65535
        `65536` is no port: there are 1 to 65535
        ");
    }

    proptest! {
        #[test]
        fn an_origin_reads_what_it_prints(text in "(http|HTTPS)://[a-z0-9.\\-_\\[:\\]]{1,20}(:[0-9]{1,5})?") {
            if let Ok(origin) = text.parse::<Origin>() {
                prop_assert_eq!(origin.to_string().parse(), Ok(origin));
            }
        }
    }
}

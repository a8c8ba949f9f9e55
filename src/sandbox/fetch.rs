//! What is said about one request over HTTP: the question of a cell, and the answer of its agent.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::origin::Origin;

/// The longest body of a request, in bytes.
pub const MAX_REQUEST: usize = 16 << 20;
/// The longest method, in bytes.
pub const MAX_METHOD: usize = 64;
/// The longest path with its query, in bytes.
pub const MAX_TARGET: usize = 16 << 10;
/// The most header fields of a request or an answer.
pub const MAX_FIELDS: usize = 128;
/// The longest header of a request or an answer, in bytes: names, values, and 4 for each field.
pub const MAX_HEADER: usize = 64 << 10;

/// The header fields that belong to one connection and not to a request, or that say to whom it
/// goes: whoever makes the connection writes them, and nobody else.
///
/// RFC 9110, 7.6.1, and what browsers and servers have used besides.
const OF_THE_CONNECTION: [&str; 12] = [
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field is not for a step to write or to see. `name` is in lower case.
pub fn is_of_the_connection(name: &str) -> bool {
    OF_THE_CONNECTION.contains(&name)
}

/// Header fields: names in lower case, values as they are, in their order.
pub type Fields = Vec<(String, Bytes)>;

/// How many bytes header fields count as, see [`MAX_HEADER`].
pub fn size_of(fields: &[(String, Bytes)]) -> usize {
    let size = |(name, value): &(String, Bytes)| name.len() + value.len() + 4;
    fields.iter().map(size).sum()
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// What is to be done, e.g. `GET`.
    pub method: String,
    /// Who is asked: one of [`Granted::origins`](super::call::Granted::origins).
    pub origin: Origin,
    /// For what: path and query, as they stand in a URL.
    pub target: String,
    /// The header.
    pub fields: Fields,
    /// The body.
    pub body: Bytes,
    /// How long the step is ready to wait.
    pub patience: Patience,
}

/// How long a step is ready to wait, in nanoseconds, where it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// For a connection.
    pub connection: Option<u64>,
    /// For the beginning of the answer.
    pub answer: Option<u64>,
    /// For the next piece of its body.
    pub piece: Option<u64>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fetched {
    /// There is an answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its header.
        fields: Fields,
        /// The number of its body as [`Source::File`](super::call::Source::File).
        body: u32,
        /// How many bytes the body has.
        size: u64,
    },
    /// There is none, and why.
    Not(NoAnswer),
}

/// Why there is no answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoAnswer {
    /// What a step can tell apart.
    pub reason: Reason,
    /// The same for people, in a sentence that follows the URL and a colon.
    pub message: String,
}

/// What a step can tell apart of requests without an answer. Each is one of the codes of
/// `wasi:http`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its step was not granted this origin.
    Denied,
    /// The host has an address that is not of the public network, and that was not granted.
    Prohibited,
    /// The host has no address.
    Unknown,
    /// Nobody listens there.
    Refused,
    /// There was no connection in time.
    ConnectionTimeout,
    /// There was no answer in time.
    AnswerTimeout,
    /// The next piece of the body did not come in time.
    PieceTimeout,
    /// The connection ended before the answer began.
    Terminated,
    /// The connection could not be encrypted.
    Tls,
    /// Whoever answers is not who he should be.
    Certificate,
    /// What was said is not HTTP.
    Protocol,
    /// The connection ended before the answer did.
    Incomplete,
    /// The header of the answer is too long.
    HeaderTooLarge,
    /// The body of the answer is too long: more bytes than this.
    BodyTooLarge(u64),
}

impl NoAnswer {
    /// No answer, for `reason`, and `message` for people.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { reason, message }
    }
}

impl std::error::Error for NoAnswer {}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

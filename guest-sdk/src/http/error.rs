//! Why there is no answer to a request.

use std::fmt;

use super::Request;

/// What kind of reason it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NoAnswerKind {
    /// The step was not granted whom it asked.
    Denied,
    /// The host is on a network that is not public, and its address was not granted.
    Prohibited,
    /// The host has no address.
    UnknownHost,
    /// Nobody listens there.
    Refused,
    /// There was no connection, no answer, or no more of it, in time.
    Timeout,
    /// The connection ended before the answer did.
    BrokenOff,
    /// The connection could not be encrypted, or the other side is not who it should be.
    Untrusted,
    /// What was answered is not HTTP.
    NotHttp,
    /// The answer is larger than is allowed.
    TooLarge,
    /// The request was not made: there is something wrong with it.
    Unsent,
}

impl NoAnswerKind {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Denied => "it was denied: nobody has granted it",
            Self::Prohibited => "it was prohibited: the host is not on the public network",
            Self::UnknownHost => "the host has no address",
            Self::Refused => "the connection was refused",
            Self::Timeout => "it did not come in time",
            Self::BrokenOff => "the connection ended before the answer did",
            Self::Untrusted => "the connection could not be trusted",
            Self::NotHttp => "what was answered is not HTTP",
            Self::TooLarge => "it is larger than is allowed",
            Self::Unsent => "it was not sent",
        }
    }
}

/// Why there is no answer to a request. An error like any other: `?` makes it the step's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    request: String,
    kind: NoAnswerKind,
    why: String,
}

impl NoAnswer {
    /// No answer to `request`: what a test gives to see how a step takes it.
    pub fn of(request: &Request, kind: NoAnswerKind) -> Self {
        Self::new(request, kind, kind.words())
    }

    pub(super) fn new(request: &Request, kind: NoAnswerKind, why: &str) -> Self {
        Self {
            request: format!("{request:?}"),
            kind,
            why: why.to_owned(),
        }
    }

    /// What kind of reason it is.
    pub fn kind(&self) -> NoAnswerKind {
        self.kind
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` has no answer: {}", self.request, self.why)
    }
}

impl std::error::Error for NoAnswer {}

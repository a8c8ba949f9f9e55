//! What a step asked about the world, and what it was told.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::digest::Digest;
use crate::sandbox::call::{Kind, Look, Not, Seen};
use crate::sandbox::fetch::{Fetch, Fetched, Fields, NoAnswer, size_of};
use crate::task::redact::Redactor;

/// What an entry of a trace takes besides its texts, in bytes.
const ENTRY: usize = 64;

/// Something that was asked about the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// About a granted directory.
    Look {
        /// The name of the directory.
        directory: String,
        /// Where in it.
        path: String,
        /// What was asked.
        look: Look,
    },
    /// Over HTTP.
    Fetch {
        /// What was to be done, e.g. `GET`.
        method: String,
        /// Who was asked, for what.
        url: String,
        /// The header.
        fields: Fields,
        /// The digest of the body.
        body: Digest,
        /// How many bytes it had.
        size: u64,
    },
}

impl Asked {
    /// What a request asks. Where the value of a secret stands in its URL or header, its name stands
    /// here.
    pub fn fetch(fetch: &Fetch, redactor: &Redactor) -> Self {
        let hidden = |text: &[u8]| Bytes::from(redactor.bytes(text).into_owned());
        let url = format!("{}{}", fetch.origin, fetch.target);
        let field = |(name, value): &(String, Bytes)| (name.clone(), hidden(value));
        Self::Fetch {
            method: fetch.method.clone(),
            url: String::from_utf8_lossy(&hidden(url.as_bytes())).into_owned(),
            fields: fetch.fields.iter().map(field).collect(),
            body: Digest::of(&fetch.body),
            size: fetch.body.len() as u64,
        }
    }

    /// What was done, in words that follow "it".
    pub fn words(&self) -> String {
        match self {
            Self::Look {
                directory,
                path,
                look,
            } => {
                let does = match look {
                    Look::Stat => "asked about",
                    Look::List => "listed",
                    Look::Open => "opened",
                };
                match path.as_str() {
                    "" => format!("{does} `/{directory}`"),
                    path => format!("{does} `/{directory}/{path}`"),
                }
            }
            Self::Fetch { method, url, .. } => format!("asked `{method} {url}`"),
        }
    }

    /// The same, with what tells it from `other`.
    pub fn words_beside(&self, other: &Self) -> String {
        let words = self.words();
        let (
            Self::Fetch {
                fields, body, size, ..
            },
            Self::Fetch { fields: others, .. },
        ) = (self, other)
        else {
            return words;
        };
        if words != other.words() {
            return words;
        }
        let differs = |field: &&(String, Bytes)| !others.contains(field);
        match fields.iter().find(differs) {
            Some((name, value)) => {
                let value = String::from_utf8_lossy(value);
                format!("{words} with `{name}: {value}`")
            }
            None if fields != others => format!("{words} with a header of {} fields", fields.len()),
            None => format!("{words} with a body of {size} bytes, `{}`", body.short()),
        }
    }

    pub(super) fn size(&self) -> usize {
        ENTRY
            + match self {
                Self::Look {
                    directory, path, ..
                } => directory.len() + path.len(),
                Self::Fetch {
                    method,
                    url,
                    fields,
                    ..
                } => method.len() + url.len() + size_of(fields),
            }
    }
}

/// Bytes that were taken in from the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Their digest.
    pub digest: Digest,
    /// How many they are.
    pub size: u64,
    /// The bytes themselves when they are few; otherwise they are a blob.
    pub bytes: Option<Bytes>,
}

/// What was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// What is there, and how large.
    Stat(Kind, u64),
    /// The names in a directory.
    List(Vec<(String, Kind)>),
    /// The bytes of a file.
    File(Taken),
    /// Nothing, and why.
    Not(Not),
    /// An answer over HTTP.
    Answer {
        /// Its status.
        status: u16,
        /// Its header.
        fields: Fields,
        /// Its body.
        body: Taken,
    },
    /// No answer, and why.
    NoAnswer(NoAnswer),
}

impl Found {
    /// The bytes in it.
    pub fn taken(&self) -> Option<&Taken> {
        match self {
            Self::File(taken) | Self::Answer { body: taken, .. } => Some(taken),
            _ => None,
        }
    }

    /// What stands for a secret whose value is in what the step would be told and the trace would keep.
    pub fn secret<'a>(&self, redactor: &'a Redactor) -> Option<&'a str> {
        let taken = self.taken().and_then(|taken| taken.bytes.as_ref());
        let texts: Vec<&[u8]> = match self {
            Self::List(names) => names.iter().map(|(name, _)| name.as_bytes()).collect(),
            Self::Answer { fields, .. } => {
                let texts = fields.iter();
                texts
                    .flat_map(|(name, value)| [name.as_bytes(), &value[..]])
                    .collect()
            }
            _ => Vec::new(),
        };
        let mut all = texts.into_iter().chain(taken.map(|bytes| &bytes[..]));
        all.find_map(|text| redactor.find(text))
    }

    pub(super) fn size(&self) -> usize {
        let taken = self.taken().and_then(|taken| taken.bytes.as_ref());
        let texts = match self {
            Self::List(names) => names.iter().map(|(name, _)| ENTRY + name.len()).sum(),
            Self::Answer { fields, .. } => size_of(fields),
            Self::NoAnswer(why) => why.message.len(),
            _ => 0,
        };
        taken.map_or(0, Bytes::len) + texts
    }

    /// What a step is told of a directory, where `number` is that of an opened file; none where
    /// this is no answer to a look.
    pub fn seen(self, number: u32) -> Option<Seen> {
        Some(match self {
            Self::Stat(kind, size) => Seen::Stat(kind, size),
            Self::List(names) => Seen::List(names),
            Self::File(taken) => Seen::Open(number, taken.size),
            Self::Not(not) => Seen::Not(not),
            Self::Answer { .. } | Self::NoAnswer(_) => return None,
        })
    }

    /// What a step is told of a request, where `number` is that of the body; none where this is no
    /// answer to a request.
    pub fn fetched(self, number: u32) -> Option<Fetched> {
        match self {
            Self::Answer {
                status,
                fields,
                body,
            } => Some(Fetched::Answer {
                status,
                fields,
                body: number,
                size: body.size,
            }),
            Self::NoAnswer(why) => Some(Fetched::Not(why)),
            _ => None,
        }
    }
}

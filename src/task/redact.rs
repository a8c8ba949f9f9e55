//! Keeps the values of secrets out of what is kept and shown.
//!
//! What a step prints, says and fails with is searched for the values of secrets, as they are and as
//! they are commonly spelled ([`spellings`]); the name of the secret takes their place. What must
//! stay as it is (artifacts, answers, files) is only searched, and refused. Somebody who wants to
//! give a secret away can spell it in a way that nobody searches for: this is against accidents.

mod spellings;

use std::borrow::Cow;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, Match, MatchKind};
use bytes::Bytes;

use self::spellings::spellings;
use crate::model::failure::Failure;
use crate::model::record::{LogChunk, Stream};

/// What begins like a secret and breaks off is hidden from this length on, in bytes.
const BROKEN_OFF: usize = 8;
/// What stays as it is, is refused when it has a spelling of this length or more, in bytes.
const REFUSED: usize = 8;

/// Finds secrets in bytes.
#[derive(Default)]
pub struct Redactor {
    finder: Option<AhoCorasick>,
    /// Each spelling with what takes its place.
    spellings: Vec<(Vec<u8>, String)>,
    longest: usize,
}

impl Redactor {
    /// Finds these secrets, each a name and a value.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let of = |(name, value)| {
            let shown = format!("secret:{name}");
            let all = spellings(value).into_iter();
            all.map(move |spelling| (spelling, shown.clone()))
        };
        let spellings: Vec<_> = secrets.into_iter().flat_map(of).collect();
        let finder = AhoCorasickBuilder::new()
            .match_kind(MatchKind::LeftmostLongest)
            .build(spellings.iter().map(|(spelling, _)| spelling));
        let longest = spellings.iter().map(|(spelling, _)| spelling.len()).max();
        Self {
            // Spellings would have to have gigabytes to be too many.
            finder: finder.ok().filter(|_| !spellings.is_empty()),
            longest: longest.unwrap_or(0),
            spellings,
        }
    }

    /// `bytes` with names of secrets in the places of their values.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(finder) = &self.finder else {
            return Cow::Borrowed(bytes);
        };
        let mut hidden = Vec::new();
        let kept = self.hide(finder, bytes, &mut hidden);
        hidden.extend(self.broken_off(&bytes[kept..]));
        match hidden == bytes {
            true => Cow::Borrowed(bytes),
            false => Cow::Owned(hidden),
        }
    }

    /// The same for a text.
    pub fn text(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.bytes(text.as_bytes()) {
            *text = String::from_utf8_lossy(&hidden).into_owned();
        }
    }

    /// The same for every text in a failure.
    pub fn failure(&self, failure: &mut Failure) {
        if self.finder.is_none() {
            return;
        }
        let Failure {
            kind: _,
            message,
            causes,
            source,
            backtrace,
            hint,
        } = failure;
        let texts = causes.iter_mut().chain(backtrace);
        let texts = texts.chain(source).chain(hint).chain([message]);
        texts.for_each(|text| self.text(text));
    }

    /// What stands for the secret that is in `bytes`, where it is long enough to be no accident.
    pub fn find(&self, bytes: &[u8]) -> Option<&str> {
        let finder = self.finder.as_ref()?;
        let mut found = finder.find_iter(bytes);
        let found = found.find(|it| it.len() >= REFUSED)?;
        Some(self.shown(&found))
    }

    fn shown(&self, found: &Match) -> &str {
        &self.spellings[found.pattern().as_usize()].1
    }

    /// Hides what is surely in `bytes` and puts it after `into`, up to where a spelling may begin that
    /// goes on in bytes to come; gives that position.
    fn hide(&self, finder: &AhoCorasick, bytes: &[u8], into: &mut Vec<u8>) -> usize {
        let open = self.opening(bytes);
        let mut done = 0;
        for found in finder.find_iter(bytes) {
            if found.start() >= open {
                break;
            }
            into.extend_from_slice(&bytes[done..found.start()]);
            into.extend_from_slice(self.shown(&found).as_bytes());
            done = found.end();
        }
        if done < open {
            into.extend_from_slice(&bytes[done..open]);
        }
        done.max(open)
    }

    /// Where the first spelling begins that is not whole.
    fn opening(&self, bytes: &[u8]) -> usize {
        let from = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        let begins = |at: &usize| {
            let rest = &bytes[*at..];
            let mut all = self.spellings.iter();
            all.any(|(it, _)| it.len() > rest.len() && it.starts_with(rest))
        };
        (from..bytes.len()).find(begins).unwrap_or(bytes.len())
    }

    /// What is shown of an end in which a spelling may begin, when nothing more comes.
    fn broken_off(&self, bytes: &[u8]) -> Vec<u8> {
        let Some(finder) = &self.finder else {
            return bytes.to_vec();
        };
        if let Some(found) = finder.find(bytes) {
            let mut hidden = bytes[..found.start()].to_vec();
            hidden.extend_from_slice(self.shown(&found).as_bytes());
            hidden.extend(self.broken_off(&bytes[found.end()..]));
            return hidden;
        }
        let open = self.opening(bytes);
        let rest = &bytes[open..];
        let mut all = self.spellings.iter();
        let begun = all.find(|(it, _)| it.starts_with(rest));
        match begun.filter(|_| rest.len() >= BROKEN_OFF) {
            Some((_, shown)) => [&bytes[..open], shown.as_bytes()].concat(),
            None => bytes.to_vec(),
        }
    }
}

/// What is printed, piece by piece: a secret that lies across pieces is found too.
#[derive(Default)]
pub struct Printed {
    /// The end of each stream, where a secret may begin.
    open: BTreeMap<Stream, Vec<u8>>,
}

impl Printed {
    /// The pieces that can be shown after these.
    pub fn after(&mut self, redactor: &Redactor, chunks: Vec<LogChunk>) -> Vec<LogChunk> {
        let Some(finder) = &redactor.finder else {
            return chunks;
        };
        let shown = chunks.into_iter().map(|chunk| {
            let open = self.open.entry(chunk.stream).or_default();
            open.extend_from_slice(&chunk.bytes);
            let mut hidden = Vec::new();
            let done = redactor.hide(finder, open, &mut hidden);
            open.drain(..done);
            LogChunk {
                stream: chunk.stream,
                bytes: Bytes::from(hidden),
            }
        });
        shown.filter(|chunk| !chunk.bytes.is_empty()).collect()
    }

    /// What is left when nothing more is printed.
    pub fn rest(&mut self, redactor: &Redactor) -> Vec<LogChunk> {
        let open = std::mem::take(&mut self.open).into_iter();
        let rest = open.filter(|(_, bytes)| !bytes.is_empty());
        let shown = rest.map(|(stream, bytes)| LogChunk {
            stream,
            bytes: redactor.broken_off(&bytes).into(),
        });
        shown.collect()
    }
}

/// Searches bytes that come in pieces.
#[derive(Debug, Default)]
pub struct Search {
    end: Vec<u8>,
}

impl Search {
    /// What stands for the secret that is in this piece, or across it and those before it.
    pub fn piece<'a>(&mut self, redactor: &'a Redactor, piece: &[u8]) -> Option<&'a str> {
        redactor.finder.as_ref()?;
        let most = redactor.longest.saturating_sub(1);
        self.end.extend_from_slice(&piece[..piece.len().min(most)]);
        let across = redactor.find(&self.end);
        if piece.len() > most {
            self.end.clear();
            self.end.extend_from_slice(&piece[piece.len() - most..]);
        } else {
            let excess = self.end.len().saturating_sub(most);
            self.end.drain(..excess);
        }
        across.or_else(|| redactor.find(piece))
    }
}

#[cfg(test)]
mod tests;

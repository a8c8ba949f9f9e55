//! What a step saw of the world, kept at the moment at which it saw it.
//!
//! A live attempt looks, and its trace takes down every question with its answer. A repeated
//! attempt looks at nothing: the trace that was kept answers it, question by question, and a
//! question that is not the one that was kept ends the attempt: it has diverged.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::trouble::{infrastructure, unreadable};
use crate::datastore::Datastore;
use crate::model::artifact::{INLINE_VALUE, MediaType, Value, ValueAt};
use crate::model::digest::Digest;
use crate::model::failure::{Failure, FailureKind};
use crate::sandbox::call::{Kind, Look, Not, Seen};
use crate::sandbox::host::HostError;

/// The largest trace of one attempt, in bytes, as far as it is not in blobs of its own.
const MAX_TRACE: usize = 64 << 20;
/// From this size of the trace on, small files become blobs like large ones.
const INLINE_TRACE: usize = 4 << 20;
/// What a question takes besides its texts, in bytes.
const ENTRY: usize = 64;

/// Something that was asked about a granted directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The name of the directory.
    pub directory: String,
    /// Where in it.
    pub path: String,
    /// What was asked.
    pub look: Look,
}

impl Asked {
    fn words(&self) -> String {
        let does = match self.look {
            Look::Stat => "asked about",
            Look::List => "listed",
            Look::Open => "opened",
        };
        match self.path.as_str() {
            "" => format!("{does} `/{}`", self.directory),
            path => format!("{does} `/{}/{path}`", self.directory),
        }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// What is there, and how large.
    Stat(Kind, u64),
    /// The names in a directory.
    List(Vec<(String, Kind)>),
    /// The bytes of a file.
    File {
        /// Their digest.
        digest: Digest,
        /// How many they are.
        size: u64,
        /// The bytes themselves when they are few; otherwise they are a blob.
        bytes: Option<Bytes>,
    },
    /// Nothing, and why.
    Not(Not),
}

/// The trace of one attempt.
#[derive(Debug, Default)]
pub struct Trace {
    kept: Vec<(Asked, Found)>,
    size: usize,
    files: Vec<Value>,
    /// What answers instead of the world.
    recorded: Option<std::vec::IntoIter<(Asked, Found)>>,
}

impl Trace {
    /// The trace of an attempt that sees the world.
    pub fn live() -> Self {
        Self::default()
    }

    /// The trace of an attempt that sees what another one saw.
    ///
    /// # Errors
    /// When the other's trace, or a file in it, cannot be read.
    pub async fn recorded(datastore: &Datastore, kept: Option<&Digest>) -> Result<Self, Failure> {
        let unread = "the trace of the attempt cannot be read";
        let sights: Vec<(Asked, Found)> = match kept {
            None => Vec::new(),
            Some(digest) => {
                let bytes = datastore.blobs().get(digest).await;
                let bytes = bytes.map_err(|error| unreadable(unread, &error))?;
                let read = ciborium::from_reader(bytes.as_ref());
                read.map_err(|error| {
                    Failure::new(FailureKind::Damaged, format!("{unread}: {error}"))
                })?
            }
        };
        for (asked, found) in &sights {
            if let Found::File {
                digest,
                bytes: None,
                ..
            } = found
            {
                let read = datastore.verify(digest).await;
                read.map_err(|error| {
                    unreadable(&format!("{unread}: what it {}", asked.words()), &error)
                })?;
            }
        }
        Ok(Self {
            recorded: Some(sights.into_iter()),
            ..Self::default()
        })
    }

    /// The kept answer to a question; none where the world is asked.
    ///
    /// # Errors
    /// When another question was kept: the attempt has diverged.
    pub fn answer(&mut self, asked: &Asked) -> Result<Option<Found>, HostError> {
        let Some(recorded) = &mut self.recorded else {
            return Ok(None);
        };
        match recorded.next() {
            Some((before, found)) if before == *asked => Ok(Some(found)),
            other => {
                let before = other.map_or_else(
                    || "asked for nothing more".to_owned(),
                    |(before, _)| before.words(),
                );
                let asks = asked.words();
                let message = format!("it {asks}, where it {before} when it was recorded");
                Err(Failure::new(FailureKind::Contract, message).into())
            }
        }
    }

    /// Whether the bytes of a file of `size` are kept in the trace itself.
    pub fn has_room_for(&self, size: u64) -> bool {
        size <= INLINE_VALUE as u64 && self.size + size as usize <= INLINE_TRACE
    }

    /// Takes a question and its answer down, and gives what the step is told.
    ///
    /// # Errors
    /// When the trace becomes too large.
    pub fn keep(&mut self, asked: Asked, found: Found) -> Result<Seen, HostError> {
        self.size += ENTRY + asked.path.len() + asked.directory.len();
        let seen = match &found {
            Found::Stat(kind, size) => Seen::Stat(*kind, *size),
            Found::List(names) => {
                self.size += names
                    .iter()
                    .map(|(name, _)| ENTRY + name.len())
                    .sum::<usize>();
                Seen::List(names.clone())
            }
            Found::File { size, bytes, .. } => {
                self.size += bytes.as_ref().map_or(0, Bytes::len);
                Seen::Open(self.files.len() as u32, *size)
            }
            Found::Not(not) => Seen::Not(*not),
        };
        if self.size > MAX_TRACE {
            let message = format!(
                "the step looked at more of its directories than is kept of one attempt: {} MiB of names",
                MAX_TRACE >> 20
            );
            return Err(Failure::new(FailureKind::Denied, message).into());
        }
        if let Found::File {
            digest,
            size,
            bytes,
        } = &found
        {
            self.files.push(Value {
                digest: *digest,
                size: *size,
                media: MediaType::new(MediaType::BYTES),
                at: bytes.clone().map_or(ValueAt::Blob, ValueAt::Inline),
            });
        }
        self.kept.push((asked, found));
        Ok(seen)
    }

    /// The file that was opened as this number.
    pub fn file(&self, number: u32) -> Option<&Value> {
        self.files.get(number as usize)
    }

    /// Stores what was kept and gives its digest; none when the step saw nothing of the world.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn store(&self, datastore: &Datastore) -> Result<Option<Digest>, Failure> {
        if self.kept.is_empty() {
            return Ok(None);
        }
        let unstored = "could not store the trace of the attempt";
        let mut bytes = Vec::with_capacity(self.size);
        let encoded = ciborium::into_writer(&self.kept, &mut bytes);
        encoded.map_err(|error| infrastructure(unstored, &error))?;
        let stored = datastore.blobs().put(bytes.into()).await;
        stored
            .map(Some)
            .map_err(|error| infrastructure(unstored, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, look: Look) -> Asked {
        Asked {
            directory: "corpus".into(),
            path: path.into(),
            look,
        }
    }

    async fn stored(datastore: &Datastore) -> Option<Digest> {
        let mut trace = Trace::live();
        let names = vec![("a".to_owned(), Kind::File)];
        let bytes = Bytes::from_static(b"text");
        let file = Found::File {
            digest: Digest::of(&bytes),
            size: 4,
            bytes: Some(bytes),
        };
        for (asked, found) in [
            (asked("", Look::List), Found::List(names)),
            (asked("a", Look::Open), file),
            (asked("b", Look::Stat), Found::Not(Not::There)),
        ] {
            assert!(trace.answer(&asked).expect("nothing is recorded").is_none());
            trace.keep(asked, found).expect("there is room");
        }
        trace.store(datastore).await.expect("it is stored")
    }

    #[tokio::test]
    async fn a_recorded_trace_answers_the_same_questions_and_leaves_the_same_trace() {
        let datastore = Datastore::memory().await;
        let kept = stored(&datastore).await;
        let mut again = Trace::recorded(&datastore, kept.as_ref())
            .await
            .expect("it is there");
        let questions = [
            asked("", Look::List),
            asked("a", Look::Open),
            asked("b", Look::Stat),
        ];
        for asked in questions {
            let found = again
                .answer(&asked)
                .expect("it was asked")
                .expect("it was answered");
            again.keep(asked, found).expect("there is room");
        }
        assert_eq!(again.file(0).expect("it was opened").size, 4);
        assert_eq!(again.store(&datastore).await, Ok(kept));
    }

    #[tokio::test]
    async fn another_question_is_a_divergence_and_says_both() {
        let datastore = Datastore::memory().await;
        let kept = stored(&datastore).await;
        let mut again = Trace::recorded(&datastore, kept.as_ref())
            .await
            .expect("it is there");
        let error = again
            .answer(&asked("c", Look::Open))
            .expect_err("it was not asked");
        assert_eq!(
            error.0.message,
            "it opened `/corpus/c`, where it listed `/corpus` when it was recorded"
        );
        let mut none = Trace::recorded(&datastore, None)
            .await
            .expect("there is nothing to read");
        let error = none
            .answer(&asked("", Look::Stat))
            .expect_err("nothing was asked");
        assert_eq!(
            error.0.message,
            "it asked about `/corpus`, where it asked for nothing more when it was recorded"
        );
    }

    #[tokio::test]
    async fn a_trace_that_is_cut_short_cannot_be_read() {
        let datastore = Datastore::memory().await;
        let kept = stored(&datastore).await.expect("there is one");
        let bytes = datastore.blobs().get(&kept).await.expect("it is there");
        let cut = bytes.slice(..bytes.len() - 3);
        let cut = datastore.blobs().put(cut).await.expect("it is stored");
        assert!(Trace::recorded(&datastore, Some(&cut)).await.is_err());
    }

    #[tokio::test]
    async fn there_is_a_bound_on_what_is_kept() {
        let mut trace = Trace::live();
        let name = "n".repeat(255);
        let names = vec![(name, Kind::File); 50_000];
        let mut kept = 0;
        while let Ok(Seen::List(_)) = trace.keep(asked("", Look::List), Found::List(names.clone()))
        {
            kept += 1;
        }
        assert_eq!(kept, 4);
    }
}

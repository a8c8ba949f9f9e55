//! What a step saw of the world, kept at the moment at which it saw it.
//!
//! A live attempt looks, and its trace takes down every question with its answer. A repeated
//! attempt looks at nothing: the trace that was kept answers it, question by question, and a
//! question that is not the one that was kept ends the attempt: it has diverged.

mod sight;

use std::vec::IntoIter;

pub use self::sight::{Asked, Found, Taken};

use super::trouble::{infrastructure, unreadable};
use crate::datastore::Datastore;
use crate::model::artifact::{INLINE_VALUE, MediaType, Value, ValueAt};
use crate::model::digest::Digest;
use crate::model::failure::{Failure, FailureKind};
use crate::sandbox::host::HostError;

/// The largest trace of one attempt, in bytes, as far as it is not in blobs of its own.
const MAX_TRACE: usize = 64 << 20;
/// From this size of the trace on, small files become blobs like large ones.
const INLINE_TRACE: usize = 4 << 20;

/// A question with its answer.
type Sight = (Asked, Found);

/// What answers before the world does.
#[derive(Debug, Default)]
enum Before {
    /// Nothing: the world is asked.
    #[default]
    Nothing,
    /// What was kept, question by question, and nothing else.
    Recorded(IntoIter<Sight>),
    /// What was kept, as far as the same is asked over HTTP.
    Remembered(Vec<Sight>),
}

/// The trace of one attempt.
#[derive(Debug, Default)]
pub struct Trace {
    kept: Vec<Sight>,
    size: usize,
    files: Vec<Value>,
    before: Before,
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
        let sights = read(datastore, kept).await?;
        Ok(Self {
            before: Before::Recorded(sights.into_iter()),
            ..Self::default()
        })
    }

    /// The trace of an attempt that sees the world, but over HTTP gets the answers that another one
    /// got, as far as it asks the same.
    ///
    /// # Errors
    /// When the other's trace, or a file in it, cannot be read.
    pub async fn remembered(datastore: &Datastore, kept: Option<&Digest>) -> Result<Self, Failure> {
        let sights = read(datastore, kept).await?;
        Ok(Self {
            before: Before::Remembered(sights),
            ..Self::default()
        })
    }

    /// The kept answer to a question; none where the world is asked.
    ///
    /// # Errors
    /// When another question was kept: the attempt has diverged.
    pub fn answer(&mut self, asked: &Asked) -> Result<Option<Found>, HostError> {
        let recorded = match &mut self.before {
            Before::Nothing => return Ok(None),
            Before::Remembered(sights) => {
                let is_it = |(before, _): &Sight| before == asked && is_fetch(asked);
                let found = sights.iter().position(is_it);
                return Ok(found.map(|at| sights.remove(at).1));
            }
            Before::Recorded(recorded) => recorded,
        };
        let (asks, before) = match recorded.next() {
            Some((before, found)) if before == *asked => return Ok(Some(found)),
            Some((before, _)) => (asked.words_beside(&before), before.words_beside(asked)),
            None => (asked.words(), "asked for nothing more".to_owned()),
        };
        let message = format!("it {asks}, where it {before} when it was recorded");
        Err(Failure::new(FailureKind::Contract, message).into())
    }

    /// Takes a question and its answer down, and gives the number of the file or body in it; that of
    /// the next where there is none.
    ///
    /// # Errors
    /// When the trace becomes too large.
    pub fn keep(&mut self, asked: Asked, found: Found) -> Result<u32, HostError> {
        self.size += asked.size() + found.size();
        if self.size > MAX_TRACE {
            let message = format!(
                "the step saw more of the world than is kept of one attempt: {} MiB of names and headers",
                MAX_TRACE >> 20
            );
            return Err(Failure::new(FailureKind::Denied, message).into());
        }
        let number = self.files.len() as u32;
        if let Some(taken) = found.taken() {
            let Taken {
                digest,
                size,
                bytes,
            } = taken.clone();
            self.files.push(Value {
                digest,
                size,
                media: MediaType::new(MediaType::BYTES),
                at: bytes.map_or(ValueAt::Blob, ValueAt::Inline),
            });
        }
        self.kept.push((asked, found));
        Ok(number)
    }

    /// How many bytes are kept in the trace itself, of those that are taken in next.
    pub fn room(&self) -> usize {
        INLINE_VALUE.min(INLINE_TRACE.saturating_sub(self.size))
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

fn is_fetch(asked: &Asked) -> bool {
    matches!(asked, Asked::Fetch { .. })
}

/// The trace that was stored under `kept`, whose files are there.
/// The blobs to which a trace that was kept refers, with their lengths; none when it is no trace.
pub fn blobs(kept: &[u8]) -> Vec<(Digest, u64)> {
    let sights: Vec<Sight> = ciborium::from_reader(kept).unwrap_or_default();
    let taken = sights.iter().filter_map(|(_, found)| found.taken());
    let blobs = taken.filter(|taken| taken.bytes.is_none());
    blobs.map(|taken| (taken.digest, taken.size)).collect()
}

async fn read(datastore: &Datastore, kept: Option<&Digest>) -> Result<Vec<Sight>, Failure> {
    let unread = "the trace of the attempt cannot be read";
    let Some(digest) = kept else {
        return Ok(Vec::new());
    };
    let bytes = datastore.blobs().get(digest).await;
    let bytes = bytes.map_err(|error| unreadable(unread, &error))?;
    let sights: Vec<Sight> = ciborium::from_reader(bytes.as_ref())
        .map_err(|error| Failure::new(FailureKind::Damaged, format!("{unread}: {error}")))?;
    for (asked, found) in &sights {
        let Some(taken) = found.taken() else {
            continue;
        };
        let sound = match &taken.bytes {
            // Whoever has written the trace anew has a digest of the bytes that were there.
            Some(bytes) if Digest::of(bytes) == taken.digest => Ok(()),
            Some(_) => Err(format!("its bytes are not those of `{}`", taken.digest)),
            None => {
                let read = datastore.verify(&taken.digest).await;
                read.map_err(|error| {
                    unreadable(&format!("{unread}: what it {}", asked.words()), &error)
                })?;
                Ok(())
            }
        };
        sound.map_err(|why| {
            let message = format!("{unread}: what it {}: {why}", asked.words());
            Failure::new(FailureKind::Damaged, message)
        })?;
    }
    Ok(sights)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sandbox::call::{Kind, Look, Not};
    use crate::sandbox::fetch::{Fetch, NoAnswer, Patience, Reason};
    use crate::task::redact::Redactor;

    fn asked(path: &str, look: Look) -> Asked {
        Asked::Look {
            directory: "corpus".into(),
            path: path.into(),
            look,
        }
    }

    async fn stored(datastore: &Datastore) -> Option<Digest> {
        let mut trace = Trace::live();
        let names = vec![("a".to_owned(), Kind::File)];
        let bytes = Bytes::from_static(b"text");
        let file = Found::File(Taken {
            digest: Digest::of(&bytes),
            size: 4,
            bytes: Some(bytes),
        });
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
        while trace
            .keep(asked("", Look::List), Found::List(names.clone()))
            .is_ok()
        {
            kept += 1;
        }
        assert_eq!(kept, 4);
    }

    fn post(body: &'static str, fields: &[(&str, &'static str)]) -> Asked {
        let field = |(name, value): &(&str, &'static str)| ((*name).to_owned(), (*value).into());
        let fetch = Fetch {
            method: "POST".into(),
            origin: "https://api.example.com".parse().expect("an origin"),
            target: "/v1?q=1".into(),
            fields: fields.iter().map(field).collect(),
            body: body.into(),
            patience: Patience::default(),
        };
        Asked::fetch(
            &fetch,
            &Redactor::new([("TOKEN", "s3/cr3t"), ("OTHER", "cr3t")]),
        )
    }

    async fn asked_over_http(datastore: &Datastore) -> Option<Digest> {
        let mut trace = Trace::live();
        let none = NoAnswer {
            reason: Reason::Refused,
            message: "nobody listens".into(),
        };
        let asked = post("a", &[("accept", "text/csv")]);
        trace
            .keep(asked, Found::NoAnswer(none))
            .expect("there is room");
        trace.store(datastore).await.expect("it is stored")
    }

    #[tokio::test]
    async fn another_request_is_a_divergence_and_says_what_differs() {
        let datastore = Datastore::memory().await;
        let kept = asked_over_http(&datastore).await;
        let mut said = String::new();
        for other in [
            post("b", &[("accept", "text/csv")]),
            post("a", &[("accept", "text/plain")]),
            post("a", &[]),
            asked("", Look::List),
        ] {
            let again = Trace::recorded(&datastore, kept.as_ref()).await;
            let error = again.expect("it is there").answer(&other);
            said += &error.expect_err("it was not asked").0.message;
            said += "\n";
        }
        insta::assert_snapshot!(said, @r"
        it asked `POST https://api.example.com/v1?q=1` with a body of 1 bytes, `10e5cf3d3c8a`, where it asked `POST https://api.example.com/v1?q=1` with a body of 1 bytes, `17762fddd969` when it was recorded
        it asked `POST https://api.example.com/v1?q=1` with `accept: text/plain`, where it asked `POST https://api.example.com/v1?q=1` with `accept: text/csv` when it was recorded
        it asked `POST https://api.example.com/v1?q=1` with a header of 0 fields, where it asked `POST https://api.example.com/v1?q=1` with `accept: text/csv` when it was recorded
        it listed `/corpus`, where it asked `POST https://api.example.com/v1?q=1` when it was recorded
        ");
    }

    #[tokio::test]
    async fn what_was_asked_over_http_is_remembered_once_and_the_rest_is_asked_anew() {
        let datastore = Datastore::memory().await;
        let kept = asked_over_http(&datastore).await;
        let trace = Trace::remembered(&datastore, kept.as_ref()).await;
        let mut trace = trace.expect("it is there");
        let asked = post("a", &[("accept", "text/csv")]);
        let mut answer = |asked: &Asked| trace.answer(asked).expect("nothing diverges");
        assert_eq!(answer(&post("b", &[])), None);
        assert!(matches!(answer(&asked), Some(Found::NoAnswer(_))));
        assert_eq!(answer(&asked), None);
    }

    #[tokio::test]
    async fn the_value_of_a_secret_is_not_kept() {
        let fields = [
            ("authorization", "Bearer s3/cr3t"),
            ("x", "s3%2Fcr3t, cr3t"),
        ];
        let Asked::Fetch { fields, .. } = post("a", &fields) else {
            panic!("it is a request");
        };
        let kept: Vec<_> = fields.iter().map(|(_, value)| &value[..]).collect();
        assert_eq!(
            kept,
            [&b"Bearer secret:TOKEN"[..], b"secret:TOKEN, secret:OTHER"]
        );
    }
}

//! Makes requests over HTTP for a step.
//!
//! One connection for each request, HTTP/1.1, to an address that was looked at before ([`dial`]);
//! with what the step says and nothing else: no cookies, no credentials, no proxy, and the fields
//! of the connection are ours. A redirection is an answer like any other: whom it names may not be
//! granted. The answer is taken in whole, within bounds of size and time, each with its own reason
//! when it is reached.

mod address;
mod dial;

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue};
use http::response::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use self::dial::Stream;
use super::intake::Intake;
use super::trace::Found;
use crate::model::failure::Failure;
use crate::model::header::Limits;
use crate::sandbox::fetch::{
    Fetch, Fields, MAX_FIELDS, MAX_HEADER, NoAnswer, Reason, is_of_the_connection, size_of,
};

/// Why a request has no answer: the other side, or this machine.
pub(super) enum NoAnswerOr {
    /// A step is told.
    Theirs(NoAnswer),
    /// The attempt ends.
    Ours(Box<Failure>),
}

impl From<NoAnswer> for NoAnswerOr {
    fn from(why: NoAnswer) -> Self {
        Self::Theirs(why)
    }
}

impl From<Failure> for NoAnswerOr {
    fn from(failure: Failure) -> Self {
        Self::Ours(Box::new(failure))
    }
}

/// Makes a request to an origin that was granted, and takes the body of the answer in.
///
/// # Errors
/// When the answer cannot be stored, or this machine cannot make connections like this one.
pub(super) async fn ask(
    fetch: Fetch,
    limits: &Limits,
    intake: Intake<'_>,
) -> Result<Found, Failure> {
    match exchange(fetch, limits, intake).await {
        Ok(found) => Ok(found),
        Err(NoAnswerOr::Theirs(why)) => Ok(Found::NoAnswer(why)),
        Err(NoAnswerOr::Ours(failure)) => Err(*failure),
    }
}

async fn exchange(fetch: Fetch, limits: &Limits, intake: Intake<'_>) -> Result<Found, NoAnswerOr> {
    let patience = fetch.patience;
    let timer = Timer::new(limits);
    let connecting = dial::connect(&fetch.origin);
    let stream = timer
        .wait(patience.connection, Reason::ConnectionTimeout, connecting)
        .await??;
    // Ends with this exchange, however that ends.
    let mut connection = JoinSet::new();
    let asking = send(fetch, stream, &mut connection);
    let answer = timer
        .wait(patience.answer, Reason::AnswerTimeout, asking)
        .await??;
    let (head, body) = answer.into_parts();
    let fields = fields(&head)?;
    let body = take_in(body, &timer, patience.piece, limits, intake).await?;
    Ok(Found::Answer {
        status: head.status.as_u16(),
        fields,
        body: body.finish().await?,
    })
}

/// How long is waited.
struct Timer {
    end: Instant,
    limit_ms: u64,
}

impl Timer {
    fn new(limits: &Limits) -> Self {
        let limit_ms = limits.answer_ms;
        let end = Instant::now() + Duration::from_millis(limit_ms);
        Self { end, limit_ms }
    }

    /// Waits for one part of an exchange as long as the step does, where it says so, and as long
    /// as there is time for the whole.
    async fn wait<T>(
        &self,
        nanoseconds: Option<u64>,
        reason: Reason,
        part: impl Future<Output = T>,
    ) -> Result<T, NoAnswer> {
        let own = nanoseconds.map(Duration::from_nanos);
        let own_end = own.and_then(|own| Instant::now().checked_add(own));
        let is_own = own_end.is_some_and(|end| end < self.end);
        let end = own_end.filter(|_| is_own).unwrap_or(self.end);
        timeout_at(end, part).await.map_err(|_| {
            let what = match reason {
                Reason::ConnectionTimeout => "there was no connection",
                Reason::PieceTimeout => "the answer did not go on",
                _ => "there was no answer",
            };
            NoAnswer::new(
                reason,
                match own.filter(|_| is_own) {
                    Some(own) => format!("{what} within {own:?}, as long as the step waits"),
                    None => format!(
                        "{what} in time: all of it may take {:?} (`limits.answer-time`)",
                        Duration::from_millis(self.limit_ms)
                    ),
                },
            )
        })
    }
}

/// Sends a request, and waits for the head of the answer.
async fn send(
    fetch: Fetch,
    stream: Stream,
    connection: &mut JoinSet<()>,
) -> Result<Response<Incoming>, NoAnswerOr> {
    let request = request(fetch)?;
    let handshake = Builder::new()
        .max_headers(MAX_FIELDS)
        .max_header_size(MAX_HEADER)
        .handshake(stream);
    let (mut sender, driver) = handshake.await.map_err(|error| not_http(&error))?;
    connection.spawn(async move {
        // What goes wrong is also told to whoever waits for the answer.
        let _ = driver.await;
    });
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| not_http(&error))?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let message = "it wants to speak another protocol, which nobody has asked for";
        return Err(NoAnswer::new(Reason::Protocol, message).into());
    }
    Ok(answer)
}

fn request(fetch: Fetch) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let unsound =
        |error: &dyn Error| NoAnswer::new(Reason::Protocol, format!("no request: {error}"));
    let mut request = Request::builder()
        .method(fetch.method.as_str())
        .uri(fetch.target)
        .header(HOST, fetch.origin.authority())
        .body(Full::new(fetch.body))
        .map_err(|error| unsound(&error))?;
    for (name, value) in fetch.fields {
        if is_of_the_connection(&name) {
            continue;
        }
        let name = HeaderName::try_from(name).map_err(|error| unsound(&error))?;
        let value = HeaderValue::from_maybe_shared(value).map_err(|error| unsound(&error))?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

/// The header of an answer, without what belongs to the connection.
fn fields(head: &Parts) -> Result<Fields, NoAnswer> {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = Bytes::copy_from_slice(value.as_bytes());
        (name.as_str().to_owned(), value)
    };
    let all = head.headers.iter().map(field);
    let fields: Fields = all
        .filter(|(name, _)| !is_of_the_connection(name))
        .collect();
    if size_of(&fields) > MAX_HEADER {
        return Err(header_too_large());
    }
    Ok(fields)
}

async fn take_in<'a>(
    mut body: Incoming,
    timer: &Timer,
    patience: Option<u64>,
    limits: &Limits,
    mut intake: Intake<'a>,
) -> Result<Intake<'a>, NoAnswerOr> {
    let limit = limits.answer_mib.saturating_mul(1 << 20);
    loop {
        let next = timer.wait(patience, Reason::PieceTimeout, body.frame());
        let Some(frame) = next.await? else {
            return Ok(intake);
        };
        let frame = frame.map_err(|error| broken_off(&error, intake.size()))?;
        let Ok(piece) = frame.into_data() else {
            // What follows a body is not told.
            continue;
        };
        if intake.size() + piece.len() as u64 > limit {
            let message = format!(
                "its body has more than {} MiB (`limits.answer`)",
                limits.answer_mib
            );
            return Err(NoAnswer::new(Reason::BodyTooLarge(limit), message).into());
        }
        intake.add(piece).await?;
    }
}

fn header_too_large() -> NoAnswer {
    let message = format!(
        "the header of the answer has more than {MAX_FIELDS} fields or {} KiB",
        MAX_HEADER >> 10
    );
    NoAnswer::new(Reason::HeaderTooLarge, message)
}

/// Why there is no head of an answer.
fn not_http(error: &hyper::Error) -> NoAnswer {
    if error.is_parse_too_large() {
        header_too_large()
    } else if error.is_parse() || error.is_user() {
        let message = format!("what was answered is not HTTP: {}", chain(error));
        NoAnswer::new(Reason::Protocol, message)
    } else {
        let message = format!(
            "the connection ended before there was an answer: {}",
            chain(error)
        );
        NoAnswer::new(Reason::Terminated, message)
    }
}

/// Why a body has no end.
fn broken_off(error: &hyper::Error, size: u64) -> NoAnswer {
    let mut source = error.source();
    let mut ended = error.is_incomplete_message() || error.is_closed();
    while let Some(cause) = source {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        ended |= matches!(
            kind,
            Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
        );
        source = cause.source();
    }
    match ended {
        true => {
            let message =
                format!("the connection ended in the answer, after {size} bytes of its body");
            NoAnswer::new(Reason::Incomplete, message)
        }
        false => {
            let message = format!("the body of the answer is not HTTP: {}", chain(error));
            NoAnswer::new(Reason::Protocol, message)
        }
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!(": {cause_text}");
        }
        source = cause.source();
    }
    text
}

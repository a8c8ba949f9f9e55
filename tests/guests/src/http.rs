//! Requests over HTTP, as a module of any language makes them.

use crate::asking::wasi::http::outgoing_handler::handle;
use crate::asking::wasi::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest,
    OutgoingResponse, RequestOptions, Scheme, http_error_code,
};
use crate::asking::wasi::io::poll::poll;
use crate::asking::wasi::io::streams::{OutputStream, StreamError};
use crate::{Ended, Step, out};

pub(crate) const STEPS: &[Step] = &[
    ("http_asks", asks),
    ("http_denied", denied),
    ("http_fields", fields),
    ("http_gives_up", gives_up),
    ("http_too_long", too_long),
    ("http_waits_for_itself", waits_for_itself),
    ("http_hoards", hoards),
    ("http_serves", serves),
];

fn request(path: &str, header: Fields) -> OutgoingRequest {
    let request = OutgoingRequest::new(header);
    request.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    request
        .set_authority(Some("Files.Example.com:8080"))
        .expect("a host");
    request.set_path_with_query(Some(path)).expect("a path");
    request
}

fn send(request: OutgoingRequest) -> FutureIncomingResponse {
    handle(request, None).expect("it was granted")
}

/// A request whose body is written after it was handed over, and all that can be asked of its answer.
fn asks() -> Ended {
    let header = Fields::from_list(&[("X-Name".into(), b"value".to_vec())]).expect("a header");
    let asked = request("/size/2500000?q", header);
    asked.set_method(&Method::Post).expect("a method");
    let body = asked.body().expect("the first time");
    let again = asked.body().is_err();
    let options = RequestOptions::new();
    options.set_first_byte_timeout(Some(5)).expect("it is kept");
    let answering = handle(asked, Some(options)).expect("it was granted");
    let early = answering.get().is_none();
    let pollable = answering.subscribe();
    let unready = !pollable.ready();
    let stream = body.write().expect("the first time");
    // Of both only the stream can be written to.
    let first = poll(&[&pollable, &stream.subscribe()]);
    stream
        .blocking_write_and_flush(b"the ")
        .expect("there is room");
    stream
        .blocking_write_and_flush(b"body")
        .expect("there is room");
    drop(stream);
    OutgoingBody::finish(body, None).expect("it is whole");
    pollable.block();
    drop(pollable);
    let answer = answering
        .get()
        .expect("it is there")
        .expect("once")
        .expect("an answer");
    let twice = answering.get().is_some_and(|it| it.is_err());
    let header = answer.headers();
    let fixed = header.set("x", &[]).is_err();
    let entries = header.entries();
    let body = answer.consume().expect("the first time");
    let consumed = answer.consume().is_err();
    let stream = body.stream().expect("the first time");
    let (mut bytes, mut pieces) = (0, 0);
    loop {
        match stream.blocking_read(1 << 20) {
            Ok(piece) => (bytes, pieces) = (bytes + piece.len(), pieces + 1),
            Err(StreamError::Closed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    drop(stream);
    let trailers = IncomingBody::finish(body);
    let none = matches!(trailers.get(), Some(Ok(Ok(None))));
    let told = [again, early, unready, twice, fixed, consumed, none];
    let status = answer.status();
    out(format!(
        "{told:?} {first:?} {status} {entries:?} {bytes} bytes in {pieces} pieces"
    ))
}

fn denied() -> Ended {
    let asked = request("/", Fields::new());
    asked
        .set_authority(Some("other.example.com"))
        .expect("a host");
    let code = handle(asked, None).expect_err("it was not granted");
    Err(crate::Failure {
        retryable: true,
        message: "what a library says: request denied".into(),
        causes: vec![format!("{code:?}")],
    })
}

fn fields() -> Ended {
    let header = Fields::new();
    let mut told = Vec::new();
    for (name, value) in [
        ("Host", "a"),
        ("a b", "c"),
        ("a", "b\r\nc: d"),
        ("A", "1"),
        ("a", "2"),
    ] {
        told.push(
            header
                .append(name, value.as_bytes())
                .map_err(|error| error.to_string()),
        );
    }
    let copy = header.clone();
    header.delete("a").expect("it is there");
    let (gone, there) = (header.has("a"), copy.get("A"));
    let asked = request("/", copy);
    let wrong = [
        asked.set_method(&Method::Connect).is_err(),
        asked.set_method(&Method::Other("a b".into())).is_err(),
        asked
            .set_scheme(Some(&Scheme::Other("ftp".into())))
            .is_err(),
        asked.set_path_with_query(Some("no path")).is_err(),
        asked.set_path_with_query(Some("/a#b")).is_err(),
        asked.set_path_with_query(Some("/a\r\nb: c")).is_err(),
    ];
    let read = (
        asked.method(),
        asked.scheme(),
        asked.authority(),
        asked.path_with_query(),
    );
    out(format!("{told:?} {gone} {there:?} {wrong:?} {read:?}"))
}

/// Bodies that are not finished, or not as long as was promised.
fn gives_up() -> Ended {
    let mut told = Vec::new();
    for (promised, written, finished) in [(None, 3, false), (Some(4), 3, true), (Some(3), 3, true)]
    {
        let header = Fields::new();
        if let Some(length) = promised {
            let digits = format!("{length}");
            header
                .append("content-length", digits.as_bytes())
                .expect("a field");
        }
        let asked = request("/size/1", header);
        let body = asked.body().expect("the first time");
        let answering = send(asked);
        write(&body, &vec![b'x'; written]).expect("there is room");
        match finished {
            true => told.push(format!("{:?}", OutgoingBody::finish(body, None))),
            false => drop(body),
        }
        let answer = answering.get().expect("it is decided").expect("once");
        told.push(format!("{:?}", answer.map(|answer| answer.status())));
    }
    let trailers = Fields::from_list(&[("a".into(), b"b".to_vec())]).expect("a header");
    let body = request("/size/1", Fields::new())
        .body()
        .expect("the first time");
    told.push(format!("{:?}", OutgoingBody::finish(body, Some(trailers))));
    out(told.join("\n"))
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<OutputStream, StreamError> {
    let stream = body.write().expect("the first time");
    stream.blocking_write_and_flush(bytes)?;
    Ok(stream)
}

fn too_long() -> Ended {
    let piece = vec![b'x'; 16 << 20];
    // What is not sent takes no room from what follows.
    for _ in 0..3 {
        let asked = request("/size/1", Fields::new());
        let body = asked.body().expect("the first time");
        write(&body, &piece).expect("as much as there may be");
        OutgoingBody::finish(body, None).expect("it is whole");
        asked
            .set_authority(Some("other.example.com"))
            .expect("a host");
        handle(asked, None).expect_err("it was not granted");
    }
    let asked = request("/size/1", Fields::new());
    let body = asked.body().expect("the first time");
    let answering = send(asked);
    let stream = write(&body, &piece).expect("as much as there may be");
    let Err(StreamError::LastOperationFailed(error)) = stream.blocking_write_and_flush(b"x") else {
        panic!("there is no room");
    };
    let code = http_error_code(&error);
    let closed = matches!(
        stream.blocking_write_and_flush(b"x"),
        Err(StreamError::Closed)
    );
    let sent = OutgoingBody::finish(body, None);
    let answered = answering
        .get()
        .map(|it| it.map(|it| it.map(|it| it.status())));
    out(format!("{code:?} {closed} {sent:?} {answered:?}"))
}

/// Waits for an answer, and would have to finish its request first.
fn waits_for_itself() -> Ended {
    let asked = request("/size/1", Fields::new());
    let body = asked.body().expect("the first time");
    let answering = send(asked);
    answering.subscribe().block();
    OutgoingBody::finish(body, None).expect("nobody comes here");
    out("it goes on")
}

fn hoards() -> Ended {
    let all: Vec<Fields> = (0..100_000).map(|_| Fields::new()).collect();
    out(all.len().to_string())
}

fn serves() -> Ended {
    out(OutgoingResponse::new(Fields::new())
        .status_code()
        .to_string())
}

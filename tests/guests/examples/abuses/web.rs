//! Requests over HTTP, with what no library would send.

use crate::asking::wasi::http::outgoing_handler::handle;
use crate::asking::wasi::http::types::{
    Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use crate::asking::wasi::io::streams::StreamError;
use crate::{Told, Verb};

pub const VERBS: &[Verb] = &[
    ("ask", |it| ask(&it[0], &it[1], "GET", Fields::new())),
    ("method", |it| ask(&it[0], "/", &it[1], Fields::new())),
    ("scheme", |it| {
        let request = OutgoingRequest::new(Fields::new());
        let scheme = Scheme::Other(it[0].clone());
        format!("{:?}", request.set_scheme(Some(&scheme)))
    }),
    ("field", |it| {
        let fields = Fields::new();
        match fields.append(&it[1], it[2].as_bytes()) {
            Ok(()) => ask(&it[0], "/", "GET", fields),
            Err(error) => format!("{error:?}"),
        }
    }),
    ("fields", |it| {
        let fields = Fields::new();
        let count: u32 = it[1].parse().expect("a number");
        for at in 0..count {
            if let Err(error) = fields.append(&format!("x-{at}"), it[2].as_bytes()) {
                return format!("{error:?}");
            }
        }
        ask(&it[0], "/", "GET", fields)
    }),
    ("body", |it| {
        let fields = Fields::new();
        let promised = fields.append("content-length", it[1].as_bytes());
        if promised.is_err() {
            return format!("{promised:?}");
        }
        send(&it[0], "/", "POST", fields, Some(&it[2]))
    }),
    ("patience", |it| {
        let options = RequestOptions::new();
        let long = options.set_first_byte_timeout(Some(u64::MAX));
        format!("{long:?} {}", ask(&it[0], "/silent", "GET", Fields::new()))
    }),
];

fn method(text: &str) -> Method {
    match text {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.into()),
    }
}

/// Asks `http://` or `https://` and an authority, for a path.
fn ask(origin: &str, path: &str, verb: &str, fields: Fields) -> Told {
    send(origin, path, verb, fields, None)
}

fn send(origin: &str, path: &str, verb: &str, fields: Fields, body: Option<&str>) -> Told {
    let request = OutgoingRequest::new(fields);
    let (scheme, authority) = origin.split_once("://").expect("an origin");
    let scheme = if scheme == "https" {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let set = request.set_scheme(Some(&scheme)).is_ok();
    if !set || request.set_authority(Some(authority)).is_err() {
        return "no authority".into();
    }
    if request.set_path_with_query(Some(path)).is_err() {
        return "no path".into();
    }
    if request.set_method(&method(verb)).is_err() {
        return "no method".into();
    }
    if let Some(text) = body {
        let body = request.body().expect("the first time");
        let stream = body.write().expect("the first time");
        let written = stream.blocking_write_and_flush(text.as_bytes());
        drop(stream);
        if let (Err(error), _) | (_, Err(error)) = (
            written.map_err(|it| it.to_string()),
            OutgoingBody::finish(body, None).map_err(|it| it.to_string()),
        ) {
            return error.split(' ').next().unwrap_or_default().to_owned();
        }
    }
    let answering = match handle(request, None) {
        Ok(answering) => answering,
        Err(code) => return format!("{code:?}"),
    };
    answering.subscribe().block();
    match answering.get().expect("it is there").expect("once") {
        Err(code) => format!("{code:?}"),
        Ok(answer) => {
            let location = answer.headers().get("location");
            let location = location
                .first()
                .map(|it| String::from_utf8_lossy(it).into_owned());
            let body = answer.consume().expect("the first time");
            format!("answer {} {location:?} {}", answer.status(), text_of(&body))
        }
    }
}

fn text_of(body: &IncomingBody) -> String {
    let stream = body.stream().expect("the first time");
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => return String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => return format!("{error}"),
        }
    }
}

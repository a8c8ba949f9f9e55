//! The one file that touches the generated bindings of `wasi:http`.
//!
//! Natively the functions in here compile, and are never called.

use std::io::{self, Read};
use std::time::Duration;

use super::bindings::wasi::http::outgoing_handler::handle;
use super::bindings::wasi::http::types::{
    ErrorCode, Fields, HeaderError, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use super::bindings::wasi::io::streams::{InputStream, StreamError};
use super::{NoAnswer, NoAnswerKind, Request, Response, url};

/// How many bytes a stream takes at once, by its contract.
const WRITTEN: usize = 4096;
/// How many bytes are read at once.
const PIECE: usize = 1 << 20;

/// What sends the request when it does not say.
const AGENT: &str = concat!("wrun-sdk/", env!("CARGO_PKG_VERSION"));

type Sent<T> = Result<T, (NoAnswerKind, String)>;

/// Makes a request.
pub fn send(request: &Request) -> Result<Response, NoAnswer> {
    let answer = exchange(request);
    let answer = answer.map_err(|(kind, why)| NoAnswer::new(request, kind, &why))?;
    Ok(answer.to(request))
}

fn unsent(why: impl Into<String>) -> (NoAnswerKind, String) {
    (NoAnswerKind::Unsent, why.into())
}

fn exchange(request: &Request) -> Sent<Response> {
    let outgoing = outgoing(request)?;
    let options = request.timeout.map(options).transpose()?;
    let body = match request.body.is_empty() {
        true => None,
        false => Some(outgoing.body().map_err(|()| unsent("it has no body"))?),
    };
    let answering = handle(outgoing, options).map_err(no_answer)?;
    if let Some(body) = body {
        write(body, &request.body)?;
    }
    answering.subscribe().block();
    let answer = answering.get().and_then(Result::ok);
    let answer = answer.ok_or_else(|| unsent("its answer was lost"))?;
    response(&answer.map_err(no_answer)?)
}

fn outgoing(request: &Request) -> Sent<OutgoingRequest> {
    let fields = Fields::new();
    let named = request.headers.iter().any(|(name, _)| name == "user-agent");
    if !named {
        append(&fields, "user-agent", AGENT.as_bytes())?;
    }
    for (name, value) in &request.headers {
        append(&fields, name, value)?;
    }
    let parts = url::parts(&request.url)
        .ok_or_else(|| unsent("its URL begins neither with `http://` nor with `https://`"))?;
    let scheme = match parts.scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => return Err(unsent(format!("nobody asks over `{other}`"))),
    };
    let outgoing = OutgoingRequest::new(fields);
    let wrong = |what: &'static str| move |()| unsent(format!("its {what} cannot be sent"));
    outgoing
        .set_method(&method(&request.method))
        .map_err(wrong("method"))?;
    outgoing
        .set_scheme(Some(&scheme))
        .map_err(wrong("scheme"))?;
    outgoing
        .set_authority(Some(parts.authority))
        .map_err(wrong("host"))?;
    outgoing
        .set_path_with_query(Some(parts.target))
        .map_err(wrong("path"))?;
    Ok(outgoing)
}

fn append(fields: &Fields, name: &str, value: &[u8]) -> Sent<()> {
    fields.append(name, value).map_err(|error| {
        unsent(match error {
            HeaderError::Forbidden => {
                format!("the field `{name}` of its header belongs to the connection")
            }
            _ => format!("the field `{name}` of its header cannot be sent"),
        })
    })
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn options(silence: Duration) -> Sent<RequestOptions> {
    let options = RequestOptions::new();
    let nanoseconds = Some(u64::try_from(silence.as_nanos()).unwrap_or(u64::MAX));
    let set = options
        .set_connect_timeout(nanoseconds)
        .and_then(|()| options.set_first_byte_timeout(nanoseconds))
        .and_then(|()| options.set_between_bytes_timeout(nanoseconds));
    set.map_err(|()| unsent("its timeout is not kept here"))?;
    Ok(options)
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Sent<()> {
    let stream = body.write().map_err(|()| unsent("it has no body"))?;
    for piece in bytes.chunks(WRITTEN) {
        stream
            .blocking_write_and_flush(piece)
            .map_err(|_| unsent("its body is larger than 16 MiB"))?;
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(no_answer)
}

fn response(answer: &IncomingResponse) -> Sent<Response> {
    let taken = |()| unsent("the body of its answer was lost");
    let body = answer.consume().map_err(taken)?;
    let stream = body.stream().map_err(taken)?;
    let stream = Stream {
        stream,
        _body: body,
        piece: Vec::new(),
        read: 0,
    };
    Ok(Response::of(
        answer.status(),
        answer.headers().entries(),
        stream,
    ))
}

/// The body of an answer. Fields are dropped in their order: the stream goes before its body.
pub struct Stream {
    stream: InputStream,
    _body: IncomingBody,
    piece: Vec<u8>,
    read: usize,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.piece.len() {
            // The old piece goes first: only one is ever in memory.
            self.piece = Vec::new();
            self.read = 0;
            self.piece = match self.stream.blocking_read(PIECE as u64) {
                Ok(piece) => piece,
                Err(StreamError::Closed) => return Ok(0),
                Err(StreamError::LastOperationFailed(_)) => {
                    return Err(io::Error::other("the body of an answer cannot be read"));
                }
            };
        }
        let rest = &self.piece[self.read..];
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.read += n;
        Ok(n)
    }
}

fn no_answer(code: ErrorCode) -> (NoAnswerKind, String) {
    use NoAnswerKind as Kind;
    let kind = match &code {
        ErrorCode::HttpRequestDenied => Kind::Denied,
        ErrorCode::DestinationIpProhibited | ErrorCode::DestinationIpUnroutable => Kind::Prohibited,
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => Kind::UnknownHost,
        ErrorCode::ConnectionRefused | ErrorCode::DestinationUnavailable => Kind::Refused,
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Kind::Timeout,
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => Kind::BrokenOff,
        ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => Kind::Untrusted,
        ErrorCode::HttpResponseBodySize(_) | ErrorCode::HttpResponseHeaderSectionSize(_) => {
            Kind::TooLarge
        }
        ErrorCode::HttpProtocolError => Kind::NotHttp,
        _ => return (Kind::Unsent, other(&code)),
    };
    let why = match code {
        ErrorCode::HttpResponseBodySize(Some(most)) => {
            format!("{} ({most} bytes)", kind.words())
        }
        _ => kind.words().to_owned(),
    };
    (kind, why)
}

fn other(code: &ErrorCode) -> String {
    match code {
        ErrorCode::HttpRequestUriInvalid => "its URL names no host that can be asked".to_owned(),
        ErrorCode::HttpRequestBodySize(_) => {
            "its body is not as long as `content-length` says, or larger than 16 MiB".to_owned()
        }
        other => format!("{other}"),
    }
}

//! Requests over HTTP: `wasi:http`, the side of it that asks.
//!
//! Without a grant nobody can be asked. A request is made when it is whole, by the agent and not in
//! here: the cell opens no connection. The answer comes back whole as well, so nothing that a guest
//! can wait for says how fast the network is; its body is read like an opened file. Requests are
//! made one after the other, in the order in which they became whole, and each stands in the task's
//! trace with its answer.
//!
//! A guest is never asked itself: what WASI has for servers is there to be linked, and ends the task.

pub mod abi;
mod fields;
mod link;

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;

use bytes::Bytes;
use http::uri::PathAndQuery;

pub use self::link::{TOO_LONG, link};

use self::abi::{ErrorCode, Method, Scheme};
use self::fields::Header;
use super::agent::Agent;
use super::handles::Handles;
use super::stop::Stop;
use crate::model::failure::{Failure, FailureKind};
use crate::model::origin::{self, Origin};
use crate::sandbox::fetch::{
    Fetch, Fetched, Fields, MAX_METHOD, MAX_REQUEST, MAX_TARGET, NoAnswer, Patience, Reason,
};

/// The most bytes of bodies that are being written at once.
const MAX_HELD: usize = 2 * MAX_REQUEST;
/// The most headers, requests and answers of each kind that a guest may hold at once.
const MAX_OPEN: usize = 1024;

/// A request that is being made up.
#[derive(Debug)]
pub struct Request {
    method: Method,
    scheme: Option<Scheme>,
    authority: Option<String>,
    target: Option<String>,
    header: Header,
    parcel: Parcel,
    /// Whether the guest has its body.
    has_body: bool,
}

/// The body of a request, which its guest, the streams to it and the request have in common.
type Parcel = Rc<RefCell<Packed>>;

/// What a guest has written of a body.
#[derive(Debug, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    end: End,
    has_stream: bool,
    /// How many bytes the header of its request promises.
    promised: Option<u64>,
}

/// How far the writing of a body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    /// It goes on.
    #[default]
    Open,
    /// It is done.
    Whole,
    /// It was given up.
    GivenUp,
}

/// An answer that there is or will be.
#[derive(Debug)]
pub enum Answering {
    /// Its request is not whole.
    Waiting(Box<Fetch>, Parcel),
    /// There is one, or none, and why.
    There(Result<Answer, ErrorCode>),
    /// The guest has it.
    Taken,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    fields: Fields,
    /// The number and the size of its body, until the guest has it.
    body: Option<(u32, u64)>,
}

/// A body that a guest has and reads, as a number and a size, until it has a stream of it.
pub type Arrived = Option<(u32, u64)>;

/// All of HTTP of one instance.
#[derive(Debug, Default)]
pub struct Http {
    origins: Vec<Origin>,
    /// How many bytes are in bodies.
    held: usize,
    /// The last request without an answer: the host, and why there is none.
    last: Option<(String, NoAnswer)>,
    headers: Handles<Header>,
    requests: Handles<Request>,
    patience: Handles<Patience>,
    parcels: Handles<Parcel>,
    streams: Handles<Parcel>,
    answering: Handles<Answering>,
    answers: Handles<Answer>,
    arrived: Handles<Arrived>,
    trailers: Handles<bool>,
}

/// What the guest is told where there is nothing to be said about why not.
type Told<T> = Result<T, ()>;

impl Http {
    /// The HTTP of a task that may ask these.
    pub fn new(origins: Vec<Origin>) -> Self {
        Self {
            origins,
            ..Self::default()
        }
    }

    /// A new request with this header.
    fn request(&mut self, header: Header) -> Request {
        let promised = header.get("content-length").pop();
        let promised = promised.and_then(|digits| String::from_utf8(digits).ok()?.parse().ok());
        let packed = Packed {
            promised,
            ..Packed::default()
        };
        Request {
            method: Method::Get,
            scheme: None,
            authority: None,
            target: None,
            header,
            parcel: Rc::new(RefCell::new(packed)),
            has_body: false,
        }
    }

    /// Makes a request, or keeps it until its body is whole; gives the number of the answer.
    fn handle(
        &mut self,
        agent: &mut dyn Agent,
        request: Request,
        patience: Patience,
    ) -> Result<Result<u32, ErrorCode>, Stop> {
        if !request.has_body {
            request.parcel.borrow_mut().end = End::Whole;
        }
        let parcel = request.parcel.clone();
        let fetch = match self.fetch_of(request, patience) {
            Ok(fetch) => Box::new(fetch),
            Err(code) => {
                self.release(&parcel);
                return Ok(Err(code));
            }
        };
        let whole = parcel.borrow().end != End::Open;
        let waiting = Answering::Waiting(fetch, parcel);
        let number = add(&mut self.answering, waiting)?;
        if whole {
            self.make(agent, number)?;
        }
        Ok(Ok(number))
    }

    /// What is to be asked, without its body.
    fn fetch_of(&mut self, request: Request, patience: Patience) -> Result<Fetch, ErrorCode> {
        let scheme = match request.scheme {
            None | Some(Scheme::Https) => origin::Scheme::Https,
            Some(Scheme::Http) => origin::Scheme::Http,
            Some(Scheme::Other(_)) => return Err(ErrorCode::RequestUriInvalid),
        };
        let authority = request.authority.unwrap_or_default();
        let origin = match Origin::new(scheme, &authority) {
            Ok(origin) => origin,
            Err(error) => {
                self.note(authority, Reason::Denied, error.to_string());
                return Err(ErrorCode::RequestUriInvalid);
            }
        };
        if !self.origins.contains(&origin) {
            let message = format!(
                "`{origin}` was not granted: `--allow http={origin}` grants it to all steps, `grants = [\"http={origin}\"]` below `[steps.STEP]` in `wrun.toml` to one"
            );
            self.note(origin.authority().to_owned(), Reason::Denied, message);
            return Err(ErrorCode::RequestDenied);
        }
        let mut fields = request.header.into_fields();
        // Whoever makes the connection counts the bytes himself.
        fields.retain(|(name, _)| name != "content-length");
        Ok(Fetch {
            method: request.method.name().to_owned(),
            origin,
            target: request.target.unwrap_or_else(|| "/".to_owned()),
            fields,
            body: Bytes::new(),
            patience,
        })
    }

    fn note(&mut self, host: String, reason: Reason, message: String) {
        self.last = Some((host, NoAnswer::new(reason, message)));
    }

    /// Makes the request of an answer that waited for it.
    fn make(&mut self, agent: &mut dyn Agent, number: u32) -> Result<(), Stop> {
        let slot = self.answering.get(number)?;
        let Answering::Waiting(mut fetch, parcel) = mem::replace(slot, Answering::Taken) else {
            return Ok(());
        };
        let sound = parcel.borrow().check();
        fetch.body = self.release(&parcel).into();
        let answer = match sound {
            Ok(()) => self.ask(agent, *fetch)?,
            Err(code) => Err(code),
        };
        *self.answering.get(number)? = Answering::There(answer);
        Ok(())
    }

    fn ask(
        &mut self,
        agent: &mut dyn Agent,
        fetch: Fetch,
    ) -> Result<Result<Answer, ErrorCode>, Stop> {
        let host = fetch.origin.authority().to_owned();
        match agent.fetch(fetch).map_err(Stop::agent_gone)? {
            Fetched::Answer {
                status,
                fields,
                body,
                size,
            } => Ok(Ok(Answer {
                status,
                fields,
                body: Some((body, size)),
            })),
            Fetched::Not(why) => {
                let code = why.reason.into();
                self.last = Some((host, why));
                Ok(Err(code))
            }
        }
    }

    /// Takes out what was written of a body.
    fn release(&mut self, parcel: &Parcel) -> Vec<u8> {
        let bytes = mem::take(&mut parcel.borrow_mut().bytes);
        self.held = self.held.saturating_sub(bytes.len());
        bytes
    }

    /// The body of a request is whole, or given up: whoever waits for that is asked now.
    fn end(&mut self, agent: &mut dyn Agent, parcel: &Parcel, end: End) -> Result<(), Stop> {
        {
            let mut packed = parcel.borrow_mut();
            // One that has become too long stays given up.
            if packed.end == End::Open {
                packed.end = end;
            }
        }
        let waiting = self.answering.find(
            |answering| matches!(answering, Answering::Waiting(_, of) if Rc::ptr_eq(of, parcel)),
        );
        match waiting {
            Some(number) => self.make(agent, number),
            None => Ok(()),
        }
    }

    /// Appends to the body behind a stream; none when it has ended.
    ///
    /// # Errors
    /// When the body becomes too long.
    pub fn append(
        &mut self,
        stream: u32,
        bytes: &[u8],
    ) -> Result<Option<Result<(), ErrorCode>>, Stop> {
        let parcel = self.streams.get(stream)?.clone();
        let mut packed = parcel.borrow_mut();
        if packed.end != End::Open {
            return Ok(None);
        }
        let held = self.held + bytes.len();
        if packed.bytes.len() + bytes.len() > MAX_REQUEST || held > MAX_HELD {
            packed.end = End::GivenUp;
            return Ok(Some(Err(ErrorCode::RequestBodySize(Some(
                MAX_REQUEST as u64,
            )))));
        }
        self.held = held;
        packed.bytes.extend_from_slice(bytes);
        Ok(Some(Ok(())))
    }

    /// Ends a stream. The body goes on until it is finished.
    pub fn close_stream(&mut self, stream: u32) {
        self.streams.remove(stream);
    }

    /// Whether the answer of this number, or that there is none, is known. If not, it will not be
    /// before the guest finishes its request.
    pub fn is_there(&mut self, number: u32) -> bool {
        let answering = self.answering.get(number);
        !matches!(answering, Ok(Answering::Waiting(..)))
    }

    /// Says more about a failure that comes of the last request without an answer.
    pub fn explain(&self, failure: &mut Failure) {
        let of_guest = matches!(
            failure.kind,
            FailureKind::Error | FailureKind::Fatal | FailureKind::Panic | FailureKind::Trap
        );
        let Some((host, why)) = self.last.as_ref().filter(|_| of_guest) else {
            return;
        };
        let says = |it: &str| {
            let causes = failure.causes.iter().any(|text| text.contains(it));
            causes || failure.message.contains(it)
        };
        let names_it = says(host);
        let advises = matches!(why.reason, Reason::Denied | Reason::Prohibited)
            && (names_it || says("denied") || says("prohibited"));
        if advises && failure.hint.is_none() {
            failure.hint = Some(why.message.clone());
        } else if names_it {
            failure.causes.push(why.message.clone());
        }
    }
}

/// Keeps one more thing for a guest.
fn add<T>(handles: &mut Handles<T>, thing: T) -> Result<u32, Stop> {
    if handles.count() >= MAX_OPEN {
        let message = format!("the step holds more than {MAX_OPEN} headers, requests or answers");
        return Err(Stop::contract(message).hint("let go of answers that were read"));
    }
    Ok(handles.add(thing))
}

impl Packed {
    /// Whether the body can be sent.
    fn check(&self) -> Result<(), ErrorCode> {
        let len = self.bytes.len() as u64;
        if self.end == End::GivenUp {
            return Err(ErrorCode::ProtocolError);
        }
        match self.promised {
            Some(promised) if promised != len => Err(ErrorCode::RequestBodySize(Some(len))),
            _ => Ok(()),
        }
    }
}

impl Request {
    /// Says what is to be done. There are no tunnels.
    fn set_method(&mut self, method: Method) -> Told<()> {
        let name = method.name();
        let is_one = http::Method::from_bytes(name.as_bytes()).is_ok() && name.len() <= MAX_METHOD;
        if !is_one || name.eq_ignore_ascii_case("CONNECT") {
            return Err(());
        }
        self.method = method;
        Ok(())
    }

    fn set_scheme(&mut self, scheme: Option<Scheme>) -> Told<()> {
        if matches!(scheme, Some(Scheme::Other(_))) {
            return Err(());
        }
        self.scheme = scheme;
        Ok(())
    }

    /// Says for what is asked. A place inside of the answer (`#…`) is not for the other side.
    fn set_target(&mut self, target: Option<String>) -> Told<()> {
        self.target = match target {
            None => None,
            Some(text) if text.is_empty() => None,
            Some(text) if text.starts_with('?') => Some(checked(format!("/{text}"))?),
            Some(text) => Some(checked(text)?),
        };
        Ok(())
    }
}

fn checked(target: String) -> Told<String> {
    let parsed = target.parse::<PathAndQuery>().map_err(|_| ())?;
    let is_one = target.starts_with('/') && target.len() <= MAX_TARGET;
    (is_one && parsed.as_str() == target)
        .then_some(target)
        .ok_or(())
}

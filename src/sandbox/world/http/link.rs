//! Links `wasi:http`: each function calls what does it.

use std::sync::LazyLock;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType};

use super::abi::{ErrorCode, HeaderError, Method, Scheme};
use super::fields::Header;
use super::{Answering, End, Http, Told, add};
use crate::sandbox::fetch::{MAX_REQUEST, Patience};
use crate::sandbox::world::Guest;
use crate::sandbox::world::clock::{Pollable, pollable};
use crate::sandbox::world::stdio::{InputStream, OutputStream, StreamFault, body, incoming};
use crate::sandbox::world::stop::Stop;

/// The number of the error of a stream to a body that has become too long.
pub const TOO_LONG: u32 = 1 << 16;

/// Stand for what a guest holds of HTTP.
pub struct HeaderHandle;
/// A request that it makes.
pub struct RequestHandle;
/// How long it is ready to wait.
pub struct PatienceHandle;
/// The body of a request.
pub struct BodyHandle;
/// An answer that there will be.
pub struct AnsweringHandle;
/// An answer.
pub struct AnswerHandle;
/// The body of an answer.
pub struct ArrivedHandle;
/// What follows that body.
pub struct TrailersHandle;
/// A request that it gets: there is none.
pub struct Asked;
/// The answer that it gives: there is none.
pub struct Given;
/// Where it would give it: there is none.
pub struct Outparam;

type Store<'a> = StoreContextMut<'a, Guest>;
type Instance<'a> = LinkerInstance<'a, Guest>;
type HeaderRef = Resource<HeaderHandle>;
type RequestRef = Resource<RequestHandle>;
type PatienceRef = Resource<PatienceHandle>;
type BodyRef = Resource<BodyHandle>;
type AnsweringRef = Resource<AnsweringHandle>;
type AnswerRef = Resource<AnswerHandle>;
type ArrivedRef = Resource<ArrivedHandle>;
type TrailersRef = Resource<TrailersHandle>;
type Changed = Result<(), HeaderError>;
type Answered = Option<Result<Result<AnswerRef, ErrorCode>, ()>>;
type Trailed = Option<Result<Result<Option<HeaderRef>, ErrorCode>, ()>>;

/// The error of a body behind that of a stream.
fn error_of_body(fault: &Resource<StreamFault>) -> Option<ErrorCode> {
    let too_long = ErrorCode::RequestBodySize(Some(MAX_REQUEST as u64));
    (fault.rep() == TOO_LONG).then_some(too_long)
}

/// Links what asks, and what WASI has for servers.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:http/types@0.2.0")?;
    link_resources(&mut types)?;
    link_header(&mut types)?;
    link_request(&mut types)?;
    link_target(&mut types)?;
    link_patience(&mut types)?;
    link_body(&mut types)?;
    link_answering(&mut types)?;
    link_answer(&mut types)?;
    link_servers(&mut types)?;
    types.func_wrap(
        "http-error-code",
        |_: Store, (fault,): (Resource<StreamFault>,)| Ok((error_of_body(&fault),)),
    )?;
    let mut handler = linker.instance("wasi:http/outgoing-handler@0.2.0")?;
    handler.func_wrap(
        "handle",
        |mut store: Store, (request, options): (RequestRef, Option<PatienceRef>)| {
            let Guest { http, agent, .. } = store.data_mut();
            let request = taken(http.requests.remove(request.rep()))?;
            let patience = options.and_then(|options| http.patience.remove(options.rep()));
            let number = http.handle(agent.as_mut(), request, patience.unwrap_or_default())?;
            Ok((number.map(AnsweringRef::new_own),))
        },
    )
}

/// What was taken out of a table.
fn taken<T>(thing: Option<T>) -> Result<T, Stop> {
    thing.ok_or_else(|| Stop::contract("the step used a handle of HTTP that is not open"))
}

/// Links a resource, of which `drop` lets go.
fn resource<T: 'static>(
    types: &mut Instance<'_>,
    name: &str,
    drop: fn(&mut Guest, u32) -> Result<(), Stop>,
) -> wasmtime::Result<()> {
    types.resource(name, ResourceType::host::<T>(), move |mut store, number| {
        Ok(drop(store.data_mut(), number)?)
    })
}

fn link_resources(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    resource::<HeaderHandle>(types, "fields", |guest, number| {
        guest.http.headers.remove(number);
        Ok(())
    })?;
    resource::<RequestHandle>(types, "outgoing-request", |guest, number| {
        if let Some(request) = guest.http.requests.remove(number) {
            guest.http.release(&request.parcel);
        }
        Ok(())
    })?;
    resource::<PatienceHandle>(types, "request-options", |guest, number| {
        guest.http.patience.remove(number);
        Ok(())
    })?;
    resource::<BodyHandle>(types, "outgoing-body", |guest, number| {
        let Guest { http, agent, .. } = guest;
        let Some(parcel) = http.parcels.remove(number) else {
            return Ok(());
        };
        http.end(agent.as_mut(), &parcel, End::GivenUp)?;
        http.release(&parcel);
        Ok(())
    })?;
    resource::<AnsweringHandle>(types, "future-incoming-response", |guest, number| {
        if let Some(Answering::Waiting(_, parcel)) = guest.http.answering.remove(number) {
            guest.http.release(&parcel);
        }
        Ok(())
    })?;
    resource::<AnswerHandle>(types, "incoming-response", |guest, number| {
        guest.http.answers.remove(number);
        Ok(())
    })?;
    resource::<ArrivedHandle>(types, "incoming-body", |guest, number| {
        guest.http.arrived.remove(number);
        Ok(())
    })?;
    resource::<TrailersHandle>(types, "future-trailers", |guest, number| {
        guest.http.trailers.remove(number);
        Ok(())
    })?;
    resource::<Asked>(types, "incoming-request", |_, _| Ok(()))?;
    resource::<Given>(types, "outgoing-response", |_, _| Ok(()))?;
    resource::<Outparam>(types, "response-outparam", |_, _| Ok(()))
}

/// Gives the guest a header.
fn own(http: &mut Http, header: Header) -> Result<HeaderRef, Stop> {
    Ok(HeaderRef::new_own(add(&mut http.headers, header)?))
}

fn link_header(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    types.func_wrap("[constructor]fields", |mut store: Store, (): ()| {
        Ok((own(&mut store.data_mut().http, Header::default())?,))
    })?;
    types.func_wrap(
        "[static]fields.from-list",
        |mut store: Store, (entries,): (Vec<(String, Vec<u8>)>,)| {
            let http = &mut store.data_mut().http;
            Ok((match Header::of(entries)? {
                Ok(header) => Ok(own(http, header)?),
                Err(error) => Err(error),
            },))
        },
    )?;
    types.func_wrap(
        "[method]fields.get",
        |mut store: Store, (this, name): (HeaderRef, String)| {
            Ok((header(&mut store, &this)?.get(&name),))
        },
    )?;
    types.func_wrap(
        "[method]fields.has",
        |mut store: Store, (this, name): (HeaderRef, String)| {
            Ok((header(&mut store, &this)?.has(&name),))
        },
    )?;
    types.func_wrap(
        "[method]fields.entries",
        |mut store: Store, (this,): (HeaderRef,)| Ok((header(&mut store, &this)?.entries(),)),
    )?;
    types.func_wrap(
        "[method]fields.clone",
        |mut store: Store, (this,): (HeaderRef,)| {
            let copy = header(&mut store, &this)?.copy();
            Ok((own(&mut store.data_mut().http, copy)?,))
        },
    )?;
    link_changes(types)
}

fn header<'a>(store: &'a mut Store<'_>, this: &HeaderRef) -> Result<&'a mut Header, Stop> {
    store.data_mut().http.headers.get(this.rep())
}

fn link_changes(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]fields.set",
        |mut store: Store, (this, name, values): (HeaderRef, String, Vec<Vec<u8>>)| {
            let changed: Changed = header(&mut store, &this)?.set(&name, values)?;
            Ok((changed,))
        },
    )?;
    types.func_wrap(
        "[method]fields.delete",
        |mut store: Store, (this, name): (HeaderRef, String)| {
            Ok((header(&mut store, &this)?.delete(&name)?,))
        },
    )?;
    types.func_wrap(
        "[method]fields.append",
        |mut store: Store, (this, name, value): (HeaderRef, String, Vec<u8>)| {
            Ok((header(&mut store, &this)?.append(&name, value)?,))
        },
    )
}

fn link_request(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[constructor]outgoing-request",
        |mut store: Store, (header,): (HeaderRef,)| {
            let http = &mut store.data_mut().http;
            let header = taken(http.headers.remove(header.rep()))?;
            let request = http.request(header);
            Ok((RequestRef::new_own(add(&mut http.requests, request)?),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.body",
        |mut store: Store, (this,): (RequestRef,)| {
            let http = &mut store.data_mut().http;
            let request = http.requests.get(this.rep())?;
            if std::mem::replace(&mut request.has_body, true) {
                return Ok((Err(()),));
            }
            let parcel = request.parcel.clone();
            let number = add(&mut http.parcels, parcel)?;
            Ok((Ok(BodyRef::new_own(number)),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.method",
        |mut store: Store, (this,): (RequestRef,)| {
            let request = store.data_mut().http.requests.get(this.rep())?;
            Ok((request.method.clone(),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: Store, (this, method): (RequestRef, Method)| {
            let request = store.data_mut().http.requests.get(this.rep())?;
            Ok((request.set_method(method),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.headers",
        |mut store: Store, (this,): (RequestRef,)| {
            let http = &mut store.data_mut().http;
            let fields = http.requests.get(this.rep())?.header.fields().clone();
            Ok((own(http, Header::fixed(fields))?,))
        },
    )
}

/// Who is asked, and for what.
fn link_target(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]outgoing-request.path-with-query",
        |mut store: Store, (this,): (RequestRef,)| {
            let request = store.data_mut().http.requests.get(this.rep())?;
            Ok((request.target.clone(),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store: Store, (this, target): (RequestRef, Option<String>)| {
            let request = store.data_mut().http.requests.get(this.rep())?;
            Ok((request.set_target(target),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.scheme",
        |mut store: Store, (this,): (RequestRef,)| {
            let request = store.data_mut().http.requests.get(this.rep())?;
            Ok((request.scheme.clone(),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-scheme",
        |mut store: Store, (this, scheme): (RequestRef, Option<Scheme>)| {
            let request = store.data_mut().http.requests.get(this.rep())?;
            Ok((request.set_scheme(scheme),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.authority",
        |mut store: Store, (this,): (RequestRef,)| {
            let request = store.data_mut().http.requests.get(this.rep())?;
            Ok((request.authority.clone(),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: Store, (this, authority): (RequestRef, Option<String>)| {
            let request = store.data_mut().http.requests.get(this.rep())?;
            // What is no authority is found when the request is made, and then named.
            request.authority = authority;
            Ok((Told::Ok(()),))
        },
    )
}

/// Links how long a guest waits for one thing.
fn wait(
    types: &mut Instance<'_>,
    what: &str,
    field: fn(&mut Patience) -> &mut Option<u64>,
) -> wasmtime::Result<()> {
    types.func_wrap(
        &format!("[method]request-options.{what}"),
        move |mut store: Store, (this,): (PatienceRef,)| {
            let patience = store.data_mut().http.patience.get(this.rep())?;
            Ok((*field(patience),))
        },
    )?;
    types.func_wrap(
        &format!("[method]request-options.set-{what}"),
        move |mut store: Store, (this, nanoseconds): (PatienceRef, Option<u64>)| {
            let patience = store.data_mut().http.patience.get(this.rep())?;
            *field(patience) = nanoseconds;
            Ok((Told::Ok(()),))
        },
    )
}

fn link_patience(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[constructor]request-options",
        |mut store: Store, (): ()| {
            let http = &mut store.data_mut().http;
            let number = add(&mut http.patience, Patience::default())?;
            Ok((PatienceRef::new_own(number),))
        },
    )?;
    wait(types, "connect-timeout", |it| &mut it.connection)?;
    wait(types, "first-byte-timeout", |it| &mut it.answer)?;
    wait(types, "between-bytes-timeout", |it| &mut it.piece)
}

fn link_body(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]outgoing-body.write",
        |mut store: Store, (this,): (BodyRef,)| {
            let http = &mut store.data_mut().http;
            let parcel = http.parcels.get(this.rep())?.clone();
            if std::mem::replace(&mut parcel.borrow_mut().has_stream, true) {
                return Ok((Err(()),));
            }
            let stream = http.streams.add(parcel);
            Ok((Ok(Resource::<OutputStream>::new_own(body(stream))),))
        },
    )?;
    types.func_wrap(
        "[static]outgoing-body.finish",
        |mut store: Store, (this, trailers): (BodyRef, Option<HeaderRef>)| {
            let Guest { http, agent, .. } = store.data_mut();
            let parcel = taken(http.parcels.remove(this.rep()))?;
            let trailers = trailers.and_then(|it| http.headers.remove(it.rep()));
            if trailers.is_some_and(|it| !it.fields().is_empty()) {
                http.end(agent.as_mut(), &parcel, End::GivenUp)?;
                let none = ErrorCode::RequestTrailerSectionSize(Some(0));
                return Ok((Err(none),));
            }
            let sound = parcel.borrow().check();
            http.end(agent.as_mut(), &parcel, End::Whole)?;
            Ok((sound,))
        },
    )
}

fn link_answering(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]future-incoming-response.subscribe",
        |mut store: Store, (this,): (AnsweringRef,)| {
            let answer = Pollable::Answer(this.rep());
            Ok((pollable(store.data_mut(), answer),))
        },
    )?;
    types.func_wrap(
        "[method]future-incoming-response.get",
        |mut store: Store, (this,): (AnsweringRef,)| -> wasmtime::Result<(Answered,)> {
            let http = &mut store.data_mut().http;
            let slot = http.answering.get(this.rep())?;
            if matches!(slot, Answering::Waiting(..)) {
                return Ok((None,));
            }
            let Answering::There(answer) = std::mem::replace(slot, Answering::Taken) else {
                return Ok((Some(Err(())),));
            };
            Ok((Some(Ok(match answer {
                Ok(answer) => Ok(AnswerRef::new_own(add(&mut http.answers, answer)?)),
                Err(code) => Err(code),
            })),))
        },
    )
}

fn link_answer(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]incoming-response.status",
        |mut store: Store, (this,): (AnswerRef,)| {
            Ok((store.data_mut().http.answers.get(this.rep())?.status,))
        },
    )?;
    types.func_wrap(
        "[method]incoming-response.headers",
        |mut store: Store, (this,): (AnswerRef,)| {
            let http = &mut store.data_mut().http;
            let fields = http.answers.get(this.rep())?.fields.clone();
            Ok((own(http, Header::fixed(fields))?,))
        },
    )?;
    types.func_wrap(
        "[method]incoming-response.consume",
        |mut store: Store, (this,): (AnswerRef,)| {
            let http = &mut store.data_mut().http;
            let Some(body) = http.answers.get(this.rep())?.body.take() else {
                return Ok((Err(()),));
            };
            let number = add(&mut http.arrived, Some(body))?;
            Ok((Ok(ArrivedRef::new_own(number)),))
        },
    )?;
    types.func_wrap(
        "[method]incoming-body.stream",
        |mut store: Store, (this,): (ArrivedRef,)| {
            let Guest { http, files, .. } = store.data_mut();
            let Some((number, size)) = http.arrived.get(this.rep())?.take() else {
                return Ok((Err(()),));
            };
            let stream = incoming(files.stream_of(number, size));
            Ok((Ok(Resource::<InputStream>::new_own(stream)),))
        },
    )?;
    types.func_wrap(
        "[static]incoming-body.finish",
        |mut store: Store, (this,): (ArrivedRef,)| {
            let http = &mut store.data_mut().http;
            http.arrived.remove(this.rep());
            let number = add(&mut http.trailers, false)?;
            Ok((TrailersRef::new_own(number),))
        },
    )?;
    link_trailers(types)
}

/// What follows a body. It is nothing, whatever was sent.
fn link_trailers(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]future-trailers.subscribe",
        |mut store: Store, (_,): (TrailersRef,)| Ok((pollable(store.data_mut(), Pollable::Ready),)),
    )?;
    types.func_wrap(
        "[method]future-trailers.get",
        |mut store: Store, (this,): (TrailersRef,)| -> wasmtime::Result<(Trailed,)> {
            let taken = store.data_mut().http.trailers.get(this.rep())?;
            let trailed = match std::mem::replace(taken, true) {
                false => Ok(Ok(None)),
                true => Err(()),
            };
            Ok((Some(trailed),))
        },
    )
}

/// What WASI has for those who are asked. Nobody asks a step, so none of it can be of use.
static OF_SERVERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let request = [
        "method",
        "path-with-query",
        "scheme",
        "authority",
        "headers",
        "consume",
    ];
    let request = request.map(|name| format!("[method]incoming-request.{name}"));
    let response = ["status-code", "set-status-code", "headers", "body"];
    let response = response.map(|name| format!("[method]outgoing-response.{name}"));
    let others = [
        "[constructor]outgoing-response",
        "[static]response-outparam.set",
        "[method]response-outparam.send-informational",
    ];
    let all = request.into_iter().chain(response);
    all.chain(others.map(str::to_owned)).collect()
});

fn link_servers(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    for name in OF_SERVERS.iter() {
        types.func_new(name, move |_, _, _, _| {
            let message = format!("the step called `{name}`, which is for servers");
            let hint = "a step asks others over HTTP, and is asked by nobody";
            Err(Stop::contract(message).hint(hint).into())
        })?;
    }
    Ok(())
}

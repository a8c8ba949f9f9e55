//! Streams: `wasi:io/streams`, and standard input, output and error of `wasi:cli`.
//!
//! Standard input is at its end. Output and error are captured with the log; other streams are
//! those of files, and of the bodies of requests and answers. A write is always taken whole, or not at all where a scratch directory is full,
//! and the budget that a guest is told is constant, so that it never sees how busy the host is.

use wasmtime::StoreContextMut;
use wasmtime::component::{
    ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType, WasmList,
};

use super::Guest;
use super::clock::{Pollable, pollable};
use super::files::abi::ErrorCode;
use super::files::given::Trouble;
use super::http::TOO_LONG;
use super::printed;
use crate::model::record::Stream;

/// What a guest may write at once, in bytes, as it is told.
const BUDGET: u64 = 64 << 10;

/// Stands for an error of a stream. It is that of a file: its number is the code.
pub struct StreamFault;

/// Stands for standard input, [`STDIN`], or the stream of a file or of an answer, whose numbers
/// follow.
pub struct InputStream;

/// Stands for standard output or error, [`STDOUT`] or [`STDERR`], or the stream of a file or to the
/// body of a request, whose numbers follow by turns.
pub struct OutputStream;

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// The number of the input stream that reads a file.
pub fn incoming(stream: u32) -> u32 {
    stream + STDIN + 1
}

/// The number of the output stream that writes a file.
pub fn outgoing(stream: u32) -> u32 {
    2 * stream + STDERR + 1
}

/// The number of the output stream that writes the body of a request.
pub fn body(stream: u32) -> u32 {
    outgoing(stream) + 1
}

/// The error of a file behind that of a stream.
pub fn fault_code(fault: &Resource<StreamFault>) -> Option<ErrorCode> {
    // The only one that a stream of a file can end with.
    let full = ErrorCode::InsufficientSpace;
    (fault.rep() == full as u32).then_some(full)
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<StreamFault>),
    #[component(name = "closed")]
    Closed,
}

type Store<'a> = StoreContextMut<'a, Guest>;
type Output = Resource<OutputStream>;
type Input = Resource<InputStream>;

/// What is behind an output stream.
enum Sink {
    Printed(Stream),
    File(u32),
    Body(u32),
}

fn sink(output: &Output) -> Sink {
    match output.rep() {
        STDERR => Sink::Printed(Stream::Stderr),
        number => match number.checked_sub(outgoing(0)) {
            Some(by_turns) if by_turns % 2 == 1 => Sink::Body(by_turns / 2),
            Some(by_turns) => Sink::File(by_turns / 2),
            None => Sink::Printed(Stream::Stdout),
        },
    }
}

type Told<T> = std::result::Result<T, StreamError>;

/// What the guest is told of an operation on a file, or the end of its task.
fn told<T>(result: std::result::Result<T, Trouble>) -> wasmtime::Result<Told<T>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Trouble::Code(code)) => {
            let fault = Resource::new_own(code as u32);
            Ok(Err(StreamError::LastOperationFailed(fault)))
        }
        Err(Trouble::Stop(stop)) => Err(stop.into()),
    }
}

/// The next bytes of an input stream.
fn read(guest: &mut Guest, this: &Input, len: u64) -> wasmtime::Result<Told<Vec<u8>>> {
    let Some(file) = this.rep().checked_sub(incoming(0)) else {
        return Ok(Err(StreamError::Closed));
    };
    let next = guest.files.next_bytes(guest.agent.as_mut(), file, len);
    Ok(match told(next)? {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(StreamError::Closed),
        Err(error) => Err(error),
    })
}

/// Takes bytes that an output stream is given.
fn write(guest: &mut Guest, this: &Output, bytes: &[u8]) -> wasmtime::Result<Told<()>> {
    match sink(this) {
        Sink::Printed(stream) => {
            guest.printed.print(guest.agent.as_mut(), stream, bytes)?;
            Ok(Ok(()))
        }
        Sink::File(file) => told(guest.files.append(file, bytes)),
        Sink::Body(body) => Ok(match guest.http.append(body, bytes)? {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(StreamError::LastOperationFailed(Resource::new_own(
                TOO_LONG,
            ))),
            None => Err(StreamError::Closed),
        }),
    }
}

/// Links the streams.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut error = linker.instance("wasi:io/error@0.2.0")?;
    error.resource("error", ResourceType::host::<StreamFault>(), |_, _| Ok(()))?;
    error.func_wrap(
        "[method]error.to-debug-string",
        |_: Store, (_,): (Resource<StreamFault>,)| Ok(("stream error".to_owned(),)),
    )?;
    let mut streams = linker.instance("wasi:io/streams@0.2.0")?;
    streams.resource(
        "input-stream",
        ResourceType::host::<InputStream>(),
        |mut store, number| {
            if let Some(file) = number.checked_sub(incoming(0)) {
                store.data_mut().files.close_incoming(file);
            }
            Ok(())
        },
    )?;
    streams.resource(
        "output-stream",
        ResourceType::host::<OutputStream>(),
        |mut store, number| {
            let guest = store.data_mut();
            match sink(&Output::new_borrow(number)) {
                Sink::Printed(_) => {}
                Sink::File(file) => guest.files.close_outgoing(file),
                Sink::Body(body) => guest.http.close_stream(body),
            }
            Ok(())
        },
    )?;
    link_input(&mut streams)?;
    link_output(&mut streams)?;
    link_splice(&mut streams)?;

    let mut stdin = linker.instance("wasi:cli/stdin@0.2.0")?;
    stdin.func_wrap("get-stdin", |_: Store, (): ()| Ok((Input::new_own(STDIN),)))?;
    let mut stdout = linker.instance("wasi:cli/stdout@0.2.0")?;
    stdout.func_wrap("get-stdout", |_: Store, (): ()| {
        Ok((Output::new_own(STDOUT),))
    })?;
    let mut stderr = linker.instance("wasi:cli/stderr@0.2.0")?;
    stderr.func_wrap("get-stderr", |_: Store, (): ()| {
        Ok((Output::new_own(STDERR),))
    })?;
    Ok(())
}

fn link_input(streams: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    for name in [
        "[method]input-stream.read",
        "[method]input-stream.blocking-read",
    ] {
        streams.func_wrap(name, |mut store: Store, (this, len): (Input, u64)| {
            Ok((read(store.data_mut(), &this, len)?,))
        })?;
    }
    for name in [
        "[method]input-stream.skip",
        "[method]input-stream.blocking-skip",
    ] {
        streams.func_wrap(name, |mut store: Store, (this, len): (Input, u64)| {
            let skipped = read(store.data_mut(), &this, len)?;
            Ok((skipped.map(|bytes| bytes.len() as u64),))
        })?;
    }
    streams.func_wrap(
        "[method]input-stream.subscribe",
        |mut store: Store, (_,): (Input,)| Ok((pollable(store.data_mut(), Pollable::Ready),)),
    )
}

fn link_output(streams: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    streams.func_wrap(
        "[method]output-stream.check-write",
        |_: Store, (_,): (Output,)| Ok((Ok::<_, StreamError>(BUDGET),)),
    )?;
    for name in [
        "[method]output-stream.write",
        "[method]output-stream.blocking-write-and-flush",
    ] {
        streams.func_wrap(
            name,
            |mut store: Store, (this, bytes): (Output, WasmList<u8>)| {
                if let Sink::Printed(stream) = sink(&this) {
                    printed::print_list(&mut store, stream, &bytes)?;
                    return Ok((Ok(()),));
                }
                let bytes = bytes.as_le_slice(&store).to_vec();
                Ok((write(store.data_mut(), &this, &bytes)?,))
            },
        )?;
    }
    for name in [
        "[method]output-stream.flush",
        "[method]output-stream.blocking-flush",
    ] {
        streams.func_wrap(name, |_: Store, (_,): (Output,)| {
            Ok((Ok::<_, StreamError>(()),))
        })?;
    }
    for name in [
        "[method]output-stream.write-zeroes",
        "[method]output-stream.blocking-write-zeroes-and-flush",
    ] {
        streams.func_wrap(name, |mut store: Store, (this, len): (Output, u64)| {
            let guest = store.data_mut();
            // A limit of the log, of the scratch directory or of a request ends this loop, whatever the guest asks for.
            for from in (0..len).step_by(BUDGET as usize) {
                let zeroes = vec![0; (len - from).min(BUDGET) as usize];
                if let Err(error) = write(guest, &this, &zeroes)? {
                    return Ok((Err(error),));
                }
            }
            Ok((Ok::<_, StreamError>(()),))
        })?;
    }
    streams.func_wrap(
        "[method]output-stream.subscribe",
        |mut store: Store, (_,): (Output,)| Ok((pollable(store.data_mut(), Pollable::Ready),)),
    )
}

fn link_splice(streams: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    for name in [
        "[method]output-stream.splice",
        "[method]output-stream.blocking-splice",
    ] {
        streams.func_wrap(
            name,
            |mut store: Store, (to, from, len): (Output, Input, u64)| {
                let guest = store.data_mut();
                let bytes = match read(guest, &from, len.min(BUDGET))? {
                    Ok(bytes) => bytes,
                    Err(error) => return Ok((Err(error),)),
                };
                let written = write(guest, &to, &bytes)?;
                Ok((written.map(|()| bytes.len() as u64),))
            },
        )?;
    }
    Ok(())
}

//! Standard input, output and error: `wasi:io/streams` and the streams of `wasi:cli`.
//!
//! Input is at its end. Output and error are captured with the log. A write is always taken whole,
//! and the budget that a guest is told is constant, so that it never sees how busy the host is.

use wasmtime::StoreContextMut;
use wasmtime::component::{
    ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType, WasmList,
};

use super::Guest;
use super::clock::{Pollable, pollable};
use super::printed;
use crate::model::record::Stream;

/// What a guest may write at once, in bytes, as it is told.
const BUDGET: u64 = 64 << 10;

/// Stands for an error of a stream. There is none.
pub struct StreamFault;

/// Stands for standard input.
pub struct InputStream;

/// Stands for standard output or error: [`STDOUT`] or [`STDERR`] is its number.
pub struct OutputStream;

const STDOUT: u32 = 1;
const STDERR: u32 = 2;

#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(
        dead_code,
        reason = "part of the type; no operation on these streams fails"
    )]
    LastOperationFailed(Resource<StreamFault>),
    #[component(name = "closed")]
    Closed,
}

type Store<'a> = StoreContextMut<'a, Guest>;
type Output = Resource<OutputStream>;
type Input = Resource<InputStream>;

fn stream(output: &Output) -> Stream {
    if output.rep() == STDERR {
        Stream::Stderr
    } else {
        Stream::Stdout
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
        |_, _| Ok(()),
    )?;
    streams.resource(
        "output-stream",
        ResourceType::host::<OutputStream>(),
        |_, _| Ok(()),
    )?;
    link_input(&mut streams)?;
    link_output(&mut streams)?;
    link_splice(&mut streams)?;

    let mut stdin = linker.instance("wasi:cli/stdin@0.2.0")?;
    stdin.func_wrap("get-stdin", |_: Store, (): ()| Ok((Input::new_own(0),)))?;
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
        streams.func_wrap(name, |_: Store, (_, _): (Input, u64)| {
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        })?;
    }
    for name in [
        "[method]input-stream.skip",
        "[method]input-stream.blocking-skip",
    ] {
        streams.func_wrap(name, |_: Store, (_, _): (Input, u64)| {
            Ok((Err::<u64, _>(StreamError::Closed),))
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
                printed::print_list(&mut store, stream(&this), &bytes)?;
                Ok((Ok::<_, StreamError>(()),))
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
            // The log's limit ends this loop, whatever the guest asks for.
            for from in (0..len).step_by(BUDGET as usize) {
                let zeroes = vec![0; (len - from).min(BUDGET) as usize];
                guest
                    .printed
                    .print(guest.agent.as_mut(), stream(&this), &zeroes)?;
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
        streams.func_wrap(name, |_: Store, (_, _, _): (Output, Input, u64)| {
            Ok((Err::<u64, _>(StreamError::Closed),))
        })?;
    }
    Ok(())
}

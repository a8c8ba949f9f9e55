//! What runs inside the cell.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mm::{MapFlags, ProtFlags};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::confine::{self, Wall};
use super::input::Input;
use super::line::{Channel, Line, Outbox};
use super::shelf::Shelf;
use crate::model::confinement::Confinement;
use crate::sandbox::call::{Profile, Request};
use crate::sandbox::engine::{self, MAX_STACK_KIB, Setup};
use crate::sandbox::execute::{Code, Engines, Refusal, Source};
use crate::sandbox::wire::{ToAgent, ToCell, VERSION};
use crate::sandbox::world::agent::Nobody;

/// What the host's own functions need of the stack below a guest.
const HOST_STACK: usize = 4 << 20;
/// The exit code after a panic, as Rust has it.
const PANICKED: i32 = 101;
/// How often a long task's output is sent, in nanoseconds.
const SEND_PRINTED_EVERY: i64 = 250_000_000;

/// Runs a cell on the socket that is its standard input, until that closes.
///
/// The whole of the hidden command `wrun cell`.
pub fn cell_main(confinement: Confinement) -> ExitCode {
    match start(confinement) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("the cell cannot start: {error}");
            eprintln!("`wrun cell` is started by wrun itself, with a socket as standard input");
            ExitCode::FAILURE
        }
    }
}

fn start(confinement: Confinement) -> io::Result<std::convert::Infallible> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.peer_addr()?;
    let outbox = Outbox::new(socket.try_clone()?);
    let theirs = outbox.clone();
    let ours = socket.try_clone()?;
    // All files that are opened in here.
    engine::look_around();
    // Before there is another thread, which would stay outside, and before the first order.
    let walls = confine::confine(confinement);
    let greeting = Greeting { confinement, walls };
    // A thread of its own, because guests need a stack of known size.
    std::thread::Builder::new()
        .name("guest".into())
        .stack_size(((MAX_STACK_KIB as usize) << 10) + HOST_STACK)
        .spawn(move || {
            let serving = || serve(Input::new(ours), theirs, &greeting);
            // A panic of ours must not leave a process that nobody answers from.
            let served = catch_unwind(AssertUnwindSafe(serving));
            let code = match served {
                Ok(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                    eprintln!("the cell ends: {error}");
                    1
                }
                Ok(_) => 0,
                Err(_) => PANICKED,
            };
            std::process::exit(code);
        })?;
    watch(&socket, &outbox)
}

/// Ends the process when the agent is gone, even if a guest never returns; and sends what long
/// tasks print.
fn watch(socket: &UnixStream, outbox: &Mutex<Outbox>) -> io::Result<std::convert::Infallible> {
    let pause = Timespec {
        tv_sec: 0,
        tv_nsec: SEND_PRINTED_EVERY,
    };
    loop {
        let mut gone = [PollFd::new(socket, PollFlags::RDHUP)];
        match poll(&mut gone, Some(&pause)) {
            Ok(0) => {
                let mut outbox = outbox.lock().unwrap_or_else(PoisonError::into_inner);
                outbox.send_printed()?;
            }
            Ok(_) => std::process::exit(0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the cell says of itself.
struct Greeting {
    confinement: Confinement,
    walls: Vec<Wall>,
}

impl Greeting {
    fn answer(&self, nonce: u64) -> ToAgent {
        match (self.confinement, confine::missing(&self.walls)) {
            (Confinement::Require, Some(missing)) => ToAgent::Refused(Refusal::Machine(format!(
                "cells are not confined as `sandbox.confinement = \"require\"` asks: {missing}"
            ))),
            _ => ToAgent::Ready {
                version: VERSION,
                nonce,
                walls: self.walls.clone(),
            },
        }
    }
}

/// Obeys the agent's orders until the socket closes.
fn serve(input: Input, outbox: Arc<Mutex<Outbox>>, greeting: &Greeting) -> io::Result<()> {
    let channel = Rc::new(RefCell::new(Channel::new(input, outbox)));
    let mut engines = Engines::default();
    let mut code = None;
    loop {
        let (order, body) = channel.borrow_mut().input().next()?;
        let answer = match order {
            ToCell::Hello {
                version: VERSION,
                nonce,
            } => {
                let shelf = channel.borrow_mut().input().file()?;
                channel.borrow_mut().share(Shelf::open(&shelf)?);
                (greeting.answer(nonce), Vec::new())
            }
            ToCell::Compile { profile } => compile(profile, body),
            ToCell::Load { profile, size } => {
                let file = channel.borrow_mut().input().file()?;
                let loaded = Code::load(&mut engines, profile, from_file(file, size));
                (keep(&mut code, loaded), Vec::new())
            }
            ToCell::Describe { limits } => {
                let loaded = code.as_mut().ok_or_else(nothing_loaded)?;
                let described = loaded.describe(&mut engines, &limits, Box::new(Nobody));
                let answer = described.map(|definition| ToAgent::Described(Box::new(definition)));
                (answer.unwrap_or_else(ToAgent::Refused), Vec::new())
            }
            ToCell::Run(request) => {
                let loaded = code.as_mut().ok_or_else(nothing_loaded)?;
                run(&channel, &mut engines, loaded, *request)?;
                continue;
            }
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "an order out of turn",
                ));
            }
        };
        channel.borrow().output().send(&answer.0, &answer.1)?;
    }
}

fn nothing_loaded() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "an order for a module before one was loaded",
    )
}

fn keep(slot: &mut Option<Code>, loaded: Result<Code, Refusal>) -> ToAgent {
    match loaded {
        Ok(code) => {
            *slot = Some(code);
            ToAgent::Loaded
        }
        Err(refusal) => ToAgent::Refused(refusal),
    }
}

fn run(
    channel: &Rc<RefCell<Channel>>,
    engines: &mut Engines,
    code: &mut Code,
    request: Request,
) -> io::Result<()> {
    let (mut reply, _) = code.execute(engines, request, Box::new(Line(channel.clone())));
    channel.borrow_mut().settle()?;
    let channel = channel.borrow();
    let mut output = channel.output();
    reply.logs = output.take_printed();
    output.send(&ToAgent::Done(Box::new(reply)), &[])
}

/// Compiles a module, and checks that the result is a flow.
fn compile(profile: Profile, wasm: Vec<u8>) -> (ToAgent, Vec<u8>) {
    let compiled = || {
        let engine = Setup::plain(profile)
            .engine()
            .map_err(|error| Refusal::Machine(format!("{error:#}")))?;
        let compiled = engine
            .precompile_component(&wasm)
            .map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
        let compiled = Rc::new(compiled);
        let mut engines = Engines::default();
        let source = from_memory(compiled.clone());
        let imports = Code::load(&mut engines, profile, source)?.imports(&mut engines)?;
        Ok((Rc::unwrap_or_clone(compiled), imports))
    };
    match compiled() {
        Ok((code, imports)) => (ToAgent::Compiled { imports }, code),
        Err(refusal) => (ToAgent::Refused(refusal), Vec::new()),
    }
}

fn from_memory(code: Rc<Vec<u8>>) -> Source {
    Box::new(move |engine: &Engine| {
        // SAFETY: `compile` made these bytes with wasmtime in this process.
        unsafe { Component::deserialize(engine, code.as_slice()) }
    })
}

/// Compiled code from an open file, which is mapped: cells of one module share its pages.
///
/// The mapping stays as long as the process: a cell loads few modules, and engines may keep code
/// longer than anybody here knows.
fn from_file(file: File, size: u64) -> Source {
    Box::new(move |engine: &Engine| {
        let code = mapped(&file, size as usize)?;
        // SAFETY: the agent has authenticated this file: wasmtime made it in a cell, and its
        // seal was made with the key of this user. It lies in a directory of this user alone,
        // and is replaced but never written to again. The mapping is never taken away.
        unsafe { Component::deserialize_raw(engine, code) }
    })
}

fn mapped(file: &File, size: usize) -> io::Result<NonNull<[u8]>> {
    // SAFETY: the system chooses where, so nothing that is in use is mapped over.
    let start = unsafe {
        rustix::mm::mmap(
            std::ptr::null_mut(),
            size,
            ProtFlags::READ,
            MapFlags::PRIVATE,
            file,
            0,
        )?
    };
    let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
    Ok(NonNull::slice_from_raw_parts(start, size))
}

//! What a program finds around it: arguments, environment, working directory, terminal, exit.
//!
//! None, the variables that were granted, `/`, none. Ending the program instead of returning from the step is an error
//! of its author.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};

use super::Guest;
use super::stop::Stop;
use crate::model::failure::FailureKind;

/// Stands for a terminal that is read. There is none.
pub struct TerminalInput;

/// Stands for a terminal that is written. There is none.
pub struct TerminalOutput;

type Store<'a> = StoreContextMut<'a, Guest>;

fn exit(code: u8) -> Stop {
    let hint = "return from the step instead: `Ok(…)` if it is done, `Err(…)` if it failed";
    match code {
        0 => Stop::contract("the step ended its program with `exit(0)`, so its results are lost"),
        code => {
            let message = format!("the step ended its program with exit code {code}");
            Stop::new(FailureKind::Error, message)
        }
    }
    .hint(hint)
}

/// Links `wasi:cli`, all but its streams.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut environment = linker.instance("wasi:cli/environment@0.2.0")?;
    environment.func_wrap("get-environment", |store: Store, (): ()| {
        Ok((store.data().environment.clone(),))
    })?;
    environment.func_wrap("get-arguments", |_: Store, (): ()| {
        Ok((Vec::<String>::new(),))
    })?;
    environment.func_wrap("initial-cwd", |_: Store, (): ()| {
        Ok((Some("/".to_owned()),))
    })?;

    let mut ending = linker.instance("wasi:cli/exit@0.2.0")?;
    ending.func_wrap(
        "exit",
        |_: Store, (status,): (Result<(), ()>,)| -> wasmtime::Result<()> {
            Err(exit(u8::from(status.is_err())).into())
        },
    )?;
    ending.func_wrap(
        "exit-with-code",
        |_: Store, (code,): (u8,)| -> wasmtime::Result<()> { Err(exit(code).into()) },
    )?;
    link_terminal(linker)
}

fn link_terminal(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let input = ResourceType::host::<TerminalInput>();
    let output = ResourceType::host::<TerminalOutput>();
    linker.instance("wasi:cli/terminal-input@0.2.0")?.resource(
        "terminal-input",
        input,
        |_, _| Ok(()),
    )?;
    linker
        .instance("wasi:cli/terminal-output@0.2.0")?
        .resource("terminal-output", output, |_, _| Ok(()))?;
    linker
        .instance("wasi:cli/terminal-stdin@0.2.0")?
        .func_wrap("get-terminal-stdin", |_: Store, (): ()| {
            Ok((None::<Resource<TerminalInput>>,))
        })?;
    linker
        .instance("wasi:cli/terminal-stdout@0.2.0")?
        .func_wrap("get-terminal-stdout", |_: Store, (): ()| {
            Ok((None::<Resource<TerminalOutput>>,))
        })?;
    linker
        .instance("wasi:cli/terminal-stderr@0.2.0")?
        .func_wrap("get-terminal-stderr", |_: Store, (): ()| {
            Ok((None::<Resource<TerminalOutput>>,))
        })?;
    Ok(())
}

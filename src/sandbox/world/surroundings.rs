//! What a program finds around it: arguments, environment, working directory, terminal, exit.
//!
//! None, the variables that were granted, `/`, none. Ending the program instead of returning from the step is an error
//! of its author.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};

use zeroize::Zeroizing;

use super::Guest;
use super::agent::Agent;
use super::stop::Stop;
use crate::model::failure::FailureKind;

/// Stands for a terminal that is read. There is none.
pub struct TerminalInput;

/// Stands for a terminal that is written. There is none.
pub struct TerminalOutput;

/// The variables of a task, sorted by name.
#[derive(Default)]
pub struct Environment {
    known: Vec<(String, Zeroizing<String>)>,
    /// Whether the agent has more: secrets, which are asked for when the guest looks.
    more: bool,
}

impl Environment {
    /// These variables, and secrets of which the agent has the values when there is `more`.
    pub fn new(known: Vec<(String, String)>, more: bool) -> Self {
        let variable = |(name, value)| (name, Zeroizing::new(value));
        Self {
            known: known.into_iter().map(variable).collect(),
            more,
        }
    }

    /// All variables with their values.
    fn all(&mut self, agent: &mut dyn Agent) -> Result<Vec<(String, String)>, Stop> {
        if std::mem::take(&mut self.more) {
            self.known
                .extend(agent.secrets().map_err(Stop::agent_gone)?);
            self.known.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        let variable =
            |(name, value): &(String, Zeroizing<String>)| (name.clone(), value.to_string());
        Ok(self.known.iter().map(variable).collect())
    }
}

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
    environment.func_wrap("get-environment", |mut store: Store, (): ()| {
        let guest = store.data_mut();
        let all = guest.environment.all(guest.agent.as_mut())?;
        Ok((all,))
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

//! The command line: one file per command, errors with hints, exit codes.
//!
//! [`args`] is the tree of commands, [`context`] what each of them may use, [`output`] where they
//! write, [`error`] what they say when they cannot, [`exit`] with which code they end. [`memory`] is told to
//! the allocator before all else.
//!
//! Uses every room. Knows how to ask and how to answer, and leaves the work to the rooms below.

mod args;
mod command;
mod complete;
mod context;
mod counting;
mod drive;
pub mod error;
pub mod exit;
mod explain;
mod flow;
mod grants;
pub mod memory;
pub mod output;
pub mod params;
mod select;
mod store;
mod suggest;
mod template;
mod value;

use std::process::ExitCode;

use clap::FromArgMatches;

pub use args::tree;

use crate::model::confinement::Confinement;
use args::Cli;
use context::Context;
use error::CliError;
use output::{Color, Output};

/// `wrun cell [CONFINEMENT]`.
fn cell() -> ExitCode {
    let said = std::env::args().nth(2).map(|text| text.parse());
    match said.transpose() {
        Ok(confinement) => crate::sandbox::cell_main(confinement.unwrap_or_default()),
        Err::<Option<Confinement>, _>(error) => {
            eprintln!("the confinement of a cell {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command line and says how it went.
pub fn main() -> ExitCode {
    memory::keep();
    // Before all else: a cell is started for every worker of a run, and parses nothing.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|verb| verb == "cell")
    {
        // In a session of its own: Ctrl-C in a terminal goes to all of a group, and it is the run that
        // decides what becomes of its cells. Where that cannot be, it is as it was.
        let _ = rustix::process::setsid();
        return cell();
    }
    clap_complete::CompleteEnv::with_factory(args::tree).complete();
    let arguments = arguments();
    let parsed = args::tree()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => execute(&cli),
        Err(error) => refuse(error, &arguments),
    }
}

/// The arguments, with the parameters of a flow set apart from the flags of the command.
fn arguments() -> Vec<std::ffi::OsString> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let takes = |argument: &std::ffi::OsString| argument == "run" || argument == "resume";
    // Flags that every command has may come before its name.
    if let Some(at) = arguments.iter().position(takes) {
        let tree = args::tree();
        let known = tree
            .find_subcommand(&arguments[at])
            .expect("there is such a command")
            .clone();
        let known = args::with_global(known);
        let rest = params::split(&arguments.split_off(at + 1), &known);
        arguments.extend(rest);
    }
    arguments
}

fn execute(cli: &Cli) -> ExitCode {
    let result = Context::new(&cli.global).and_then(|cx| cli.command.run(&cx));
    match result {
        Ok(code) => code.into(),
        Err(error) => fail(
            &error,
            &Output::new(cli.global.color, cli.global.json, cli.global.quiet),
        ),
    }
}

/// Prints `error` and gives its exit code.
fn fail(error: &CliError, out: &Output) -> ExitCode {
    let text = if out.json {
        crate::report::json::line(&error.to_json())
    } else {
        error.render(&out.talk_style)
    };
    if error.kind() != error::Kind::BrokenPipe {
        out.warn(&text);
    }
    error.kind().exit_code().into()
}

/// Answers a command line that asks for help or cannot be understood.
fn refuse(error: clap::Error, arguments: &[std::ffi::OsString]) -> ExitCode {
    let json = arguments.iter().any(|argument| argument == "--json");
    if json && error.use_stderr() {
        return fail(&error.into(), &Output::new(Color::Auto, true, false));
    }
    // Help that nobody reads any more is no error.
    let _ = error.print();
    if error.use_stderr() {
        exit::USAGE.into()
    } else {
        exit::OK.into()
    }
}

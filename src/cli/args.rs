//! The tree of commands.
//!
//! A new command is one file under `command/` with its arguments and one function, one variant of
//! [`Command`] here, and one line in [`Command::run`].

use clap::{CommandFactory, Parser, Subcommand};

use super::command;
use super::context::Context;
use super::error::CliError;
use super::output::Color;

/// Run data and ML flows whose steps are compiled to WebAssembly
#[derive(Debug, Parser)]
#[command(
    name = "wrun",
    version,
    max_term_width = 100,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Type `wrun help COMMAND` to read about a command, `wrun help exit-codes` about exit codes."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command has.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Use this datastore: a directory or a URL
    ///
    /// Without it the nearest `.wrun` directory is used, here or above, or one is made beside the
    /// flow when a run starts.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "WRUN_DATASTORE",
        hide_env_values = true
    )]
    pub(crate) datastore: Option<String>,
    /// Write data as JSON, and errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say only what went wrong
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    pub(crate) color: Color,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(command::new::NewArgs),
    Run(Box<command::run::RunArgs>),
    Resume(Box<command::resume::ResumeArgs>),
    Attach(command::attach::AttachArgs),
    Replay(command::replay::ReplayArgs),
    Spin(command::spin::SpinArgs),
    Diff(command::diff::DiffArgs),
    Why(command::why::WhyArgs),
    Build(command::build::BuildArgs),
    Check(command::check::CheckArgs),
    Graph(command::graph::GraphArgs),
    Runs(command::runs::RunsArgs),
    Show(command::show::ShowArgs),
    Logs(command::logs::LogsArgs),
    Get(command::get::GetArgs),
    Code(command::code::CodeArgs),
    Tag(command::tag::TagArgs),
    Gc(command::gc::GcArgs),
    Fsck(command::fsck::FsckArgs),
    Batch(command::batch::BatchArgs),
    Datastore(command::datastore::DatastoreArgs),
    Doctor(command::doctor::DoctorArgs),
    Completions(command::completions::CompletionsArgs),
    Man(command::man::ManArgs),
    #[command(hide = true)]
    Worker(command::worker::WorkerArgs),
    #[command(hide = true)]
    ExitCodes(command::exit_codes::ExitCodesArgs),
}

impl Command {
    /// Does it, and says with which code to exit.
    pub(crate) fn run(&self, cx: &Context) -> Result<u8, CliError> {
        match self {
            Self::Check(args) => command::check::run(cx, args),
            Self::Graph(args) => command::graph::run(cx, args),
            Self::Runs(args) => command::runs::run(cx, args),
            Self::Show(args) => command::show::run(cx, args),
            Self::Logs(args) => command::logs::run(cx, args),
            Self::Get(args) => command::get::run(cx, args),
            Self::Tag(args) => command::tag::run(cx, args),
            Self::Gc(args) => command::gc::run(cx, args),
            Self::Fsck(args) => command::fsck::run(cx, args),
            Self::Datastore(args) => command::datastore::run(cx, args),
            Self::New(args) => command::new::run(cx, args),
            Self::Run(args) => command::run::run(cx, args),
            Self::Resume(args) => command::resume::run(cx, args),
            Self::Attach(args) => command::attach::run(cx, args),
            Self::Replay(args) => command::replay::run(cx, args),
            Self::Spin(args) => command::spin::run(cx, args),
            Self::Diff(args) => command::diff::run(cx, args),
            Self::Why(args) => command::why::run(cx, args),
            Self::Build(args) => command::build::run(cx, args),
            Self::Code(args) => command::code::run(cx, args),
            Self::Doctor(args) => command::doctor::run(cx, args),
            Self::Batch(args) => command::batch::run(cx, args),
            Self::Completions(args) => command::completions::run(cx, args),
            Self::Man(args) => command::man::run(cx, args),
            Self::Worker(args) => command::worker::run(cx, args),
            Self::ExitCodes(args) => command::exit_codes::run(cx, args),
        }
    }
}

/// A command with the flags that every command has.
pub(crate) fn with_global(command: clap::Command) -> clap::Command {
    <Global as clap::Args>::augment_args(command)
}

/// The whole tree, for parsing, completing and documenting.
pub fn tree() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_sound() {
        super::tree().debug_assert();
    }
}

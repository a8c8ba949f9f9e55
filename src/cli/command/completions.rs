//! `wrun completions`.

use clap_complete::env::Shells;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;

/// Print the completion script of a shell
///
/// The script asks wrun itself, so that runs, steps, tasks and artifacts are completed too. To use it:
///
///   bash   echo 'source <(wrun completions bash)' >> ~/.bashrc
///   zsh    echo 'source <(wrun completions zsh)' >> ~/.zshrc
///   fish   echo 'wrun completions fish | source' >> ~/.config/fish/config.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

/// Prints the script.
pub(crate) fn run(cx: &Context, args: &CompletionsArgs) -> Result<u8, CliError> {
    let shells = Shells::builtins();
    let shell = shells
        .completer(&args.shell)
        .ok_or_else(|| CliError::usage(format!("shell `{}` is not known", args.shell)))?;
    let mut script = Vec::new();
    shell
        .write_registration("COMPLETE", "wrun", "wrun", "wrun", &mut script)
        .expect("memory takes what is written to it");
    cx.out.bytes(&script)?;
    Ok(exit::OK)
}

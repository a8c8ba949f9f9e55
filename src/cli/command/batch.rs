//! `wrun batch`: what concerns steps that run in AWS Batch.

mod image;

use clap::Subcommand;

use crate::cli::context::Context;
use crate::cli::error::CliError;

/// Set up AWS Batch
#[derive(Debug, clap::Args)]
pub(crate) struct BatchArgs {
    #[command(subcommand)]
    command: BatchCommand,
}

#[derive(Debug, Subcommand)]
enum BatchCommand {
    Image(image::ImageArgs),
}

/// Does what was asked for.
pub(crate) fn run(cx: &Context, args: &BatchArgs) -> Result<u8, CliError> {
    match &args.command {
        BatchCommand::Image(args) => image::run(cx, args),
    }
}

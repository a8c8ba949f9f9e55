//! `wrun man`.

use std::path::{Path, PathBuf};

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;

/// Print the manual, or write its pages to a directory
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Write one page per command to this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints or writes the manual.
pub(crate) fn run(cx: &Context, args: &ManArgs) -> Result<u8, CliError> {
    match &args.dir {
        None => cx.out.bytes(&page(crate::cli::tree()))?,
        Some(dir) => {
            let count = write_pages(dir)?;
            cx.out
                .say(&format!("wrote {count} pages to `{}`", dir.display()));
        }
    }
    Ok(exit::OK)
}

fn page(command: clap::Command) -> Vec<u8> {
    let man = clap_mangen::Man::new(command).manual("wrun");
    let mut page = Vec::new();
    man.render(&mut page)
        .expect("memory takes what is written to it");
    page
}

fn write_pages(dir: &Path) -> Result<usize, CliError> {
    let unwritable = |path: &Path, error: &std::io::Error| {
        CliError::new(
            Kind::Unavailable,
            format!("could not write `{}`", path.display()),
        )
        .caused_by(error)
    };
    std::fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))?;
    let mut root = crate::cli::tree().disable_help_subcommand(true);
    root.build();
    let mut pages = vec![("wrun.1".to_owned(), page(root.clone()))];
    for command in root
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let name = format!("wrun-{}", command.get_name());
        pages.push((
            format!("{name}.1"),
            page(command.clone().display_name(&name)),
        ));
    }
    for (name, bytes) in &pages {
        let path = dir.join(name);
        std::fs::write(&path, bytes).map_err(|error| unwritable(&path, &error))?;
    }
    Ok(pages.len())
}

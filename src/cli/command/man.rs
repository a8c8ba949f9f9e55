//! `wrun man`.

use std::path::{Path, PathBuf};

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::suggest;

/// Print a page of the manual, or write all pages to a directory
///
/// `wrun man | man -l -` shows the page of wrun, `wrun man get | man -l -` that of `wrun get`, and
/// `wrun man batch-image | man -l -` that of `wrun batch image`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The command; wrun itself when left out
    #[arg(conflicts_with = "dir")]
    command: Option<String>,
    /// Write one page per command to this directory
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// Prints or writes the manual.
pub(crate) fn run(cx: &Context, args: &ManArgs) -> Result<u8, CliError> {
    if let Some(dir) = &args.dir {
        let count = write_pages(dir)?;
        cx.out
            .say(&format!("wrote {count} pages to `{}`", dir.display()));
        return Ok(exit::OK);
    }
    let name = match &args.command {
        Some(command) => format!("wrun-{command}"),
        None => "wrun".to_owned(),
    };
    let pages = pages();
    let (_, page) = pages.iter().find(|(it, _)| *it == name).ok_or_else(|| {
        let names = pages.iter().filter_map(|(it, _)| it.strip_prefix("wrun-"));
        let wanted = args.command.as_deref().unwrap_or_default();
        CliError::usage(format!("there is no command `{wanted}`"))
            .cause(format!("there are {}", suggest::list(names.clone())))
            .hint_if(suggest::did_you_mean(wanted, names))
    })?;
    cx.out.bytes(page)?;
    Ok(exit::OK)
}

/// All pages: that of wrun first, then those of its commands.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut root = crate::cli::tree().disable_help_subcommand(true);
    root.build();
    let mut first = page(root.clone());
    first.extend_from_slice(exit_status().as_bytes());
    let mut pages = vec![("wrun".to_owned(), first)];
    add_pages(&mut pages, "wrun", &root);
    pages
}

/// Adds the pages of the commands below `above`, of theirs too.
fn add_pages(pages: &mut Vec<(String, Vec<u8>)>, above: &str, tree: &clap::Command) {
    let shown = |it: &&clap::Command| !it.is_hide_set() && it.get_name() != "help";
    for command in tree.get_subcommands().filter(shown) {
        let name = format!("{above}-{}", command.get_name());
        pages.push((name.clone(), page(command.clone().display_name(&name))));
        add_pages(pages, &name, command);
    }
}

fn page(command: clap::Command) -> Vec<u8> {
    let man = clap_mangen::Man::new(command).manual("wrun");
    let mut page = Vec::new();
    man.render(&mut page)
        .expect("memory takes what is written to it");
    page
}

/// The section of a page that lists the exit codes.
fn exit_status() -> String {
    let codes = exit::ALL
        .iter()
        .map(|(code, _, meaning)| format!(".TP\n{code}\n{meaning}\n"));
    format!(".SH \"EXIT STATUS\"\n{}", codes.collect::<String>())
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
    let pages = pages();
    for (name, bytes) in &pages {
        let path = dir.join(format!("{name}.1"));
        std::fs::write(&path, bytes).map_err(|error| unwritable(&path, &error))?;
    }
    Ok(pages.len())
}

//! `wrun exit-codes`, and `wrun help exit-codes`.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::report::table::{Align, Cell, Table};

/// List the exit codes
#[derive(Debug, clap::Args)]
#[command(after_help = table(&crate::report::style::Style::plain()))]
pub(crate) struct ExitCodesArgs {}

/// Lists the exit codes.
pub(crate) fn run(cx: &Context, _args: &ExitCodesArgs) -> Result<u8, CliError> {
    if cx.out.json {
        for (code, name, meaning) in exit::ALL {
            let line = json!({"version": 1, "code": code, "name": name, "meaning": meaning});
            cx.out.json(&line)?;
        }
    } else {
        cx.out.text(&table(&cx.out.style))?;
    }
    Ok(exit::OK)
}

fn table(style: &crate::report::style::Style) -> String {
    let mut table = Table::new(&[
        ("code", Align::Right),
        ("name", Align::Left),
        ("meaning", Align::Left),
    ]);
    for &(code, name, meaning) in exit::ALL {
        table.row([Cell::from(code.to_string()), name.into(), meaning.into()]);
    }
    table.render(style, 0)
}

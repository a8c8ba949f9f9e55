//! Where a command writes: data to standard output, talk to standard error.
//!
//! A reader of standard output that has gone away (`wrun runs | head -1`) ends the command in
//! silence and with success.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use super::error::{CliError, Kind};
use crate::report::json;
use crate::report::style::Style;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The two streams of a command, and how to write to them.
#[derive(Clone, Debug)]
pub struct Output {
    /// Paints data.
    pub style: Style,
    /// Paints talk.
    pub talk_style: Style,
    /// Whether data goes to a terminal.
    pub is_terminal: bool,
    /// Whether talk goes to a terminal.
    pub talk_is_terminal: bool,
    /// Whether the terminal to which talk goes can move its cursor.
    pub can_draw: bool,
    /// Whether data is JSON.
    pub json: bool,
    quiet: bool,
}

impl Output {
    /// Looks at the two streams and the environment.
    pub fn new(color: Color, json: bool, quiet: bool) -> Self {
        let painted = |auto: bool| match color {
            Color::Auto => auto,
            Color::Always => true,
            Color::Never => false,
        };
        let auto_out = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let auto_err = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        Self {
            style: Style::new(painted(auto_out)),
            talk_style: Style::new(painted(auto_err)),
            is_terminal: io::stdout().is_terminal(),
            talk_is_terminal: io::stderr().is_terminal(),
            can_draw: io::stderr().is_terminal() && !is_dumb(),
            json,
            quiet,
        }
    }

    /// Writes data as it is.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(|error| unwritable(&error))
    }

    /// What it means that standard output could not be written.
    pub fn stdout_error(&self, error: &io::Error) -> CliError {
        unwritable(error)
    }

    /// Writes text, with a line end when it has none.
    pub fn text(&self, text: &str) -> Result<(), CliError> {
        if text.is_empty() || text.ends_with('\n') {
            self.bytes(text.as_bytes())
        } else {
            self.bytes(format!("{text}\n").as_bytes())
        }
    }

    /// Writes one JSON value on one line.
    ///
    /// Members of an object are in the order in which they were put; `"version": 1` comes first.
    pub fn json(&self, value: &Value) -> Result<(), CliError> {
        self.text(&json::line(value))
    }

    /// Says something to the person at the terminal, unless they asked for quiet.
    ///
    /// Talk that cannot be written is lost: there is nobody left to tell.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Says something that must be said, also when asked for quiet.
    pub fn warn(&self, text: &str) {
        let line = if text.ends_with('\n') {
            text.to_owned()
        } else {
            format!("{text}\n")
        };
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// Whether only what must be said is said.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// How many columns and lines the terminal has now to which talk goes.
    pub fn talk_size(&self) -> (usize, usize) {
        match terminal_size::terminal_size_of(io::stderr()) {
            Some((width, height)) => (usize::from(width.0), usize::from(height.0)),
            None => (self.width(), 24),
        }
    }

    /// How many columns a line may have.
    pub fn width(&self) -> usize {
        let columns = std::env::var("COLUMNS")
            .ok()
            .and_then(|text| text.parse().ok());
        let measured = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        columns.or_else(measured).unwrap_or(100).max(40)
    }
}

/// Whether the terminal says that it can do nothing but print.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

fn unwritable(error: &io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return CliError::new(Kind::BrokenPipe, "");
    }
    CliError::new(Kind::Unavailable, "could not write to standard output").caused_by(error)
}

//! What a command says when it cannot do what it was asked: what, why, and what to type next.
//!
//! Every error of a room below becomes a [`CliError`] here and nowhere else, because here is where
//! hints and exit codes are given.

use std::error::Error;

use serde_json::json;

use super::exit;
use crate::report::clean;
use crate::report::style::Style;

/// What kind of error it is, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// The flow could not be built.
    BuildFailed,
    /// What was asked for does not exist.
    NotFound,
    /// Something at rest is damaged, or too new.
    Damaged,
    /// Something that is needed cannot be used.
    Unavailable,
    /// The module is not a flow, or the flow has errors.
    InvalidFlow,
    /// wrun itself is at fault.
    Internal,
    /// Somebody stopped it.
    Cancelled,
    /// Whoever reads standard output has gone: nothing is said, and nothing is wrong.
    BrokenPipe,
}

impl Kind {
    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => exit::USAGE,
            Self::BuildFailed => exit::BUILD_FAILED,
            Self::NotFound => exit::NOT_FOUND,
            Self::Damaged => exit::DAMAGED,
            Self::Unavailable => exit::UNAVAILABLE,
            Self::InvalidFlow => exit::INVALID_FLOW,
            Self::Internal => exit::INTERNAL,
            Self::Cancelled => exit::CANCELLED,
            Self::BrokenPipe => exit::OK,
        }
    }

    fn name(self) -> &'static str {
        let code = self.exit_code();
        exit::ALL
            .iter()
            .find(|entry| entry.0 == code)
            .map_or("internal", |entry| entry.1)
    }
}

/// An error as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl CliError {
    /// An error with a message: lower case, no full stop, names in backticks.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// An error that says what `error` says, with all that it came from.
    pub fn from_error(kind: Kind, error: &dyn Error) -> Self {
        let mut it = Self::new(kind, error.to_string());
        it.causes = chain(error.source());
        it
    }

    /// An error in the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The same error with one more cause, deeper than those it has.
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// The same error with `error`, and all that it came from, as its causes.
    pub fn caused_by(mut self, error: &dyn Error) -> Self {
        self.causes.extend(chain(Some(error)));
        self
    }

    /// The same error with one more piece of advice, a sentence with the command in backticks.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same error with advice when there is some.
    pub fn hint_if(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// The same error with more advice.
    pub fn with_hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message alone.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The message and its first cause, on one line.
    pub fn in_short(&self) -> String {
        match self.causes.first() {
            Some(cause) => format!("{}: {cause}", self.message),
            None => self.message.clone(),
        }
    }

    /// The first piece of advice.
    pub fn advice(&self) -> String {
        let none = || "correct it and try again".to_owned();
        self.hints.first().cloned().unwrap_or_else(none)
    }

    /// The error as lines for people; empty when nothing is to be said.
    pub fn render(&self, style: &Style) -> String {
        if self.kind == Kind::BrokenPipe {
            return String::new();
        }
        let mut text = format!("{} {}\n", style.error("error:"), indented(&self.message));
        for cause in &self.causes {
            text += &format!("  {} {}\n", style.faint("caused by:"), indented(cause));
        }
        for hint in &self.hints {
            text += &format!("  {} {}\n", style.hint("hint:"), indented(hint));
        }
        text
    }

    /// The error as one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "version": 1,
            "error": {
                "kind": self.kind.name(),
                "exit_code": self.kind.exit_code(),
                "message": self.message,
                "causes": self.causes,
                "hints": self.hints,
            },
        })
    }
}

fn chain(mut error: Option<&dyn Error>) -> Vec<String> {
    let mut causes = Vec::new();
    while let Some(cause) = error {
        causes.push(cause.to_string());
        error = cause.source();
    }
    causes
}

/// Safe for a terminal; further lines stand under the first.
fn indented(text: &str) -> String {
    clean::block(text.trim_end()).replace('\n', "\n    ")
}

impl From<clap::Error> for CliError {
    fn from(error: clap::Error) -> Self {
        let text = error.render().to_string();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or("the command line is wrong");
        let mut it = Self::usage(first.strip_prefix("error: ").unwrap_or(first));
        for line in lines {
            match line.strip_prefix("tip: ") {
                Some(tip) => it = it.hint(tip),
                None if line.starts_with("Usage:") || line.starts_with("For more") => {}
                None => it = it.cause(line),
            }
        }
        it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> CliError {
        CliError::new(Kind::NotFound, "run `wordcount/42` has no step `cuont`")
            .cause("it has the steps `start`, `count`, `end`")
            .hint("did you mean `count`?")
            .hint("`wrun show wordcount/42` lists the steps")
    }

    #[test]
    fn an_error_says_what_why_and_what_to_type_next() {
        insta::assert_snapshot!(refused().render(&Style::plain()), @r"
        error: run `wordcount/42` has no step `cuont`
          caused by: it has the steps `start`, `count`, `end`
          hint: did you mean `count`?
          hint: `wrun show wordcount/42` lists the steps
        ");
    }

    #[test]
    fn machines_get_one_object() {
        insta::assert_snapshot!(refused().to_json(), @r#"{"version":1,"error":{"kind":"not_found","exit_code":4,"message":"run `wordcount/42` has no step `cuont`","causes":["it has the steps `start`, `count`, `end`"],"hints":["did you mean `count`?","`wrun show wordcount/42` lists the steps"]}}"#);
    }

    #[test]
    fn what_a_guest_says_cannot_act_on_the_terminal() {
        let error = CliError::new(Kind::InvalidFlow, "flow `\u{1b}[2J`\nsecond line");
        assert_eq!(
            error.render(&Style::plain()),
            "error: flow `\\u{1b}[2J`\n    second line\n"
        );
    }

    #[test]
    fn causes_follow_the_chain() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::fmt::Error);
        let error = CliError::from_error(Kind::Internal, &Outer(std::fmt::Error));
        assert_eq!(error.causes, [std::fmt::Error.to_string()]);
        assert_eq!(error.kind().exit_code(), exit::INTERNAL);
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        let error = CliError::new(Kind::BrokenPipe, "");
        assert_eq!(
            (
                error.render(&Style::plain()).as_str(),
                error.kind().exit_code()
            ),
            ("", exit::OK)
        );
    }
}

//! A failure as people read it: what, where, why, and what to do.

use super::clean;
use super::style::Style;
use crate::model::failure::Failure;

/// The most functions of a backtrace that are shown at once.
const MAX_FRAMES: usize = 8;

/// The failure on one line: its kind and its message.
pub fn headline(failure: &Failure, style: &Style) -> String {
    let mut lines = failure.message.trim_end().lines();
    let first = clean::line(lines.next().unwrap_or_default()).into_owned();
    format!("{}: {first}", style.failed(failure.kind))
}

/// All else that is known, one line each, indented: more of the message, the place in the source,
/// causes, the functions that were running, and advice.
pub fn details(failure: &Failure, style: &Style) -> String {
    let mut text = String::new();
    let mut line = |label: String, rest: &str| {
        let gap = if label.is_empty() { "" } else { " " };
        text.push_str(&format!("    {label}{gap}{}\n", clean::line(rest)));
    };
    for more in failure.message.trim_end().lines().skip(1) {
        line(String::new(), more);
    }
    if let Some(source) = &failure.source {
        line(style.faint("at"), source);
    }
    for cause in failure.causes.iter().flat_map(|cause| cause.lines()) {
        line(style.faint("caused by:"), cause);
    }
    for frame in failure.backtrace.iter().take(MAX_FRAMES) {
        line(style.faint("in"), frame);
    }
    if failure.backtrace.len() > MAX_FRAMES {
        line(
            style.faint("…"),
            &format!("{} more", failure.backtrace.len() - MAX_FRAMES),
        );
    }
    if let Some(hint) = &failure.hint {
        line(style.hint("hint:"), hint);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::failure::FailureKind;

    #[test]
    fn a_failure_says_what_where_why_and_what_to_do() {
        let mut failure = Failure::new(FailureKind::Panic, "index out of bounds\nthe len is 3\n")
            .with_hint("check the shard \u{1b}[31m");
        failure.source = Some("src/lib.rs:41:9".into());
        failure.causes = vec!["first".into(), "second".into()];
        failure.backtrace = (0..10).map(|i| format!("flow::f{i}")).collect();
        let style = Style::plain();
        let text = format!(
            "{}\n{}",
            headline(&failure, &style),
            details(&failure, &style)
        );
        insta::assert_snapshot!(text, @r"
        panic: index out of bounds
            the len is 3
            at src/lib.rs:41:9
            caused by: first
            caused by: second
            in flow::f0
            in flow::f1
            in flow::f2
            in flow::f3
            in flow::f4
            in flow::f5
            in flow::f6
            in flow::f7
            … 2 more
            hint: check the shard \u{1b}[31m
        ");
    }
}

//! Tells the host of a panic in a form that it recognises.
//!
//! One line on standard error: the byte 1, `wrun-panic`, the byte 1, and a JSON object with
//! `message`, `file`, `line` and `column`. The host takes it out of the log and shows it as the
//! task's failure. Modules abort on a panic, so this is the last thing that a step says.

use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{PanicHookInfo, set_hook};
use std::sync::Once;

static INSTALLED: Once = Once::new();

/// Installs the hook, once.
pub(crate) fn install() {
    INSTALLED.call_once(|| set_hook(Box::new(report)));
}

fn report(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a value that is not text");
    let at = info
        .location()
        .map(|at| (at.file(), at.line(), at.column()));
    // Nothing is left to be done when this fails: the trap that follows says that it was a panic.
    let _ = std::io::stderr().write_all(line(message, at).as_bytes());
}

/// The line that the host looks for.
fn line(message: &str, at: Option<(&str, u32, u32)>) -> String {
    let mut text = String::from("\u{1}wrun-panic\u{1}{\"message\":");
    quote(message, &mut text);
    if let Some((file, line, column)) = at {
        text.push_str(",\"file\":");
        quote(file, &mut text);
        let _ = write!(text, ",\"line\":{line},\"column\":{column}");
    }
    text.push_str("}\n");
    text
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_line_of_json_behind_a_mark() {
        let text = line("a \"b\"\n\\c\u{1}é", Some(("src/lib.rs", 12, 5)));

        let json = text
            .strip_prefix("\u{1}wrun-panic\u{1}")
            .unwrap()
            .strip_suffix('\n')
            .unwrap();
        assert!(!json.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "message": "a \"b\"\n\\c\u{1}é", "file": "src/lib.rs", "line": 12, "column": 5
            })
        );
    }

    #[test]
    fn a_panic_without_a_place_has_only_a_message() {
        assert_eq!(line("x", None), "\u{1}wrun-panic\u{1}{\"message\":\"x\"}\n");
    }
}

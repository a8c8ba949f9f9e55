//! Makes text that comes from a guest safe to show on a terminal.
//!
//! A step may print anything, also sequences that move the cursor, change the title, hide what was
//! there or reverse the direction of reading. What could do so is shown as its code point.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` on one line: what could act on a terminal, and line ends too, shown as code points.
pub fn line(text: &str) -> Cow<'_, str> {
    clean(text, false)
}

/// `text` with its line ends, all else that could act on a terminal shown as code points.
pub fn block(text: &str) -> Cow<'_, str> {
    clean(text, true)
}

/// `text` on one line and at most `width` characters, cut with `…`.
pub fn short(text: &str, width: usize) -> String {
    let line = line(text);
    if line.chars().count() <= width {
        return line.into_owned();
    }
    let mut cut: String = line.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Whether `character` could act on a terminal instead of being shown.
pub fn is_hostile(character: char) -> bool {
    match character {
        '\t' => false,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' => true,
        other => other.is_control(),
    }
}

fn clean(text: &str, lines: bool) -> Cow<'_, str> {
    let acts = |c: char| is_hostile(c) && !(lines && c == '\n');
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            // The line ends of other systems are line ends.
            '\r' if lines && characters.peek() == Some(&'\n') => {}
            c if acts(c) => {
                let _ = write!(safe, "{}", c.escape_unicode());
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sequences_for_the_terminal_are_shown_and_not_obeyed() {
        assert_eq!(line("\u{1b}]0;title\u{7}x"), r"\u{1b}]0;title\u{7}x");
        assert_eq!(line("a\nb"), r"a\u{a}b");
        assert_eq!(block("a\r\nb\rc"), "a\nb\\u{d}c");
        assert_eq!(line("\u{9b}31m \u{202e}abc"), r"\u{9b}31m \u{202e}abc");
    }

    #[test]
    fn text_without_them_is_the_same() {
        assert_eq!(line("größer\tals 5 µs, 日本"), "größer\tals 5 µs, 日本");
        assert_eq!(block("one\ntwo\n"), "one\ntwo\n");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(short("abcdef", 6), "abcdef");
        assert_eq!(short("abcdefg", 6), "abcde…");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(is_hostile));
            prop_assert!(!block(&text).chars().any(|c| c != '\n' && is_hostile(c)));
        }
    }
}

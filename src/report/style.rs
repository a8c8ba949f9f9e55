//! Colours by meaning. The text reads the same without them.

use std::fmt::Display;

use anstyle::{AnsiColor, Effects};

/// Paints text by what it means, or leaves it alone where colours are not wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    color: bool,
}

macro_rules! meanings {
    ($($(#[$doc:meta])* $name:ident => $style:expr;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self, text: impl Display) -> String {
                self.paint($style, text)
            }
        )*
    };
}

impl Style {
    /// A style that paints when `color` is true.
    pub const fn new(color: bool) -> Self {
        Self { color }
    }

    /// A style that leaves all text alone.
    pub const fn plain() -> Self {
        Self::new(false)
    }

    /// Whether it paints.
    pub const fn is_colored(&self) -> bool {
        self.color
    }

    meanings! {
        /// An error of a command.
        error => fg(AnsiColor::Red).effects(Effects::BOLD);
        /// Advice: what to type next.
        hint => fg(AnsiColor::Cyan);
        /// Something that needs attention and stops nothing.
        warning => fg(AnsiColor::Yellow);
        /// What failed.
        failed => fg(AnsiColor::Red);
        /// What succeeded.
        succeeded => fg(AnsiColor::Green);
        /// What is under way.
        running => fg(AnsiColor::Blue);
        /// What was stopped by somebody, or waits for another try.
        stopped => fg(AnsiColor::Yellow);
        /// The name of a run, a step, a task or an artifact.
        name => anstyle::Style::new().effects(Effects::BOLD);
        /// The head of a table or a section.
        heading => anstyle::Style::new().effects(Effects::BOLD.insert(Effects::UNDERLINE));
        /// What matters less than what stands beside it.
        faint => anstyle::Style::new().effects(Effects::DIMMED);
    }

    /// One of a few colours, the same for the same `text` every time: for telling tasks apart.
    pub fn lane(&self, text: &str) -> String {
        const LANES: [AnsiColor; 5] = [
            AnsiColor::Cyan,
            AnsiColor::Magenta,
            AnsiColor::Blue,
            AnsiColor::Yellow,
            AnsiColor::Green,
        ];
        let sum = text.bytes().fold(0_usize, |sum, b| {
            sum.wrapping_mul(31).wrapping_add(b.into())
        });
        self.paint(fg(LANES[sum % LANES.len()]), text)
    }

    fn paint(&self, style: anstyle::Style, text: impl Display) -> String {
        if self.color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}

const fn fg(color: AnsiColor) -> anstyle::Style {
    anstyle::Style::new().fg_color(Some(anstyle::Color::Ansi(color)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_left_alone_without_colour() {
        assert_eq!(Style::plain().error("error"), "error");
        assert_eq!(Style::plain().lane("count/7"), "count/7");
    }

    #[test]
    fn colours_end_where_the_text_ends() {
        assert_eq!(Style::new(true).failed("bad"), "\u{1b}[31mbad\u{1b}[0m");
    }
}

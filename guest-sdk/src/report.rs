//! Reports: pages and pictures that a step leaves for people.

use std::fmt::Write;

/// A page or a picture for people: an artifact that opens in a browser.
///
/// ```
/// use wrun_sdk::prelude::*;
///
/// #[derive(Artifacts)]
/// struct Summary {
///     mean: f64,
///     summary: Report,
/// }
///
/// let mean = 3.5;
/// let summary = Summary { mean, summary: report!("# Summary\n\nThe mean is **{mean}**.") };
/// assert_eq!(summary.summary.media_type(), "text/markdown");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    media_type: String,
    bytes: Vec<u8>,
}

impl Report {
    /// A page of HTML.
    pub fn html(page: impl Into<String>) -> Self {
        Self::of("text/html", page.into().into_bytes())
    }

    /// A page of Markdown.
    pub fn markdown(page: impl Into<String>) -> Self {
        Self::of("text/markdown", page.into().into_bytes())
    }

    /// A drawing in SVG.
    pub fn svg(drawing: impl Into<String>) -> Self {
        Self::of("image/svg+xml", drawing.into().into_bytes())
    }

    /// A picture in PNG.
    pub fn png(picture: impl Into<Vec<u8>>) -> Self {
        Self::of("image/png", picture.into())
    }

    /// Bytes of any other kind that a browser can show, e.g. `image/jpeg`.
    pub fn of(media_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            media_type: media_type.to_owned(),
            bytes,
        }
    }

    /// What it is, e.g. `text/html`.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A text with the characters replaced that mean something in HTML and SVG.
    ///
    /// ```
    /// # use wrun_sdk::Report;
    /// assert_eq!(Report::escape("a < \"b\" & c"), "a &lt; &quot;b&quot; &amp; c");
    /// ```
    pub fn escape(text: impl std::fmt::Display) -> String {
        let text = text.to_string();
        let mut safe = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => safe.push_str("&amp;"),
                '<' => safe.push_str("&lt;"),
                '>' => safe.push_str("&gt;"),
                '"' => safe.push_str("&quot;"),
                '\'' => safe.push_str("&#39;"),
                c if c.is_control() && !c.is_whitespace() => {
                    // Cannot fail: it writes to a string.
                    let _ = write!(safe, "\u{fffd}");
                }
                c => safe.push(c),
            }
        }
        safe
    }
}

/// Makes a [`Report`] from a formatted text: Markdown, or what is named first.
///
/// ```
/// use wrun_sdk::prelude::*;
///
/// let n = 3;
/// assert_eq!(report!("{n} rows").media_type(), "text/markdown");
/// assert_eq!(report!(html: "<p>{n} rows</p>").media_type(), "text/html");
/// assert_eq!(report!(svg: r#"<svg width="{n}"/>"#).media_type(), "image/svg+xml");
/// ```
#[macro_export]
macro_rules! report {
    (html: $($text:tt)+) => { $crate::Report::html(::std::format!($($text)+)) };
    (svg: $($text:tt)+) => { $crate::Report::svg(::std::format!($($text)+)) };
    (markdown: $($text:tt)+) => { $crate::Report::markdown(::std::format!($($text)+)) };
    ($($text:tt)+) => { $crate::Report::markdown(::std::format!($($text)+)) };
}

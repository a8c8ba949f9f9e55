//! The table of figures.

use std::time::Duration;

/// One figure.
pub struct Row {
    /// What was measured.
    pub what: String,
    /// What it is to be, in words.
    pub budget: String,
    /// What it is, in words.
    pub measured: String,
    /// How it relates to the budget: 1 is just met, more is better.
    pub ratio: Option<f64>,
}

impl Row {
    /// A figure of which less is better.
    pub fn at_most(what: &str, limit: f64, measured: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            budget: format!("≤ {} {unit}", number(limit)),
            measured: format!("{} {unit}", number(measured)),
            ratio: Some(limit / measured),
        }
    }

    /// A figure of which more is better.
    pub fn at_least(what: &str, limit: f64, measured: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            budget: format!("≥ {} {unit}", number(limit)),
            measured: format!("{} {unit}", number(measured)),
            ratio: Some(measured / limit),
        }
    }

    /// A figure without a budget, to compare others with.
    pub fn note(what: &str, measured: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            budget: "-".into(),
            measured: format!("{} {unit}", number(measured)),
            ratio: None,
        }
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// Prints rows under a title, as a table in Markdown.
pub fn print(title: &str, rows: &[Row]) {
    println!("\n### {title}\n");
    println!("| what | budget | measured | measured : budget | verdict |");
    println!("|---|---|---|---|---|");
    for row in rows {
        let (ratio, verdict) = match row.ratio {
            None => ("-".into(), "-"),
            Some(ratio) if ratio >= 1.0 => (format!("{ratio:.2}"), "met"),
            Some(ratio) => (format!("{ratio:.2}"), "missed"),
        };
        println!(
            "| {} | {} | {} | {ratio} | {verdict} |",
            row.what, row.budget, row.measured
        );
    }
}

/// The median, in milliseconds.
pub fn median_ms(times: &[Duration]) -> f64 {
    median(times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
}

/// The median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What other work the machine had during the last minute, as a mean of runnable processes.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

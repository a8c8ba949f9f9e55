//! The statistics as a table, for a page and for a terminal.

use std::fmt::Write;

use crate::statistics::{Spread, Summary};

/// One row for each group, in Markdown.
pub(crate) fn markdown(summaries: &[Summary]) -> String {
    let mut table = String::from(
        "| group | penguins | mass, g | flipper, mm | g per mm | R² |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    for Summary {
        group,
        penguins,
        mass_g,
        flipper_mm,
        mass_by_flipper,
    } in summaries
    {
        let (slope, r_squared) = match mass_by_flipper {
            Some(line) => (
                format!("{:.1}", line.slope),
                format!("{:.2}", line.r_squared),
            ),
            None => ("–".to_owned(), "–".to_owned()),
        };
        writeln!(
            table,
            "| {group} | {penguins} | {:.0} ± {:.0} | {:.1} ± {:.1} | {slope} | {r_squared} |",
            mass_g.mean, mass_g.sd, flipper_mm.mean, flipper_mm.sd,
        )
        .expect("a text takes whatever is written to it");
    }
    table
}

/// One line for each group, for a terminal.
pub(crate) fn text(summaries: &[Summary]) -> String {
    let mut table = String::new();
    for Summary {
        group,
        penguins,
        mass_g,
        mass_by_flipper,
        ..
    } in summaries
    {
        let slope = mass_by_flipper.map_or(String::new(), |line| {
            format!(", {:+.1} g per mm of flipper", line.slope)
        });
        let Spread { mean, sd } = mass_g;
        writeln!(
            table,
            "{group:<10} {penguins:>4} penguins  {mean:>5.0} ± {sd:.0} g{slope}"
        )
        .expect("a text takes whatever is written to it");
    }
    table
}

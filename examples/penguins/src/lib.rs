//! A data analysis: a foreach over groups, statistics, a join, a table and a chart.

mod chart;
mod data;
mod statistics;
mod table;

use data::{Group, Penguin};
use statistics::Summary;
use wrun_sdk::prelude::*;

/// Describes the penguins of the Palmer Archipelago, group by group.
///
/// For each group: how heavy its penguins are, how long their flippers, and how the one grows with
/// the other. The report is a chart.
#[flow]
mod penguins {
    use super::*;

    #[derive(Artifacts)]
    struct Grouped {
        /// The measured penguins, group by group.
        groups: Vec<Group>,
        /// How many penguins were not measured.
        unmeasured: u32,
    }

    #[derive(Artifacts)]
    struct Summarised {
        summary: Summary,
    }

    #[derive(Artifacts)]
    struct Described {
        summaries: Vec<Summary>,
        table: Report,
        chart: Report,
    }

    /// Reads the data and sorts the penguins into groups.
    #[step(foreach = "groups", next = "summarise")]
    fn start(
        /// A table like `data/penguins.csv`; without it that very table
        #[param]
        data: Option<Text>,
        /// What makes a group
        #[param(default = "species", choices = ["species", "island", "sex"])]
        by: String,
    ) -> Result<Grouped> {
        let text = data.as_deref().unwrap_or(data::PENGUINS);
        let penguins = Penguin::parse_all(text).fatal()?;
        let measured: Vec<_> = penguins
            .iter()
            .filter(|penguin| penguin.is_measured())
            .collect();
        let unmeasured = (penguins.len() - measured.len()) as u32;
        if unmeasured > 0 {
            warn!(
                "{unmeasured} of {} penguins were not measured",
                penguins.len()
            );
        }
        ensure!(!measured.is_empty(), "no penguin in the table was measured");
        Ok(Grouped {
            groups: data::group(&measured, &by),
            unmeasured,
        })
    }

    /// Computes the statistics of one group.
    #[step(next = "describe")]
    fn summarise(#[item] group: Group) -> Summarised {
        Summarised {
            summary: Summary::of(&group),
        }
    }

    /// Puts the groups side by side, in a table and in a chart.
    #[step(join, next = "end")]
    fn describe(branches: Inputs<Summarised>, groups: Vec<Group>) -> Result<Described> {
        let mut summaries = Vec::with_capacity(branches.len());
        for branch in &branches {
            summaries.push(branch?.summary);
        }
        Ok(Described {
            table: Report::markdown(table::markdown(&summaries)),
            chart: Report::svg(chart::scatter(&groups, &summaries)),
            summaries,
        })
    }

    /// Prints what was found.
    #[step]
    fn end(summaries: Vec<Summary>) {
        print!("{}", table::text(&summaries));
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn described(by: &str) -> Described {
            let grouped = start(None, by.to_owned()).unwrap();
            let branches: Vec<_> = grouped.groups.iter().cloned().map(summarise).collect();
            describe(Inputs::from(branches), grouped.groups).unwrap()
        }

        #[test]
        fn all_measured_penguins_are_in_a_group() {
            for by in ["species", "island", "sex"] {
                let grouped = start(None, by.to_owned()).unwrap();
                let sizes: Vec<_> = grouped
                    .groups
                    .iter()
                    .map(|group| group.penguins.len())
                    .collect();
                assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (3, 342), "{by}");
                assert_eq!(grouped.unmeasured, 2);
            }
        }

        #[test]
        fn a_table_of_ones_own_may_be_given() {
            let text = format!("{}\nAdelie,Dream,40,18,190,3800,male,2009\n", data::HEADER);
            let grouped = start(Some(Text::new(text)), "island".to_owned()).unwrap();
            assert_eq!(grouped.groups[0].name, "Dream");
        }

        #[test]
        fn a_table_that_cannot_be_read_is_final() {
            let text = format!("{}\nAdelie,Dream,40,18,long,3800,male,2009\n", data::HEADER);
            let error = start(Some(Text::new(text)), "island".to_owned())
                .err()
                .unwrap();
            assert_eq!(error.to_string(), "line 2: `long` is not a number");
            assert!(error.is_fatal());
        }

        /// The figures agree with those that R and Python give for this table.
        #[test]
        fn the_table_says_what_others_found() {
            let described = described("species");
            assert_eq!(
                std::str::from_utf8(described.table.bytes()).unwrap(),
                "| group | penguins | mass, g | flipper, mm | g per mm | R² |\n\
                 |---|---:|---:|---:|---:|---:|\n\
                 | Adelie | 151 | 3701 ± 459 | 190.0 ± 6.5 | 32.8 | 0.22 |\n\
                 | Chinstrap | 68 | 3733 ± 384 | 195.8 ± 7.1 | 34.6 | 0.41 |\n\
                 | Gentoo | 123 | 5076 ± 504 | 217.2 ± 6.5 | 54.6 | 0.49 |\n"
            );
        }

        #[test]
        fn a_terminal_gets_a_line_for_each_group() {
            assert_eq!(
                table::text(&described("species").summaries),
                "Adelie      151 penguins   3701 ± 459 g, +32.8 g per mm of flipper\n\
                 Chinstrap    68 penguins   3733 ± 384 g, +34.6 g per mm of flipper\n\
                 Gentoo      123 penguins   5076 ± 504 g, +54.6 g per mm of flipper\n"
            );
        }

        #[test]
        fn every_penguin_is_in_the_chart() {
            let described = described("sex");
            let drawing = std::str::from_utf8(described.chart.bytes()).unwrap();
            assert_eq!(drawing.matches("<title>").count(), 342);
            assert!(drawing.ends_with("</svg>\n"));
        }
    }
}

//! The penguins, and how they are read.

use wrun_sdk::prelude::*;

/// The Palmer penguins: see the README for where they come from.
const PENGUINS: &str = include_str!("../data/penguins.csv");

/// A penguin: what is measured, and what is to be told from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Penguin {
    pub(crate) species: String,
    /// Length and depth of the bill, length of the flipper in mm; mass in g.
    pub(crate) measures: [f64; 4],
}

impl Penguin {
    /// All penguins that were measured.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let rows = PENGUINS
            .lines()
            .skip(1)
            .filter(|line| !line.contains(",NA,NA,NA,NA,"));
        rows.map(Self::parse).collect()
    }

    fn parse(line: &str) -> Result<Self> {
        let mut fields = line.split(',');
        let species = fields.next().unwrap_or_default().to_owned();
        let mut measures = [0.0; 4];
        for (measure, field) in measures.iter_mut().zip(fields.skip(1)) {
            *measure = field
                .parse()
                .with_context(|| format!("`{field}` is not a number"))
                .fatal()?;
        }
        Ok(Self { species, measures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_two_penguins_were_measured() {
        let penguins = Penguin::all().unwrap();
        assert_eq!(penguins.len(), 342);
        let first = Penguin {
            species: "Adelie".to_owned(),
            measures: [39.1, 18.7, 181.0, 3750.0],
        };
        assert_eq!(penguins[0], first);
    }
}

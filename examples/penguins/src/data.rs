//! The penguins, and how they are read.

use std::collections::BTreeMap;

use wrun_sdk::prelude::*;

/// The Palmer penguins: see the README for where they come from.
pub(crate) const PENGUINS: &str = include_str!("../data/penguins.csv");

/// The first line of a table.
pub(crate) const HEADER: &str =
    "species,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year";

/// A penguin, as far as this flow looks at it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Penguin {
    pub(crate) species: String,
    pub(crate) island: String,
    pub(crate) sex: String,
    pub(crate) flipper_mm: Option<f64>,
    pub(crate) mass_g: Option<f64>,
}

/// Penguins that have something in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) penguins: Vec<Penguin>,
}

impl Penguin {
    /// Reads a whole table.
    pub(crate) fn parse_all(text: &str) -> Result<Vec<Self>> {
        let mut lines = text.lines();
        ensure!(
            lines.next() == Some(HEADER),
            "the first line is not `{HEADER}`"
        );
        let rows = lines.enumerate().filter(|(_, line)| !line.is_empty());
        rows.map(|(row, line)| Self::parse(line).map_err(|why| at(row + 2, why)))
            .collect()
    }

    fn parse(line: &str) -> Result<Self> {
        let fields: Vec<_> = line.split(',').collect();
        let &[species, island, _, _, flipper, mass, sex, _] = &fields[..] else {
            bail!("8 fields are expected, and there are {}", fields.len());
        };
        Ok(Self {
            species: species.to_owned(),
            island: island.to_owned(),
            sex: if sex == "NA" { "unknown" } else { sex }.to_owned(),
            flipper_mm: number(flipper)?,
            mass_g: number(mass)?,
        })
    }

    /// Whether both flipper and mass are known.
    pub(crate) fn is_measured(&self) -> bool {
        self.point().is_some()
    }

    /// Flipper length and body mass.
    pub(crate) fn point(&self) -> Option<(f64, f64)> {
        Some((self.flipper_mm?, self.mass_g?))
    }
}

impl Group {
    /// Flipper length and body mass of all that were measured.
    pub(crate) fn points(&self) -> Vec<(f64, f64)> {
        self.penguins.iter().filter_map(Penguin::point).collect()
    }
}

/// Sorts penguins into groups by `species`, `island` or `sex`; the groups are in alphabetical order.
pub(crate) fn group(penguins: &[&Penguin], by: &str) -> Vec<Group> {
    let mut groups: BTreeMap<&str, Vec<Penguin>> = BTreeMap::new();
    for &penguin in penguins {
        let name = match by {
            "island" => &penguin.island,
            "sex" => &penguin.sex,
            _ => &penguin.species,
        };
        groups.entry(name).or_default().push(penguin.clone());
    }
    let named = groups.into_iter();
    named
        .map(|(name, penguins)| Group {
            name: name.to_owned(),
            penguins,
        })
        .collect()
}

fn number(text: &str) -> Result<Option<f64>> {
    match text {
        "NA" => Ok(None),
        text => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => bail!("`{text}` is not a number"),
        },
    }
}

fn at(line: usize, why: Error) -> Error {
    Error::new(format_args!("line {line}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_344_penguins() {
        let penguins = Penguin::parse_all(PENGUINS).unwrap();
        assert_eq!(penguins.len(), 344);
        assert_eq!(penguins[0].point(), Some((181.0, 3750.0)));
        assert_eq!(penguins[3].point(), None);
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let error = |line: &str| {
            Penguin::parse_all(&format!("{HEADER}\n{line}"))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error("Adelie,Dream"),
            "line 2: 8 fields are expected, and there are 2"
        );
        assert_eq!(
            error("a,b,1,1,190,inf,c,2009"),
            "line 2: `inf` is not a number"
        );
        assert!(Penguin::parse_all("a,b").is_err());
    }
}

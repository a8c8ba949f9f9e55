//! A classifier by nearest neighbours, and a guess to compare it with.

use std::collections::BTreeMap;
use std::fmt;

use wrun_sdk::prelude::*;

use crate::data::Penguin;

/// One point of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Candidate {
    /// How many neighbours vote.
    pub(crate) k: u32,
    pub(crate) scaling: Scaling,
}

/// What is done to the measures before distances are taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scaling {
    /// Nothing: the mass, in thousands of grams, outweighs the rest.
    Raw,
    /// All have mean 0 and standard deviation 1.
    Standard,
}

/// Something that tells the species of a penguin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Model {
    /// The species of most of the `k` nearest penguins.
    Neighbours {
        k: u32,
        scale: Scale,
        penguins: Vec<Penguin>,
    },
    /// The same species for every penguin.
    Guess { species: String },
}

/// Subtracts a mean from each measure and divides by a spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scale {
    mean: [f64; 4],
    spread: [f64; 4],
}

impl Model {
    /// The candidate with these penguins as neighbours.
    pub(crate) fn fit(candidate: &Candidate, mut penguins: Vec<Penguin>) -> Self {
        let scale = match candidate.scaling {
            Scaling::Raw => Scale {
                mean: [0.0; 4],
                spread: [1.0; 4],
            },
            Scaling::Standard => Scale::of(&penguins),
        };
        for penguin in &mut penguins {
            penguin.measures = scale.apply(&penguin.measures);
        }
        Self::Neighbours {
            k: candidate.k,
            scale,
            penguins,
        }
    }

    /// The most frequent species.
    pub(crate) fn guess(penguins: &[Penguin]) -> Self {
        Self::Guess {
            species: most(penguins.iter()),
        }
    }

    /// The species of the penguin with these measures.
    pub(crate) fn tell(&self, measures: &[f64; 4]) -> String {
        let (k, scale, penguins) = match self {
            Self::Guess { species } => return species.clone(),
            Self::Neighbours { k, scale, penguins } => (*k as usize, scale, penguins),
        };
        let at = scale.apply(measures);
        let mut near: Vec<_> = penguins
            .iter()
            .map(|penguin| (distance(&penguin.measures, &at), penguin))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        most(near.iter().take(k).map(|(_, penguin)| *penguin))
    }
}

impl Scale {
    fn of(penguins: &[Penguin]) -> Self {
        let n = penguins.len() as f64;
        let mean = [0, 1, 2, 3].map(|m| penguins.iter().map(|p| p.measures[m]).sum::<f64>() / n);
        let spread = [0, 1, 2, 3].map(|m| {
            let squares = penguins
                .iter()
                .map(|p| (p.measures[m] - mean[m]).powi(2))
                .sum::<f64>();
            // A measure that is always the same says nothing, whatever it is divided by.
            if squares == 0.0 {
                1.0
            } else {
                (squares / n).sqrt()
            }
        });
        Self { mean, spread }
    }

    fn apply(&self, measures: &[f64; 4]) -> [f64; 4] {
        [0, 1, 2, 3].map(|m| (measures[m] - self.mean[m]) / self.spread[m])
    }
}

/// The square of the distance, which has the same order.
fn distance(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// The most frequent species; of several the first in alphabetical order.
fn most<'a>(penguins: impl Iterator<Item = &'a Penguin>) -> String {
    let mut votes: BTreeMap<&str, u32> = BTreeMap::new();
    for penguin in penguins {
        *votes.entry(&penguin.species).or_default() += 1;
    }
    let winner = votes.into_iter().rev().max_by_key(|&(_, count)| count);
    winner.map_or_else(String::new, |(species, _)| species.to_owned())
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measures = match self.scaling {
            Scaling::Raw => "raw",
            Scaling::Standard => "standard",
        };
        write!(f, "k = {}, {measures} measures", self.k)
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Neighbours { k, penguins, .. } => {
                write!(f, "{k} nearest of {} penguins", penguins.len())
            }
            Self::Guess { species } => write!(f, "always {species}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn penguin(species: &str, measure: f64) -> Penguin {
        Penguin {
            species: species.to_owned(),
            measures: [measure, 0.0, 0.0, 0.0],
        }
    }

    fn three() -> Vec<Penguin> {
        vec![penguin("a", 0.0), penguin("b", 1.0), penguin("b", 1.2)]
    }

    #[test]
    fn the_nearest_vote() {
        let tell = |k, measure: f64| {
            let candidate = Candidate {
                k,
                scaling: Scaling::Raw,
            };
            Model::fit(&candidate, three()).tell(&[measure, 0.0, 0.0, 0.0])
        };
        assert_eq!((tell(1, 0.4).as_str(), tell(1, 0.6).as_str()), ("a", "b"));
        assert_eq!(tell(3, 0.0), "b");
        assert_eq!(tell(2, 0.0), "a"); // one vote each
    }

    #[test]
    fn on_a_standard_scale_the_unit_does_not_matter() {
        let candidate = Candidate {
            k: 1,
            scaling: Scaling::Standard,
        };
        let inches = three().into_iter().map(|mut penguin| {
            penguin.measures[0] /= 25.4;
            penguin
        });
        let model = Model::fit(&candidate, inches.collect());
        assert_eq!(model.tell(&[0.6 / 25.4, 0.0, 0.0, 0.0]), "b");
        assert_eq!(model.tell(&[0.4 / 25.4, 0.0, 0.0, 0.0]), "a");
    }

    #[test]
    fn a_guess_is_the_most_frequent() {
        assert_eq!(Model::guess(&three()).to_string(), "always b");
    }
}

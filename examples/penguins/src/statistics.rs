//! Means, standard deviations and straight lines.

use wrun_sdk::prelude::*;

use crate::data::Group;

/// The statistics of one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) group: String,
    pub(crate) penguins: u32,
    pub(crate) mass_g: Spread,
    pub(crate) flipper_mm: Spread,
    /// How mass grows with flipper length; none when all flippers have the same length.
    pub(crate) mass_by_flipper: Option<Line>,
}

/// Where values lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    /// The standard deviation of a sample; 0 for a single value.
    pub(crate) sd: f64,
}

/// A line through points, by least squares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) slope: f64,
    pub(crate) intercept: f64,
    /// The share of the variance that the line explains, from 0 to 1.
    pub(crate) r_squared: f64,
}

impl Summary {
    /// The statistics of the penguins that were measured.
    pub(crate) fn of(group: &Group) -> Self {
        let points = group.points();
        let (flippers, masses): (Vec<_>, Vec<_>) = points.iter().copied().unzip();
        Self {
            group: group.name.clone(),
            penguins: points.len() as u32,
            mass_g: Spread::of(&masses),
            flipper_mm: Spread::of(&flippers),
            mass_by_flipper: Line::through(&points),
        }
    }
}

impl Spread {
    /// Mean and standard deviation of at least one value.
    pub(crate) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = if values.len() > 1 {
            (squares / (n - 1.0)).sqrt()
        } else {
            0.0
        };
        Self { mean, sd }
    }
}

impl Line {
    /// The line from which the points differ least; none when all have the same x.
    pub(crate) fn through(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (x, y) in points {
            xx += (x - mean_x).powi(2);
            xy += (x - mean_x) * (y - mean_y);
            yy += (y - mean_y).powi(2);
        }
        if points.is_empty() || xx == 0.0 {
            return None;
        }
        let slope = xy / xx;
        let r_squared = if yy == 0.0 { 1.0 } else { slope * xy / yy };
        Some(Self {
            slope,
            intercept: mean_y - slope * mean_x,
            r_squared,
        })
    }

    /// The height of the line at `x`.
    pub(crate) fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_of_a_few_numbers() {
        assert_eq!(Spread::of(&[2.0, 4.0, 6.0]), Spread { mean: 4.0, sd: 2.0 });
        assert_eq!(Spread::of(&[7.0]), Spread { mean: 7.0, sd: 0.0 });
    }

    #[test]
    fn a_line_through_points_on_it_is_that_line() {
        let line = Line::through(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
        assert_eq!(
            line,
            Line {
                slope: 2.0,
                intercept: 1.0,
                r_squared: 1.0
            }
        );
        assert_eq!(line.at(10.0), 21.0);
    }

    #[test]
    fn a_line_needs_two_places() {
        assert_eq!(Line::through(&[]), None);
        assert_eq!(Line::through(&[(1.0, 1.0), (1.0, 2.0)]), None);
    }
}

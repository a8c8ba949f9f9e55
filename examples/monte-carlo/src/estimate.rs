//! What darts say about π.

use std::fmt;

use wrun_sdk::prelude::*;

/// How many darts were thrown, and how many of them hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) darts: u64,
    pub(crate) inside: u64,
}

impl Estimate {
    /// The same estimate with more darts.
    pub(crate) fn add(self, darts: u64, inside: u64) -> Self {
        Self {
            darts: self.darts + darts,
            inside: self.inside + inside,
        }
    }

    /// The share of darts that hit.
    fn share(&self) -> f64 {
        self.inside as f64 / self.darts as f64
    }

    /// The best guess.
    pub(crate) fn pi(&self) -> f64 {
        4.0 * self.share()
    }

    /// How far from the truth the guess is at most, in 95 of 100 cases.
    ///
    /// The normal approximation to the binomial distribution, good for many darts.
    pub(crate) fn half_width(&self) -> f64 {
        let variance = self.share() * (1.0 - self.share()) / self.darts as f64;
        1.96 * 4.0 * variance.sqrt()
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} ± {:.4}", self.pi(), self.half_width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_darts_are_more_certain() {
        let few = Estimate {
            darts: 1_000,
            inside: 800,
        };
        let many = few.add(99_000, 79_200);

        assert_eq!((few.pi(), many.pi()), (3.2, 3.2));
        assert!((few.half_width() / many.half_width() - 10.0).abs() < 1e-9);
        assert_eq!(many.to_string(), "3.2000 ± 0.0099");
    }
}

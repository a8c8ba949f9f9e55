//! A foreach whose join fails as long as it is told to: how long it takes to go on from there.

use wrun_sdk::prelude::*;

/// Squares numbers and adds the squares up, if it may.
#[flow]
mod broken {
    use super::*;

    #[derive(Artifacts)]
    struct Start {
        numbers: Vec<u64>,
    }

    #[derive(Artifacts)]
    struct Squared {
        square: u64,
    }

    #[derive(Artifacts)]
    struct Sum {
        sum: u64,
    }

    #[step(foreach = "numbers", next = "square")]
    fn start(#[param(default = 298)] n: u64) -> Start {
        Start {
            numbers: (0..n).collect(),
        }
    }

    #[step(next = "sum")]
    fn square(#[item] number: u64) -> Squared {
        Squared {
            square: number * number,
        }
    }

    /// Fails unless `broken` is 0.
    #[step(join)]
    fn sum(squares: Inputs<Squared>, #[param(default = 1)] broken: u32) -> Result<Sum> {
        ensure!(broken == 0, "the sum is broken");
        let squares = squares.iter().map(|branch| branch.map(|it| it.square));
        Ok(Sum {
            sum: squares.sum::<Result<_>>()?,
        })
    }
}

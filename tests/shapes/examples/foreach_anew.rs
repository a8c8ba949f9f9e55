//! The flow of `foreach.rs` after its author has worked on it: other code in `square`, another
//! artifact in `sum`, and another last step.

use wrun_sdk::prelude::*;

/// Cubes numbers, each in a task of its own.
#[flow(name = "foreach")]
mod each {
    use super::*;

    #[derive(Artifacts)]
    struct Start {
        numbers: Vec<u32>,
    }

    #[derive(Artifacts)]
    struct Squared {
        square: u64,
        word: String,
    }

    #[derive(Artifacts)]
    struct Square {
        square: u64,
    }

    #[derive(Artifacts)]
    struct Summed {
        total: u64,
    }

    #[derive(Artifacts)]
    struct Said {
        line: String,
    }

    #[step(foreach = "numbers", next = "square")]
    fn start(#[param(default = 3)] n: u32) -> Start {
        Start {
            numbers: (0..n).collect(),
        }
    }

    #[step(next = "sum")]
    fn square(
        #[item] number: u32,
        #[param(default = 0)] work: u64,
        #[param(default = 4)] width: usize,
    ) -> Squared {
        Squared {
            square: u64::from(number).pow(3) + work,
            word: ".".repeat(width),
        }
    }

    #[step(join, next = "finish")]
    fn sum(squares: Inputs<Square>) -> Result<Summed> {
        let each = squares.iter().map(|branch| branch.map(|it| it.square));
        Ok(Summed {
            total: each.sum::<Result<_>>()?,
        })
    }

    #[step]
    fn finish(total: u64) -> Said {
        Said {
            line: format!("{total} in all"),
        }
    }
}

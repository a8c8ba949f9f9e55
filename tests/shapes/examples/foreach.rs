//! A foreach of any length, with as much work in each task as is asked for.

use wrun_sdk::prelude::*;

/// Squares numbers, each in a task of its own.
#[flow(name = "foreach")]
mod each {
    use wrun_test_shapes::spin;

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
        word: String,
    }

    #[derive(Artifacts)]
    struct Summed {
        sum: u64,
        letters: u64,
        last: Option<u64>,
        branches: u32,
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
        /// Million rounds of work in each task
        #[param(default = 0)]
        work: u64,
        /// How many letters each task writes after its number
        #[param(default = 4)]
        width: usize,
    ) -> Squared {
        spin(work * 1_000_000);
        Squared {
            square: u64::from(number) * u64::from(number),
            word: format!("{number}{}", ".".repeat(width)),
        }
    }

    #[step(join, next = "end")]
    fn sum(squares: Inputs<Square>) -> Result<Summed> {
        let (mut sum, mut letters) = (0, 0);
        for branch in &squares {
            let branch = branch?;
            sum += branch.square;
            letters += branch.word.len() as u64;
        }
        let last = squares.iter().next_back().transpose()?.map(|it| it.square);
        Ok(Summed {
            sum,
            letters,
            last,
            branches: squares.len() as u32,
        })
    }

    /// Does nothing more, for ever if asked to.
    #[step]
    fn end(#[param(default = false)] stay: bool) {
        wrun_test_shapes::stay(stay);
    }
}

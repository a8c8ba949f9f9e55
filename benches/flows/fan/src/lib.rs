//! A foreach over many trivial tasks, and a join that adds them up.

use wrun_sdk::prelude::*;

/// The list of a foreach.
#[derive(Artifacts)]
pub struct Start {
    /// The elements.
    pub items: Vec<u32>,
}

/// What a task gives.
#[derive(Artifacts)]
pub struct Square {
    /// The square of the element.
    pub square: u64,
}

/// The sum of all.
#[derive(Artifacts)]
pub struct Sum {
    /// The sum of all squares.
    pub sum: u64,
}

/// Squares many numbers, each in a task of its own, and adds them up.
#[flow]
pub mod fan {
    use super::*;

    /// Makes the list.
    #[step(foreach = "items", next = "square")]
    pub fn start(#[param(default = 10_000)] n: u32) -> Result<Start> {
        Ok(Start {
            items: (0..n).collect(),
        })
    }

    /// Squares one number.
    #[step(next = "sum")]
    pub fn square(#[item] item: u32) -> Result<Square> {
        Ok(Square {
            square: u64::from(item) * u64::from(item),
        })
    }

    /// Adds the squares up.
    #[step(join)]
    pub fn sum(squares: Inputs<Square>) -> Result<Sum> {
        let mut sum = 0;
        for square in squares.iter() {
            sum += square?.square;
        }
        Ok(Sum { sum })
    }
}

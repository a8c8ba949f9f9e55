//! A foreach inside a side of a split, and a split inside a foreach.

use wrun_sdk::prelude::*;

/// Nests shapes in each other.
#[flow]
mod mixed {
    use super::*;

    #[derive(Artifacts)]
    struct Items {
        items: Vec<u32>,
    }

    #[derive(Artifacts)]
    struct Value {
        value: u32,
    }

    #[derive(Artifacts)]
    struct Total {
        total: u32,
    }

    #[step(next = ["many", "alone"])]
    fn start() {}

    #[step(foreach = "items", next = "fork")]
    fn many() -> Items {
        Items {
            items: vec![1, 2, 3],
        }
    }

    #[step(next = ["double", "triple"])]
    fn fork(#[item] item: u32) -> Value {
        Value { value: item }
    }

    #[step(next = "meet")]
    fn double(value: u32) -> Value {
        Value { value: value * 2 }
    }

    #[step(next = "meet")]
    fn triple(value: u32) -> Value {
        Value { value: value * 3 }
    }

    #[step(join, next = "gather")]
    fn meet(sides: Inputs<Value>) -> Result<Total> {
        Ok(Total {
            total: sides.of_step("double")?.value * 100 + sides.of_step("triple")?.value,
        })
    }

    #[step(join, next = "join")]
    fn gather(items: Inputs<Total>) -> Result<Total> {
        let totals = items.iter().map(|item| item.map(|item| item.total));
        Ok(Total {
            total: totals.sum::<Result<u32>>()?,
        })
    }

    #[step(next = "join")]
    fn alone() -> Total {
        Total { total: 7 }
    }

    #[step(join)]
    fn join(sides: Inputs<Total>) -> Result<Total> {
        Ok(Total {
            total: sides.of_step("gather")?.total * 10 + sides.of_step("alone")?.total,
        })
    }
}

//! Five trivial steps, one after the other.

use wrun_sdk::prelude::*;

/// What one step gives the next.
#[derive(Artifacts)]
pub struct Count {
    /// How many steps there were.
    pub count: u64,
}

/// Five trivial steps.
#[flow]
pub mod five {
    use super::*;

    /// The first.
    #[step(next = "second")]
    pub fn start() -> Result<Count> {
        Ok(Count { count: 1 })
    }

    /// The second.
    #[step(next = "third")]
    pub fn second(count: u64) -> Result<Count> {
        Ok(Count { count: count + 1 })
    }

    /// The third.
    #[step(next = "fourth")]
    pub fn third(count: u64) -> Result<Count> {
        Ok(Count { count: count + 1 })
    }

    /// The fourth.
    #[step(next = "end")]
    pub fn fourth(count: u64) -> Result<Count> {
        Ok(Count { count: count + 1 })
    }

    /// The last.
    #[step]
    pub fn end(count: u64) -> Result<Count> {
        Ok(Count { count: count + 1 })
    }
}

//! A flow of one step.

use wrun_sdk::prelude::*;

/// Does it all at once.
#[flow]
mod single {
    use super::*;

    #[derive(Artifacts)]
    struct Only {
        answer: u8,
    }

    #[step]
    fn only() -> Only {
        println!("all at once");
        Only { answer: 42 }
    }
}

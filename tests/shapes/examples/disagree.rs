//! A join that merges what its branches do not agree on.

use wrun_sdk::prelude::*;

/// Two sides that must agree and do not.
#[flow]
mod disagree {
    use super::*;

    #[derive(Artifacts)]
    struct Side {
        note: String,
    }

    #[step(next = ["left", "right"])]
    fn start() {}

    #[step(next = "both")]
    fn left() -> Side {
        Side {
            note: "left".to_owned(),
        }
    }

    #[step(next = "both")]
    fn right() -> Side {
        Side {
            note: "right".to_owned(),
        }
    }

    #[step(join, merge = ["note"], next = "end")]
    fn both() {}

    #[step]
    fn end(note: String) {
        println!("{note}");
    }
}

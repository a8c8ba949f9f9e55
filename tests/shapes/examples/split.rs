//! A split, and what passes its join.

use wrun_sdk::prelude::*;

/// Goes two ways.
#[flow]
mod split {
    use super::*;

    #[derive(Artifacts)]
    struct Start {
        base: u32,
    }

    #[derive(Artifacts)]
    struct Side {
        score: u32,
        same: String,
        only_left: Option<bool>,
    }

    #[derive(Artifacts)]
    struct Score {
        score: u32,
    }

    #[derive(Artifacts)]
    struct Both {
        scores: Vec<u32>,
    }

    #[derive(Artifacts)]
    struct End {
        line: String,
    }

    #[step(next = ["left", "right"])]
    fn start() -> Start {
        Start { base: 10 }
    }

    #[step(next = "both")]
    fn left(base: u32) -> Side {
        Side {
            score: base + 1,
            same: "agreed".to_owned(),
            only_left: Some(true),
        }
    }

    #[step(next = "both")]
    fn right(base: u32) -> Side {
        Side {
            score: base + 2,
            same: "agreed".to_owned(),
            only_left: None,
        }
    }

    #[step(join, merge = ["same"], next = "end")]
    fn both(sides: Inputs<Score>) -> Result<Both> {
        ensure!(sides.of_step("right")?.score == 12, "the right side is 12");
        let scores = sides.iter().map(|side| side.map(|side| side.score));
        Ok(Both {
            scores: scores.collect::<Result<_>>()?,
        })
    }

    #[step]
    fn end(scores: Vec<u32>, same: String, base: u32) -> End {
        End {
            line: format!("{scores:?} {same} {base}"),
        }
    }
}

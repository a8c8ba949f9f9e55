//! A loop with a bound, with a foreach inside.

use wrun_sdk::prelude::*;

/// Turns until it has turned enough.
#[flow]
mod turns {
    use super::*;

    #[derive(Artifacts)]
    struct Begun {
        sum: u64,
    }

    #[derive(Artifacts)]
    struct Parts {
        parts: Vec<u64>,
    }

    #[derive(Artifacts)]
    struct Part {
        part: u64,
    }

    #[derive(Artifacts)]
    struct Turned {
        sum: u64,
        verdict: String,
    }

    #[derive(Artifacts)]
    struct End {
        line: String,
    }

    #[step(next = "cut")]
    fn start() -> Begun {
        Begun { sum: 0 }
    }

    #[step(foreach = "parts", next = "part")]
    fn cut(sum: u64) -> Parts {
        Parts {
            parts: vec![sum, 1],
        }
    }

    #[step(next = "add")]
    fn part(#[item] part: u64) -> Part {
        Part { part }
    }

    #[step(join, next = "decide")]
    fn add(parts: Inputs<Part>) -> Result<Begun> {
        Ok(Begun {
            sum: parts
                .iter()
                .map(|part| part.map(|part| part.part))
                .sum::<Result<_>>()?,
        })
    }

    #[step(switch = "verdict", cases(again = "cut", done = "end"), max_turns = 5)]
    fn decide(sum: u64, #[param(default = 3)] turns: u32, task: &Task) -> Turned {
        let enough = task.turn() == Some(turns);
        Turned {
            sum: sum * 10,
            verdict: if enough { "done" } else { "again" }.to_owned(),
        }
    }

    #[step]
    fn end(sum: u64) -> End {
        End {
            line: format!("{sum}"),
        }
    }
}

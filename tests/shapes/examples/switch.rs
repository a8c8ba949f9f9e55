//! A switch inside a foreach.

use wrun_sdk::prelude::*;

/// Sends every number one of three ways.
#[flow]
mod switch {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Way {
        Even,
        Odd,
        DeadEnd,
    }

    #[derive(Artifacts)]
    struct Numbers {
        numbers: Vec<u32>,
    }

    #[derive(Artifacts)]
    struct Chosen {
        number: u32,
        way: Way,
    }

    #[derive(Artifacts)]
    struct Said {
        said: String,
    }

    #[derive(Artifacts)]
    struct All {
        all: Vec<String>,
    }

    #[step(foreach = "numbers", next = "choose")]
    fn start(#[param(default = [0, 1, 2])] numbers_given: Vec<u32>) -> Numbers {
        Numbers {
            numbers: numbers_given,
        }
    }

    #[step(switch = "way", cases(even = "even", odd = "odd", "dead-end" = "said"))]
    fn choose(#[item] number: u32) -> Chosen {
        let way = match number {
            0 => Way::DeadEnd,
            n if n % 2 == 0 => Way::Even,
            _ => Way::Odd,
        };
        Chosen { number, way }
    }

    #[step(next = "said")]
    fn even(number: u32) -> Said {
        Said {
            said: format!("{number} is even"),
        }
    }

    #[step(next = "said")]
    fn odd(number: u32) -> Said {
        Said {
            said: format!("{number} is odd"),
        }
    }

    #[step(next = "gather")]
    fn said(said: Option<String>, number: u32) -> Said {
        Said {
            said: said.unwrap_or_else(|| format!("{number} is nothing")),
        }
    }

    #[step(join)]
    fn gather(each: Inputs<Said>) -> Result<All> {
        let all = each.iter().map(|said| said.map(|said| said.said));
        Ok(All {
            all: all.collect::<Result<_>>()?,
        })
    }
}

use wrun_sdk::prelude::*;

/// Two foreaches, a catch, retries and a loop; breaks in the step that `BROKEN` names.
#[flow]
mod shaky {
    use super::*;

    #[derive(Artifacts)]
    struct Groups {
        groups: Vec<u32>,
    }

    #[derive(Artifacts)]
    struct Parts {
        parts: Vec<u32>,
    }

    #[derive(Artifacts)]
    struct Worked {
        worked: u64,
    }

    #[derive(Artifacts)]
    struct Risked {
        risked: Option<u64>,
        why: Option<Failure>,
        worked: u64,
    }

    #[derive(Artifacts)]
    struct Luck {
        risked: u64,
    }

    #[derive(Artifacts)]
    struct Sum {
        sum: u64,
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

    fn break_in(step: &str) -> Result<()> {
        match BROKEN == step {
            true => Err(Error::new(format!("`{step}` is broken"))).fatal(),
            false => Ok(()),
        }
    }

    #[step(foreach = "groups", next = "cut")]
    fn start(#[param(default = 3)] many: u32, #[param(default = 4)] width: u32) -> Groups {
        println!("{width} wide");
        Groups {
            groups: (0..many).collect(),
        }
    }

    #[step(foreach = "parts", next = "work")]
    fn cut(#[item] group: u32, width: u32) -> Parts {
        Parts {
            parts: (0..width).map(|part| group * 10 + part).collect(),
        }
    }

    /// Every second part needs another attempt.
    #[step(retry(times = 1), next = "risk")]
    fn work(
        #[item] part: u32,
        /// Million rounds of work in each task
        #[param(default = 0)]
        rounds: u64,
        task: &Task,
    ) -> Result<Worked> {
        wrun_test_shapes::spin(rounds * 1_000_000);
        println!("attempt {} of {task}", task.attempt());
        ensure!(part.is_multiple_of(2) || task.attempt() > 0, "not at once");
        if part == 12 {
            break_in("work")?;
        }
        Ok(Worked {
            worked: u64::from(part) * 3,
        })
    }

    #[step(catch = "why", next = "gather")]
    fn risk(worked: u64) -> Result<Luck> {
        if worked % 9 == 3 {
            return Err(Error::new("no luck")).fatal();
        }
        Ok(Luck { risked: worked + 1 })
    }

    #[step(join, next = "all")]
    fn gather(parts: Inputs<Risked>) -> Result<Sum> {
        let mut sum = 0;
        for part in &parts {
            let part = part?;
            sum += part.risked.unwrap_or(part.worked * 1000);
            sum += u64::from(part.why.is_some());
        }
        Ok(Sum { sum })
    }

    #[step(join, next = "turn")]
    fn all(groups: Inputs<Sum>) -> Result<Sum> {
        let sums = groups.iter().map(|group| group.map(|group| group.sum));
        Ok(Sum {
            sum: sums.sum::<Result<_>>()?,
        })
    }

    #[step(next = "decide")]
    fn turn(sum: u64, task: &Task) -> Result<Sum> {
        if task.turn() == Some(2) {
            break_in("turn")?;
        }
        Ok(Sum { sum: sum * 7 })
    }

    #[step(switch = "verdict", cases(again = "turn", done = "end"), max_turns = 5)]
    fn decide(sum: u64, task: &Task) -> Turned {
        let enough = task.turn() == Some(3);
        Turned {
            sum: sum + 1,
            verdict: if enough { "done" } else { "again" }.to_owned(),
        }
    }

    #[step]
    fn end(sum: u64, #[param(default = "")] note: String) -> Result<End> {
        break_in("end")?;
        Ok(End {
            line: format!("{sum}{note}"),
        })
    }
}

//! An estimate by chance: seeded random numbers, a foreach inside a loop, a confidence interval.

mod estimate;

use estimate::Estimate;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use wrun_sdk::prelude::*;

/// Estimates π by throwing darts at a square, until the estimate is good enough.
///
/// The same seed gives the same darts on every machine: `wrun run --seed N` throws others.
#[flow(name = "monte-carlo")]
mod monte_carlo {
    use super::*;

    #[derive(Artifacts)]
    struct Nothing {
        /// One for each round.
        estimates: Vec<Estimate>,
    }

    #[derive(Artifacts)]
    struct Round {
        batches: Vec<u64>,
    }

    #[derive(Artifacts)]
    struct Thrown {
        inside: u64,
    }

    #[derive(Artifacts)]
    struct Judged {
        estimates: Vec<Estimate>,
        verdict: Verdict,
    }

    /// Whether another round is needed.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Verdict {
        Again,
        Done,
    }

    #[derive(Artifacts)]
    struct Found {
        pi: f64,
        summary: Report,
    }

    /// Begins without any dart.
    #[step(next = "round")]
    fn start() -> Nothing {
        Nothing {
            estimates: Vec::new(),
        }
    }

    /// Begins a round: so many darts for each batch.
    #[step(foreach = "batches", next = "throw")]
    fn round(
        /// How many tasks throw side by side
        #[param(default = 8)]
        tasks: u32,
        /// How many darts each of them throws in a round
        #[param(default = 100_000)]
        darts: u64,
    ) -> Result<Round> {
        ensure!(
            tasks > 0 && darts > 0,
            "a round needs at least one task and one dart"
        );
        Ok(Round {
            batches: vec![darts; tasks as usize],
        })
    }

    /// Throws one batch of darts.
    #[step(next = "judge")]
    fn throw(#[item] darts: u64, task: &Task) -> Thrown {
        let mut chance = ChaCha8Rng::seed_from_u64(task.seed());
        let inside = (0..darts).filter(|_| is_inside(&mut chance)).count();
        Thrown {
            inside: inside as u64,
        }
    }

    /// Adds the round to those before, and decides whether there is another.
    #[step(
        join,
        switch = "verdict",
        cases(again = "round", done = "end"),
        max_turns = 100
    )]
    fn judge(
        batches: Inputs<Thrown>,
        darts: u64,
        mut estimates: Vec<Estimate>,
        /// How far from the truth the estimate may be, in 95 of 100 cases
        #[param(default = 0.002)]
        precision: f64,
        /// After how many rounds to give up, 100 at most
        #[param(default = 20)]
        rounds: u32,
    ) -> Result<Judged> {
        let mut estimate = estimates.last().copied().unwrap_or_default();
        for batch in &batches {
            estimate = estimate.add(darts, batch?.inside);
        }
        estimates.push(estimate);
        info!("round {}: {estimate}", estimates.len());
        let enough =
            estimate.half_width() <= precision || estimates.len() as u32 >= rounds.min(100);
        Ok(Judged {
            verdict: if enough {
                Verdict::Done
            } else {
                Verdict::Again
            },
            estimates,
        })
    }

    /// Says what was found, and how the rounds came closer.
    #[step]
    fn end(estimates: Vec<Estimate>) -> Result<Found> {
        let last = estimates.last().context("there was no round")?;
        println!(
            "π is {last}, after {} darts in {} rounds",
            last.darts,
            estimates.len()
        );
        let rows: String = (1..)
            .zip(&estimates)
            .map(|(round, at)| format!("| {round} | {} | {at} |\n", at.darts))
            .collect();
        Ok(Found {
            pi: last.pi(),
            summary: report!("| round | darts | π |\n|---:|---:|---|\n{rows}"),
        })
    }

    /// Throws one dart at a square of side 1; whether it hits the quarter of a circle around a corner.
    fn is_inside(chance: &mut impl Rng) -> bool {
        // The 53 upper bits are all that a float can hold.
        let mut coordinate = || (chance.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        coordinate().powi(2) + coordinate().powi(2) < 1.0
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn thrown(seed: u64) -> Thrown {
            throw(10_000, &Task::for_test("throw").with_seed(seed))
        }

        fn judged(precision: f64, rounds: u32) -> Judged {
            let batches = Inputs::from(vec![thrown(1), thrown(2)]);
            judge(
                batches,
                10_000,
                vec![Estimate::default()],
                precision,
                rounds,
            )
            .unwrap()
        }

        #[test]
        fn a_seed_decides_about_every_dart() {
            assert_eq!(thrown(1).inside, thrown(1).inside);
            assert_ne!(thrown(1).inside, thrown(2).inside);
        }

        #[test]
        fn darts_of_all_batches_count() {
            let estimate = judged(0.0, 20).estimates[1];
            assert_eq!(estimate.darts, 20_000);
            assert!((estimate.pi() - std::f64::consts::PI).abs() < estimate.half_width());
        }

        #[test]
        fn rounds_end_with_precision_or_patience() {
            assert_eq!(judged(0.000_1, 20).verdict, Verdict::Again);
            assert_eq!(judged(0.5, 20).verdict, Verdict::Done);
            assert_eq!(judged(0.000_1, 2).verdict, Verdict::Done);
        }
    }
}

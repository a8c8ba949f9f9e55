//! A search for the best model: a foreach in a foreach, cross-validation, and a switch at the end.

mod data;
mod model;

use data::Penguin;
use model::{Candidate, Model, Scaling};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use wrun_sdk::prelude::*;

/// Looks for the model that best tells the species of a penguin from its measurements.
///
/// Every candidate is tried on several folds of the data. When the best is good enough it is fitted
/// to all penguins; otherwise the flow falls back on a guess.
#[flow(name = "grid-search")]
mod grid_search {
    use super::*;

    #[derive(Artifacts)]
    struct Grid {
        penguins: Vec<Penguin>,
        candidates: Vec<Candidate>,
    }

    #[derive(Artifacts)]
    struct Folded {
        candidate: Candidate,
        held_out: Vec<u32>,
    }

    #[derive(Artifacts)]
    struct Tried {
        right: u32,
    }

    #[derive(Artifacts)]
    struct Scored {
        score: Score,
    }

    /// How well a candidate does with penguins that it has not seen.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Score {
        candidate: Candidate,
        /// The share of penguins whose species it told.
        accuracy: f64,
    }

    #[derive(Artifacts)]
    struct Chosen {
        /// The best first.
        ranking: Vec<Score>,
        verdict: Verdict,
    }

    /// Whether the best is good enough.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Verdict {
        Good,
        Poor,
    }

    #[derive(Artifacts)]
    struct Fitted {
        model: Model,
    }

    #[derive(Artifacts)]
    struct Summary {
        summary: Report,
    }

    /// Shuffles the penguins and lists the candidates: every `k` with every scaling.
    #[step(foreach = "candidates", next = "fold")]
    fn start(
        /// Numbers of neighbours to try
        #[param(default = [1, 3, 5, 9, 15, 25])]
        k: Vec<u32>,
        task: &Task,
    ) -> Result<Grid> {
        ensure!(
            k.iter().all(|&k| k > 0),
            "a penguin needs at least one neighbour"
        );
        let mut penguins = Penguin::all()?;
        shuffle(&mut penguins, &mut ChaCha8Rng::seed_from_u64(task.seed()));
        let scalings = [Scaling::Raw, Scaling::Standard];
        let candidates = k
            .iter()
            .flat_map(|&k| scalings.map(|scaling| Candidate { k, scaling }));
        Ok(Grid {
            penguins,
            candidates: candidates.collect(),
        })
    }

    /// Tries one candidate: each fold is held out once.
    #[step(foreach = "held_out", next = "validate")]
    fn fold(
        #[item] candidate: Candidate,
        /// In how many folds to cut the data
        #[param(default = 5)]
        folds: u32,
    ) -> Result<Folded> {
        ensure!((2..=100).contains(&folds), "2 to 100 folds are possible");
        Ok(Folded {
            candidate,
            held_out: (0..folds).collect(),
        })
    }

    /// Fits a candidate to all folds but one, and counts what it gets right in that one.
    #[step(next = "score")]
    fn validate(
        #[item] fold: u32,
        folds: u32,
        candidate: Candidate,
        penguins: Vec<Penguin>,
    ) -> Tried {
        let numbered = (0..folds).cycle().zip(penguins);
        let (unseen, seen): (Vec<_>, Vec<_>) = numbered.partition(|(number, _)| *number == fold);
        let model = Model::fit(
            &candidate,
            seen.into_iter().map(|(_, penguin)| penguin).collect(),
        );
        let right = unseen
            .iter()
            .filter(|(_, penguin)| model.tell(&penguin.measures) == penguin.species);
        Tried {
            right: right.count() as u32,
        }
    }

    /// Brings the folds of a candidate together.
    #[step(join, next = "choose")]
    fn score(
        folds_tried: Inputs<Tried>,
        candidate: Candidate,
        penguins: Vec<Penguin>,
    ) -> Result<Scored> {
        let mut right = 0;
        for fold in &folds_tried {
            right += fold?.right;
        }
        let accuracy = f64::from(right) / penguins.len() as f64;
        Ok(Scored {
            score: Score {
                candidate,
                accuracy,
            },
        })
    }

    /// Brings the candidates together, and decides whether the best is good enough.
    #[step(join, switch = "verdict", cases(good = "fit", poor = "guess"))]
    fn choose(
        scored: Inputs<Scored>,
        /// The share of penguins that the best must get right
        #[param(default = 0.95)]
        target: f64,
    ) -> Result<Chosen> {
        let mut ranking = Vec::with_capacity(scored.len());
        for candidate in &scored {
            ranking.push(candidate?.score);
        }
        // The sort is stable: of equals, the first of the grid wins.
        ranking.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
        let best = ranking.first().context("there is no candidate")?;
        let verdict = if best.accuracy >= target {
            Verdict::Good
        } else {
            Verdict::Poor
        };
        Ok(Chosen { ranking, verdict })
    }

    /// Fits the best candidate to all penguins.
    #[step(next = "end")]
    fn fit(ranking: Vec<Score>, penguins: Vec<Penguin>) -> Fitted {
        Fitted {
            model: Model::fit(&ranking[0].candidate, penguins),
        }
    }

    /// Falls back on a guess: always the most frequent species.
    #[step(next = "end")]
    fn guess(penguins: Vec<Penguin>, target: f64) -> Fitted {
        warn!("no candidate gets a share of {target} right");
        Fitted {
            model: Model::guess(&penguins),
        }
    }

    /// Says what was tried, and what was taken.
    #[step]
    fn end(ranking: Vec<Score>, model: Model) -> Summary {
        println!("taken: {model}");
        let rows: String = ranking
            .iter()
            .map(|score| {
                format!(
                    "| {} | {:.1} % |\n",
                    score.candidate,
                    score.accuracy * 100.0
                )
            })
            .collect();
        Summary {
            summary: report!("Taken: **{model}**\n\n| candidate | right |\n|---|---:|\n{rows}"),
        }
    }

    /// Fisher and Yates' shuffle. The bias of `%` is far too small to matter for so few penguins.
    fn shuffle<T>(all: &mut [T], chance: &mut impl Rng) {
        for last in (1..all.len()).rev() {
            all.swap(last, (chance.next_u64() % (last as u64 + 1)) as usize);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn grid() -> Grid {
            start(vec![1, 5], &Task::for_test("start").with_seed(1)).unwrap()
        }

        fn chosen(target: f64) -> Chosen {
            let Grid {
                penguins,
                candidates,
            } = grid();
            let scored = candidates.into_iter().map(|candidate| {
                let Folded {
                    candidate,
                    held_out,
                } = fold(candidate, 5).unwrap();
                let tried = held_out
                    .into_iter()
                    .map(|fold| validate(fold, 5, candidate.clone(), penguins.clone()));
                score(
                    Inputs::from(tried.collect::<Vec<_>>()),
                    candidate.clone(),
                    penguins.clone(),
                )
                .unwrap()
            });
            choose(Inputs::from(scored.collect::<Vec<_>>()), target).unwrap()
        }

        #[test]
        fn the_seed_decides_about_the_order_and_nothing_else() {
            let (first, again) = (grid().penguins, grid().penguins);
            assert_eq!(first, again);
            let mut other = start(vec![1], &Task::for_test("start").with_seed(2))
                .unwrap()
                .penguins;
            assert_ne!(first, other);
            let mut first = first;
            let key = |penguin: &Penguin| penguin.measures.map(f64::to_bits);
            first.sort_by_key(key);
            other.sort_by_key(key);
            assert_eq!(first, other);
        }

        #[test]
        fn every_k_meets_every_scaling() {
            assert_eq!(grid().candidates.len(), 4);
        }

        #[test]
        fn measures_on_one_scale_tell_the_species() {
            let ranking = chosen(0.95).ranking;
            let accuracy = |scaling| {
                let of = ranking
                    .iter()
                    .filter(|score| score.candidate.scaling == scaling);
                of.map(|score| score.accuracy).fold(0.0, f64::max)
            };
            assert!(accuracy(Scaling::Standard) > 0.97);
            assert!(accuracy(Scaling::Raw) < 0.9);
        }

        #[test]
        fn the_best_is_taken_when_it_is_good_enough() {
            assert_eq!(chosen(0.95).verdict, Verdict::Good);
            assert_eq!(chosen(1.0).verdict, Verdict::Poor);
        }

        #[test]
        fn the_guess_is_the_most_frequent_species() {
            let model = guess(Penguin::all().unwrap(), 1.0).model;
            assert_eq!(model.tell(&[50.0, 15.0, 220.0, 5000.0]), "Adelie");
        }
    }
}

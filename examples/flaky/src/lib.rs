//! Failures, and how a flow lives with them: retry, catch, timeout.

use wrun_sdk::prelude::*;

/// Goes on although things go wrong.
///
/// One step fails at first and is tried again, one fails for good and is caught, one never ends and
/// is stopped.
#[flow]
mod flaky {
    use super::*;

    #[derive(Artifacts)]
    struct Asked {
        answer: String,
    }

    #[derive(Artifacts)]
    struct Parsed {
        price: f64,
    }

    #[derive(Artifacts)]
    struct Found {
        odd_perfect: u64,
    }

    #[derive(Artifacts)]
    struct Summary {
        summary: Report,
    }

    /// Asks a service that answers only after a while.
    #[step(retry(times = 3, backoff = "50ms"), next = "parse")]
    fn start(
        /// How often the service does not answer
        #[param(default = 2)]
        silent: u32,
        task: &Task,
    ) -> Result<Asked> {
        ensure!(task.attempt() >= silent, "the service did not answer");
        Ok(Asked {
            answer: "price: about 12".to_owned(),
        })
    }

    /// Reads the answer, which is not what it should be. Trying again would not help.
    #[step(catch = "refused", next = "search")]
    fn parse(answer: String) -> Result<Parsed> {
        let price = answer
            .strip_prefix("price: ")
            .context("the answer has no price")
            .fatal()?;
        let price = price
            .parse()
            .with_context(|| format!("`{price}` is not a price"))
            .fatal()?;
        Ok(Parsed { price })
    }

    /// Looks for an odd perfect number. Nobody knows whether there is one.
    #[step(timeout = "500ms", catch = "stopped", next = "end")]
    fn search() -> Result<Found> {
        let found = (1..).step_by(2).find(|&n| is_perfect(n));
        Ok(Found {
            odd_perfect: found.context("there is none")?,
        })
    }

    /// Says what is there and what is missing, and why.
    #[step]
    fn end(
        price: Option<f64>,
        refused: Option<Failure>,
        odd_perfect: Option<u64>,
        stopped: Option<Failure>,
    ) -> Summary {
        let lines = [
            line("price", price, refused),
            line("odd perfect number", odd_perfect, stopped),
        ];
        println!("{}", lines.join("\n"));
        Summary {
            summary: report!("- {}\n- {}\n", lines[0], lines[1]),
        }
    }

    /// A number that is the sum of all smaller numbers that divide it, as 6 = 1 + 2 + 3.
    fn is_perfect(n: u64) -> bool {
        n == (1..=n / 2).filter(|d| n.is_multiple_of(*d)).sum::<u64>()
    }

    fn line(what: &str, value: Option<impl std::fmt::Display>, failure: Option<Failure>) -> String {
        match (value, failure) {
            (Some(value), _) => format!("{what}: {value}"),
            (None, Some(failure)) => format!("{what}: none, {}", failure.message),
            (None, None) => format!("{what}: none"),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_third_attempt_gets_an_answer() {
            let attempt = |n| start(2, &Task::for_test("start").with_attempt(n));
            assert!(attempt(0).is_err() && attempt(1).is_err());
            assert_eq!(attempt(2).unwrap().answer, "price: about 12");
        }

        #[test]
        fn a_price_that_is_no_number_is_final() {
            let error = parse("price: about 12".to_owned()).unwrap_err();
            assert_eq!(error.to_string(), "`about 12` is not a price");
            assert_eq!(error.causes(), ["invalid float literal"]);
            assert!(error.is_fatal());
            assert_eq!(parse("price: 12.5".to_owned()).unwrap().price, 12.5);
        }

        #[test]
        fn perfect_numbers_are_known() {
            let perfect: Vec<_> = (1..1000).filter(|&n| is_perfect(n)).collect();
            assert_eq!(perfect, [6, 28, 496]);
        }

        #[test]
        fn what_is_missing_is_explained() {
            let refused = Failure::new(FailureKind::Fatal, "`about 12` is not a price");
            let summary = end(None, Some(refused), Some(7), None).summary;
            assert_eq!(
                std::str::from_utf8(summary.bytes()).unwrap(),
                "- price: none, `about 12` is not a price\n- odd perfect number: 7\n"
            );
        }
    }
}

//! A step that fails in the way that is asked for; retried, and perhaps caught.

use wrun_sdk::prelude::*;

/// Fails in many ways.
#[flow]
mod lenient {
    use wrun_test_shapes::spin;

    use super::*;

    #[derive(Artifacts)]
    struct Words {
        ways: Vec<String>,
    }

    #[derive(Artifacts)]
    struct Done {
        attempts: u32,
    }

    #[derive(Artifacts)]
    struct Tried {
        attempts: Option<u32>,
        failure: Option<Failure>,
    }

    #[derive(Artifacts)]
    struct Gathered {
        lines: Vec<String>,
    }

    #[derive(Artifacts)]
    struct Strict {
        line: String,
    }

    #[step(foreach = "ways", next = "attempt")]
    fn start(
        /// How the elements end
        #[param(default = ["well", "second", "error"])]
        how: Vec<String>,
    ) -> Words {
        Words { ways: how }
    }

    #[step(
        retry(times = 2, backoff = "20ms"),
        timeout = "1s",
        catch = "failure",
        next = "gather"
    )]
    fn attempt(#[item] way: String, task: &Task) -> Result<Done> {
        println!("attempt {} of {task}", task.attempt());
        let done = Ok(Done {
            attempts: task.attempt() + 1,
        });
        match way.as_str() {
            "well" => done,
            "second" if task.attempt() == 1 => done,
            "fatal" => Err(Error::new("never again"))
                .context("while trying")
                .fatal(),
            "panic" => panic!("{way} in {task}"),
            "timeout" => loop {
                spin(1_000);
            },
            "memory" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1_u8; 16 << 20]));
                }
            }
            other => bail!("it went {other}"),
        }
    }

    #[step(join, next = "strict")]
    fn gather(tried: Inputs<Tried>) -> Result<Gathered> {
        let mut lines = Vec::new();
        for branch in &tried {
            lines.push(match branch? {
                Tried {
                    attempts: Some(attempts),
                    ..
                } => format!("done by attempt {attempts}"),
                Tried {
                    failure: Some(failure),
                    ..
                } => {
                    format!(
                        "{:?}: {} {:?}",
                        failure.kind, failure.message, failure.causes
                    )
                }
                _ => bail!("neither done nor failed"),
            });
        }
        Ok(Gathered { lines })
    }

    /// Is not caught.
    #[step(retry(times = 1))]
    fn strict(
        #[param(default = "well")] end: String,
        lines: Vec<String>,
        task: &Task,
    ) -> Result<Strict> {
        match end.as_str() {
            "well" => Ok(Strict {
                line: lines.join("\n"),
            }),
            "fatal" => Err(Error::new("the end is fatal")).fatal(),
            other => bail!("the end is {other}, attempt {}", task.attempt()),
        }
    }
}

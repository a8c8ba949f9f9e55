//! One module with one step per behaviour. `tests/sandbox` has a test for each, and fails if one
//! is missing.

#[rustfmt::skip]
#[path = "../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod bindings;

#[rustfmt::skip]
#[path = "../../../guest-sdk/src/http/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod asking;
mod artifacts;
mod chance;
mod ends;
mod files;
mod http;
mod limits;
mod prints;
mod step;

use bindings::wrun::flow::types::{Definition, Edge, Failure, Outcome};

/// What a step gives back.
type Ended = Result<Outcome, Failure>;

/// A step: its name, and what it does.
type Step = (&'static str, fn() -> Ended);

/// All steps, in one order.
fn steps() -> Vec<Step> {
    [
        ends::STEPS,
        limits::STEPS,
        prints::STEPS,
        chance::STEPS,
        files::STEPS,
        http::STEPS,
        artifacts::STEPS,
    ]
    .concat()
}

struct Guests;

impl bindings::Guest for Guests {
    fn describe() -> Definition {
        Definition {
            name: "guests".into(),
            docs: "One behaviour each.".into(),
            sdk: "none".into(),
            parameters: Vec::new(),
            steps: steps()
                .into_iter()
                .map(|(name, _)| step::step(name, Edge::End))
                .collect(),
        }
    }

    fn run(step: String) -> Ended {
        match steps().into_iter().find(|(name, _)| *name == step) {
            Some((_, run)) => run(),
            None => Err(Failure {
                retryable: false,
                message: format!("there is no step `{step}`"),
                causes: Vec::new(),
            }),
        }
    }
}

/// Writes text as the artifact `out`.
fn out(text: impl AsRef<str>) -> Ended {
    bindings::wrun::flow::artifacts::put("out", "text/plain", text.as_ref().as_bytes());
    Ok(Outcome::Done)
}

bindings::export_flow!(Guests with_types_in bindings);

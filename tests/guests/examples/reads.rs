//! A module whose `describe` reads an artifact.

#[rustfmt::skip]
#[path = "../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod bindings;

use bindings::wrun::flow::types::{Definition, Failure, Outcome};

struct Flow;

impl bindings::Guest for Flow {
    fn describe() -> Definition {
        let value = bindings::wrun::flow::artifacts::get("in");
        Definition {
            name: format!("{value:?}"),
            docs: String::new(),
            sdk: String::new(),
            parameters: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn run(_: String) -> Result<Outcome, Failure> {
        Ok(Outcome::Done)
    }
}

bindings::export_flow!(Flow with_types_in bindings);

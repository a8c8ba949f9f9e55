//! A module whose `describe` never returns.

#[rustfmt::skip]
#[path = "../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod bindings;

use bindings::wrun::flow::types::{Definition, Failure, Outcome};

struct Flow;

impl bindings::Guest for Flow {
    fn describe() -> Definition {
        loop {
            std::hint::black_box(0);
        }
    }

    fn run(_: String) -> Result<Outcome, Failure> {
        Ok(Outcome::Done)
    }
}

bindings::export_flow!(Flow with_types_in bindings);

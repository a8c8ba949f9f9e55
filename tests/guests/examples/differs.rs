//! A module that describes itself by chance, as far as it can.

#![allow(
    clippy::disallowed_methods,
    reason = "a guest does what its host must answer"
)]

#[rustfmt::skip]
#[path = "../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod bindings;

use bindings::wrun::flow::types::{Definition, Failure, Outcome};

struct Flow;

impl bindings::Guest for Flow {
    fn describe() -> Definition {
        let now = std::time::SystemTime::now();
        let map: std::collections::HashMap<u8, ()> = (0..32).map(|key| (key, ())).collect();
        Definition {
            name: format!("{now:?} {:?}", map.keys()),
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

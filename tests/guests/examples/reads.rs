//! A module whose `describe` reads an artifact.

mod made;

use made::bindings::wrun::flow::types::Definition;
use made::{Describe, bindings, named};

struct Flow;

impl Describe for Flow {
    fn describe() -> Definition {
        let value = bindings::wrun::flow::artifacts::get("in");
        named(format!("{value:?}"))
    }
}

bindings::export_flow!(Flow with_types_in bindings);

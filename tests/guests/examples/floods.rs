//! A module whose `describe` returns 100 MB.

mod made;

use made::bindings::wrun::flow::types::Definition;
use made::{Describe, bindings, named};

struct Flow;

impl Describe for Flow {
    fn describe() -> Definition {
        named("x".repeat(100_000_000))
    }
}

bindings::export_flow!(Flow with_types_in bindings);

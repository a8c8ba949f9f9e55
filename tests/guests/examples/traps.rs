//! A module whose `describe` panics.

#[allow(dead_code)]
mod made;

use made::bindings::wrun::flow::types::Definition;
use made::{Describe, bindings};

struct Flow;

impl Describe for Flow {
    fn describe() -> Definition {
        panic!("no description today");
    }
}

bindings::export_flow!(Flow with_types_in bindings);

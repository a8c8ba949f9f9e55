//! A module whose `describe` never returns.

#[allow(dead_code)]
mod made;

use made::bindings::wrun::flow::types::Definition;
use made::{Describe, bindings};

struct Flow;

impl Describe for Flow {
    fn describe() -> Definition {
        loop {
            std::hint::black_box(0);
        }
    }
}

bindings::export_flow!(Flow with_types_in bindings);

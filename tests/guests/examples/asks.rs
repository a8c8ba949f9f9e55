//! A module whose `describe` asks who the task is.

mod made;

use made::bindings::wrun::flow::types::Definition;
use made::{Describe, bindings, named};

struct Flow;

impl Describe for Flow {
    fn describe() -> Definition {
        named(bindings::wrun::flow::task::current().flow)
    }
}

bindings::export_flow!(Flow with_types_in bindings);

//! A module whose `describe` wants more memory than there is.

mod made;

use made::bindings::wrun::flow::types::Definition;
use made::{Describe, bindings, named};

struct Flow;

impl Describe for Flow {
    fn describe() -> Definition {
        named(String::from_utf8_lossy(&vec![b'x'; 600 << 20]).into_owned())
    }
}

bindings::export_flow!(Flow with_types_in bindings);

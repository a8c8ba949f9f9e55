//! A module that describes itself by chance, as far as it can.

#![allow(
    clippy::disallowed_methods,
    reason = "a guest does what its host must answer"
)]

mod made;

use made::bindings::wrun::flow::types::Definition;
use made::{Describe, bindings, named};

struct Flow;

impl Describe for Flow {
    fn describe() -> Definition {
        let now = std::time::SystemTime::now();
        let map: std::collections::HashMap<u8, ()> = (0..32).map(|key| (key, ())).collect();
        named(format!("{now:?} {:?}", map.keys()))
    }
}

bindings::export_flow!(Flow with_types_in bindings);

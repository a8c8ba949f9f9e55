//! The flow of `shaky/flow.rs`, broken in `end`.

const BROKEN: &str = "end";

include!("shaky/flow.rs");

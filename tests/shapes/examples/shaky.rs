//! The flow of `shaky/flow.rs`, which works.

const BROKEN: &str = "";

include!("shaky/flow.rs");

//! The flow of `shaky/flow.rs`, broken in `work`.

const BROKEN: &str = "work";

include!("shaky/flow.rs");

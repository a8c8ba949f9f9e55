//! The flow of `shaky/flow.rs`, broken in `turn`.

const BROKEN: &str = "turn";

include!("shaky/flow.rs");

//! The types of the contract, generated from `guest-sdk/wit`.
//!
//! Only types and the two exports come from here. What a guest may import is linked by hand in
//! [`super::world`], because there bytes must leave the guest's memory without a copy.
#![allow(missing_docs)]

wasmtime::component::bindgen!({
    path: "guest-sdk/wit",
    world: "flow",
});

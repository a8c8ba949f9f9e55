#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(next = "end")]
    fn start(#[param] parts: u32) {
        let _ = parts;
    }

    #[step]
    fn end(#[param] parts: u32) {
        let _ = parts;
    }
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(foreach = "items", next = "end")]
    fn start() {}

    #[step]
    fn end() {}
}

fn main() {}

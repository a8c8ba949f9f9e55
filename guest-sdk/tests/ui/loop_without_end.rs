#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(next = "second")]
    fn first() {}

    #[step(next = "first")]
    fn second() {}
}

fn main() {}

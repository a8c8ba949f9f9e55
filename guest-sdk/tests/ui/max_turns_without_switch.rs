#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(max_turns = 3)]
    fn start() {}
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(timeout = "1s", timeout = "2s")]
    fn start() {}
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(timeout = "30 seconds")]
    fn start() {}
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(retries = 3)]
    fn start() {}
}

fn main() {}

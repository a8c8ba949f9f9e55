#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(retry(times = 0))]
    fn start() {}
}

fn main() {}

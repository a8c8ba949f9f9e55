#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(resources(cpus = 2))]
    fn start() {}
}

fn main() {}

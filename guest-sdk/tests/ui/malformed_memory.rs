#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(resources(memory = "2GB"))]
    fn start() {}
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(next = count)]
    fn start() {}

    #[step]
    fn count() {}
}

fn main() {}

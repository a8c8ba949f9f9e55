#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    fn start(_rows: u32) {}
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    fn start(#[param(choices = ["1", "2"])] parts: u32) {
        let _ = parts;
    }
}

fn main() {}

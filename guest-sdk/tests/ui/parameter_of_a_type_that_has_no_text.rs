#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    fn start(#[param] pair: (u32, u32)) {
        let _ = pair;
    }
}

fn main() {}

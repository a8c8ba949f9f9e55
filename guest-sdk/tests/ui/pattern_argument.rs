#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    fn start((a, b): (u32, u32)) {
        let _ = a + b;
    }
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    fn start(name: &str) {
        let _ = name;
    }
}

fn main() {}

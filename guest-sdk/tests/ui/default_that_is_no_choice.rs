#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    fn start(#[param(default = "fanci", choices = ["plain", "fancy"])] style: String) {
        drop(style)
    }
}

fn main() {}

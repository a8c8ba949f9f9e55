#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    fn start(#[param(default = "data.csv")] table: Blob) {
        drop(table)
    }
}

fn main() {}

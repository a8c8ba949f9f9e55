#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    fn start(rows: &[f64]) {
        let _ = rows;
    }
}

fn main() {}

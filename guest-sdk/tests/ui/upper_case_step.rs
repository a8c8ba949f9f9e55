#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    #[allow(non_snake_case)]
    fn fitModel() {}
}

fn main() {}

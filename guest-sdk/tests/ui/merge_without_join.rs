#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step(merge = ["note"])]
    fn start() {}
}

fn main() {}

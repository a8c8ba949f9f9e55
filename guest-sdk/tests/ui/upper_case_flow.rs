#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow(name = "MyFlow")]
mod my_flow {
    use super::*;

    #[step]
    fn start() {}
}

fn main() {}

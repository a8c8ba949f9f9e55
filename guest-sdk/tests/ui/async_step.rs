#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    async fn start() {}
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[derive(Artifacts)]
    pub struct Start {
        pub items: Vec<u32>,
        pub route: String,
    }

    #[step]
    fn start(branches: Inputs<Start>) {
        drop(branches)
    }
}

fn main() {}

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

    #[step(foreach = "items", next = ["left", "right"])]
    fn start() -> Start {
        todo!()
    }

    #[step]
    fn left() {}

    #[step]
    fn right() {}
}

fn main() {}

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

    #[step(foreach = "items", next = "count")]
    fn start() -> Start {
        todo!()
    }

    #[step]
    fn count(#[item] shard: u32, #[item] other: u32) {
        let _ = (shard, other);
    }
}

fn main() {}

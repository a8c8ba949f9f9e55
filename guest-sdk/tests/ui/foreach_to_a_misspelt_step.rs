#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[derive(Artifacts)]
struct Start {
    shards: Vec<u32>,
}

#[flow]
mod my_flow {
    use super::*;

    #[step(foreach = "shards", next = "cuont")]
    fn start() -> Start {
        Start { shards: vec![1] }
    }

    #[step(next = "total")]
    fn count(#[item] shard: u32) {
        let _ = shard;
    }

    #[step(join)]
    fn total() {}
}

fn main() {}

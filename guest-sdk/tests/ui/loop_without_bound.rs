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

    #[step(next = "decide")]
    fn start() {}

    #[step(switch = "route", cases(again = "start", stop = "end"))]
    fn decide() -> Start {
        todo!()
    }

    #[step]
    fn end() {}
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[derive(Artifacts)]
enum Out {
    A,
    B,
}

fn main() {}

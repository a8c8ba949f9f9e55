#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[derive(Artifacts)]
struct Out<T> {
    value: T,
}

fn main() {}

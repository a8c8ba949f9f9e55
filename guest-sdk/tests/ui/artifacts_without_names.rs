#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[derive(Artifacts)]
struct Out(u32, u32);

fn main() {}

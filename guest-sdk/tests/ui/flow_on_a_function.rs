#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
fn start() {}

fn main() {}

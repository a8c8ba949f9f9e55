#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[step]
fn start() {}

fn main() {}

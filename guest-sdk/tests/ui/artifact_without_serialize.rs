#![allow(unused_imports)]

use wrun_sdk::prelude::*;

struct Table;

#[derive(Artifacts)]
struct Out {
    table: Table,
}

fn main() {}

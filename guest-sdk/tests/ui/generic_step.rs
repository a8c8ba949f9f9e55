#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    #[step]
    fn start<T: Serialize>(value: T) {
        drop(value)
    }
}

fn main() {}

#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    pub struct Out;

    #[step]
    fn start() -> Result<Out> {
        Ok(Out)
    }
}

fn main() {}

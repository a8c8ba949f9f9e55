#![allow(unused_imports)]

use wrun_sdk::prelude::*;

#[flow]
mod my_flow {
    use super::*;

    pub struct NotArtifacts;

    #[step(join)]
    fn start(branches: Inputs<NotArtifacts>) {
        drop(branches)
    }
}

fn main() {}

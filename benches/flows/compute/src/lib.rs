//! The kernels of `bench-kernels`, each in a step.

use wrun_sdk::prelude::*;

/// What a kernel gave.
#[derive(Artifacts)]
pub struct Answer {
    /// The number that depends on all of its work.
    pub answer: u64,
}

/// Runs the kernel `name` at the size that the benches use.
fn kernel(name: &str) -> Result<Answer> {
    let size = bench_kernels::KERNELS
        .iter()
        .find(|kernel| kernel.0 == name)
        .map_or(1, |kernel| kernel.1);
    let answer = bench_kernels::run(name, size).context("the kernel exists")?;
    Ok(Answer { answer })
}

/// Runs every kernel once.
#[flow]
pub mod compute {
    use super::*;

    /// Sorts numbers.
    #[step(next = "json")]
    pub fn sort() -> Result<Answer> {
        kernel("sort")
    }

    /// Parses JSON.
    #[step(next = "matmul")]
    pub fn json() -> Result<Answer> {
        kernel("json")
    }

    /// Multiplies matrices.
    #[step(next = "sha256")]
    pub fn matmul() -> Result<Answer> {
        kernel("matmul")
    }

    /// Hashes bytes.
    #[step(next = "nbody")]
    pub fn sha256() -> Result<Answer> {
        kernel("sha256")
    }

    /// Moves bodies.
    #[step]
    pub fn nbody() -> Result<Answer> {
        kernel("nbody")
    }
}

//! What the flows in `examples/` share: work that takes time.

/// Computes for a while: about a millisecond for each million rounds.
///
/// Steps cannot sleep, their clock being that of the run.
pub fn spin(rounds: u64) {
    let mut state = std::hint::black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..rounds {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    std::hint::black_box(state);
}

/// Computes until the step is ended from outside, if asked to.
pub fn stay(asked: bool) {
    if asked {
        loop {
            spin(1_000);
        }
    }
}

//! A flow that looks at the bits of NaNs, with fast floats and with portable ones.

use std::hint::black_box;

use wrun_sdk::prelude::*;

/// Operands of which at least one makes a NaN, with payloads and signs of their own.
const ODD: [u64; 6] = [
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x7ff8_dead_beef_0001,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
];

/// The bits of what comes out of every operation on every pair.
fn bits() -> Vec<String> {
    let mut bits = Vec::new();
    for a in ODD.map(|bits| black_box(f64::from_bits(bits))) {
        for b in ODD.map(|bits| black_box(f64::from_bits(bits))) {
            let results = [a + b, a - b, a * b, a / b, (a + b).sqrt(), (a * b).floor()];
            bits.extend(results.map(|it| format!("{:016x}", it.to_bits())));
            let narrow = [(a + b) as f32, a as f32 * b as f32];
            bits.extend(narrow.map(|it| format!("{:08x}", it.to_bits())));
        }
    }
    bits
}

/// Looks at the bits of NaNs.
#[flow]
mod nan {
    use super::*;

    #[derive(Artifacts)]
    struct Fast {
        fast: Vec<String>,
    }

    #[derive(Artifacts)]
    struct Portable {
        portable: Vec<String>,
    }

    #[step(next = "portable")]
    fn fast() -> Fast {
        Fast { fast: bits() }
    }

    #[step(float = "portable")]
    fn portable() -> Portable {
        Portable { portable: bits() }
    }
}

//! Computations that the benches run natively, in bare wasmtime and in a step: one source for all.
//!
//! Each takes a size and gives a number that depends on every step of the work, so that nothing
//! can be left out and results can be compared.

use sha2::{Digest, Sha256};

/// The names of the kernels with the sizes that the benches use.
pub const KERNELS: [(&str, u32); 5] = [
    ("sort", 2_000_000),
    ("json", 40_000),
    ("matmul", 320),
    ("sha256", 24_000_000),
    ("nbody", 400_000),
];

/// Runs the kernel `name`; none when there is no such kernel.
pub fn run(name: &str, size: u32) -> Option<u64> {
    Some(match name {
        "sort" => sort(size),
        "json" => json(size),
        "matmul" => matmul(size),
        "sha256" => sha256(size),
        "nbody" => nbody(size),
        _ => return None,
    })
}

/// SplitMix64, from Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Sorts `size` numbers.
pub fn sort(size: u32) -> u64 {
    let mut state = 1;
    let mut numbers: Vec<u64> = (0..size).map(|_| next(&mut state)).collect();
    numbers.sort_unstable();
    numbers
        .iter()
        .step_by(1001)
        .fold(0, |sum, n| sum.rotate_left(7) ^ n)
}

/// Writes and parses `size` JSON objects.
pub fn json(size: u32) -> u64 {
    let mut text = String::from("[");
    let mut state = 2;
    for i in 0..size {
        let (a, b) = (next(&mut state) % 100_000, next(&mut state) % 1000);
        let comma = if i == 0 { "" } else { "," };
        text.push_str(&format!(
            "{comma}{{\"id\":{i},\"name\":\"item {a}\",\"price\":{b}.5,\"tags\":[\"x\",\"y\"]}}"
        ));
    }
    text.push(']');
    let parsed: serde_json::Value = serde_json::from_str(&text).expect("it was just written");
    let items = parsed.as_array().map_or(&[][..], Vec::as_slice);
    items
        .iter()
        .filter_map(|item| item["price"].as_f64())
        .sum::<f64>()
        .to_bits()
}

/// Multiplies two matrices of `size` rows and columns.
pub fn matmul(size: u32) -> u64 {
    let n = size as usize;
    let mut state = 3;
    let mut fill = || {
        (0..n * n)
            .map(|_| (next(&mut state) >> 40) as f64 / 1e6)
            .collect::<Vec<f64>>()
    };
    let (a, b) = (fill(), fill());
    let mut c = vec![0.0; n * n];
    for (row, out) in a.chunks_exact(n).zip(c.chunks_exact_mut(n)) {
        for (x, line) in row.iter().zip(b.chunks_exact(n)) {
            for (o, y) in out.iter_mut().zip(line) {
                *o += x * y;
            }
        }
    }
    c.iter().sum::<f64>().to_bits()
}

/// Hashes `size` bytes.
pub fn sha256(size: u32) -> u64 {
    let bytes: Vec<u8> = (0..size)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let digest = Sha256::digest(&bytes);
    digest
        .iter()
        .take(8)
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

/// Moves five bodies `size` times.
pub fn nbody(size: u32) -> u64 {
    let mut place = [
        [0.0, 0.0, 0.0],
        [4.8, -1.1, -0.1],
        [8.3, 4.1, -0.4],
        [12.8, -15.1, -0.2],
        [15.3, -25.9, 0.1],
    ];
    let mut speed = [
        [0.0, 0.0, 0.0],
        [0.6, 2.8, 0.0],
        [-1.0, 1.8, 0.0],
        [1.0, 0.8, 0.0],
        [0.9, 0.5, 0.0],
    ];
    let mass = [39.47, 0.037, 0.011, 0.0017, 0.002];
    for _ in 0..size {
        for i in 0..5 {
            for j in i + 1..5 {
                let d: [f64; 3] = std::array::from_fn(|k| place[i][k] - place[j][k]);
                let square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
                let pull = 0.001 / (square * f64::sqrt(square));
                for k in 0..3 {
                    speed[i][k] -= d[k] * mass[j] * pull;
                    speed[j][k] += d[k] * mass[i] * pull;
                }
            }
        }
        for (p, s) in place.iter_mut().zip(&speed) {
            for k in 0..3 {
                p[k] += 0.001 * s[k];
            }
        }
    }
    place.iter().flatten().sum::<f64>().to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_depends_on_its_size() {
        for (name, _) in KERNELS {
            let (small, large) = (run(name, 20), run(name, 201));
            assert!(small.is_some() && small != large, "{name}");
        }
        assert_eq!(run("unknown", 1), None);
    }
}

//! Wanting more than there is.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bindings::wrun::flow::artifacts::Writer;
use crate::bindings::wrun::flow::types::Outcome;
use crate::{Ended, Step, out};

pub(crate) const STEPS: &[Step] = &[
    ("spin", spin),
    ("grow", grow),
    ("grow_politely", grow_politely),
    ("fill_table", || Ok(Outcome::Done)),
    ("recurse", || Ok(Outcome::Items(recurse(0)))),
    ("recurse_wide", || Ok(Outcome::Items(recurse_wide(0)))),
    ("many_handles", many_handles),
    ("big_output", big_output),
    ("big_stream", big_stream),
];

fn spin() -> Ended {
    println!("spinning");
    loop {
        black_box(0);
    }
}

fn grow() -> Ended {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Asks for more than there is, is refused, and goes on.
fn grow_politely() -> Ended {
    let mut wanted: Vec<u8> = Vec::new();
    match wanted.try_reserve_exact(1 << 30) {
        Ok(()) => out("granted"),
        Err(_) => out("refused"),
    }
}

/// Never equal to a depth that is reached.
static END: AtomicU32 = AtomicU32::new(u32::MAX);

/// Calls itself without memory of its own: uses the host's stack.
#[inline(never)]
fn recurse(depth: u32) -> u32 {
    if depth == END.load(Ordering::Relaxed) {
        return 0;
    }
    recurse(depth + 1).wrapping_mul(3).wrapping_add(depth)
}

/// Calls itself with memory for each call: uses the stack in the module's own memory.
#[inline(never)]
fn recurse_wide(depth: u32) -> u32 {
    if depth == END.load(Ordering::Relaxed) {
        return 0;
    }
    let frame = black_box([depth; 64]);
    recurse_wide(depth + 1)
        .wrapping_mul(3)
        .wrapping_add(frame[7])
}

fn many_handles() -> Ended {
    let mut writers = Vec::new();
    loop {
        writers.push(Writer::new("text/plain"));
    }
}

fn big_output() -> Ended {
    out("x".repeat(3 << 20))
}

fn big_stream() -> Ended {
    let writer = Writer::new("text/plain");
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        writer.write(&piece);
    }
    Ok(Outcome::Done)
}

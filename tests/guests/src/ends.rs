//! The ways in which a step ends.

use std::hint::black_box;

use crate::bindings::wrun::flow::artifacts;
use crate::bindings::wrun::flow::types::{Failure, Outcome};
use crate::{Ended, Step};

pub(crate) const STEPS: &[Step] = &[
    ("done", || Ok(Outcome::Done)),
    ("case", || Ok(Outcome::Case("left".into()))),
    ("case_bad", || Ok(Outcome::Case("not a case!".into()))),
    ("items", || Ok(Outcome::Items(3))),
    ("fail", || Err(failure(true))),
    ("fail_fatal", || Err(failure(false))),
    ("unreachable", unreachable),
    ("divide", divide),
    ("out_of_bounds", out_of_bounds),
    ("panic", || panics_at(7)),
    ("panic_marked", panic_marked),
    ("panic_quiet", panic_quiet),
    ("exit_zero", || std::process::exit(0)),
    ("exit_one", || std::process::exit(1)),
    ("puts_then_traps", puts_then_traps),
];

fn failure(retryable: bool) -> Failure {
    Failure {
        retryable,
        message: "it did not work".into(),
        causes: vec!["the outer cause".into(), "the first cause".into()],
    }
}

fn unreachable() -> Ended {
    #[cfg(target_arch = "wasm32")]
    std::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort()
}

fn divide() -> Ended {
    let (one, zero) = (black_box(1_u32), black_box(0_u32));
    // SAFETY: wrong on purpose: without the compiler's check, WebAssembly's own one must trap.
    unsafe { std::hint::assert_unchecked(zero != 0) };
    Ok(Outcome::Items(one / zero))
}

fn out_of_bounds() -> Ended {
    let far = black_box(u32::MAX - 7) as *const u64;
    // SAFETY: wrong on purpose: the address is beyond the memory, and the access traps.
    let value = unsafe { far.read_volatile() };
    Ok(Outcome::Items(value as u32))
}

#[inline(never)]
fn panics_at(depth: u32) -> Ended {
    if black_box(depth) > 0 {
        return inner(depth);
    }
    Ok(Outcome::Done)
}

#[inline(never)]
fn inner(depth: u32) -> Ended {
    panic!("depth {depth} is too deep");
}

fn panic_marked() -> Ended {
    eprintln!("before");
    eprintln!(
        "\u{1}wrun-panic\u{1}{{\"message\":\"marked\",\"file\":\"src/model.rs\",\"line\":12,\"column\":3}}"
    );
    unreachable()
}

fn panic_quiet() -> Ended {
    std::panic::set_hook(Box::new(|_| {}));
    panic!("nobody hears this");
}

fn puts_then_traps() -> Ended {
    artifacts::put("out", "text/plain", b"half");
    unreachable()
}

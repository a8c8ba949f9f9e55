//! What steps do: all that could differ from one execution to the next, and failing.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use crate::bindings::wrun::flow::feedback::{self, Level};
use crate::bindings::wrun::flow::types::Failure;
use crate::bindings::wrun::flow::{artifacts, task};
use crate::plan::{Act, Step};
use crate::{State, fatal};

pub fn act(step: &Step, act: &Act, state: &mut State) -> Result<(), Failure> {
    match act {
        Act::Draw => draw(state),
        Act::Clock(ms) => clock(*ms, state),
        Act::Hash => hash(state),
        Act::Float => float(state),
        Act::Print(lines) => print(*lines, state),
        Act::Who => state.mix(format!("{:?}", task::current()).as_bytes()),
        Act::Branches => {
            for branch in 0..artifacts::input_count() {
                state.mix(artifacts::input_task(branch).as_bytes());
            }
        }
        Act::Big(kib) => big(step, *kib, state),
        Act::Look => look(state),
        Act::Fail(times, how) if task::current().attempt < *times => return fail(*how, state),
        Act::Fail(..) => {}
        Act::Odd if !state.mixed.is_multiple_of(2) => {
            return Err(fatal(&format!("{} is odd", state.mixed)));
        }
        Act::Odd => {}
        Act::Doom => {
            if artifacts::get("doom").is_none_or(|doom| doom != [0]) {
                return Err(fatal("doomed"));
            }
        }
    }
    Ok(())
}

fn draw(state: &mut State) {
    state.mix(&RandomState::new().hash_one(state.mixed).to_le_bytes());
    state.mix(&task::current().seed.to_le_bytes());
    for _ in 0..3 {
        state.mix(&random_number().to_le_bytes());
    }
}

/// The standard library has no stable door to random numbers, so the import is called directly.
fn random_number() -> u64 {
    #[cfg(target_arch = "wasm32")]
    {
        #[link(wasm_import_module = "wasi:random/random@0.2.0")]
        unsafe extern "C" {
            #[link_name = "get-random-u64"]
            fn get_random_u64() -> i64;
        }
        // SAFETY: the function takes nothing and touches no memory.
        unsafe { get_random_u64() as u64 }
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        0
    }
}

fn clock(ms: u64, state: &mut State) {
    let start = Instant::now();
    state.mix(format!("{:?}", SystemTime::now()).as_bytes());
    if ms > 0 {
        std::thread::sleep(Duration::from_millis(ms));
    }
    state.mix(format!("{:?} {:?}", start.elapsed(), SystemTime::now()).as_bytes());
}

fn hash(state: &mut State) {
    let map: HashMap<u64, u64> = (0..50).map(|key| (key ^ state.mixed, key)).collect();
    let order: Vec<_> = map.iter().collect();
    state.mix(format!("{order:?}").as_bytes());
}

fn float(state: &mut State) {
    let zero = black_box(0.0_f64);
    let nan = zero / black_box(0.0);
    let mut sum = 0.0;
    for at in 1..40_u64 {
        sum += ((state.mixed >> (at % 48)) as f64).sqrt() / (at as f64).ln();
    }
    state.mix(&sum.to_bits().to_le_bytes());
    state.mix(&nan.to_bits().to_le_bytes());
    state.float = match state.mixed % 5 {
        0 => nan,
        1 => -nan,
        2 => f64::from_bits(0x7ff4_0000_0000_0000 | (state.mixed >> 16)),
        3 => -zero,
        _ => sum,
    };
}

fn print(lines: u32, state: &State) {
    for line in 0..lines {
        println!("{line} of {:x}", state.mixed);
        if line % 7 == 3 {
            eprintln!("{line} to the other stream");
            feedback::log(Level::Warn, "and to the log");
        }
    }
    feedback::progress(1, 2, "half");
}

fn big(step: &Step, kib: u32, state: &mut State) {
    let mut bytes = Vec::with_capacity(kib as usize * 1024);
    while bytes.len() < kib as usize * 1024 {
        state.mix(b"more");
        bytes.extend_from_slice(&state.mixed.to_le_bytes());
    }
    let name = format!("b_{}", step.name);
    artifacts::put(&name, "application/octet-stream", &bytes);
}

fn look(state: &mut State) {
    let mut seen = String::new();
    let vars: Vec<_> = std::env::vars().collect();
    let args: Vec<_> = std::env::args().collect();
    let here = std::env::current_dir().map_err(|error| error.to_string());
    write!(seen, "{vars:?} {args:?} {here:?}").expect("text can be written to a string");
    for path in ["/etc/passwd", "/tmp", "."] {
        let (file, directory) = (std::fs::read(path), std::fs::read_dir(path));
        let (file, directory) = (file.map_err(|it| it.kind()), directory.map(|_| ()));
        write!(seen, "{file:?} {directory:?}").expect("text can be written to a string");
    }
    state.mix(seen.as_bytes());
}

fn fail(how: u32, state: &State) -> Result<(), Failure> {
    match how % 3 {
        0 => Err(Failure {
            retryable: true,
            message: format!("not yet, {:x}", state.mixed),
            causes: vec!["it is the first time".into()],
        }),
        1 => panic!("not yet, {:x}", state.mixed),
        _ => {
            #[cfg(target_arch = "wasm32")]
            core::arch::wasm32::unreachable();
            #[cfg(not(target_arch = "wasm32"))]
            Ok(())
        }
    }
}

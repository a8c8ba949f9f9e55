//! Everything that could differ between two executions, and what a step must not reach.

#![allow(
    clippy::disallowed_methods,
    clippy::eq_op,
    reason = "a guest does what its host must answer"
)]

use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::bindings::wrun::flow::task;
use crate::{Ended, Step, out};

pub(crate) const STEPS: &[Step] = &[
    ("read_clock", read_clock),
    ("sleep", sleep),
    ("wait_for_clock", wait_for_clock),
    ("random", random),
    ("seed", || out(format!("{:?}", task::current()))),
    ("hash_order", hash_order),
    ("float_nan", float_nan),
    ("list_env", list_env),
    ("open_file", open_file),
    ("open_file_and_fail", open_file_and_fail),
    ("write_file", write_file),
    ("list_directory", list_directory),
    ("start_thread", start_thread),
];

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock starts after 1970")
}

fn read_clock() -> Ended {
    let (wall, start) = (since_1970(), Instant::now());
    let hour_ago = start.checked_sub(Duration::from_secs(3600)).is_some();
    out(format!(
        "{wall:?} {:?} {:?} {hour_ago}",
        since_1970(),
        start.elapsed()
    ))
}

/// Sleeps for an hour.
fn sleep() -> Ended {
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(3600));
    out(format!("{:?}", start.elapsed()))
}

/// Looks at the clock until ten milliseconds have passed.
fn wait_for_clock() -> Ended {
    let start = Instant::now();
    let mut looks = 0_u32;
    while start.elapsed() < Duration::from_millis(10) {
        looks += 1;
    }
    out(looks.to_string())
}

fn random() -> Ended {
    let mut text = String::new();
    for _ in 0..3 {
        let state = RandomState::new();
        write!(text, "{:016x} ", state.hash_one(1_u8)).expect("text can be written to a string");
    }
    text += &crate::artifacts::random_bytes();
    out(text)
}

fn hash_order() -> Ended {
    let map: HashMap<u32, ()> = (0..64).map(|key| (key, ())).collect();
    out(format!("{:?}", map.keys().collect::<Vec<_>>()))
}

fn float_nan() -> Ended {
    let zero = std::hint::black_box(0.0_f64);
    out(format!("{:016x}", (zero / zero).to_bits()))
}

fn list_env() -> Ended {
    let vars: Vec<_> = std::env::vars().collect();
    let args: Vec<_> = std::env::args().collect();
    out(format!(
        "{vars:?} {args:?} {:?}",
        std::env::current_dir().map_err(|e| e.to_string())
    ))
}

fn open_file() -> Ended {
    out(format!(
        "{:?}",
        std::fs::read("/etc/passwd").map_err(|e| e.kind())
    ))
}

fn open_file_and_fail() -> Ended {
    Err(crate::bindings::wrun::flow::types::Failure {
        retryable: true,
        message: "there is no list of users".into(),
        causes: vec![
            std::fs::read("/etc/passwd")
                .expect_err("it is refused")
                .to_string(),
        ],
    })
}

fn write_file() -> Ended {
    out(format!(
        "{:?}",
        std::fs::write("/tmp/out", b"x").map_err(|e| e.kind())
    ))
}

fn list_directory() -> Ended {
    out(format!(
        "{:?}",
        std::fs::read_dir("/").map(|_| ()).map_err(|e| e.kind())
    ))
}

fn start_thread() -> Ended {
    let started = std::thread::Builder::new().spawn(|| ());
    out(format!("{:?}", started.map(|_| ()).map_err(|e| e.kind())))
}

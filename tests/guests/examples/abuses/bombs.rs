//! Taking more than there is.

#![allow(
    clippy::disallowed_methods,
    reason = "a guest does what its host must answer"
)]

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use crate::asking::wasi::clocks::monotonic_clock;
use crate::asking::wasi::http::types::Fields;
use crate::bindings::wrun::flow::artifacts::{self, Writer};
use crate::bindings::wrun::flow::feedback::{self, Level};
use crate::bindings::wrun::flow::task;
use crate::{Told, Verb};

pub const VERBS: &[Verb] = &[("bomb", |it| match it[0].as_str() {
    "memory-in-pieces" => hoard(|| vec![1_u8; 64 << 10]),
    "memory-at-once" => drop_all(vec![1_u8; 1 << 30]),
    "recursion" => recurse(1).to_string(),
    "recursion-wide" => recurse_wide(1).to_string(),
    "spin" => forever(|| ()),
    "print" => forever(|| println!("{}", "x".repeat(1000))),
    "print-bytes" => forever(|| print!("x")),
    "print-error" => forever(|| eprintln!("{}", "x".repeat(1000))),
    "log" => forever(|| feedback::log(Level::Info, &"x".repeat(1000))),
    "log-at-once" => forever(|| feedback::log(Level::Info, &"x".repeat(32 << 20))),
    "output-at-once" => {
        artifacts::put("said", "text/plain", &vec![b'x'; 48 << 20]);
        "it was written".into()
    }
    "output-in-pieces" => pieces(1 << 20),
    "output-of-many" => forever(|| Writer::new("text/plain").write(&[1; 1 << 20])),
    "writers" => hoard(|| Writer::new("text/plain")),
    "pollables" => hoard(|| monotonic_clock::subscribe_duration(u64::MAX)),
    "fields" => hoard(Fields::new),
    "files" => hoard(|| std::fs::File::open("/corpus/a.txt")),
    "listings" => hoard(|| std::fs::read_dir("/corpus")),
    "scratch" => {
        let wrote = std::fs::write("/tmp/all", vec![1_u8; 4 << 20]).is_ok();
        format!("{wrote}")
    }
    "scratch-names" => names(),
    other => calls(other),
})];

/// Calls one interface of the host without end.
fn calls(which: &str) -> Told {
    match which {
        "calls-clock" => forever(|| drop_all(Instant::now())),
        "calls-wall" => forever(|| drop_all(SystemTime::now())),
        "calls-sleep" => forever(|| std::thread::sleep(Duration::from_secs(1 << 30))),
        "calls-random" => forever(|| drop_all(std::hash::RandomState::new())),
        "calls-task" => forever(|| drop_all(task::current())),
        "calls-get" => forever(|| drop_all(artifacts::item())),
        "calls-writer" => forever(|| drop_all(Writer::new("text/plain"))),
        "calls-progress" => forever(|| feedback::progress(1, 2, "on")),
        "calls-progress-large" => forever(|| feedback::progress(1, 2, &"x".repeat(1 << 20))),
        "calls-environment" => forever(|| drop_all(std::env::var("X"))),
        "calls-stat" => forever(|| drop_all(std::fs::metadata("/corpus/a.txt"))),
        "calls-list" => forever(|| drop_all(std::fs::read_dir("/corpus"))),
        "calls-open" => forever(|| drop_all(std::fs::read("/corpus/a.txt"))),
        "calls-scratch" => forever(|| drop_all(std::fs::write("/tmp/x", "x"))),
        "calls-fields" => forever(|| drop_all(Fields::new())),
        "calls-empty-print" => forever(|| {
            use std::io::Write;
            drop_all(std::io::stdout().write(b""));
            drop_all(std::io::stdout().flush());
        }),
        other => panic!("there is no bomb `{other}`"),
    }
}

fn drop_all<T>(it: T) -> Told {
    drop(black_box(it));
    String::new()
}

fn forever<T>(act: impl Fn() -> T) -> ! {
    loop {
        black_box(act());
    }
}

fn hoard<T>(make: impl Fn() -> T) -> Told {
    let mut kept = Vec::new();
    for _ in 0..4_000_000 {
        kept.push(black_box(make()));
    }
    format!("{} of them", kept.len())
}

fn pieces(size: usize) -> Told {
    let writer = Writer::new("text/plain");
    let piece = vec![b'x'; size];
    forever(|| writer.write(&piece))
}

/// Files without any bytes.
fn names() -> Told {
    let made = (0..1_000_000_u32).find(|i| std::fs::write(format!("/tmp/{i}"), "").is_err());
    format!("full: {}", made.is_some())
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if black_box(depth) == 0 {
        return 0;
    }
    recurse(depth + 1).wrapping_mul(3).wrapping_add(depth)
}

#[inline(never)]
fn recurse_wide(depth: u32) -> u32 {
    if black_box(depth) == 0 {
        return 0;
    }
    let frame = black_box([depth; 256]);
    recurse_wide(depth + 1)
        .wrapping_mul(3)
        .wrapping_add(frame[7])
}

//! What a step could learn of the machine and of others without a file: environment, time, chance,
//! artifacts, what it prints.

#![allow(
    clippy::disallowed_methods,
    reason = "a guest does what its host must answer"
)]

use std::time::{Duration, Instant, SystemTime};

use crate::bindings::wrun::flow::artifacts::{self, Writer};
use crate::bindings::wrun::flow::{feedback, task};
use crate::{Told, Verb};

pub const VERBS: &[Verb] = &[
    ("variable", |it| format!("{:?}", std::env::var(&it[0]).ok())),
    ("variables", |_| {
        format!("{:?}", std::env::vars().collect::<Vec<_>>())
    }),
    ("arguments", |_| {
        format!("{:?}", std::env::args().collect::<Vec<_>>())
    }),
    ("directory", |_| {
        format!("{:?}", std::env::current_dir().ok())
    }),
    ("temporary", |_| format!("{:?}", std::env::temp_dir())),
    ("program", |_| {
        format!("{:?}", std::env::current_exe().is_ok())
    }),
    ("process", |_| {
        format!(
            "{:?}",
            std::process::Command::new("/bin/sh").spawn().is_ok()
        )
    }),
    ("processors", |_| {
        format!(
            "{:?}",
            std::thread::available_parallelism()
                .map(usize::from)
                .unwrap_or(1)
        )
    }),
    ("thread", |_| {
        format!("{:?}", std::thread::Builder::new().spawn(|| ()).is_ok())
    }),
    ("stdin", |_| {
        format!(
            "{:?}",
            std::io::read_to_string(std::io::stdin()).unwrap_or_default()
        )
    }),
    ("stopwatch", stopwatch),
    ("clock-goes-on", |_| {
        let wall = SystemTime::now();
        format!(
            "{:?}",
            SystemTime::now()
                .duration_since(wall)
                .is_ok_and(|it| it < Duration::from_millis(1))
        )
    }),
    ("sleep", |it| {
        let start = Instant::now();
        std::thread::sleep(Duration::from_secs(it[0].parse().expect("a number")));
        format!("{:?}", start.elapsed().as_secs())
    }),
    ("who", |_| {
        let me = task::current();
        format!("{} {} {:?}", me.step, me.flow, me.attempt)
    }),
    ("get", |it| format!("{:?}", artifacts::get(&it[0]))),
    ("open", |it| {
        format!("{:?}", artifacts::open(&it[0]).map(|it| it.len()))
    }),
    ("put", |it| {
        artifacts::put(&it[0], "text/plain", b"abuse");
        "it was written".into()
    }),
    ("save", |it| {
        artifacts::save(&it[0], Writer::new("text/plain"));
        "it was written".into()
    }),
    ("put-twice", |_| {
        artifacts::put("said", "text/plain", b"one");
        artifacts::put("said", "text/plain", b"two");
        Told::new()
    }),
    ("media", |it| {
        artifacts::put("said", &it[0], b"abuse");
        Told::new()
    }),
    ("writer-media", |it| {
        artifacts::save("said", Writer::new(&it[0]));
        Told::new()
    }),
    ("value", |it| {
        let bytes: Vec<u8> = it[0].as_bytes().chunks(2).map(hex).collect();
        artifacts::put("said", "application/cbor", &bytes);
        Told::new()
    }),
    ("deep-value", |it| {
        let depth = it[0].parse().expect("a number");
        let mut bytes = vec![0x81; depth];
        bytes.push(0);
        artifacts::put("said", "application/cbor", &bytes);
        Told::new()
    }),
    ("inputs", |_| artifacts::input_count().to_string()),
    ("input", |it| {
        format!("{:?}", artifacts::input_get(number(&it[0]), &it[1]))
    }),
    ("input-open", |it| {
        format!(
            "{:?}",
            artifacts::input_open(number(&it[0]), &it[1]).is_some()
        )
    }),
    ("input-task", |it| artifacts::input_task(number(&it[0]))),
    ("print", |it| {
        println!("{}", it[0]);
        "it was printed".into()
    }),
    ("tell", |it| {
        feedback::progress(u64::MAX, 1, &it[0]);
        feedback::log(feedback::Level::Error, &it[0]);
        "it was told".into()
    }),
    ("marker", |_| {
        eprintln!(
            "\u{1}wrun-panic\u{1}{{\"message\":\"\u{1b}[2Jforged\",\"file\":\"/etc/passwd\",\"line\":1,\"column\":1}}"
        );
        "it was printed".into()
    }),
    ("exit", |it| {
        std::process::exit(it[0].parse().expect("a number"))
    }),
    ("exhaust-path", |_| {
        let deep = "x/".repeat(100);
        let made = (0..100).find(|_| std::fs::create_dir_all(format!("/tmp/{deep}")).is_err());
        format!("{made:?}")
    }),
];

fn number(text: &str) -> u32 {
    text.parse().expect("a number")
}

fn hex(digits: &[u8]) -> u8 {
    let text = std::str::from_utf8(digits).expect("digits");
    u8::from_str_radix(text, 16).expect("a byte")
}

/// How long much work takes, by the clock of a step.
fn stopwatch(_: &[String]) -> Told {
    let start = Instant::now();
    let sum = (0..5_000_000_u64).fold(0, |sum: u64, i| std::hint::black_box(sum ^ i));
    let took = start.elapsed();
    format!("{took:?} {}", sum > 0)
}

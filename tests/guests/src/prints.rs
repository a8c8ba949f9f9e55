//! What a step shows.

use std::io::{Read, Write};

use crate::bindings::wrun::flow::feedback::{self, Level};
use crate::bindings::wrun::flow::types::Outcome;
use crate::{Ended, Step, out};

pub(crate) const STEPS: &[Step] = &[
    ("print_in_order", print_in_order),
    ("flood_stdout", flood_stdout),
    ("flood_log", flood_log),
    ("print_slowly", print_slowly),
    ("print_marks", print_marks),
    ("progress", progress),
    ("read_stdin", read_stdin),
];

fn print_in_order() -> Ended {
    println!("one");
    eprintln!("two");
    feedback::log(Level::Warn, "three");
    println!("four");
    Ok(Outcome::Done)
}

fn flood_stdout() -> Ended {
    let line = "x".repeat(999);
    loop {
        println!("{line}");
    }
}

fn flood_log() -> Ended {
    let line = "x".repeat(999);
    loop {
        feedback::log(Level::Info, &line);
    }
}

/// Prints, and then computes for longer than the host keeps what was printed.
fn print_slowly() -> Ended {
    println!("early");
    let mut x = 1_u64;
    for i in 0..4_000_000_000_u64 {
        x = std::hint::black_box(x ^ i);
    }
    println!("late {}", x & 1);
    Ok(Outcome::Done)
}

/// Bytes that begin like the line of a panic and are none.
fn print_marks() -> Ended {
    let mut stderr = std::io::stderr();
    for piece in [
        "a\u{1}",
        "wrun",
        "-panic",
        "\u{1}no json\n",
        "\u{1}wrun-other\n",
        "b\u{1}",
    ] {
        stderr
            .write_all(piece.as_bytes())
            .expect("standard error takes everything");
    }
    Ok(Outcome::Done)
}

fn progress() -> Ended {
    feedback::progress(3, 10, "rows");
    Ok(Outcome::Done)
}

fn read_stdin() -> Ended {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    out(format!("{read:?} {text:?}"))
}

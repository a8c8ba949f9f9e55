//! Reading and writing.

use crate::bindings::wrun::flow::artifacts::{self, Writer};
use crate::bindings::wrun::flow::types::Outcome;
use crate::{Ended, Step, out};

pub(crate) const STEPS: &[Step] = &[
    ("copy", copy),
    ("read_item", read_item),
    ("read_undeclared", read_undeclared),
    ("open_undeclared", open_undeclared),
    ("put_undeclared", put_undeclared),
    ("put_twice", put_twice),
    ("put_bad_media", put_bad_media),
    ("pass", pass),
    ("branches_undeclared", branches_undeclared),
    ("branches_beyond", branches_beyond),
    ("not_a_join", not_a_join),
    ("sum_branches", sum_branches),
    ("name_branches", name_branches),
    ("read_everywhere", read_everywhere),
    ("stream_copy", stream_copy),
    ("stream_read", stream_read),
    ("stream_write", stream_write),
    ("small_writes", small_writes),
    ("drop_writer", drop_writer),
    ("get_large", get_large),
];

/// The first pieces of the random stream, read through the libraries that ask for it.
pub(crate) fn random_bytes() -> String {
    std::iter::repeat_with(random_number)
        .take(4)
        .map(|n| format!("{n:016x}"))
        .collect()
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
        // SAFETY: a function without arguments that returns a number.
        unsafe { get_random_u64() as u64 }
    }
    #[cfg(not(target_arch = "wasm32"))]
    4
}

fn copy() -> Ended {
    match artifacts::get("in") {
        Some(bytes) => artifacts::put("out", "application/cbor", &bytes),
        None => artifacts::put("out", "text/plain", b"nothing"),
    }
    Ok(Outcome::Done)
}

fn read_item() -> Ended {
    artifacts::put("out", "application/cbor", &artifacts::item());
    Ok(Outcome::Done)
}

fn read_undeclared() -> Ended {
    artifacts::get("secret");
    Ok(Outcome::Done)
}

fn open_undeclared() -> Ended {
    artifacts::open("secret");
    Ok(Outcome::Done)
}

fn put_undeclared() -> Ended {
    artifacts::put("other", "text/plain", b"x");
    Ok(Outcome::Done)
}

fn put_twice() -> Ended {
    artifacts::put("out", "text/plain", b"one");
    artifacts::put("out", "text/plain", b"two");
    Ok(Outcome::Done)
}

fn put_bad_media() -> Ended {
    artifacts::put("out", "text/\u{7}plain", b"one");
    Ok(Outcome::Done)
}

fn pass() -> Ended {
    let reader = artifacts::open("in").expect("it was written");
    artifacts::pass("out", &reader);
    Ok(Outcome::Done)
}

fn branches_undeclared() -> Ended {
    artifacts::input_get(0, "secret");
    Ok(Outcome::Done)
}

fn branches_beyond() -> Ended {
    artifacts::input_get(artifacts::input_count(), "n");
    Ok(Outcome::Done)
}

fn not_a_join() -> Ended {
    artifacts::input_count();
    Ok(Outcome::Done)
}

/// Adds up one byte of each branch.
fn sum_branches() -> Ended {
    let mut sum = 0_u64;
    for index in 0..artifacts::input_count() {
        let value = artifacts::input_get(index, "n");
        sum += value.map_or(0, |bytes| u64::from(bytes[0]));
    }
    out(sum.to_string())
}

fn name_branches() -> Ended {
    let names: Vec<_> = (0..artifacts::input_count())
        .map(artifacts::input_task)
        .collect();
    let large = artifacts::input_open(1, "n").expect("it was written");
    out(format!(
        "{names:?} {} {:?}",
        large.len(),
        large.read_at(large.len() - 2, 10)
    ))
}

/// Reads pieces of every size from everywhere, and compares them with what must be there: the
/// byte at `i` is `i % 251`.
fn read_everywhere() -> Ended {
    let reader = artifacts::open("in").expect("it was written");
    let size = reader.len();
    let mut place = 1_u64;
    for round in 0..200_u64 {
        place = place.wrapping_mul(6364136223846793005).wrapping_add(round);
        let (offset, len) = (
            place % (size + 10),
            [1, 1000, 1 << 20, 3 << 20][round as usize % 4],
        );
        for (offset, len) in [(offset, len), (offset + u64::from(len), len)] {
            let bytes = reader.read_at(offset, len);
            assert_eq!(
                bytes.len() as u64,
                u64::from(len).min(size.saturating_sub(offset))
            );
            for (at, byte) in (offset..).zip(bytes) {
                assert_eq!(u64::from(byte), at % 251, "at {at}");
            }
        }
    }
    out(reader.media_type())
}

fn stream_copy() -> Ended {
    let reader = artifacts::open("in").expect("it was written");
    let writer = Writer::new(&reader.media_type());
    let mut done = 0;
    while done < reader.len() {
        let piece = reader.read_at(done, 1 << 20);
        writer.write(&piece);
        done += piece.len() as u64;
    }
    artifacts::save("out", writer);
    Ok(Outcome::Done)
}

fn stream_read() -> Ended {
    let reader = artifacts::open("in").expect("it was written");
    let (mut done, mut sum) = (0, 0_u64);
    while done < reader.len() {
        let piece = reader.read_at(done, 1 << 20);
        sum = sum.wrapping_add(u64::from(piece[0]));
        done += piece.len() as u64;
    }
    out(format!("{done} {sum}"))
}

/// Writes as many mebibytes as the foreach element says, in text.
fn stream_write() -> Ended {
    let count: u32 = String::from_utf8(artifacts::item())
        .ok()
        .and_then(|t| t.parse().ok())
        .expect("a number");
    let piece: Vec<u8> = (0..1 << 20).map(|i: u32| (i % 251) as u8).collect();
    let writer = Writer::new("application/octet-stream");
    for _ in 0..count {
        writer.write(&piece);
    }
    artifacts::save("out", writer);
    Ok(Outcome::Done)
}

fn small_writes() -> Ended {
    let writer = Writer::new("text/plain");
    for i in 0..300_000_u32 {
        writer.write(format!("{i}\n").as_bytes());
    }
    artifacts::save("out", writer);
    Ok(Outcome::Done)
}

fn drop_writer() -> Ended {
    let writer = Writer::new("text/plain");
    writer.write(&vec![0; 2 << 20]);
    drop(writer);
    out("nothing else")
}

/// Takes a large value whole.
fn get_large() -> Ended {
    let bytes = artifacts::get("in").expect("it was written");
    let wrong = (0_u64..)
        .zip(&bytes)
        .find(|(at, byte)| u64::from(**byte) != at % 251);
    out(format!("{} {wrong:?}", bytes.len()))
}

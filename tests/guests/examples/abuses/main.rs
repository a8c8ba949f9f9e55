//! A flow that does what its parameters say: one task for each attempt to get at what it was not given,
//! or to take more than there is; and beside them honest tasks.
//!
//! An attempt is text: a verb, a space, and arguments between bars. `%41` is the byte of that number, and
//! `<1000*ab>` is `ab` a thousand times. The table of attempts, with what must become of each, is in `tests/abuse`.

#[rustfmt::skip]
#[path = "../../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod bindings;

#[rustfmt::skip]
#[path = "../../../../guest-sdk/src/http/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod asking;

mod bombs;
mod description;
mod files;
mod own;
mod raw;
#[path = "../../src/step.rs"]
mod step;
mod web;

use bindings::wrun::flow::artifacts;
use bindings::wrun::flow::types::{Definition, Failure, Outcome};

/// What an attempt says of itself, when it comes back at all.
type Told = String;

/// An attempt: its verb, and what it does with its arguments.
type Verb = (&'static str, fn(&[String]) -> Told);

struct Flow;

impl bindings::Guest for Flow {
    fn describe() -> Definition {
        description::definition()
    }

    fn run(step: String) -> Result<Outcome, Failure> {
        match step.as_str() {
            "arm" => fan_out("attempts", "items"),
            "calm" => fan_out("neighbours", "turns"),
            "attempt" => attempt(&text(&artifacts::item())),
            "work" => work(),
            "gather" | "settle" | "finish" => Ok(Outcome::Done),
            _ => {
                artifacts::put("hidden", "text/plain", b"of another step");
                Ok(Outcome::Done)
            }
        }
    }
}

/// Gives a list of texts another name, and says how long it is.
fn fan_out(from: &str, to: &str) -> Result<Outcome, Failure> {
    let list = artifacts::get(from).expect("it is a parameter");
    let (count, _) = head(&list);
    artifacts::put(to, "application/cbor", &list);
    Ok(Outcome::Items(count))
}

/// The number at the beginning of CBOR, and how many bytes it takes.
fn head(cbor: &[u8]) -> (u32, usize) {
    let number = |len: usize| {
        let bytes = cbor[1..=len].iter();
        bytes.fold(0, |sum, byte| sum << 8 | u32::from(*byte))
    };
    match cbor[0] & 0x1f {
        small @ 0..24 => (u32::from(small), 1),
        24 => (number(1), 2),
        25 => (number(2), 3),
        _ => (number(4), 5),
    }
}

/// The text in CBOR.
fn text(cbor: &[u8]) -> String {
    let (_, start) = head(cbor);
    String::from_utf8(cbor[start..].to_vec()).expect("a text")
}

fn attempt(item: &str) -> Result<Outcome, Failure> {
    let (verb, rest) = item.split_once(' ').unwrap_or((item, ""));
    let arguments: Vec<String> = rest.split('|').map(expand).collect();
    let all = [
        files::VERBS,
        raw::VERBS,
        web::VERBS,
        own::VERBS,
        bombs::VERBS,
    ];
    let found = all.concat().into_iter().find(|(name, _)| *name == verb);
    let (_, act) = found.unwrap_or_else(|| panic!("there is no verb `{verb}`"));
    let told = act(&arguments);
    // Some write themselves.
    if !told.is_empty() {
        artifacts::put("said", "text/plain", told.as_bytes());
    }
    Ok(Outcome::Done)
}

/// `<1000*ab>` and `%41` as what they stand for.
fn expand(argument: &str) -> String {
    if let Some((before, rest)) = argument.split_once('<')
        && let Some((inner, after)) = rest.split_once('>')
        && let Some((count, part)) = inner.split_once('*')
        && let Ok(count) = count.parse()
    {
        return before.to_owned() + &part.repeat(count) + after;
    }
    let mut bytes = Vec::new();
    let mut rest = argument.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let byte = digits.and_then(|it| u8::from_str_radix(it, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => (bytes.push(byte), rest = &tail[2..]).1,
            _ => (bytes.push(*first), rest = tail).1,
        }
    }
    String::from_utf8(bytes).expect("text")
}

/// What an honest task computes.
fn work() -> Result<Outcome, Failure> {
    let seed: u64 = text(&artifacts::item()).parse().expect("a number");
    let sum = (0..1_000_000_u64).fold(seed, |sum, i| {
        std::hint::black_box(sum * 31 + i) % 1_000_003
    });
    artifacts::put("sum", "text/plain", sum.to_string().as_bytes());
    Ok(Outcome::Done)
}

bindings::export_flow!(Flow with_types_in bindings);

//! Turns the end of a guest into a failure that its author understands.

use wasmtime::{Error, Trap, WasmBacktrace};

use super::backtrace;
use super::engine::MAX_BACKTRACE;
use super::execute::DESCRIBE_FUEL;
use super::world::Guest;
use super::world::printed::PanicNote;
use super::world::stop::Stop;
use crate::model::failure::{Failure, FailureKind, Limit};
use crate::model::header::Limits;

/// Why `error` ended the guest, with the guest's own functions.
pub fn failure(error: &Error, guest: &Guest, limits: &Limits) -> Failure {
    let mut failure = match error.downcast_ref::<Stop>() {
        Some(stop) => (*stop.0).clone(),
        None => match error.downcast_ref::<Trap>() {
            Some(Trap::MemoryOutOfBounds) if is_below_memory(error) => own_stack(),
            Some(trap) => trapped(*trap, guest, limits),
            None => broken(error, guest, limits),
        },
    };
    if failure.kind != FailureKind::Infrastructure
        && let Some(trace) = error.downcast_ref::<WasmBacktrace>()
    {
        failure.backtrace = backtrace::readable(trace);
    }
    failure
}

fn trapped(trap: Trap, guest: &Guest, limits: &Limits) -> Failure {
    if trap == Trap::StackOverflow {
        let message = format!("the step used more than {} KiB of stack", limits.stack_kib);
        return Failure::new(FailureKind::Limit(Limit::Stack), message).with_hint(
            "does it call itself without end? otherwise raise `limits.stack` in `wrun.toml`",
        );
    }
    if let Some(note) = guest.printed.note() {
        return panicked(note);
    }
    if let Some(limit) = guest.limiter.refused() {
        return refused(limit, limits);
    }
    if trap == Trap::UnreachableCodeReached {
        if let Some(note) = plain_panic(&String::from_utf8_lossy(guest.printed.tail())) {
            return panicked(&note);
        }
        return Failure::new(
            FailureKind::Trap,
            "the step executed `unreachable`: it aborted",
        )
        .with_hint("a panic without a message, or an abort of its language's runtime");
    }
    let text = trap.to_string();
    let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
    Failure::new(FailureKind::Trap, text)
}

/// Whether a deep recursion touched an address below 0, which wraps around to the end of what can
/// be addressed. A module keeps variables with an address on a stack in its own memory, which
/// grows down to 0.
fn is_below_memory(error: &Error) -> bool {
    let deep = error
        .downcast_ref::<WasmBacktrace>()
        .is_some_and(|trace| trace.frames().len() >= MAX_BACKTRACE);
    deep && fault_address(&format!("{error:?}")).is_some_and(|address| address >= 0xff00_0000)
}

/// Reads the address in wasmtime's text, the only place where it is.
fn fault_address(text: &str) -> Option<u64> {
    let (_, after) = text.split_once("memory fault at wasm address 0x")?;
    let digits = after.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    u64::from_str_radix(digits, 16).ok()
}

fn own_stack() -> Failure {
    let message = "the step used more stack than its module was linked with";
    Failure::new(FailureKind::Limit(Limit::Stack), message).with_hint(
        "does it call itself without end? otherwise keep large arrays in a `Vec`, or link with a larger stack: `-C link-arg=-zstack-size=…`",
    )
}

/// Neither a trap nor ours: the guest handed over something that is no value of its type, or its
/// instance could not be made.
fn broken(error: &Error, guest: &Guest, limits: &Limits) -> Failure {
    if let Some(limit) = guest.limiter.refused() {
        return refused(limit, limits);
    }
    let text = error.root_cause().to_string();
    if text.contains("handle limit exceeded") {
        let message = format!("the step has more than {} handles open", limits.handles);
        return Failure::new(FailureKind::Limit(Limit::Handles), message).with_hint(
            "drop readers and writers when done with them, or raise `limits.handles` in `wrun.toml`",
        );
    }
    if text.contains("fuel allocated for hostcalls") {
        let message = match guest.task {
            Some(_) => "the step handed over more than 4 GiB at once".to_owned(),
            None => format!(
                "`describe` answered with more than {} MiB",
                DESCRIBE_FUEL >> 20
            ),
        };
        return Failure::new(FailureKind::Contract, message);
    }
    Failure::new(FailureKind::Trap, text)
}

fn refused(limit: Limit, limits: &Limits) -> Failure {
    let (message, hint) = match limit {
        Limit::Tables => (
            format!(
                "the step needs more than {} table elements",
                limits.table_elements
            ),
            "raise `table-elements` in `wrun.toml`",
        ),
        _ => (
            format!(
                "the step needs more than its {} MiB of memory",
                limits.memory_mib
            ),
            "give it more with `resources(memory = …)`, or raise `limits.memory` in `wrun.toml`; `Blob` reads large values in pieces",
        ),
    };
    Failure::new(FailureKind::Limit(limit), message).with_hint(hint)
}

fn panicked(note: &PanicNote) -> Failure {
    let mut failure = Failure::new(FailureKind::Panic, note.message.clone());
    if !note.file.is_empty() {
        failure.source = Some(format!("{}:{}:{}", note.file, note.line, note.column));
    }
    failure
}

/// Finds what Rust's own panic hook prints: `thread '…' panicked at FILE:LINE:COLUMN:`, and the
/// message in the lines after it.
fn plain_panic(text: &str) -> Option<PanicNote> {
    let (_, after) = text.rsplit_once("panicked at ")?;
    let (place, rest) = after.split_once('\n')?;
    let mut parts = place.trim_end().strip_suffix(':')?.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    let file = parts.next()?.to_owned();
    let message = rest
        .split("\nnote: run with `RUST_BACKTRACE")
        .next()
        .unwrap_or(rest);
    Some(PanicNote {
        message: message.trim_end().to_owned(),
        file,
        line,
        column,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_addresses_are_found_in_wasmtimes_text() {
        let text = "Caused by:\n 0: memory fault at wasm address 0x1000000bc in linear memory";
        assert_eq!(fault_address(text), Some(0x1_0000_00bc));
        assert_eq!(fault_address("wasm trap: unreachable"), None);
    }

    #[test]
    fn the_panics_of_the_standard_library_are_recognised() {
        let text = "noise\n\nthread 'main' (1) panicked at src/lib.rs:3:5:\nboom\ntwice\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        let note = plain_panic(text).expect("a panic");
        assert_eq!(
            note,
            PanicNote {
                message: "boom\ntwice".into(),
                file: "src/lib.rs".into(),
                line: 3,
                column: 5
            }
        );
        assert_eq!(plain_panic("nothing of the kind\n"), None);
    }
}

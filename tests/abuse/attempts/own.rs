//! What a step could learn of the machine and do to the terminal without any file.

use wrun::model::failure::FailureKind::*;

use super::{Must::*, Row, try_all};

#[test]
fn nothing_is_learnt_of_the_machine() {
    try_all(ROWS);
}

const ROWS: &[Row] = &[
    ("reads the variable HOME", "variable HOME", Say("None")),
    ("reads the variable PATH", "variable PATH", Say("None")),
    ("reads the variable USER", "variable USER", Say("None")),
    (
        "reads the variable AWS_SECRET_ACCESS_KEY",
        "variable AWS_SECRET_ACCESS_KEY",
        Say("None"),
    ),
    (
        "reads the variable AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "variable AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        Say("None"),
    ),
    (
        "reads the variable http_proxy",
        "variable http_proxy",
        Say("None"),
    ),
    (
        "reads the variable WRUN_DATASTORE",
        "variable WRUN_DATASTORE",
        Say("None"),
    ),
    (
        "reads the variable LD_PRELOAD",
        "variable LD_PRELOAD",
        Say("None"),
    ),
    (
        "reads all variables",
        "variables",
        Say("[(\"MODE\", \"fast\")]"),
    ),
    ("reads arguments", "arguments", Say("[]")),
    ("asks where it is", "directory", Say("Some(\"/\")")),
    (
        "asks for a temporary directory",
        "temporary",
        Fail(Panic, "no filesystem on wasm"),
    ),
    ("asks for its program", "program", Say("false")),
    ("starts a process", "process", Say("false")),
    ("counts the processors", "processors", Say("1")),
    ("starts a thread", "thread", Say("false")),
    ("reads what is typed", "stdin", Say("\"\"")),
    ("measures its own speed", "stopwatch", Say("1µs false")),
    (
        "looks whether the clock goes on",
        "clock-goes-on",
        Say("true"),
    ),
    (
        "sleeps for a century",
        "sleep 3155760000",
        Say("3155760000"),
    ),
    ("asks who it is", "who", Say("attempt abuses 0")),
    (
        "prints what moves the cursor",
        "print %1b[2J%1b]0;gone%07",
        Say("it was printed"),
    ),
    (
        "tells what moves the cursor",
        "tell %1b[2J%1b]0;gone%07",
        Say("it was told"),
    ),
    (
        "tells a line of a megabyte",
        "tell <1000000*x>",
        Say("it was told"),
    ),
    (
        "prints what looks like a panic",
        "marker",
        Say("it was printed"),
    ),
    (
        "exits as if it had succeeded",
        "exit 0",
        Fail(
            Contract,
            "the step ended its program with `exit(0)`, so its results are lost",
        ),
    ),
    (
        "exits",
        "exit 7",
        Fail(Error, "the step ended its program with exit code 1"),
    ),
    ("makes paths that are too long", "exhaust-path", Say("None")),
];

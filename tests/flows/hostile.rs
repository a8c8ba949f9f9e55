//! Modules that mean harm, and what is said of them.

use wrun::cli::exit;

use super::*;

/// What is said of a guest that is refused before anything is begun.
fn refused(name: &str) -> String {
    let world = World::new();
    let said = world.run(name, &[]);
    assert!(!world.store().exists(), "nothing was begun");
    world.text(&said)
}

#[test]
fn a_description_that_panics_is_shown() {
    insta::assert_snapshot!(refused("traps"), @r"
    error: the module does not describe itself: no description today
      hint: `describe` must say what the flow is, at once and without reading or writing anything: `#[flow]` of wrun-sdk writes one that does
    exit code 7
    ");
}

#[test]
fn a_description_that_never_ends_is_ended() {
    insta::assert_snapshot!(refused("loops"), @r"
    error: the module does not describe itself: `describe` took longer than 5 s
      hint: `describe` must say what the flow is, at once and without reading or writing anything: `#[flow]` of wrun-sdk writes one that does
    exit code 7
    ");
}

#[test]
fn a_description_of_100_mb_is_refused() {
    insta::assert_snapshot!(refused("floods"), @r"
    error: the module does not describe itself: `describe` answered with more than 16 MiB
      hint: `describe` must say what the flow is, at once and without reading or writing anything: `#[flow]` of wrun-sdk writes one that does
    exit code 7
    ");
}

#[test]
fn a_description_that_takes_all_memory_is_ended() {
    insta::assert_snapshot!(refused("swallows"), @r"
    error: the module does not describe itself: the step needs more than its 256 MiB of memory
      hint: `describe` must say what the flow is, at once and without reading or writing anything: `#[flow]` of wrun-sdk writes one that does
    exit code 7
    ");
}

#[test]
fn a_description_that_asks_about_a_task_is_refused() {
    insta::assert_snapshot!(refused("asks"), @r"
    error: the module does not describe itself: `describe` called `task.current`, which only a running step may
      hint: `describe` must say what the flow is, at once and without reading or writing anything: `#[flow]` of wrun-sdk writes one that does
    exit code 7
    ");
}

#[test]
fn a_description_without_sense_is_refused_and_cannot_act_on_the_terminal() {
    let said = refused("raves");
    assert!(
        !said.contains('\u{1b}') && !said.contains('\u{7}'),
        "{said:?}"
    );
    insta::assert_snapshot!(said, @r"
    error: the flow cannot run: it has 7 problems
      caused by: flow has a name that is not allowed: flow name `../\u{1b}[2Jraves` has the character '.'; lower-case letters, digits, `_` and `-` are allowed, and a letter comes first
      caused by: parameter `../../etc/passwd` has a name that is not allowed: artifact name `../../etc/passwd` has the character '.'; letters, digits and `_` are allowed, and a letter comes first
      caused by: step `a�` (�]0;gone�) has a name that is not allowed: step name `a\u{7}` has the character '\u{7}'; lower-case letters, digits and `_` are allowed, and a letter comes first
      caused by: step `a�` (�]0;gone�) leads to `b`, which is not a step
      caused by: step `a�` (�]0;gone�) has a timeout of 0 ms, and 1 to 2592000000 ms are possible
      hint: `wrun check` shows them all
    exit code 7
    ");
}

#[test]
fn a_module_that_wants_the_network_is_refused() {
    let said = refused("connects");
    // Which interface of sockets is met first depends on the standard library of the guest.
    assert!(said.contains("the module imports `wasi:sockets/"), "{said}");
    assert!(
        said.contains("steps open no connections, and no grant lets them; ask over HTTP"),
        "{said}"
    );
    assert!(said.ends_with("exit code 7"), "{said}");
}

#[test]
fn what_is_no_flow_is_told_apart() {
    let world = World::new();
    let whole = std::fs::read(module("single")).unwrap();
    let core = wat::parse_str("(module)").unwrap();
    let other = wat::parse_str("(component)").unwrap();
    let half = &whole[..whole.len() / 2];
    let cases: [(&[u8], &[&str]); 7] = [
        (b"", &["not WebAssembly", "an empty file"]),
        (
            b"#!/bin/sh\n",
            &["not WebAssembly", "text", "`wrun build` makes a module"],
        ),
        (
            b"\x7fELF\x02\x01",
            &["not WebAssembly", "a native Linux program"],
        ),
        (&core, &["core module", "wasm32-wasip2"]),
        (&other, &["the module is no flow", "#[flow]"]),
        (half, &["the module does not compile"]),
        (
            &[&whole[..], b"more"].concat(),
            &["the module does not compile"],
        ),
    ];
    for (bytes, parts) in cases {
        world.write("m.wasm", bytes);
        let said = world.wrun(&["run", "--module", "m.wasm"]);
        said.fails(exit::INVALID_FLOW, parts);
    }
    world
        .wrun(&["run", "--module", "gone.wasm"])
        .fails(exit::NOT_FOUND, &["gone.wasm"]);
    assert!(!world.store().exists());
}

#[test]
fn a_flow_that_does_not_do_as_it_says_breaks_the_contract() {
    let world = World::new();
    world.run("lies", &["--how", "honest"]).good();
    assert_eq!(world.tasks("lies/1/each").len(), 2);
    for (how, said) in [
        ("case", "step `start` gave a case, and a foreach follows"),
        ("more", "step `start` said 3 items, but `list` has 2"),
        (
            "nothing",
            "step `start` did not write its foreach list `list`",
        ),
        (
            "number",
            "`list` is not a list that a foreach can run over: the value is not a list",
        ),
        (
            "garbage",
            "artifact `list` is not CBOR: the value is cut off after 2 bytes",
        ),
        ("text", "`list` is not a list that a foreach can run over"),
    ] {
        let contract = format!("/start/- failed: broken contract: {said}");
        world
            .run("lies", &["--quiet", "--how", how])
            .fails(exit::RUN_FAILED, &[&contract]);
        // Nothing of what was not believed goes on.
        world
            .wrun(&["show", "lies/latest/each"])
            .fails(exit::NOT_FOUND, &["no task of step `each`"]);
    }
}

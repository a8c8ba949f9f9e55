//! `wrun.toml` and the environment: what the operator says about a flow and its steps.

use wrun::cli::exit;

use super::*;

#[test]
fn a_step_gets_what_the_operator_says() {
    let world = World::new();
    let ways = ["--how", "timeout", "--how", "memory", "--how", "error"];
    let toml = "[limits]\nmemory = \"32 MiB\"\n\
                [steps.attempt]\ntimeout = \"300ms\"\nmemory = \"48 MiB\"\nretry = 0\n\
                [steps.strict]\nretry = { times = 2, backoff = \"1ms\" }\n";
    world.write("wrun.toml", toml);
    world
        .run("lenient", &[&ways[..], &["--end", "badly"]].concat())
        .fails(exit::RUN_FAILED, &["strict/- failed after 3 attempts"]);
    let lines = world.wrun(&["get", "lenient/1/gather/lines"]).good().stdout;
    insta::assert_snapshot!(lines, @r#"
    [
      "Limit(Time): the step took longer than 300 ms []",
      "Limit(Memory): the step needs more than its 48 MiB of memory []",
      "Error: it went error []"
    ]
    "#);
    assert_eq!(world.json(&["show", "lenient/1/attempt/2"])["attempts"], 1);
}

#[test]
fn the_environment_overrules_the_file() {
    let world = World::new();
    world.write("wrun.toml", "[limits]\nitems = 10\n");
    let said = world.run("foreach", &["--n", "11", "--quiet"]);
    insta::assert_snapshot!(world.text(&said), @r"
    foreach/1/start/- failed: foreach limit: the foreach has 11 elements, and 10 are the most
        hint: raise `limits.items` in `wrun.toml`, or let one task do several elements
    exit code 1
    ");
    let module = module("foreach");
    let more = world
        .command(&["run", "--module", &module, "--n", "11"])
        .env("WRUN_LIMITS_ITEMS", "11")
        .output();
    Said::from(more.unwrap()).good();
    assert_eq!(world.json(&["show", "foreach/2"])["limits"]["items"], 11);
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_begins() {
    let world = World::new();
    let mut all = String::new();
    for toml in [
        "max-workers = 0",
        "[steps.olny]\nmemory = \"1 GiB\"",
        "[steps.only]\nmemmory = \"1 GiB\"",
        "[steps.only]\nmemory = \"5 GiB\"",
        "[steps.only]\ntimeout = \"soon\"",
        "[steps.only]\nmemory = = 4",
    ] {
        world.write("wrun.toml", toml);
        all += &world.text(&world.run("single", &[]));
        all += "\n\n";
    }
    insta::assert_snapshot!(all, @r"
    error: [dir]/wrun.toml:1: `max-workers` takes a whole number from 1 to 1024
    exit code 2

    error: the settings name step `olny`, which the flow does not have
      hint: `wrun graph` shows the steps; correct the name in `wrun.toml`
    exit code 2

    error: [dir]/wrun.toml:2: there is no setting `steps.only.memmory`
      hint: did you mean `steps.only.memory`?
    exit code 2

    error: [dir]/wrun.toml:2: `steps.only.memory` takes a size from 1 MiB to 4 GiB, in whole MiB
    exit code 2

    error: [dir]/wrun.toml:2: `steps.only.timeout` is `soon`; a time is a whole number with `ms`, `s`, `m`, `h` or `d`, e.g. `90s`
    exit code 2

    error: [dir]/wrun.toml:2: extra `=`, expected nothing
    exit code 2
    ");
    assert!(!world.store().exists());
}

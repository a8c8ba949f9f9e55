//! An operator who wants every wall around a cell, on a machine that does not have them.
//!
//! What a cell cannot do from inside is in `tests/sandbox`.

use std::io;
use std::os::unix::process::CommandExt;

use wrun::cli::exit;

use super::*;

/// What `wrun` says to an operator who requires every wall where there is no landlock.
fn required(world: &World, arguments: &[&str]) -> Said {
    let filter = no_landlock::filter();
    let mut command = world.command(arguments);
    command.env("WRUN_SANDBOX_CONFINEMENT", "require");
    // SAFETY: between fork and exec, two system calls over memory that is there already.
    let command = unsafe {
        command.pre_exec(move || seccompiler::apply_filter(&filter).map_err(io::Error::other))
    };
    command.output().unwrap().into()
}

#[test]
fn whoever_requires_every_wall_is_told_before_a_run_begins() {
    let world = World::new();
    // The compiled code is at hand from here on: nothing but a task needs a cell.
    world.run("hello", &["--quiet"]).good();
    let module = module("hello");
    let mut all = String::new();
    for arguments in [
        &["run", "--quiet", "--module", &module][..],
        &["replay", "hello/1"],
        &["spin", "hello/1/start", "--module", &module],
    ] {
        let said = required(&world, arguments);
        assert_eq!(said.code, i32::from(exit::UNAVAILABLE), "{}", said.stderr);
        all += &world.text(&said);
    }
    insta::assert_snapshot!(all, @r#"
    error: this machine cannot run modules: cells are not confined as `sandbox.confinement = "require"` asks: files, network, other processes: the kernel has no landlock, or a container denies it
      hint: `wrun doctor` checks the machine
    exit code 6error: the module of `hello/1` cannot be used
      caused by: this machine cannot run modules: cells are not confined as `sandbox.confinement = "require"` asks: files, network, other processes: the kernel has no landlock, or a container denies it
      hint: `wrun doctor` checks the machine
    exit code 6error: this machine cannot run modules: cells are not confined as `sandbox.confinement = "require"` asks: files, network, other processes: the kernel has no landlock, or a container denies it
      hint: `wrun doctor` checks the machine
    exit code 6
    "#);
    assert_eq!(world.json(&["runs"])["run"], "hello/1");
}

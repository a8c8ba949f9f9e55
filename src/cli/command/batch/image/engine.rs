//! Brings an image into Docker, by its command.

use std::io::{self, BufWriter, Write};
use std::process::{Command, Output, Stdio};

use crate::cli::error::{CliError, Kind};
use crate::image::{Image, ImageName};

/// The command of the engine.
const DOCKER: &str = "docker";

/// Loads `image` into the engine, in which it is called `name`.
pub(super) fn load(image: &Image, name: &ImageName) -> Result<(), CliError> {
    let mut child = Command::new(DOCKER)
        .args(["load", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| no_docker(&error))?;
    let mut input = BufWriter::new(child.stdin.take().expect("it was asked for"));
    // An engine that refuses stops reading; what it says about that is better than the broken pipe.
    let sent = image.write(name, &mut input).and_then(|()| input.flush());
    drop(input);
    let output = child
        .wait_with_output()
        .map_err(|error| no_docker(&error))?;
    match (output.status.success(), sent) {
        (true, Ok(())) => Ok(()),
        (true, Err(error)) => Err(refused(name, "load", &error.to_string())),
        (false, _) => Err(refused(name, "load", &said(&output)).hint(
            "`wrun batch image --output wrun.tar` writes the image to a file and needs no Docker",
        )),
    }
}

/// Pushes the image `name` to its registry.
pub(super) fn push(name: &ImageName) -> Result<(), CliError> {
    let output = Command::new(DOCKER)
        .args(["push", "--quiet", &name.to_string()])
        .output()
        .map_err(|error| no_docker(&error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(refused(name, "push", &said(&output))),
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

fn refused(name: &ImageName, what: &str, why: &str) -> CliError {
    let message = format!("Docker did not {what} image `{name}`");
    CliError::new(Kind::Unavailable, message).cause(why)
}

fn no_docker(error: &io::Error) -> CliError {
    let it = CliError::new(
        Kind::Unavailable,
        "there is no Docker to load the image into",
    )
    .cause(format!("`{DOCKER}` does not start: {error}"));
    it.hint("`wrun batch image --output wrun.tar` writes the image to a file and needs no Docker")
}

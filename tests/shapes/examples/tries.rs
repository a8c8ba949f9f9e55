//! A flow that tries what it was not granted.

use std::fs;

use wrun_sdk::http;
use wrun_sdk::prelude::*;

/// Tries one thing in each run.
#[flow]
mod tries {
    use super::*;

    #[step]
    fn start(#[param] what: String, #[param] url: String) -> Result<()> {
        match what.as_str() {
            "read" => drop(fs::read("/etc/passwd")?),
            "write" => fs::write("/var/x", "x")?,
            "write beside" => fs::write("/corpus/x", "x")?,
            "leave" => drop(fs::read("/corpus/../secret")?),
            "list" => drop(fs::read_dir("/corpus")?.count()),
            "variable" => drop(std::env::var("MODE")?),
            "ask" => drop(http::get(url).send()?),
            other => bail!("`{other}` is nothing that can be tried"),
        }
        Ok(())
    }
}

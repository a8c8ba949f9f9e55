//! A container engine, for the tests that need real containers.
//!
//! The engine is used through its command, `docker`, and by nobody's leave but that of whoever started it:
//! nothing here installs or starts one.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value as Json;

/// The repository of the images of tests.
const REPOSITORY: &str = "wrun-test";

/// An engine that runs, with the image of the `wrun` under test.
#[derive(Clone, Debug)]
pub struct Docker {
    /// The name of the image.
    pub image: String,
    /// What identifies the image.
    pub id: String,
}

impl Docker {
    /// The engine of this machine; none, and a line on standard error, where there is none.
    ///
    /// # Panics
    /// Under `CI=true` when there is none, and when it does not take the image.
    pub fn find() -> Option<Self> {
        static DOCKER: OnceLock<Option<Docker>> = OnceLock::new();
        let found = DOCKER
            .get_or_init(|| is_there().then(Self::with_image))
            .clone();
        if found.is_none() {
            let what = "no Docker engine answers: install `docker.io` and start `dockerd`";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}");
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Past the capture of the test harness: whoever looks on must see it.
            let _ = writeln!(std::io::stderr(), "ignored: {test}: {what}");
        }
        found
    }

    fn with_image() -> Self {
        let output = Command::new(env!("CARGO_BIN_EXE_wrun"))
            .args(["batch", "image", "--json", "--tag", REPOSITORY])
            .output()
            .expect("wrun starts");
        let made = good(output);
        let made: Json = serde_json::from_str(&made).expect("it prints JSON");
        let text = |name: &str| made[name].as_str().expect("it is text").to_owned();
        let it = Self {
            image: text("image"),
            id: text("id"),
        };
        it.forget_others();
        it
    }

    /// The address at which containers reach this machine.
    pub fn gateway() -> IpAddr {
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        let said = docker(&["network", "inspect", "bridge", "--format", format]);
        said.parse().expect("an address")
    }

    /// Takes the images of earlier builds away; those still in use stay.
    fn forget_others(&self) {
        let names = docker(&["images", REPOSITORY, "--format", "{{.Repository}}:{{.Tag}}"]);
        for name in names.lines().filter(|name| *name != self.image) {
            let _ = Command::new("docker").args(["rmi", name]).output();
        }
    }

    /// A command in a container that is gone when it ends: flags of the engine, then what is mounted.
    ///
    /// It is closed as far as it can be: no network, nothing writable but `/tmp` and what is mounted, no privilege,
    /// the user of this test.
    pub fn command(&self, mounted: &[(&Path, &str)], flags: &[&str]) -> Command {
        let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
        let mut command = Command::new("docker");
        command
            .args(["run", "--rm", "--network", "none", "--cap-drop", "ALL"])
            .args(["--read-only", "--tmpfs", "/tmp:exec,mode=1777"])
            .args(["--user", &format!("{}:{}", user.as_raw(), group.as_raw())]);
        for (path, at) in mounted {
            command.args(["--volume", &format!("{}:{at}", path.display())]);
        }
        command.args(flags).arg(&self.image);
        command
    }
}

/// What the engine says to a command that must succeed.
pub fn docker(arguments: &[&str]) -> String {
    good(
        Command::new("docker")
            .args(arguments)
            .output()
            .expect("docker starts"),
    )
}

fn good(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn is_there() -> bool {
    let asked = Command::new("docker")
        .args(["version", "--format", "{{.Server.Os}}"])
        .output();
    asked.is_ok_and(|it| it.status.success() && it.stdout.starts_with(b"linux"))
}

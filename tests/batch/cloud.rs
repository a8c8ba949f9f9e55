//! A place for runs whose attempts are made in Batch.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::fake::{Fake, Inside};
use super::running::Running;
use super::world::{Said, World, module};

/// A world with a Batch beside it. Its datastore is a directory that containers see too.
pub struct Cloud {
    pub world: World,
    pub fake: Fake,
}

impl Cloud {
    pub fn new() -> Self {
        Self::with(2, None)
    }

    pub fn with(slots: usize, inside: Option<Inside>) -> Self {
        let world = World::new();
        let code = std::env::temp_dir().join("wrun-tests-code");
        let image = [
            ("HOME", world.path().to_owned()),
            ("XDG_CACHE_HOME", code),
            ("PATH", PathBuf::from("/bin")),
        ];
        let image = image.map(|(name, path)| (name.to_owned(), path.display().to_string()));
        let fake = Fake::new(slots, BTreeMap::from(image), inside);
        Self { world, fake }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command
            .env("AWS_ENDPOINT_URL", &self.fake.address)
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "ada")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("WRUN_BATCH_QUEUE", "queue")
            .env("WRUN_BATCH_IMAGE", "wrun:test")
            .env("WRUN_BATCH_SHARED_DIRECTORY", "true");
        command
    }

    pub fn wrun(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs a prebuilt flow, all its steps in Batch.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Said {
        let module = module(name);
        self.wrun(&[&["run", "--module", &module, "--with", "batch"], arguments].concat())
    }

    /// The same, with its events as they come.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Running {
        let module = module(name);
        let run = ["run", "--module", &module, "--with", "batch"];
        Running::of(self.command(&[&run[..], arguments].concat()))
    }

    /// Waits until it is so.
    pub fn until(&self, is_so: impl Fn(&Fake) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.fake) {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "it never came to be"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Proves that a run is what its code gives on this machine.
    pub fn replay(&self, run: &str) {
        let replay = self.world.json(&["replay", run]);
        assert_eq!(replay["identical"], true, "{replay}");
    }
}

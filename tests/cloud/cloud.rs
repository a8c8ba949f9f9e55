//! A small AWS: the stack of the documentation in moto, whose Batch starts real containers of our image,
//! which reach moto's S3 as they would reach that of AWS.

use std::process::Command;

use super::crowd::{Alone, Beside};
use super::docker::{Docker, docker};
use super::moto::{Moto, access};
use super::running::Running;
use super::stack::Stack;
use super::world::{Said, World, module};

/// A place for runs whose steps are executed in containers. Dropped, nothing of it goes on.
pub struct Cloud {
    pub world: World,
    /// The address by which containers reach moto.
    inside: String,
    stack: Stack,
    docker: Docker,
    moto: Moto,
    _room: Room,
}

/// The place on this machine that containers take, until the cloud is gone.
enum Room {
    Beside { _others: Beside },
    Alone { _nobody: Alone },
}

impl Cloud {
    /// Makes the place; none, and a line on standard error, where moto or an engine is missing.
    pub fn start() -> Option<Self> {
        let docker = Docker::find()?;
        let _others = super::crowd::beside();
        Self::with(docker, Room::Beside { _others })
    }

    /// The same, when no other test has containers or a server, and none gets them as long as this is there.
    pub fn start_alone() -> Option<Self> {
        let docker = Docker::find()?;
        let _nobody = super::crowd::alone();
        Self::with(docker, Room::Alone { _nobody })
    }

    fn with(docker: Docker, room: Room) -> Option<Self> {
        let moto = Moto::start()?;
        let stack = Stack::create(&moto);
        let it = Self {
            world: World::new(),
            // moto gives its containers this name for the machine on which it runs.
            inside: format!("http://host.docker.internal:{}", moto.port()),
            stack,
            docker,
            moto,
            _room: room,
        };
        it.settings("");
        Some(it)
    }

    /// Writes the `wrun.toml` of the guide with what the stack gives, and more tables behind it.
    pub fn settings(&self, more: &str) {
        let mut environment = access()
            .map(|(name, value)| format!("{name}={value}"))
            .to_vec();
        environment.push(format!("AWS_ENDPOINT_URL={}", self.inside));
        let batch = [
            ("queue", self.stack.output("Queue")),
            ("image", &self.docker.image),
            ("job-role", self.stack.output("JobRole")),
            ("execution-role", self.stack.output("ExecutionRole")),
            ("platform", self.stack.output("BatchPlatform")),
        ];
        let batch = batch
            .map(|(key, value)| format!("{key} = {value:?}\n"))
            .concat();
        let text =
            format!("[batch]\n{batch}public-ip = true\nenvironment = {environment:?}\n\n{more}");
        self.world.write("wrun.toml", text);
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command
            .envs(self.moto.variables())
            .env("WRUN_DATASTORE", self.stack.output("Datastore"));
        command
    }

    pub fn wrun(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs a flow with all its steps in Batch.
    pub fn run(&self, flow: &str, arguments: &[&str]) -> Said {
        let module = module(flow);
        let run = ["run", "--quiet", "--with", "batch", "--module", &module];
        self.wrun(&[&run, arguments].concat())
    }

    /// Starts such a run.
    pub fn begin(&self, flow: &str, arguments: &[&str]) -> Running {
        let module = module(flow);
        let run = ["run", "--with", "batch", "--module", &module];
        Running::of(self.command(&[&run, arguments].concat()))
    }

    /// Proves that a run is what its code gives on this machine.
    pub fn replay(&self, run: &str) {
        let said = self.wrun(&["replay", run]);
        assert_eq!(said.code, 0, "{run}: {}{}", said.stdout, said.stderr);
        assert!(
            said.stdout.starts_with("identical: "),
            "{run}: {}",
            said.stdout
        );
    }

    /// How many orders Batch was given for a run.
    pub fn jobs(&self, run: &str) -> usize {
        let (flow, number) = run.split_once('/').unwrap();
        let datastore = self
            .stack
            .output("Datastore")
            .strip_prefix("s3://")
            .unwrap();
        let (bucket, prefix) = datastore.split_once('/').unwrap();
        let path =
            format!("/{bucket}?list-type=2&prefix={prefix}/flows/{flow}/runs/{number}/jobs/");
        let (status, body) = self.moto.request("GET", &path);
        assert_eq!(status, 200, "{body}");
        body.matches("<Key>").count()
    }

    /// The containers that execute tasks of `flow` now; of any flow when it has no name.
    pub fn containers(&self, flow: &str) -> Vec<String> {
        let mine = format!("AWS_ENDPOINT_URL={}", self.inside);
        let format = "{{.Id}} {{json .Args}} {{json .Config.Env}}";
        let running = docker(&["ps", "--quiet", "--no-trunc"]);
        let inspect = |id: &str| {
            // One that has ended meanwhile is none.
            let arguments = ["inspect", "--format", format, id];
            let output = Command::new("docker").args(arguments).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let said: Vec<_> = running.lines().map(inspect).collect();
        let of_flow = match flow {
            "" => String::new(),
            _ => format!("\"{flow}/"),
        };
        let is_mine = |said: &&String| said.contains(&mine) && said.contains(&of_flow);
        let ids = said
            .iter()
            .filter(is_mine)
            .filter_map(|it| it.split(' ').next());
        ids.map(str::to_owned).collect()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        for id in self.containers("") {
            let _ = Command::new("docker").args(["rm", "--force", &id]).output();
        }
    }
}

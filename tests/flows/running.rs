//! A run that is going on: its events as they come, its processes, signals to it.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::world::{World, module};
use serde_json::Value as Json;

/// A `wrun` that drives a run and tells its events. Dropped, it is killed.
pub struct Running {
    child: Child,
    events: BufReader<ChildStdout>,
}

impl Running {
    pub fn start(world: &World, name: &str, arguments: &[&str]) -> Self {
        let module = module(name);
        Self::command(world, &[&["run", "--module", &module], arguments].concat())
    }

    /// Starts any command that drives a run.
    pub fn command(world: &World, arguments: &[&str]) -> Self {
        Self::of(world.command(arguments))
    }

    /// Starts a command that drives a run.
    pub fn of(mut command: Command) -> Self {
        let mut child = command
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Self { child, events }
    }

    /// The next event; none at the end, which may be in the middle of a line when it is killed.
    pub fn next(&mut self) -> Option<Json> {
        let mut line = String::new();
        self.events.read_line(&mut line).unwrap();
        line.ends_with('\n')
            .then(|| serde_json::from_str(&line).unwrap())
    }

    /// Waits for an event of this kind, of a task whose name begins so.
    pub fn until(&mut self, kind: &str, task: &str) -> Json {
        while let Some(event) = self.next() {
            let is_of_task = event["task"].as_str().unwrap_or("").starts_with(task);
            if event["event"] == kind && is_of_task {
                return event;
            }
        }
        panic!("the run ended before `{kind}` of `{task}`");
    }

    /// The rest of the events, and the exit code; none when a signal ended it.
    pub fn end(mut self) -> (Vec<Json>, Option<i32>) {
        let mut events = Vec::new();
        while let Some(event) = self.next() {
            events.push(event);
        }
        (events, self.child.wait().unwrap().code())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The cells that there are now.
    pub fn cells(&self) -> Vec<Pid> {
        let mine = self.child.id().to_string();
        let processes = std::fs::read_dir("/proc").unwrap();
        let ids = processes.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
        let is_mine = |id: &i32| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let (_, after_name) = stat.rsplit_once(") ").unwrap_or_default();
            let mut fields = after_name.split(' ');
            fields.next() != Some("Z") && fields.next() == Some(&mine)
        };
        ids.filter(is_mine).filter_map(Pid::from_raw).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The most memory that a process has had so far, in MiB.
pub fn peak_mib(process: Pid) -> u64 {
    let id = process.as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kib.parse::<u64>().unwrap() / 1024
}

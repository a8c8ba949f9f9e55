//! Jobs: how they are described, and the hosts that execute them.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};

use super::http::Answer;
use super::{Container, Mishap, Shared, State, bad, text};

/// How long a container that was asked to end may take.
const GRACE: Duration = Duration::from_secs(30);

pub struct Job {
    pub id: String,
    pub name: String,
    pub queue: String,
    pub definition: Json,
    pub command: Vec<String>,
    pub array: bool,
    pub children: Vec<Child>,
}

#[derive(Clone)]
pub struct Child {
    pub status: &'static str,
    pub status_reason: Option<String>,
    pub reason: Option<String>,
    pub exit_code: Option<i32>,
    pub attempts: u32,
    pid: Option<Pid>,
    /// It was asked to end.
    asked: Option<Instant>,
}

impl Default for Child {
    fn default() -> Self {
        Self {
            status: "RUNNABLE",
            status_reason: None,
            reason: None,
            exit_code: None,
            attempts: 0,
            pid: None,
            asked: None,
        }
    }
}

impl Child {
    fn has_ended(&self) -> bool {
        matches!(self.status, "SUCCEEDED" | "FAILED")
    }

    fn fail(&mut self, why: &str) {
        self.status = "FAILED";
        self.status_reason = Some(why.to_owned());
    }
}

impl Job {
    fn status(&self) -> &'static str {
        let all = |status| self.children.iter().all(|child| child.status == status);
        let ended = self.children.iter().all(Child::has_ended);
        match () {
            () if !self.array => self.children[0].status,
            () if all("SUCCEEDED") => "SUCCEEDED",
            () if ended => "FAILED",
            () => "PENDING",
        }
    }

    fn image(&self) -> &Json {
        &self.definition["containerProperties"]["image"]
    }

    fn detail(&self) -> Json {
        let mut it = match self.array {
            true => json!({}),
            false => self.child(0),
        };
        it["jobId"] = self.id.clone().into();
        it["status"] = self.status().into();
        if self.array {
            let mut summary: BTreeMap<&str, usize> = BTreeMap::new();
            for child in &self.children {
                *summary.entry(child.status).or_default() += 1;
            }
            it["arrayProperties"] =
                json!({ "size": self.children.len(), "statusSummary": summary });
        }
        self.dress(it)
    }

    fn dress(&self, mut it: Json) -> Json {
        it["jobName"] = self.name.clone().into();
        it["jobQueue"] = "arn:queue".into();
        it["jobArn"] = "arn:job".into();
        it["startedAt"] = 1.into();
        it["createdAt"] = 1.into();
        it["jobDefinition"] = self.definition["jobDefinitionName"].clone();
        it
    }

    fn child(&self, index: usize) -> Json {
        let child = &self.children[index];
        let mut container = json!({ "image": self.image() });
        if let Some(code) = child.exit_code {
            container["exitCode"] = code.into();
        }
        if let Some(reason) = &child.reason {
            container["reason"] = reason.clone().into();
        }
        let mut it = json!({
            "jobId": format!("{}:{index}", self.id),
            "status": child.status,
            "container": container,
            "arrayProperties": { "index": index },
            "isTerminated": child.asked.is_some(),
        });
        if let Some(reason) = &child.status_reason {
            it["statusReason"] = reason.clone().into();
        }
        self.dress(it)
    }
}

impl State {
    /// The job, and the child when one is named.
    fn find(&self, id: &str) -> Option<(usize, Option<usize>)> {
        let (id, index) = match id.split_once(':') {
            Some((id, index)) => (id, Some(index.parse().ok()?)),
            None => (id, None),
        };
        Some((self.jobs.iter().position(|job| job.id == id)?, index))
    }

    pub(super) fn describe(&self, body: &Json) -> Answer {
        let ids = body["jobs"].as_array().unwrap();
        if ids.len() > 100 {
            return bad("jobs must have at most 100 elements");
        }
        let detail = |id: &Json| {
            let (job, index) = self.find(id.as_str()?)?;
            Some(match index {
                Some(index) => self.jobs[job].child(index),
                None => self.jobs[job].detail(),
            })
        };
        let jobs: Vec<Json> = ids.iter().filter_map(detail).collect();
        Answer::Good(json!({ "jobs": jobs }))
    }

    pub(super) fn list(&self, body: &Json) -> Answer {
        let found: Vec<Json> = match body["arrayJobId"].as_str() {
            Some(id) => {
                let Some((job, _)) = self.find(id) else {
                    return bad(format!("no job {id}"));
                };
                let wanted = body["jobStatus"].as_str().unwrap_or("RUNNING");
                let job = &self.jobs[job];
                let of = (0..job.children.len()).filter(|at| job.children[*at].status == wanted);
                of.map(|index| job.child(index)).collect()
            }
            None => {
                let queue = text(&body["jobQueue"]);
                if !self.has_queue(&queue) {
                    return bad(format!("JobQueue {queue} does not exist"));
                }
                let name = text(&body["filters"][0]["values"][0]);
                let named = |it: &str| match name.strip_suffix('*') {
                    Some(begin) => it.starts_with(begin),
                    None => it == name,
                };
                let of_queue = self.jobs.iter().filter(|job| job.queue == queue);
                let jobs = of_queue.filter(|job| named(&job.name));
                jobs.map(Job::detail).collect()
            }
        };
        let from: usize = text(&body["nextToken"]).parse().unwrap_or(0);
        let most = body["maxResults"].as_u64().unwrap_or(100).min(100) as usize;
        let page: Vec<_> = found.iter().skip(from).take(most).cloned().collect();
        let mut answer = json!({ "jobSummaryList": page });
        if from + most < found.len() {
            answer["nextToken"] = (from + most).to_string().into();
        }
        Answer::Good(answer)
    }

    /// `TerminateJob`; `CancelJob` leaves what runs alone.
    pub(super) fn terminate(&mut self, body: &Json, all: bool) -> Answer {
        let reason = text(&body["reason"]);
        let Some((job, index)) = self.find(&text(&body["jobId"])) else {
            return bad("no such job");
        };
        for (at, child) in self.jobs[job].children.iter_mut().enumerate() {
            if child.has_ended() || index.is_some_and(|index| index != at) {
                continue;
            }
            match child.pid {
                None => child.fail(&reason),
                Some(pid) if all => {
                    child.status_reason = Some(reason.clone());
                    child.asked = Some(Instant::now());
                    // One that has just ended needs no signal.
                    let _ = kill_process(pid, Signal::TERM);
                }
                Some(_) => {}
            }
        }
        Answer::Good(json!({}))
    }

    fn running(&mut self) -> impl Iterator<Item = (&mut Child, Pid)> {
        let children = self.jobs.iter_mut().flat_map(|job| &mut job.children);
        children.filter_map(|child| child.pid.map(|pid| (child, pid)))
    }

    pub(super) fn kill_running(&mut self, why: &str) -> usize {
        let mut count = 0;
        for (child, pid) in self.running() {
            child.status_reason = Some(why.to_owned());
            count += usize::from(kill_process(pid, Signal::KILL).is_ok());
        }
        count
    }

    pub(super) fn signal_running(&mut self) -> usize {
        let running = self.running();
        running
            .filter(|(_, pid)| kill_process(*pid, Signal::TERM).is_ok())
            .count()
    }

    pub(super) fn states(&self) -> Vec<(String, String)> {
        let mut states = Vec::new();
        for job in &self.jobs {
            for (index, child) in job.children.iter().enumerate() {
                states.push((format!("{}:{index}", job.id), child.status.to_owned()));
            }
        }
        states
    }

    /// The next child to start, and what is to happen to it.
    fn next(&mut self) -> Option<(usize, usize, Option<Mishap>)> {
        if self
            .mood
            .most_containers
            .is_some_and(|most| self.containers >= most)
        {
            return None;
        }
        while let Some((job, index)) = self.runnable.pop_front() {
            let child = &mut self.jobs[job].children[index];
            if !child.has_ended() {
                child.status = "STARTING";
                child.attempts += 1;
                self.containers += 1;
                return Some((job, index, self.mood.mishaps.pop_front()));
            }
        }
        None
    }

    /// A container has ended: the child has ended too, unless a rule says that it starts again.
    fn settle(&mut self, job: usize, index: usize, exit_code: Option<i32>) {
        let retry = self.jobs[job].definition["retryStrategy"].clone();
        let child = &mut self.jobs[job].children[index];
        child.pid = None;
        child.exit_code = exit_code;
        if exit_code == Some(0) && child.status_reason.is_none() {
            child.status = "SUCCEEDED";
            return;
        }
        let again = child.asked.is_none()
            && u64::from(child.attempts) < retry["attempts"].as_u64().unwrap_or(1)
            && action(&retry, child) == "RETRY";
        if again {
            child.status = "RUNNABLE";
            child.status_reason = None;
            child.reason = None;
            self.runnable.push_back((job, index));
            return;
        }
        child.status = "FAILED";
        let usual = || "Essential container in task exited".to_owned();
        child.status_reason.get_or_insert_with(usual);
    }
}

/// What the first rule that fits says; without any that fits, the child starts again.
fn action(retry: &Json, child: &Child) -> String {
    let fits = |rule: &Json, key: &str, said: &Option<String>| match rule[key].as_str() {
        None => true,
        Some(pattern) => {
            let said = said.clone().unwrap_or_default();
            match pattern.strip_suffix('*') {
                Some(begin) => said.starts_with(begin),
                None => said == pattern,
            }
        }
    };
    let rules = retry["evaluateOnExit"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let found = rules.iter().find(|rule| {
        fits(rule, "onStatusReason", &child.status_reason) && fits(rule, "onReason", &child.reason)
    });
    found.map_or("RETRY".to_owned(), |rule| {
        text(&rule["action"]).to_uppercase()
    })
}

/// Executes containers, one after the other.
pub fn host(shared: &Shared) {
    loop {
        let (job, index, mishap) = {
            let mut state = shared.state();
            loop {
                if state.gone {
                    return;
                }
                if let Some(next) = state.next() {
                    break next;
                }
                state = shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        };
        let code = match mishap {
            None => execute(shared, job, index, None),
            Some(Mishap::LostAfter(after)) => execute(shared, job, index, Some(after)),
            Some(Mishap::Slow(by)) => {
                std::thread::sleep(by);
                execute(shared, job, index, None)
            }
            Some(mishap) => {
                let mut state = shared.state();
                let child = &mut state.jobs[job].children[index];
                let (status, reason) = match mishap {
                    Mishap::CannotPull => (
                        "Task failed to start",
                        Some("CannotPullContainerError: manifest for wrun:test not found"),
                    ),
                    Mishap::Says(text) => (text, None),
                    _ => (HOST_GONE, None),
                };
                child.status_reason = Some(status.to_owned());
                child.reason = reason.map(str::to_owned);
                None
            }
        };
        shared.state().settle(job, index, code);
        shared.changed.notify_all();
    }
}

fn container(shared: &Shared, job: &Job, index: usize) -> Container {
    let mut environment = shared.image.clone();
    let given = &job.definition["containerProperties"]["environment"];
    for pair in given.as_array().into_iter().flatten() {
        environment.insert(text(&pair["name"]), text(&pair["value"]));
    }
    let mut id = job.id.clone();
    if job.array {
        id += &format!(":{index}");
        environment.insert("AWS_BATCH_JOB_ARRAY_INDEX".into(), index.to_string());
    }
    environment.insert("AWS_BATCH_JOB_ID".into(), id);
    Container {
        environment,
        command: job.command.clone(),
        index: job.array.then_some(index),
    }
}

/// What Batch says of a child whose host was taken away.
const HOST_GONE: &str = "Host EC2 (instance i-0123456789abcdef0) terminated.";

/// Executes a container to its end, or until its host is `lost`; the exit code, none when a signal
/// ended it.
fn execute(shared: &Shared, job: usize, index: usize, lost: Option<Duration>) -> Option<i32> {
    let container = {
        let mut state = shared.state();
        state.jobs[job].children[index].status = "RUNNING";
        container(shared, &state.jobs[job], index)
    };
    if let Some(inside) = &shared.inside {
        return Some(inside(&container));
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_wrun"))
        .args(&container.command)
        .env_clear()
        .envs(&container.environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    shared.state().jobs[job].children[index].pid = Some(Pid::from_child(&child));
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            if lost.is_some() {
                let child = &mut shared.state().jobs[job].children[index];
                child.status_reason = Some(HOST_GONE.to_owned());
                return None;
            }
            return status.code();
        }
        let asked = shared.state().jobs[job].children[index].asked;
        if asked.is_some_and(|at| at.elapsed() > GRACE) {
            child.kill().unwrap();
        }
        if lost.is_some_and(|after| began.elapsed() >= after) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

//! AWS Batch as far as an executor sees it: the wire protocol, the states of jobs, and its moods.
//!
//! Containers are processes of the real `wrun`, with nothing in their environment but what the image,
//! the job definition and Batch give them. What Batch does when all is not well follows its user guide:
//! retries by `evaluateOnExit`, reasons, array jobs with their counts, a cap of 100 jobs in one question.

pub mod http;
mod jobs;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use self::http::Answer;
use self::jobs::{Child, Job};

/// The container of one child: its environment, its command, its index in an array job.
pub struct Container {
    pub environment: BTreeMap<String, String>,
    pub command: Vec<String>,
    pub index: Option<usize>,
}

/// What executes containers without starting processes; gives the exit code.
pub type Inside = Arc<dyn Fn(&Container) -> i32 + Send + Sync>;

/// What happens to the next container that starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Its image is not there.
    CannotPull,
    /// Its host is reclaimed before it could do anything.
    HostLost,
    /// Its host is reclaimed so long after it began, at the latest when it has ended.
    LostAfter(Duration),
    /// It starts late.
    Slow(Duration),
    /// Batch says that it has failed, with this reason, and it has done nothing.
    Says(&'static str),
}

/// How Batch is today.
#[derive(Default)]
pub struct Mood {
    /// How many of the next answers to `SubmitJob` are lost, after the job was taken.
    pub lost_submits: u32,
    /// How many of the next requests are refused as too many.
    pub throttled: u32,
    /// The most requests in a second.
    pub per_second: Option<usize>,
    /// Actions that the credentials do not allow.
    pub denied: Vec<&'static str>,
    pub queue_disabled: bool,
    /// Queues that are there beside `queue`.
    pub queues: Vec<&'static str>,
    /// Queues that are not there any more, and their jobs neither.
    pub deleted: Vec<&'static str>,
    pub no_room_for_definitions: bool,
    pub mishaps: VecDeque<Mishap>,
    /// The most containers that start in all.
    pub most_containers: Option<u32>,
}

#[derive(Default)]
pub struct State {
    pub mood: Mood,
    /// How often each action was asked for.
    pub calls: BTreeMap<String, u32>,
    recent: VecDeque<Instant>,
    definitions: BTreeMap<String, Json>,
    jobs: Vec<Job>,
    /// Children that wait for a slot: job and index.
    runnable: VecDeque<(usize, usize)>,
    pub containers: u32,
    gone: bool,
}

pub struct Fake {
    shared: Arc<Shared>,
    pub address: String,
    pub clock: Arc<http::Clock>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    image: BTreeMap<String, String>,
    inside: Option<Inside>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A test that fails while it looks at the state is told by its own message.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake {
    /// A Batch with `slots` containers at once, whose image has these variables.
    pub fn new(slots: usize, image: BTreeMap<String, String>, inside: Option<Inside>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            image,
            inside,
        });
        for _ in 0..slots {
            let shared = shared.clone();
            std::thread::spawn(move || jobs::host(&shared));
        }
        let answering = shared.clone();
        let clock = Arc::new(http::Clock::default());
        let address = http::serve(
            clock.clone(),
            Arc::new(move |action, body| answer(&answering, action, &body)),
        );
        Self {
            shared,
            address,
            clock,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// How often an action was asked for.
    pub fn calls(&self, action: &str) -> u32 {
        self.state().calls.get(action).copied().unwrap_or(0)
    }

    /// Lets what waits never start: its queue is not there any more.
    pub fn forget(&self) {
        self.state().runnable.clear();
    }

    /// Lets what waits start.
    pub fn resume(&self) {
        self.state().mood.most_containers = None;
        self.shared.changed.notify_all();
    }

    /// Asks all containers that run now to end, as hosts do before they are taken away; how many.
    pub fn warn(&self) -> usize {
        self.state().signal_running()
    }

    /// The queues that jobs were submitted to, in their order.
    pub fn queues(&self) -> Vec<String> {
        let state = self.state();
        state.jobs.iter().map(|job| job.queue.clone()).collect()
    }

    /// The states of all jobs and children, as one list.
    pub fn states(&self) -> Vec<(String, String)> {
        self.state().states()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let mut state = self.state();
        state.gone = true;
        state.kill_running("the test is over");
        drop(state);
        self.shared.changed.notify_all();
    }
}

fn answer(shared: &Shared, action: &str, body: &Json) -> Answer {
    let mut state = shared.state();
    *state.calls.entry(action.to_owned()).or_default() += 1;
    if let Some(refused) = state.refuse(action) {
        return refused;
    }
    let answer = match action {
        "registerjobdefinition" => state.register(body),
        "describejobdefinitions" => state.describe_definitions(body),
        "submitjob" => state.submit(body),
        "describejobs" => state.describe(body),
        "listjobs" => state.list(body),
        "terminatejob" => state.terminate(body, true),
        "canceljob" => state.terminate(body, false),
        "describejobqueues" => state.queues(body),
        "describecomputeenvironments" => Answer::Good(json!({ "computeEnvironments": [{
            "computeEnvironmentName": "hosts", "computeEnvironmentArn": "arn:hosts",
            "state": "ENABLED", "status": "VALID",
            "computeResources": { "type": "SPOT", "maxvCpus": 256, "subnets": [] },
        }] })),
        other => Answer::Bad(404, "ClientException", format!("no action `{other}`")),
    };
    shared.changed.notify_all();
    let lost = action == "submitjob" && state.mood.lost_submits > 0;
    if lost {
        state.mood.lost_submits -= 1;
        return Answer::Lost;
    }
    answer
}

pub fn bad(message: impl Into<String>) -> Answer {
    Answer::Bad(400, "ClientException", message.into())
}

impl State {
    /// What stands against any request.
    fn refuse(&mut self, action: &str) -> Option<Answer> {
        let now = Instant::now();
        self.recent.push_back(now);
        while self
            .recent
            .front()
            .is_some_and(|at| now - *at > Duration::from_secs(1))
        {
            self.recent.pop_front();
        }
        let too_many = self
            .mood
            .per_second
            .is_some_and(|most| self.recent.len() > most);
        if too_many || self.mood.throttled > 0 {
            self.mood.throttled = self.mood.throttled.saturating_sub(1);
            let message = "Too Many Requests".to_owned();
            return Some(Answer::Bad(429, "TooManyRequestsException", message));
        }
        let denied = self.mood.denied.contains(&action);
        denied.then(|| {
            let message = format!("User: ada is not authorized to perform: {action}");
            Answer::Bad(403, "AccessDeniedException", message)
        })
    }

    fn register(&mut self, body: &Json) -> Answer {
        if self.mood.no_room_for_definitions {
            return bad("Maximum number of job definitions reached");
        }
        let name = text(&body["jobDefinitionName"]);
        self.definitions.insert(name.clone(), body.clone());
        Answer::Good(json!({
            "jobDefinitionName": name, "jobDefinitionArn": format!("arn:{name}:1"), "revision": 1,
        }))
    }

    fn describe_definitions(&self, body: &Json) -> Answer {
        let name = text(&body["jobDefinitionName"]);
        let found = self.definitions.get(&name).map(|_| {
            json!({
                "jobDefinitionName": name, "jobDefinitionArn": format!("arn:{name}:1"),
                "revision": 1, "type": "container", "status": "ACTIVE",
            })
        });
        Answer::Good(json!({ "jobDefinitions": found.into_iter().collect::<Vec<_>>() }))
    }

    fn queues(&self, body: &Json) -> Answer {
        let name = text(&body["jobQueues"][0]);
        if !self.has_queue(&name) {
            return Answer::Good(json!({ "jobQueues": [] }));
        }
        let state = match self.mood.queue_disabled {
            true => "DISABLED",
            false => "ENABLED",
        };
        Answer::Good(json!({ "jobQueues": [{
            "jobQueueName": name, "jobQueueArn": "arn:queue", "state": state, "status": "VALID",
            "priority": 1,
            "computeEnvironmentOrder": [{ "order": 1, "computeEnvironment": "arn:hosts" }],
        }] }))
    }

    fn has_queue(&self, name: &str) -> bool {
        let known = name == "queue" || self.mood.queues.contains(&name);
        known && !self.mood.deleted.contains(&name)
    }

    fn submit(&mut self, body: &Json) -> Answer {
        let queue = text(&body["jobQueue"]);
        if !self.has_queue(&queue) {
            return bad(format!("JobQueue {queue} does not exist"));
        }
        if self.mood.queue_disabled {
            return bad("Job Queue is disabled");
        }
        let definition = text(&body["jobDefinition"]);
        let Some(definition) = self.definitions.get(&definition).cloned() else {
            return bad(format!("Job definition {definition} not found"));
        };
        let size = body["arrayProperties"]["size"].as_u64();
        if size.is_some_and(|size| !(2..=10_000).contains(&size)) {
            return bad("Array size must be between 2 and 10000");
        }
        let number = self.jobs.len();
        let count = size.unwrap_or(1) as usize;
        let command = &body["containerOverrides"]["command"];
        self.jobs.push(Job {
            id: format!("00000000-0000-4000-8000-{number:012}"),
            name: text(&body["jobName"]),
            queue,
            definition,
            command: command.as_array().unwrap().iter().map(text).collect(),
            array: size.is_some(),
            children: vec![Child::default(); count],
        });
        self.runnable
            .extend((0..count).map(|index| (number, index)));
        let job = &self.jobs[number];
        Answer::Good(json!({ "jobName": job.name, "jobId": job.id, "jobArn": "arn:job" }))
    }
}

/// A text of a request.
fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

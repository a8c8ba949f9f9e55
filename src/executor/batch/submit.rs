//! Turns assignments into jobs: few, and each one once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::client::Submission;
use super::definition::Definition;
use super::flight::Seat;
use super::shape::Shape;
use super::{Shared, cancelled, job_name};
use crate::aws::{Kind, Trouble};
use crate::model::failure::Failure;
use crate::model::job::{JobId, Sent, Token};
use crate::scheduler::Assignment;
use crate::task::spec;
use crate::task::trouble::{infrastructure, misconfigured};

/// How long nothing must come before what has gathered is submitted.
const GATHER: Duration = Duration::from_millis(50);
/// How often that is waited for at most.
const GATHERS: u32 = 20;

/// Submits what waits, for ever.
pub(super) async fn submit(shared: Arc<Shared>) {
    let mut desk = Desk {
        shared,
        registered: HashMap::new(),
        adopted: HashMap::new(),
    };
    loop {
        desk.shared.submit.notified().await;
        desk.gather().await;
        let waiting = std::mem::take(&mut desk.shared.state().waiting);
        let fresh = desk.adopt(waiting).await;
        for (shape, assignments) in desk.by_shape(fresh) {
            let most = desk.shared.setup.settings.array_size as usize;
            for part in assignments.chunks(most) {
                desk.submit(shape, part).await;
            }
        }
    }
}

struct Desk {
    shared: Arc<Shared>,
    /// Job definitions that are known to be there, by shape.
    registered: HashMap<Shape, String>,
    /// How Batch calls the jobs of an earlier driver; nothing when it does not know them.
    adopted: HashMap<Token, Option<String>>,
}

impl Desk {
    /// Waits until no more comes for a moment: the elements of a foreach come all at once.
    async fn gather(&self) {
        let mut given = self.shared.state().given;
        for _ in 0..GATHERS {
            tokio::time::sleep(GATHER).await;
            let now = self.shared.state().given;
            if now == given {
                return;
            }
            given = now;
        }
    }

    /// Picks up what an earlier driver has submitted; gives what is to be submitted.
    async fn adopt(&mut self, waiting: Vec<Assignment>) -> Vec<Assignment> {
        let mut fresh = Vec::new();
        let mut of_jobs: BTreeMap<Token, Vec<Assignment>> = BTreeMap::new();
        for assignment in waiting {
            let key = (assignment.task.clone(), assignment.attempt);
            let jobs = self.shared.state().before.remove(&key);
            match self.submitted(jobs.unwrap_or_default()).await {
                Ok(Some(job)) => of_jobs.entry(job).or_default().push(assignment),
                // New; or stored and never submitted, or so long ago that Batch has forgotten it.
                Ok(None) => fresh.push(assignment),
                Err(trouble) => self.fail(&[assignment], &not_submitted(&trouble)),
            }
        }
        for (job, assignments) in of_jobs {
            if let Some(Some(id)) = self.adopted.get(&job).cloned() {
                self.fly(job, id, &assignments);
            }
        }
        fresh
    }

    /// The first of these jobs that Batch knows.
    async fn submitted(&mut self, jobs: Vec<Token>) -> Result<Option<Token>, Trouble> {
        for job in jobs {
            if !self.adopted.contains_key(&job) {
                let id = self.known(&job).await?;
                self.adopted.insert(job.clone(), id);
            }
            if self.adopted[&job].is_some() {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    /// How Batch calls a job of an earlier driver, in the queue that it was submitted to.
    ///
    /// As long as Batch does not say, it is asked: a job in flight must not be submitted again.
    async fn known(&self, job: &Token) -> Result<Option<String>, Trouble> {
        let setup = &self.shared.setup;
        let sent = self.shared.state().sent.get(job).cloned();
        let Some(queue) = sent.or_else(|| setup.settings.queue.clone()) else {
            return Ok(None);
        };
        let name = job_name(setup.run.id(), job);
        loop {
            match setup.client.find(&queue, &name).await {
                Err(trouble) if trouble.kind.may_pass() => {}
                // What is submitted to a queue goes with it.
                Err(_) if setup.client.queue(&queue).await?.is_none() => return Ok(None),
                answer => return answer,
            }
        }
    }

    fn fly(&self, job: Token, id: String, assignments: &[Assignment]) {
        let mut state = self.shared.state();
        let seats = state.seats.remove(&job);
        let seats = seats.unwrap_or_else(|| {
            let of = |it: &Assignment| Seat::of(&it.task);
            assignments.iter().map(of).collect()
        });
        let flying = assignments.iter().map(|it| (it.task.clone(), it.attempt));
        state.flights.add(job, id, seats, flying.collect());
        drop(state);
        self.shared.watch.notify_one();
    }

    fn fail(&self, assignments: &[Assignment], failure: &Failure) {
        for it in assignments {
            self.shared
                .fail(it.task.clone(), it.attempt, failure.clone());
        }
    }

    fn by_shape(&self, assignments: Vec<Assignment>) -> BTreeMap<Shape, Vec<Assignment>> {
        let setup = &self.shared.setup;
        let mut groups: BTreeMap<Shape, Vec<Assignment>> = BTreeMap::new();
        for assignment in assignments {
            let node = setup.site.graph.step(assignment.step);
            let limits = setup.site.limits(&assignment.task);
            let shape = Shape::of(&node.resources, &limits, &setup.settings);
            groups.entry(shape).or_default().push(assignment);
        }
        groups
    }

    /// Submits one job.
    async fn submit(&mut self, shape: Shape, assignments: &[Assignment]) {
        if self.ends() {
            return self.fail(assignments, &cancelled());
        }
        match self.try_submit(shape, assignments).await {
            Err(failure) => self.fail(assignments, &failure),
            Ok((job, id)) => {
                if self.ends() {
                    // An error leaves a job whose results nobody will use.
                    let _ = self
                        .shared
                        .setup
                        .client
                        .terminate(&id, "wrun: the run ends")
                        .await;
                    return self.fail(assignments, &cancelled());
                }
                self.fly(job.job, id, assignments);
            }
        }
    }

    fn ends(&self) -> bool {
        let state = self.shared.state();
        state.cancelled || state.withdrawn
    }

    async fn try_submit(
        &mut self,
        shape: Shape,
        assignments: &[Assignment],
    ) -> Result<(JobId, String), Failure> {
        let definition = self
            .definition(shape)
            .await
            .map_err(|e| not_submitted(&e))?;
        let setup = &self.shared.setup;
        let packed = spec::pack(&setup.site, assignments).await;
        let mut packed = packed.map_err(|e| infrastructure("could not pack a job", &e))?;
        let queue = setup.settings.queue.clone().unwrap_or_default();
        packed.sent = Some(Sent {
            queue: queue.clone(),
            region: setup.client.region(),
        });
        // Stored before it is submitted, so that whoever takes the run over finds it.
        let job = setup.run.create_job(&packed).await;
        let job = job.map_err(|e| infrastructure("could not store a job", &e))?;
        let submission = Submission {
            name: job_name(&job.run, &job.job),
            queue,
            definition,
            size: assignments.len(),
            command: vec!["worker".to_owned(), job.to_string()],
            tags: setup.settings.tags.clone().into_iter().collect(),
        };
        let id = setup.client.submit(&submission).await;
        Ok((job, id.map_err(|e| not_submitted(&e))?))
    }

    /// The name of a job definition for `shape`, which is registered.
    async fn definition(&mut self, shape: Shape) -> Result<String, Trouble> {
        if let Some(name) = self.registered.get(&shape) {
            return Ok(name.clone());
        }
        let setup = &self.shared.setup;
        let definition = Definition {
            shape,
            settings: &setup.settings,
            datastore: &setup.datastore,
            mounted: setup.mounted.as_deref(),
        };
        let name = definition.name();
        if !setup.client.has_definition(&name).await? {
            setup.client.register(&definition.request()).await?;
        }
        self.registered.insert(shape, name.clone());
        Ok(name)
    }
}

fn not_submitted(trouble: &Trouble) -> Failure {
    let what = "the job could not be submitted to Batch";
    match (trouble.kind, trouble.action) {
        (Kind::Refused, "batch:RegisterJobDefinition") => misconfigured(what, trouble).with_hint(
            "let go of definitions `wrun-…` that no job uses, `aws batch deregister-job-definition --job-definition NAME:REVISION`, or have the quota raised; where the definition itself is refused, correct what `batch.` says of image, roles and sizes",
        ),
        (Kind::Denied, _) => misconfigured(what, trouble).with_hint(trouble.hint()),
        _ => infrastructure(what, trouble).with_hint(trouble.hint()),
    }
}

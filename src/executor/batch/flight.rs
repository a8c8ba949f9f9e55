//! What is in flight: attempts that were given to Batch and of which no end is known.
//!
//! Pure: it is told what happens and says what is known.

use std::collections::{BTreeMap, BTreeSet};

use super::wait::Wait;
use crate::model::id::TaskId;
use crate::model::job::Token;
use crate::model::name::StepName;

/// Names an attempt in flight, in the order in which datastores list what belongs to its task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat(StepName, String);

impl Seat {
    /// The seat of a task; at most one of its attempts is in flight.
    pub fn of(task: &TaskId) -> Self {
        // Listings order `10/…` behind `10.1/…`, because `/` comes after `.`.
        Self(task.step.clone(), format!("{}/", task.place))
    }

    /// The step of its task.
    pub fn step(&self) -> &StepName {
        &self.0
    }
}

/// An attempt in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The task.
    pub task: TaskId,
    /// Which attempt.
    pub attempt: u32,
    /// The job that it belongs to.
    pub job: Token,
    /// Whether it was said that it began.
    pub started: bool,
    /// The worker whose words were passed on, and how many.
    pub heard: Option<(Token, u32)>,
    /// Workers that were heard before: their hosts were lost.
    pub silent: BTreeSet<Token>,
}

/// A job with attempts in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// How Batch calls it.
    pub id: String,
    /// Its attempts, in the order of its children.
    pub seats: Vec<Seat>,
    /// How many of them are in flight.
    pub left: usize,
    /// How many are known to have failed.
    pub failed: usize,
    /// How often in a row Batch did not know it.
    pub unknown: u32,
    /// Since when none of it has had a machine.
    pub wait: Option<Wait>,
}

/// All that is in flight.
#[derive(Debug, Default)]
pub struct Flights {
    flights: BTreeMap<Seat, Flight>,
    jobs: BTreeMap<Token, Job>,
}

impl Flights {
    /// Adds a job. Of `seats`, its children in their order, the attempts `flying` are in flight.
    pub fn add(&mut self, name: Token, id: String, seats: Vec<Seat>, flying: Vec<(TaskId, u32)>) {
        let job = self.jobs.entry(name.clone()).or_insert(Job {
            id,
            seats,
            left: 0,
            failed: 0,
            unknown: 0,
            wait: None,
        });
        job.left += flying.len();
        for (task, attempt) in flying {
            let flight = Flight {
                task: task.clone(),
                attempt,
                job: name.clone(),
                started: false,
                heard: None,
                silent: BTreeSet::new(),
            };
            self.flights.insert(Seat::of(&task), flight);
        }
    }

    /// How many attempts are in flight.
    pub fn len(&self) -> usize {
        self.flights.len()
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// The attempt of this seat.
    pub fn get(&self, seat: &Seat) -> Option<&Flight> {
        self.flights.get(seat)
    }

    /// The attempt of this seat, to be changed.
    pub fn get_mut(&mut self, seat: &Seat) -> Option<&mut Flight> {
        self.flights.get_mut(seat)
    }

    /// A job, to be changed.
    pub fn job_mut(&mut self, job: &Token) -> Option<&mut Job> {
        self.jobs.get_mut(job)
    }

    /// Jobs with attempts in flight.
    pub fn jobs(&self) -> Vec<(Token, Job)> {
        let jobs = self.jobs.iter();
        jobs.map(|(name, job)| (name.clone(), job.clone()))
            .collect()
    }

    /// The attempts of a job that are in flight.
    pub fn of_job(&self, name: &Token, job: &Job) -> Vec<(usize, Seat)> {
        let flies = |seat: &Seat| self.flights.get(seat).is_some_and(|it| it.job == *name);
        let seats = job.seats.iter().cloned().enumerate();
        seats.filter(|(_, seat)| flies(seat)).collect()
    }

    /// The first and the last task in flight of each step, in the order of listings.
    pub fn spans(&self) -> BTreeMap<StepName, (TaskId, TaskId)> {
        let mut spans: BTreeMap<StepName, (TaskId, TaskId)> = BTreeMap::new();
        for flight in self.flights.values() {
            let task = &flight.task;
            spans
                .entry(task.step.clone())
                .and_modify(|span| span.1 = task.clone())
                .or_insert_with(|| (task.clone(), task.clone()));
        }
        spans
    }

    /// Takes an attempt out, which has ended.
    pub fn land(&mut self, seat: &Seat, failed: bool) -> Option<Flight> {
        let flight = self.flights.remove(seat)?;
        if let Some(job) = self.jobs.get_mut(&flight.job) {
            job.left -= 1;
            job.failed += usize::from(failed);
            if job.left == 0 {
                self.jobs.remove(&flight.job);
            }
        }
        Some(flight)
    }

    /// Every seat.
    pub fn seats(&self) -> Vec<Seat> {
        self.flights.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(text: &str) -> TaskId {
        text.parse().unwrap()
    }

    fn flights(tasks: &[&str]) -> (Flights, Token) {
        let name = Token::new([1; 8]);
        let tasks: Vec<_> = tasks.iter().map(|text| task(text)).collect();
        let seats = tasks.iter().map(Seat::of).collect();
        let flying = tasks.into_iter().map(|task| (task, 0)).collect();
        let mut flights = Flights::default();
        flights.add(name.clone(), "id".into(), seats, flying);
        (flights, name)
    }

    #[test]
    fn a_span_goes_from_the_first_to_the_last_key() {
        let (flights, _) = flights(&["fit/9", "fit/10", "fit/10.1", "cut/-"]);
        let spans = flights.spans();
        let fit = &spans["fit"];
        assert_eq!(fit, &(task("fit/10.1"), task("fit/9")));
        assert_eq!(spans.len(), 2);
    }

    #[test]
    fn a_job_is_forgotten_with_its_last_attempt() {
        let (mut flights, name) = flights(&["fit/0", "fit/1"]);
        flights.land(&Seat::of(&task("fit/1")), true);
        let (_, job) = flights.jobs().remove(0);
        assert_eq!((job.left, job.failed), (1, 1));
        assert_eq!(flights.of_job(&name, &job), [(0, Seat::of(&task("fit/0")))]);
        assert!(flights.land(&Seat::of(&task("fit/1")), false).is_none());
        flights.land(&Seat::of(&task("fit/0")), false);
        assert!(flights.jobs().is_empty() && flights.is_empty());
    }
}

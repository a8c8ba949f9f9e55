//! Flows that nobody thought of: run, replayed, cut and attached to, broken and resumed.

use std::sync::atomic::{AtomicUsize, Ordering};

use wrun::model::event::{Event, RunStatus};
use wrun::sandbox::call::Backend;

use super::flowgen;
use super::lab::{Dice, Flow, Lab, cases};
use super::results::Results;
use super::world::module;

/// How many runs there are under `CI=true`.
const RUNS: usize = 600;
/// How many runs each flow has, with other parameters and seeds.
const EACH: usize = 17;

/// Of how many flows one is also replayed by the interpreter, as by another processor.
const ELSEWHERE: usize = 4;

/// What was done, to be sure that it was.
#[derive(Default)]
struct Done {
    runs: AtomicUsize,
    tasks: AtomicUsize,
    retried: AtomicUsize,
    caught: AtomicUsize,
    attached: AtomicUsize,
    resumed: AtomicUsize,
    broken: AtomicUsize,
    reused: AtomicUsize,
    elsewhere: AtomicUsize,
}

fn add(to: &AtomicUsize, many: usize) {
    to.fetch_add(many, Ordering::Relaxed);
}

#[test]
fn whatever_the_flow_it_comes_to_the_same() {
    let runs = cases("WRUN_RANDOM_RUNS", RUNS);
    let done = Done::default();
    // A failure names its run, so that it can be looked at alone.
    let first: usize = std::env::var("WRUN_RANDOM_FIRST").map_or(0, |it| it.parse().unwrap());
    let (next, last) = (AtomicUsize::new(first), first + runs);
    let empty = std::fs::read(module("random_flow")).unwrap();
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(2, |it| it.get());
        for _ in 0..workers {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                loop {
                    let first = next.fetch_add(EACH, Ordering::Relaxed);
                    if first >= last {
                        return;
                    }
                    let many = EACH.min(last - first);
                    runtime.block_on(flow(&empty, first, many, &done));
                }
            });
        }
    });
    let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
    println!(
        "{} runs of {} tasks, {} attempts that failed, {} failures caught; {} attached after a cut, \
         {} resumed after a cut, {} resumed after they broke, {} tasks taken over; {} attempts replayed by the interpreter",
        count(&done.runs),
        count(&done.tasks),
        count(&done.retried),
        count(&done.caught),
        count(&done.attached),
        count(&done.resumed),
        count(&done.broken),
        count(&done.reused),
        count(&done.elsewhere),
    );
    assert_eq!(count(&done.runs), runs);
    assert!(count(&done.tasks) > 5 * runs);
    assert!(count(&done.caught) > 0 && count(&done.retried) > 0);
    assert!(count(&done.elsewhere) > 0);
    assert!(count(&done.broken) > 0 && count(&done.reused) > 0);
}

async fn flow(empty: &[u8], first: usize, many: usize, done: &Done) {
    let plan = flowgen::plan((first / EACH) as u64);
    let flow = Flow::new(&flowgen::module(empty, &plan)).await;
    for run in first..first + many {
        Case {
            flow: &flow,
            run,
            dice: Dice(run as u64 ^ 0x5eed),
            done,
        }
        .all()
        .await;
    }
}

/// A flow with parameters.
struct Case<'a> {
    flow: &'a Flow,
    run: usize,
    dice: Dice,
    done: &'a Done,
}

impl Case<'_> {
    /// The parameters: how much, and something to mix.
    fn given(&self, doom: &'static [u8]) -> [(&'static str, Vec<u8>); 3] {
        let n = vec![(self.run % 20) as u8];
        let mix = format!("{:04}", self.run).into_bytes();
        let mix = [&[0x64][..], &mix].concat();
        [("n", n), ("mix", mix), ("doom", doom.to_vec())]
    }

    async fn all(mut self) {
        let seed = self.dice.roll() % 3;
        let lab = Lab::new(1 + self.dice.below(3));
        let given = self.given(&[0]);
        let given = given.each_ref().map(|(name, value)| (*name, &value[..]));
        let status = lab.run(self.flow, &given, seed).await;
        let events = lab.events("random/1").await;
        let expected = lab.results("random/1").await;
        let tasks = &expected.tasks;
        assert_eq!(status, RunStatus::Succeeded, "run {}: {tasks:?}", self.run);
        self.count(&events, &expected);
        self.replayed(&lab, "random/1").await;
        if self.run.is_multiple_of(EACH * ELSEWHERE) {
            self.replayed_elsewhere(&lab, "random/1").await;
        }
        self.cut(&lab, &events, &expected).await;
        self.broken(&given, seed, &expected).await;
    }

    fn count(&self, events: &[Event], results: &Results) {
        let failed = |event: &&Event| matches!(event, Event::Finished { record, .. } if record.result.is_err());
        let caught = |event: &&Event| matches!(event, Event::Caught { .. });
        add(&self.done.runs, 1);
        add(&self.done.tasks, results.tasks.len());
        add(&self.done.retried, events.iter().filter(failed).count());
        add(&self.done.caught, events.iter().filter(caught).count());
    }

    async fn replayed_elsewhere(&self, lab: &Lab, run: &str) {
        let opened = lab.open(run).await;
        let report = lab.replay_by(&opened, Backend::Pulley).await;
        let report = report.unwrap_or_else(|error| panic!("run {}: {error:?}", self.run));
        assert_eq!(report.different, 0, "run {}: {report:?}", self.run);
        assert_eq!(report.other_engine, report.attempts);
        add(&self.done.elsewhere, report.attempts as usize);
    }

    async fn replayed(&self, lab: &Lab, run: &str) {
        let opened = lab.open(run).await;
        let report = lab.replay(&opened).await;
        let report = report.unwrap_or_else(|error| panic!("run {}: {error:?}", self.run));
        let found = &report.differences;
        assert_eq!(report.different, 0, "run {}, {run}: {found:?}", self.run);
        assert_eq!(report.left_out, [], "run {}", self.run);
        assert_eq!(report.ended, Some(RunStatus::Succeeded));
    }

    /// Cuts the journal anywhere, and goes on: in place, and in a new run.
    async fn cut(&mut self, lab: &Lab, events: &[Event], expected: &Results) {
        let kept = self.dice.below(events.len());
        let at = format!("run {}, cut at {kept} of {}", self.run, events.len());
        let mut halves = Vec::new();
        for _ in 0..2 {
            let is_kept = |key: &str| !key.contains("/runs/") && !key.starts_with("memo/");
            let half = lab.copy(is_kept).await;
            let mut writer = half.open("random/1").await.writer_at(0);
            let size = 1 + self.dice.below(20);
            for segment in events[..kept].chunks(size) {
                writer.append(segment).await.unwrap();
            }
            halves.push(half);
        }
        let status = halves[0].attach("random/1").await;
        assert_eq!(status, RunStatus::Succeeded, "{at}");
        let found = halves[0].results("random/1").await;
        assert_eq!(found.difference(expected), None, "{at}, attached");
        add(&self.done.attached, 1);
        let given = self.given(&[0]);
        let given = given.each_ref().map(|(name, value)| (*name, &value[..]));
        let status = halves[1].resume("random/1", self.flow, &given).await;
        assert_eq!(status, RunStatus::Succeeded, "{at}");
        let events = halves[1].events("random/2").await;
        let found = halves[1].results("random/2").await;
        assert_eq!(found.difference(expected), None, "{at}, resumed");
        self.reused(&events);
        add(&self.done.resumed, 1);
        if self.run.is_multiple_of(5) {
            self.replayed(&halves[0], "random/1").await;
            self.replayed(&halves[1], "random/2").await;
        }
    }

    /// Breaks a step, and resumes when it is mended.
    async fn broken(&self, given: &[(&str, &[u8]); 3], seed: u64, expected: &Results) {
        let lab = Lab::new(2);
        let mut doomed = *given;
        doomed[2].1 = &[1];
        if lab.run(self.flow, &doomed, seed).await == RunStatus::Succeeded {
            // It never came to the step that is doomed.
            return;
        }
        let status = lab.resume("random/1", self.flow, given).await;
        assert_eq!(status, RunStatus::Succeeded, "run {}, mended", self.run);
        let events = lab.events("random/2").await;
        let found = lab.results("random/2").await.difference(expected);
        assert_eq!(found, None, "run {}, mended", self.run);
        self.reused(&events);
        add(&self.done.broken, 1);
        if self.run.is_multiple_of(5) {
            self.replayed(&lab, "random/2").await;
        }
    }

    fn reused(&self, events: &[Event]) {
        let reused = |event: &&Event| matches!(event, Event::Reused { .. });
        add(&self.done.reused, events.iter().filter(reused).count());
    }
}

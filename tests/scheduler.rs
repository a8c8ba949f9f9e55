//! Properties of the scheduler over random flows, random orders and random failures.
//!
//! A flow is grown from nested blocks, so that it is valid by construction; a run is driven by a
//! tape of random bytes that picks which running task ends next, and how. What a task writes
//! follows from its name alone, so that the order of completion can be seen to be no matter.

// All of this is test code, also what is not itself a test.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use wrun::model::artifact::{Artifact, MediaType, Value};
use wrun::model::definition::{Case, Definition, Edge, Read, Retry, Step, Write};
use wrun::model::digest::Digest;
use wrun::model::event::{Event, RunStatus};
use wrun::model::failure::{Failure, FailureKind, Limit};
use wrun::model::graph::{EdgeIx, FlowGraph};
use wrun::model::id::{Frame, TaskId};
use wrun::model::record::{Logs, Observed, Outcome, Record, Usage};
use wrun::model::time::Timestamp;
use wrun::scheduler::{Assignment, Branch, Command, Policy, Scheduler};

const INFRASTRUCTURE_RETRIES: u32 = 2;
const RECLAIMS: u32 = 4;
const MAX_TURNS: u32 = 3;

/// A part of a flow with one way in and one way out.
#[derive(Clone, Debug)]
enum Block {
    Step {
        catch: bool,
        retry: u8,
    },
    Sequence(Vec<Block>),
    Split(Vec<Block>),
    Foreach(Box<Block>),
    /// A choice between blocks; with an empty way when `skip`.
    Switch {
        cases: Vec<Block>,
        skip: bool,
    },
    Loop(Box<Block>),
}

fn blocks() -> impl Strategy<Value = Block> {
    let step = (prop::bool::weighted(0.3), 0..3_u8)
        .prop_map(|(catch, retry)| Block::Step { catch, retry });
    step.prop_recursive(4, 14, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Block::Sequence),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Block::Split),
            inner
                .clone()
                .prop_map(|body| Block::Foreach(Box::new(body))),
            (prop::collection::vec(inner.clone(), 1..3), any::<bool>())
                .prop_map(|(cases, skip)| Block::Switch { cases, skip }),
            inner.prop_map(|body| Block::Loop(Box::new(body))),
        ]
    })
}

/// Grows the steps of a flow from its last to its first.
#[derive(Default)]
struct Grower {
    steps: Vec<Step>,
}

impl Grower {
    fn add(&mut self, step: Step) -> String {
        let name = format!("s{}", self.steps.len());
        let mut writes = vec![Write {
            name: format!("w_{name}"),
            ty: "T".into(),
        }];
        match &step.edge {
            Edge::Foreach { artifact, .. } | Edge::Switch { artifact, .. } => {
                writes.push(Write {
                    name: artifact.clone(),
                    ty: "Vec<T>".into(),
                });
            }
            _ => {}
        }
        // Every step reads one artifact that all steps may write, to see branches differ about it.
        let reads = vec![Read {
            name: "shared".into(),
            ty: "T".into(),
            optional: true,
        }];
        if self.steps.len().is_multiple_of(3) {
            writes.push(Write {
                name: "shared".into(),
                ty: "T".into(),
            });
        }
        self.steps.push(Step {
            name: name.clone(),
            reads,
            writes,
            ..step
        });
        name
    }

    fn join(&mut self, next: String) -> String {
        self.add(Step {
            join: true,
            edge: Edge::Next(next),
            ..Step::default()
        })
    }

    /// Adds `block` before the step `next`, and returns its first step.
    fn grow(&mut self, block: &Block, next: String) -> String {
        match block {
            Block::Step { catch, retry } => self.add(Step {
                edge: Edge::Next(next),
                catch: catch.then(|| "oops".into()),
                retry: Some(Retry {
                    times: u32::from(*retry),
                    backoff_ms: 10,
                }),
                ..Step::default()
            }),
            Block::Sequence(parts) => parts
                .iter()
                .rev()
                .fold(next, |next, part| self.grow(part, next)),
            Block::Split(branches) => {
                let join = self.join(next);
                let first = |branch| self.grow(branch, join.clone());
                let branches = branches.iter().map(first).collect();
                self.add(Step {
                    edge: Edge::Split(branches),
                    ..Step::default()
                })
            }
            Block::Foreach(body) => {
                let join = self.join(next);
                let next = self.grow(body, join);
                self.add(Step {
                    edge: Edge::Foreach {
                        artifact: "list".into(),
                        next,
                    },
                    ..Step::default()
                })
            }
            Block::Switch { cases, skip } => {
                let mut ways: Vec<String> = cases
                    .iter()
                    .map(|case| self.grow(case, next.clone()))
                    .collect();
                if *skip {
                    // Directly to a join is no way for a branch, so there is a step between.
                    let step = Step {
                        edge: Edge::Next(next),
                        ..Step::default()
                    };
                    ways.push(self.add(step));
                }
                self.switch(ways, None)
            }
            Block::Loop(body) => {
                // The head is not known before the body is grown: it is put in afterwards.
                let switch = self.switch(vec![next, "head".into()], Some(MAX_TURNS));
                let first = self.grow(body, switch.clone());
                let head = self.add(Step {
                    edge: Edge::Next(first),
                    ..Step::default()
                });
                let closing = self
                    .steps
                    .iter_mut()
                    .find(|step| step.name == switch)
                    .unwrap();
                if let Edge::Switch { cases, .. } = &mut closing.edge {
                    cases[1].next = head.clone();
                }
                head
            }
        }
    }

    fn switch(&mut self, ways: Vec<String>, max_turns: Option<u32>) -> String {
        let cases = (0..).zip(ways).map(|(i, next): (usize, String)| Case {
            name: format!("c{i}"),
            next,
        });
        let edge = Edge::Switch {
            artifact: "route".into(),
            cases: cases.collect(),
            max_turns,
        };
        self.add(Step {
            edge,
            ..Step::default()
        })
    }
}

fn definition(block: &Block) -> Definition {
    let mut grower = Grower::default();
    let end = grower.add(Step::default());
    let first = grower.grow(block, end);
    let edge = Edge::Next(first);
    grower.add(Step {
        edge,
        ..Step::default()
    });
    grower.steps.reverse();
    Definition {
        name: "random".into(),
        steps: grower.steps,
        ..Definition::default()
    }
}

fn graph(block: &Block) -> Arc<FlowGraph> {
    let definition = definition(block);
    Arc::new(FlowGraph::new(&definition).unwrap_or_else(|p| panic!("{p}\n{definition:#?}")))
}

/// What decides about a run: bytes, as many as are asked for.
#[derive(Clone, Debug)]
struct Tape {
    bytes: Vec<u8>,
    at: usize,
}

impl Tape {
    fn pick(&mut self, below: usize) -> usize {
        let byte = self.bytes[self.at % self.bytes.len()];
        // The second time around the same bytes decide differently.
        let round = self.at / self.bytes.len();
        self.at += 1;
        (usize::from(byte) + round * 31) % below
    }
}

/// How often attempts fail, and whether somebody stops the run.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// Of 16 attempts, how many fail.
    failures: usize,
    /// After how many events the run is cancelled.
    cancel: Option<usize>,
}

/// What a task does when it succeeds. Follows from its name alone.
fn success(graph: &FlowGraph, assignment: &Assignment, salt: u64) -> (Outcome, Vec<Artifact>) {
    let step = graph.step(assignment.step);
    let chance = Digest::of(format!("{} {salt}", assignment.task).as_bytes());
    let chance = usize::from(chance.as_bytes()[0]);
    let text = format!("{}", assignment.task);
    let artifacts = step.writes.iter().map(|write| {
        // Branches sometimes agree about what they share.
        let text = if write.name.as_str() == "shared" {
            format!("{}", chance % 2)
        } else {
            text.clone()
        };
        let value = Value::inline(MediaType::cbor(), Bytes::from(text.into_bytes()));
        Artifact {
            name: write.name.clone(),
            value,
        }
    });
    let artifacts = artifacts.collect();
    let outcome = match &step.edge {
        EdgeIx::Foreach { .. } => Outcome::Items((chance % 4) as u32),
        EdgeIx::Switch {
            cases, max_turns, ..
        } => {
            let last = assignment.task.place.frames().last();
            let tired =
                max_turns.is_some() && matches!(last, Some(Frame::Turn(n)) if *n >= MAX_TURNS);
            Outcome::Case(if tired {
                cases[0].0.clone()
            } else {
                cases[chance % cases.len()].0.clone()
            })
        }
        _ => Outcome::Done,
    };
    (outcome, artifacts)
}

fn record(result: Result<Outcome, Failure>, artifacts: Vec<Artifact>) -> Box<Record> {
    let engine = Digest::from_bytes([0; 32]);
    let usage = Usage::default();
    Box::new(Record {
        result,
        artifacts,
        logs: Logs::None,
        engine,
        inputs: engine,
        observed: Observed::NOTHING,
        trace: None,
        usage,
    })
}

const KINDS: [FailureKind; 9] = [
    FailureKind::Error,
    FailureKind::Panic,
    FailureKind::Infrastructure,
    FailureKind::Limit(Limit::Time),
    FailureKind::Infrastructure,
    FailureKind::Trap,
    FailureKind::Reclaimed,
    FailureKind::Misconfigured,
    FailureKind::Fatal,
];

/// A run that checks, event by event, what must hold in every run.
struct Run {
    graph: Arc<FlowGraph>,
    scheduler: Scheduler,
    salt: u64,
    /// What can happen next: attempts to end, failures to catch.
    waiting: Vec<Waiting>,
    events: Vec<Event>,
    commands: Vec<Vec<Command>>,
    succeeded: BTreeMap<TaskId, Vec<(String, Digest)>>,
    attempts: BTreeMap<TaskId, u32>,
    failures: BTreeMap<TaskId, (u32, u32, u32)>,
    end: Option<RunStatus>,
}

#[derive(Clone, Debug)]
enum Waiting {
    Attempt(Box<Assignment>),
    Catch(TaskId, u32, String),
}

fn scheduler(graph: &Arc<FlowGraph>) -> Scheduler {
    let policy = Policy {
        max_items: 3,
        infrastructure_retries: INFRASTRUCTURE_RETRIES,
        reclaims: RECLAIMS,
    };
    Scheduler::new(graph.clone(), &[], policy)
}

impl Run {
    fn start(graph: Arc<FlowGraph>, salt: u64) -> Self {
        let scheduler = scheduler(&graph);
        let mut run = Run {
            graph,
            scheduler,
            salt,
            waiting: Vec::new(),
            events: Vec::new(),
            commands: Vec::new(),
            succeeded: BTreeMap::new(),
            attempts: BTreeMap::new(),
            failures: BTreeMap::new(),
            end: None,
        };
        let commands = run.scheduler.start();
        run.take(commands);
        run
    }

    fn take(&mut self, commands: Vec<Command>) {
        for command in &commands {
            match command {
                Command::Run(assignment) => {
                    assert_eq!(self.end, None, "nothing is started after the end");
                    self.check(assignment);
                    self.waiting
                        .push(Waiting::Attempt(Box::new(assignment.clone())));
                }
                Command::Catch {
                    task,
                    attempt,
                    artifact,
                    failure,
                } => {
                    assert!(!failure.kind.is_infrastructure());
                    assert_eq!(self.end, None, "nothing is caught after the end");
                    let waiting = Waiting::Catch(task.clone(), *attempt, artifact.to_string());
                    self.waiting.push(waiting);
                }
                Command::End(status) => {
                    assert_eq!(self.end.replace(*status), None, "a run ends once");
                }
            }
        }
        self.commands.push(commands);
    }

    /// Attempts count up from 0; a step's retries and those of the infrastructure are kept.
    fn check(&mut self, assignment: &Assignment) {
        let task = &assignment.task;
        let step = self.graph.step(assignment.step);
        assert_eq!(step.name, task.step);
        let next = self.attempts.get(task).map_or(0, |last| last + 1);
        assert_eq!(assignment.attempt, next, "attempts of `{task}`");
        assert!(
            !self.succeeded.contains_key(task),
            "`{task}` has succeeded already"
        );
        self.attempts.insert(task.clone(), next);
        let spent = self.failures.get(task).copied().unwrap_or_default();
        let (own, infrastructure, reclaims) = spent;
        assert!(own <= step.retry.map_or(0, |retry| retry.times));
        assert!(infrastructure <= INFRASTRUCTURE_RETRIES);
        assert!(reclaims <= RECLAIMS);
        assert_eq!(assignment.branches.is_some(), step.join);
        if let Some(branches) = &assignment.branches {
            self.check_branches(assignment, branches);
        }
    }

    /// A join has one branch for each branch or element, in order.
    fn check_branches(&self, join: &Assignment, branches: &[Branch]) {
        let opener = self.graph.step(join.step).closes.unwrap();
        let depth = self.graph.step(opener).frames();
        let scope = self.graph.step(opener).scopes.len();
        match &self.graph.step(opener).edge {
            EdgeIx::Split {
                branches: firsts, ..
            } => {
                assert_eq!(branches.len(), firsts.len());
                for (branch, i) in branches.iter().zip(0..) {
                    let last = self.graph.find(branch.task.step.as_str()).unwrap();
                    let around = &self.graph.step(last).scopes[scope];
                    let expected = wrun::model::graph::Scope::Split {
                        at: opener,
                        branch: i,
                    };
                    assert_eq!(*around, expected);
                }
            }
            _ => {
                for (branch, i) in branches.iter().zip(0..) {
                    assert_eq!(branch.task.place.frames()[depth], Frame::Item(i));
                }
            }
        }
        for branch in branches {
            assert_eq!(branch.task.place.prefix(depth), join.task.place);
            assert!(self.succeeded.contains_key(&branch.task));
        }
    }

    fn apply(&mut self, event: Event) {
        let commands = self
            .scheduler
            .apply(&event)
            .unwrap_or_else(|e| panic!("{e}: {event:?}"));
        self.events.push(event);
        self.take(commands);
    }

    /// Lets one of the waiting things happen. Whether there was one.
    fn step(&mut self, tape: &mut Tape, failures: usize) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        let waiting = self.waiting.swap_remove(tape.pick(self.waiting.len()));
        match waiting {
            Waiting::Catch(task, attempt, name) => {
                let value = Value::inline(MediaType::cbor(), Bytes::from_static(b"failure"));
                let artifact = Artifact {
                    name: name.parse().unwrap(),
                    value,
                };
                if self.end.is_none() {
                    self.succeeded.insert(task.clone(), Vec::new());
                }
                self.apply(Event::Caught {
                    task,
                    attempt,
                    artifact,
                });
            }
            Waiting::Attempt(assignment) => self.attempt(&assignment, tape, failures),
        }
        true
    }

    fn attempt(&mut self, assignment: &Assignment, tape: &mut Tape, failures: usize) {
        let (task, attempt) = (assignment.task.clone(), assignment.attempt);
        let record = if failures > 0 && tape.pick(16) < failures {
            let kind = KINDS[tape.pick(KINDS.len())];
            let spent = self.failures.entry(task.clone()).or_default();
            *(match kind {
                FailureKind::Infrastructure => &mut spent.1,
                FailureKind::Reclaimed => &mut spent.2,
                _ => &mut spent.0,
            }) += 1;
            record(Err(Failure::new(kind, "it broke")), Vec::new())
        } else {
            let (outcome, artifacts) = success(&self.graph, assignment, self.salt);
            let seen = assignment
                .env
                .iter()
                .map(|(name, value)| (name.to_string(), value.digest));
            self.succeeded.insert(task.clone(), seen.collect());
            record(Ok(outcome), artifacts)
        };
        self.apply(Event::Finished {
            task,
            attempt,
            record,
        });
    }

    /// Goes on until nothing is left to happen.
    fn finish(&mut self, tape: &mut Tape, weather: Weather) {
        loop {
            if weather.cancel == Some(self.events.len()) {
                self.apply(Event::CancelRequested { at: Timestamp(0) });
            }
            if !self.step(tape, weather.failures) {
                break;
            }
        }
        let status = self
            .end
            .expect("a run in which nothing is left to happen has ended");
        self.apply(Event::RunEnded {
            status,
            at: Timestamp(0),
        });
        assert_eq!(
            self.scheduler.outstanding(),
            0,
            "all that was started has ended"
        );
    }
}

fn tapes() -> impl Strategy<Value = Tape> {
    prop::collection::vec(any::<u8>(), 1..24).prop_map(|bytes| Tape { bytes, at: 0 })
}

fn weathers() -> impl Strategy<Value = Weather> {
    (0..8_usize, prop::option::weighted(0.2, 0..12_usize))
        .prop_map(|(failures, cancel)| Weather { failures, cancel })
}

const CALM: Weather = Weather {
    failures: 0,
    cancel: None,
};

/// `count` cases where time is no matter (`CI` is set), a tenth of them elsewhere.
fn cases(count: u32) -> ProptestConfig {
    let cases = if std::env::var_os("CI").is_some() {
        count
    } else {
        count / 10
    };
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(40_000))]

    /// Every invariant that [`Run`] checks, in any weather; and the same events give the same
    /// commands, folded at once or in two halves.
    #[test]
    fn every_run_ends_and_keeps_the_rules(
        block in blocks(), tape in tapes(), weather in weathers(), salt in any::<u64>(), cut in any::<prop::sample::Index>()
    ) {
        let graph = graph(&block);
        let mut run = Run::start(graph.clone(), salt);
        run.finish(&mut tape.clone(), weather);
        if weather.failures == 0 && weather.cancel.is_none() {
            prop_assert_eq!(run.end, Some(RunStatus::Succeeded));
        }
        if run.end == Some(RunStatus::Succeeded) {
            let done: BTreeSet<&TaskId> = run.succeeded.keys().collect();
            prop_assert_eq!(done, run.attempts.keys().collect());
        }
        let mut again = scheduler(&graph);
        let mut commands = vec![again.start()];
        let cut = cut.index(run.events.len());
        for event in &run.events[..cut] {
            commands.push(again.apply(event).unwrap());
        }
        let mut rest = again.clone();
        drop(again);
        for event in &run.events[cut..] {
            commands.push(rest.apply(event).unwrap());
        }
        prop_assert!(commands == run.commands, "the same events give the same commands");
    }
}

proptest! {
    #![proptest_config(cases(30_000))]

    /// In whatever order tasks end: the same tasks, and each has seen the same values.
    #[test]
    fn the_order_of_completion_is_no_matter(
        block in blocks(), one in tapes(), other in tapes(), salt in any::<u64>()
    ) {
        let graph = graph(&block);
        let mut first = Run::start(graph.clone(), salt);
        first.finish(&mut one.clone(), CALM);
        let mut second = Run::start(graph, salt);
        second.finish(&mut other.clone(), CALM);
        prop_assert_eq!(first.end, Some(RunStatus::Succeeded));
        prop_assert_eq!(first.succeeded, second.succeeded);
    }
}

proptest! {
    #![proptest_config(cases(40_000))]

    /// Whatever a module says about itself: a flow that the checks accept runs to its end, and one
    /// that they refuse is refused with reasons.
    #[test]
    fn an_accepted_flow_never_gets_stuck(
        block in blocks(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..5_u8), 0..3),
        tape in tapes(), salt in any::<u64>()
    ) {
        let mut definition = definition(&block);
        for (at, to, how) in cuts {
            let target = definition.steps[to.index(definition.steps.len())].name.clone();
            let at = at.index(definition.steps.len());
            rewire(&mut definition.steps[at], target, how);
        }
        match FlowGraph::new(&definition) {
            Err(problems) => prop_assert!(problems.count() > 0 && !problems.to_string().is_empty()),
            Ok(graph) => {
                let mut run = Run::start(Arc::new(graph), salt);
                run.finish(&mut tape.clone(), Weather { failures: 1, cancel: None });
            }
        }
    }
}

/// Spoils a step, or not.
fn rewire(step: &mut Step, target: String, how: u8) {
    match (how, &mut step.edge) {
        (0, _) => step.join = !step.join,
        (1, Edge::Next(next)) => *next = target,
        (1, Edge::Foreach { next, .. }) => *next = target,
        (1, Edge::Split(branches)) => branches[0] = target,
        (
            _,
            Edge::Switch {
                cases, max_turns, ..
            },
        ) => {
            cases.push(Case {
                name: "more".into(),
                next: target,
            });
            max_turns.get_or_insert(MAX_TURNS);
        }
        (2, edge @ Edge::Next(_)) => *edge = Edge::End,
        (_, edge @ Edge::Next(_)) => {
            let Edge::Next(next) = std::mem::take(edge) else {
                return;
            };
            let case = |name: &str, next| Case {
                name: name.into(),
                next,
            };
            let cases = vec![case("on", next), case("off", target)];
            *edge = Edge::Switch {
                artifact: "route".into(),
                cases,
                max_turns: Some(MAX_TURNS),
            };
            step.writes.push(Write {
                name: "route".into(),
                ty: "T".into(),
            });
            step.catch = None;
        }
        _ => {}
    }
}

/// Counts what the current thread has allocated and not given back.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn held(change: isize) -> isize {
    // A thread that is ending has nothing to count with any more.
    HELD.try_with(|held| held.replace(held.get() + change) + change)
        .unwrap_or(0)
}

fn signed(size: usize) -> isize {
    isize::try_from(size).expect("no allocation has more bytes")
}

// Safety: everything is left to the system's allocator; only sizes are noted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        held(signed(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        held(-signed(layout.size()));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_foreach_of_100_000_elements_costs_little_for_each() {
    const COUNT: u32 = 100_000;
    let step = |name: &str, writes: &[&str], edge| Step {
        name: name.into(),
        writes: writes
            .iter()
            .map(|w| Write {
                name: (*w).into(),
                ty: "Vec<T>".into(),
            })
            .collect(),
        join: name == "join",
        edge,
        ..Step::default()
    };
    let steps = vec![
        step(
            "start",
            &["list"],
            Edge::Foreach {
                artifact: "list".into(),
                next: "work".into(),
            },
        ),
        step("work", &["y"], Edge::Next("join".into())),
        step("join", &[], Edge::End),
    ];
    let definition = Definition {
        name: "wide".into(),
        steps,
        ..Definition::default()
    };
    let graph = Arc::new(FlowGraph::new(&definition).unwrap());
    let policy = Policy {
        max_items: COUNT,
        infrastructure_retries: 0,
        reclaims: 0,
    };
    let mut scheduler = Scheduler::new(graph.clone(), &[], policy);
    let started = std::time::Instant::now();
    scheduler.start();
    let wrote = |name: &str, text: String| {
        let value = Value::inline(MediaType::cbor(), Bytes::from(text.into_bytes()));
        vec![Artifact {
            name: name.parse().unwrap(),
            value,
        }]
    };
    let finished = |task: &str, record| Event::Finished {
        task: task.parse().unwrap(),
        attempt: 0,
        record,
    };
    let list = record(Ok(Outcome::Items(COUNT)), wrote("list", "list".into()));
    let before = held(0);
    let commands = scheduler.apply(&finished("start/-", list)).unwrap();
    assert_eq!(commands.len(), COUNT as usize);
    drop(commands);
    let running = (held(0) - before) / COUNT as isize;
    let mut last = Vec::new();
    for i in 0..COUNT {
        // Backwards and in leaps: no order is a special one.
        let i = (u64::from(i) * 48_271 % u64::from(COUNT)) as u32;
        let event = finished(
            &format!("work/{i}"),
            record(Ok(Outcome::Done), wrote("y", format!("{i}"))),
        );
        last = scheduler.apply(&event).unwrap();
    }
    let ended = (held(0) - before) / COUNT as isize;
    println!(
        "{COUNT} elements: {:?}, bytes for each: {running} running, {ended} ended",
        started.elapsed()
    );
    let [Command::Run(join)] = last.as_slice() else {
        panic!("the join starts: {last:?}")
    };
    assert_eq!(join.branches.as_ref().unwrap().len(), COUNT as usize);
    assert!(
        running < 400 && ended < 400,
        "bytes for each element: {running}, {ended}"
    );
    drop(last);
    let done = record(Ok(Outcome::Done), Vec::new());
    scheduler.apply(&finished("join/-", done)).unwrap();
    let after = held(0) - before;
    assert!(
        after < 10_000,
        "what a join brought together is forgotten: {after} bytes are held"
    );
}

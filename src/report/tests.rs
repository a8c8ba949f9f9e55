//! A made-up run, told to every reporter.

mod pictures;

use std::sync::Arc;

use bytes::Bytes;

use super::jsonl::Jsonl;
use super::plain::Plain;
use super::progress::Progress;
use super::quiet::Quiet;
use super::style::Style;
use super::{Reporter, json, summary};
use crate::model::artifact::{Artifact, MediaType, Value};
use crate::model::definition::{Case, Definition, Edge, Step, Write};
use crate::model::digest::Digest;
use crate::model::event::{Event, RunStatus};
use crate::model::failure::{Failure, FailureKind, Limit};
use crate::model::graph::FlowGraph;
use crate::model::header::{Limits, RunHeader};
use crate::model::record::{LogChunk, Logs, Outcome, Record, Stream, Usage};
use crate::model::time::Timestamp;

const START: u64 = 1_795_422_455_000_000;

fn at(ms: u64) -> Timestamp {
    Timestamp(START + ms * 1000)
}

fn step(name: &str, edge: Edge) -> Step {
    Step {
        name: name.into(),
        edge,
        ..Step::default()
    }
}

fn write(name: &str, ty: &str) -> Write {
    Write {
        name: name.into(),
        ty: ty.into(),
    }
}

/// start => count (foreach) -> total (join) -> end
fn wordcount() -> Arc<FlowGraph> {
    let each = Edge::Foreach {
        artifact: "shards".into(),
        next: "count".into(),
    };
    let mut start = step("start", each);
    start.writes = vec![write("shards", "Vec<u32>")];
    let mut count = step("count", Edge::Next("total".into()));
    count.item = Some("u32".into());
    let mut total = step("total", Edge::Next("end".into()));
    total.join = true;
    total.writes = vec![write("page", "Report")];
    let steps = vec![start, count, total, step("end", Edge::End)];
    let definition = Definition {
        name: "wordcount".into(),
        steps,
        ..Definition::default()
    };
    Arc::new(FlowGraph::new(&definition).expect("the flow is valid"))
}

fn header() -> RunHeader {
    RunHeader {
        run: "wordcount/42".parse().unwrap(),
        created_at: at(0),
        clock: Timestamp(0),
        known_as: 1,
        parameters: Vec::new(),
        snapshot: Digest::of(b"snapshot"),
        module: Digest::of(b"module"),
        seed: 0,
        limits: Limits::default(),
        steps: Default::default(),
        grants: Default::default(),
        imports: Vec::new(),
        engine: Digest::of(b"engine"),
        origin: None,
        anew: Default::default(),
        cache: false,
        user: "ada".into(),
        tags: Vec::new(),
        wrun: "0.1.0".into(),
    }
}

fn record(result: Result<Outcome, Failure>, start: u64, ms: u64) -> Record {
    Record {
        result,
        artifacts: Vec::new(),
        logs: Logs::None,
        engine: Digest::of(b"engine"),
        inputs: crate::model::digest::Digest::from_bytes([0; 32]),
        observed: Default::default(),
        trace: None,
        usage: Usage {
            started_at: at(start),
            wall_us: ms * 1000,
            cpu_us: 0,
            peak_memory: 1 << 20,
            job: None,
        },
    }
}

fn began() -> Event {
    Event::RunStarted {
        header: Box::new(header()),
    }
}

fn started(task: &str, attempt: u32, ms: u64) -> Event {
    Event::Started {
        task: task.parse().unwrap(),
        attempt,
        at: at(ms),
    }
}

fn finished(task: &str, attempt: u32, record: Record) -> Event {
    Event::Finished {
        task: task.parse().unwrap(),
        attempt,
        record: Box::new(record),
    }
}

fn done(task: &str, start: u64, ms: u64) -> Event {
    finished(task, 0, record(Ok(Outcome::Done), start, ms))
}

fn out_of_bounds() -> Failure {
    let mut failure = Failure::new(
        FailureKind::Panic,
        "index out of bounds: the len is 3 but the index is 3",
    );
    failure.source = Some("src/lib.rs:41:9".into());
    failure.backtrace = vec!["wordcount::count".into()];
    failure
}

/// Three shards; the second fails, is tried again and succeeds.
fn good_run() -> Vec<Event> {
    let mut shard = record(Ok(Outcome::Items(3)), 0, 12);
    let chunk = |stream, text: &'static str| LogChunk {
        stream,
        bytes: Bytes::from_static(text.as_bytes()),
    };
    shard.logs = Logs::Inline(vec![
        chunk(Stream::Stdout, "cutting \u{1b}[2Jinto shards\nhalf a "),
        chunk(Stream::Log, "warn: odd shard\n"),
        chunk(Stream::Stdout, "line"),
    ]);
    let mut total = record(Ok(Outcome::Done), 90, 5);
    total.artifacts = vec![Artifact {
        name: "page".parse().unwrap(),
        value: Value::inline(MediaType::new("text/html"), Bytes::from_static(b"<p>")),
    }];
    vec![
        began(),
        started("start/-", 0, 0),
        finished("start/-", 0, shard),
        started("count/0", 0, 13),
        started("count/1", 0, 13),
        Event::Progress {
            task: "count/1".parse().unwrap(),
            done: 1,
            total: 4,
            message: "reading \u{7}".into(),
        },
        done("count/0", 13, 20),
        finished("count/1", 0, record(Err(out_of_bounds()), 13, 30)),
        Event::Retrying {
            task: "count/1".parse().unwrap(),
            attempt: 1,
            after_ms: 0,
            failure: out_of_bounds(),
        },
        started("count/2", 0, 44),
        started("count/1", 1, 44),
        done("count/2", 44, 10),
        finished("count/1", 1, record(Ok(Outcome::Done), 44, 40)),
        started("total/-", 0, 90),
        finished("total/-", 0, total),
        started("end/-", 0, 95),
        done("end/-", 95, 1),
        Event::RunEnded {
            status: RunStatus::Succeeded,
            at: at(97),
        },
    ]
}

/// The last shard fails for good.
fn bad_run() -> Vec<Event> {
    let limit = Failure::new(
        FailureKind::Limit(Limit::Memory),
        "the step asked for more than 512 MiB",
    )
    .with_hint("give it more with `resources(memory = \"1 GiB\")`");
    vec![
        began(),
        started("start/-", 0, 0),
        finished("start/-", 0, record(Ok(Outcome::Items(2)), 0, 12)),
        started("count/0", 0, 13),
        started("count/1", 0, 13),
        done("count/0", 13, 20),
        finished("count/1", 0, record(Err(limit), 13, 30)),
        Event::RunEnded {
            status: RunStatus::Failed,
            at: at(50),
        },
    ]
}

fn tell(reporter: &mut dyn Reporter, events: &[Event]) {
    events.iter().for_each(|event| reporter.event(event));
    reporter.end();
}

fn plain(events: &[Event]) -> String {
    let mut reporter = Plain::new(wordcount(), Style::plain(), Vec::new());
    tell(&mut reporter, events);
    String::from_utf8(reporter.into_inner()).unwrap()
}

#[test]
fn a_good_run_in_plain_lines() {
    insta::assert_snapshot!(plain(&good_run()), @r"
    run wordcount/42
    start/- | cutting \u{1b}[2Jinto shards
    start/- | warn: odd shard
    start/- | half a line
    start/- done in 12 ms
    count/1 failed: panic: index out of bounds: the len is 3 but the index is 3
        at src/lib.rs:41:9
        in wordcount::count
    count/1 is tried again at once, attempt 2
    count: 3 of 3 done in 71 ms
    total/- done in 5.0 ms
    end/- done in 1.0 ms
    run wordcount/42 succeeded in 97 ms: 6 tasks, 1 retried
      look further: wrun get wordcount/42/total/-/page --open
                    wrun show wordcount/42
    ");
}

#[test]
fn a_bad_run_in_plain_lines() {
    insta::assert_snapshot!(plain(&bad_run()), @r#"
    run wordcount/42
    start/- done in 12 ms
    count/1 failed: memory limit: the step asked for more than 512 MiB
        hint: give it more with `resources(memory = "1 GiB")`
    count: 1 of 2 done in 30 ms, 1 failed
    run wordcount/42 failed in 50 ms: 3 tasks, 1 failed
      wordcount/42/count/1 failed: memory limit: the step asked for more than 512 MiB
      look further: wrun logs wordcount/42/count/1
                    wrun resume wordcount/42
                    wrun show wordcount/42
    "#);
}

#[test]
fn what_never_began_took_no_time() {
    let cancelled = |task| {
        let failure = Failure::new(FailureKind::Cancelled, "the run was cancelled");
        finished(task, 0, record(Err(failure), 20, 0))
    };
    let text = plain(&[
        began(),
        finished("start/-", 0, record(Ok(Outcome::Items(2)), 0, 12)),
        cancelled("count/0"),
        cancelled("count/1"),
        Event::RunEnded {
            status: RunStatus::Cancelled,
            at: at(50),
        },
    ]);
    let line = text.lines().find(|line| line.starts_with("count: "));
    assert_eq!(line, Some("count: 0 of 2 done, 2 failed"));
}

#[test]
fn what_it_means_that_machines_are_taken_away_is_said_once() {
    let reclaimed = |task, attempt| {
        let failure = Failure::new(FailureKind::Reclaimed, "the host was reclaimed");
        let failure = failure.with_hint("machines on demand are not");
        finished(task, attempt, record(Err(failure), 20, 5))
    };
    let mut events = good_run()[..2].to_vec();
    events.extend([reclaimed("count/0", 0), reclaimed("count/1", 0)]);
    events.push(reclaimed("count/0", 1));
    let text = plain(&events);
    let lines: Vec<_> = text.lines().skip(1).take(4).collect();
    assert_eq!(
        lines,
        [
            "count/0 failed: reclaimed: the host was reclaimed",
            "    hint: machines on demand are not",
            "count/1 failed: reclaimed: the host was reclaimed",
            "count/0 failed in attempt 2: reclaimed: the host was reclaimed",
        ]
    );
}

#[test]
fn a_foreach_says_how_far_it_is_only_when_it_takes_long() {
    let lines = |task_ms: u64| {
        let mut events = vec![
            began(),
            finished("start/-", 0, record(Ok(Outcome::Items(1000)), 0, 1)),
        ];
        events.extend((0..1000).map(|i| done(&format!("count/{i}"), 2 + i * task_ms, task_ms)));
        let text = plain(&events);
        let lines = text.lines().filter(|line| line.starts_with("count"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(1), ["count: 1000 of 1000 done in 1.0 s"]);
    insta::assert_snapshot!(lines(45).join("\n"), @r"
    count: 223 of 1000 done in 10 s
    count: 446 of 1000 done in 20 s
    count: 669 of 1000 done in 30 s
    count: 892 of 1000 done in 40 s
    count: 1000 of 1000 done in 45 s
    ");
}

/// outer (foreach) => inner (foreach) => leaf -> inner_join -> outer_join, two by two
#[test]
fn a_step_is_told_to_be_done_once_no_more_of_its_tasks_can_come() {
    let each = |artifact: &str, next: &str| Edge::Foreach {
        artifact: artifact.into(),
        next: next.into(),
    };
    let mut steps = vec![
        step("outer", each("rows", "inner")),
        step("inner", each("cells", "leaf")),
        step("leaf", Edge::Next("inner_join".into())),
        step("inner_join", Edge::Next("outer_join".into())),
        step("outer_join", Edge::End),
    ];
    steps[0].writes = vec![write("rows", "Vec<u32>")];
    steps[1].writes = vec![write("cells", "Vec<u32>")];
    (steps[1].item, steps[2].item) = (Some("u32".into()), Some("u32".into()));
    (steps[3].join, steps[4].join) = (true, true);
    let definition = Definition {
        name: "nested".into(),
        steps,
        ..Definition::default()
    };
    let graph = Arc::new(FlowGraph::new(&definition).expect("the flow is valid"));
    let items = |task: &str| finished(task, 0, record(Ok(Outcome::Items(2)), 0, 1));
    let mut events = vec![began(), items("outer/-")];
    for row in 0..2 {
        events.push(items(&format!("inner/{row}")));
        events.extend((0..2).map(|cell| done(&format!("leaf/{row}.{cell}"), 0, 1)));
        events.push(done(&format!("inner_join/{row}"), 0, 1));
    }
    events.push(done("outer_join/-", 0, 1));
    let mut reporter = Plain::new(graph, Style::plain(), Vec::new());
    tell(&mut reporter, &events);
    let text = String::from_utf8(reporter.into_inner()).unwrap();
    insta::assert_snapshot!(text, @r"
    run wordcount/42
    outer/- done in 1.0 ms
    inner: 2 of 2 done in 1.0 ms
    leaf: 4 of 4 done in 1.0 ms
    inner_join: 2 of 2 done in 1.0 ms
    outer_join/- done in 1.0 ms
    run wordcount/42 stopped without an end in 1.0 ms: 10 tasks
      look further: wrun show wordcount/42
    ");
}

#[test]
fn quiet_says_only_what_failed() {
    let quiet = |events: &[Event]| {
        let mut reporter = Quiet::new(wordcount(), Style::plain(), Vec::new());
        tell(&mut reporter, events);
        String::from_utf8(reporter.into_inner()).unwrap()
    };
    assert_eq!(quiet(&good_run()), "");
    insta::assert_snapshot!(quiet(&bad_run()), @r#"
    wordcount/42/count/1 failed: memory limit: the step asked for more than 512 MiB
        hint: give it more with `resources(memory = "1 GiB")`
    "#);
}

#[test]
fn machines_get_a_line_for_every_event() {
    let mut reporter = Jsonl::new(Vec::new());
    tell(&mut reporter, &good_run());
    let text = String::from_utf8(reporter.into_inner()).unwrap();
    assert_eq!(text.lines().count(), good_run().len());
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["version"], 1);
        assert!(value["event"].is_string());
    }
    let short: Vec<_> = text.lines().skip(1).take(7).collect();
    insta::assert_snapshot!(short.join("\n"), @r#"
    {"version":1,"event":"started","task":"start/-","attempt":0,"at":1795422455000000}
    {"version":1,"event":"finished","task":"start/-","attempt":0,"outcome":"items","items":3,"artifacts":[],"logs":[{"stream":"stdout","text":"cutting \u001b[2Jinto shards\nhalf a "},{"stream":"log","text":"warn: odd shard\n"},{"stream":"stdout","text":"line"}],"engine":"f6d78b1a7da3148d8dba15d7bb7a630ea0f66ffd11642f8d2cacc7ed142e167e","inputs":"0000000000000000000000000000000000000000000000000000000000000000","usage":{"started_at":1795422455000000,"wall_us":12000,"cpu_us":0,"peak_memory":1048576}}
    {"version":1,"event":"started","task":"count/0","attempt":0,"at":1795422455013000}
    {"version":1,"event":"started","task":"count/1","attempt":0,"at":1795422455013000}
    {"version":1,"event":"progress","task":"count/1","done":1,"total":4,"message":"reading \u0007"}
    {"version":1,"event":"finished","task":"count/0","attempt":0,"outcome":"done","artifacts":[],"engine":"f6d78b1a7da3148d8dba15d7bb7a630ea0f66ffd11642f8d2cacc7ed142e167e","inputs":"0000000000000000000000000000000000000000000000000000000000000000","usage":{"started_at":1795422455013000,"wall_us":20000,"cpu_us":0,"peak_memory":1048576}}
    {"version":1,"event":"finished","task":"count/1","attempt":0,"outcome":"failed","failure":{"kind":"panic","message":"index out of bounds: the len is 3 but the index is 3","source":"src/lib.rs:41:9","backtrace":["wordcount::count"]},"artifacts":[],"engine":"f6d78b1a7da3148d8dba15d7bb7a630ea0f66ffd11642f8d2cacc7ed142e167e","inputs":"0000000000000000000000000000000000000000000000000000000000000000","usage":{"started_at":1795422455013000,"wall_us":30000,"cpu_us":0,"peak_memory":1048576}}
    "#);
}

#[test]
fn machines_get_every_part_of_a_failure_and_a_header() {
    insta::assert_snapshot!(json::event(&bad_run()[6]), @r#"{"version":1,"event":"finished","task":"count/1","attempt":0,"outcome":"failed","failure":{"kind":"limit","message":"the step asked for more than 512 MiB","hint":"give it more with `resources(memory = \"1 GiB\")`","limit":"memory"},"artifacts":[],"engine":"f6d78b1a7da3148d8dba15d7bb7a630ea0f66ffd11642f8d2cacc7ed142e167e","inputs":"0000000000000000000000000000000000000000000000000000000000000000","usage":{"started_at":1795422455013000,"wall_us":30000,"cpu_us":0,"peak_memory":1048576}}"#);
    insta::assert_snapshot!(json::header(&header()), @r#"{"run":"wordcount/42","created_at":1795422455000000,"user":"ada","wrun":"0.1.0","tags":[],"parameters":[],"snapshot":"2d168e1ff20930e41ae0c8e9b0bfc97bba39b1afb272f6bf9b52bf30716e96a5","module":"f42578c55d5c75569566e601ea5072c5a6d791e617aae2d1674ea29cc70fb37a","engine":"f6d78b1a7da3148d8dba15d7bb7a630ea0f66ffd11642f8d2cacc7ed142e167e","seed":0,"limits":{"memory-mib":512,"timeout-ms":86400000,"stack-kib":1024,"table-elements":1000000,"handles":10000,"log-kib":16384,"output-mib":65536,"items":1000000,"answer-mib":1024,"answer-ms":300000,"reclaims":100},"grants":[],"clock":0,"known_as":1}"#);
}

#[test]
fn the_summary_of_a_failed_run_says_how_to_look_further() {
    let mut progress = Progress::new(wordcount());
    bad_run().iter().for_each(|event| progress.apply(event));
    insta::assert_snapshot!(summary::render(&progress, at(60), &Style::plain()), @r"
    run wordcount/42 failed in 50 ms: 3 tasks, 1 failed
      wordcount/42/count/1 failed: memory limit: the step asked for more than 512 MiB
      look further: wrun logs wordcount/42/count/1
                    wrun resume wordcount/42
                    wrun show wordcount/42
    ");
}

#[test]
fn a_journal_gives_the_same_counts_as_the_events_it_was_made_of() {
    for events in [good_run(), bad_run()] {
        let (mut live, mut stored) = (Progress::new(wordcount()), Progress::new(wordcount()));
        for event in &events {
            live.apply(event);
            if event.is_stored() {
                stored.apply(event);
            }
        }
        let counts =
            |progress: &Progress| progress.steps().map(|(_, c)| c.clone()).collect::<Vec<_>>();
        assert_eq!(counts(&live), counts(&stored));
        assert_eq!(live.failures().count(), stored.failures().count());
    }
}

#[test]
fn what_is_to_come_is_known_as_early_as_possible() {
    let mut progress = Progress::new(wordcount());
    let expected = |progress: &Progress| {
        progress
            .steps()
            .map(|(_, c)| c.expected)
            .collect::<Vec<_>>()
    };
    assert_eq!(expected(&progress), [1, 0, 1, 1]);
    progress.apply(&finished("start/-", 0, record(Ok(Outcome::Items(7)), 0, 1)));
    assert_eq!(expected(&progress), [1, 7, 1, 1]);
}

#[test]
fn a_switch_makes_known_only_the_way_that_it_takes() {
    let mut start = step("start", Edge::default());
    start.writes = vec![write("route", "String")];
    start.edge = Edge::Switch {
        artifact: "route".into(),
        cases: vec![
            Case {
                name: "again".into(),
                next: "start".into(),
            },
            Case {
                name: "go".into(),
                next: "end".into(),
            },
        ],
        max_turns: Some(5),
    };
    let steps = vec![start, step("end", Edge::End)];
    let definition = Definition {
        name: "looping".into(),
        steps,
        ..Definition::default()
    };
    let mut progress = Progress::new(Arc::new(FlowGraph::new(&definition).unwrap()));
    let case = |name: &str| record(Ok(Outcome::Case(name.parse().unwrap())), 0, 1);
    progress.apply(&finished("start/~1", 0, case("again")));
    progress.apply(&finished("start/~2", 0, case("go")));
    let expected: Vec<_> = progress
        .steps()
        .map(|(_, counts)| counts.expected)
        .collect();
    assert_eq!(expected, [2, 1]);
}

#[test]
fn a_caught_failure_is_not_a_failed_task() {
    let mut progress = Progress::new(wordcount());
    bad_run()[..7]
        .iter()
        .for_each(|event| progress.apply(event));
    let value = Value::inline(MediaType::cbor(), Bytes::from_static(b"\xf6"));
    let artifact = Artifact {
        name: "why".parse().unwrap(),
        value,
    };
    progress.apply(&Event::Caught {
        task: "count/1".parse().unwrap(),
        attempt: 0,
        artifact,
    });
    let counts = progress.step("count").unwrap();
    assert_eq!((counts.failed, counts.caught), (0, 1));
    assert_eq!(progress.failures().count(), 0);
}

#[test]
fn hostile_json_is_harmless() {
    let line = json::line(&serde_json::Value::from("a\u{1b}\u{7f}\u{9b}b\nc\u{202e}"));
    assert_eq!(line, r#""a\u001b\u007f\u009bb\nc\u202e""#);
    assert_eq!(
        serde_json::from_str::<String>(&line).unwrap(),
        "a\u{1b}\u{7f}\u{9b}b\nc\u{202e}"
    );
}

#[test]
fn a_step_that_waits_for_a_machine_is_told() {
    let waiting = |attempts| Event::Waiting {
        step: "count".parse().unwrap(),
        attempts,
        for_ms: 30_400,
        queue: "spot".to_owned(),
    };
    insta::assert_snapshot!(plain(&[began(), waiting(1), waiting(200)]), @r"
    run wordcount/42
    count: 1 attempt waits in the queue `spot`, for 30 s now: Batch has had no room yet; wrun doctor looks at the queue
    count: 200 attempts wait in the queue `spot`, for 30 s now: Batch has had no room yet; wrun doctor looks at the queue
    run wordcount/42 stopped without an end in 0 µs: 0 tasks
      look further: wrun show wordcount/42
    ");
}

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::model::artifact::{Artifact, MediaType, Value, ValueAt};
use crate::model::digest::Digest;
use crate::model::event::{Event, RunStatus};
use crate::model::failure::{Failure, FailureKind, Limit};
use crate::model::graph::FlowGraph;
use crate::model::id::TaskId;
use crate::model::record::{Logs, Outcome, Record, Usage};
use crate::model::sketch;
use crate::model::time::Timestamp;

/// A run by hand: every command is noted as a short line.
struct Run {
    graph: Arc<FlowGraph>,
    scheduler: Scheduler,
    assigned: BTreeMap<String, Assignment>,
    end: Option<RunStatus>,
}

fn value(text: &str) -> Value {
    Value::inline(MediaType::cbor(), Bytes::copy_from_slice(text.as_bytes()))
}

fn artifact(name: &str, text: &str) -> Artifact {
    Artifact {
        name: name.parse().unwrap(),
        value: value(text),
    }
}

impl Run {
    fn of(text: &str) -> (Self, String) {
        Self::with(
            text,
            &[],
            Policy {
                max_items: 1000,
                infrastructure_retries: 2,
                reclaims: 4,
            },
        )
    }

    fn with(text: &str, parameters: &[Artifact], policy: Policy) -> (Self, String) {
        let graph = Arc::new(sketch::graph(text));
        let scheduler = Scheduler::new(graph.clone(), parameters, policy);
        let mut run = Run {
            graph,
            scheduler,
            assigned: BTreeMap::new(),
            end: None,
        };
        let commands = run.scheduler.start();
        let said = run.note(commands);
        (run, said)
    }

    fn note(&mut self, commands: Vec<Command>) -> String {
        let mut said = Vec::new();
        for command in commands {
            said.push(match command {
                Command::Run(assignment) => {
                    let mut line = assignment.task.to_string();
                    if assignment.attempt > 0 || assignment.after_ms > 0 {
                        line += &format!(" #{} +{}", assignment.attempt, assignment.after_ms);
                    }
                    if let Some(branches) = &assignment.branches {
                        let tasks: Vec<_> = branches.iter().map(|b| b.task.to_string()).collect();
                        line += &format!(" of [{}]", tasks.join(" "));
                    }
                    self.assigned
                        .insert(assignment.task.to_string(), assignment);
                    line
                }
                Command::Catch {
                    task,
                    artifact,
                    failure,
                    ..
                } => {
                    format!("catch {task} as {artifact}: {failure}")
                }
                Command::End(status) => {
                    assert_eq!(self.end.replace(status), None, "a run ends once");
                    format!("end {status:?}")
                }
            });
        }
        said.join(", ")
    }

    fn event(&self, task: &str, result: Result<Outcome, Failure>, wrote: &[(&str, &str)]) -> Event {
        let attempt = self
            .assigned
            .get(task)
            .map_or(0, |assignment| assignment.attempt);
        finished(task, attempt, result, wrote)
    }

    fn ends(
        &mut self,
        task: &str,
        result: Result<Outcome, Failure>,
        wrote: &[(&str, &str)],
    ) -> String {
        let event = self.event(task, result, wrote);
        let commands = self.scheduler.apply(&event).unwrap();
        self.note(commands)
    }

    fn done(&mut self, task: &str, wrote: &[(&str, &str)]) -> String {
        self.ends(task, Ok(Outcome::Done), wrote)
    }

    fn case(&mut self, task: &str, case: &str) -> String {
        self.ends(task, Ok(Outcome::Case(case.parse().unwrap())), &[])
    }

    fn items(&mut self, task: &str, count: u32) -> String {
        let step = self.graph.find(task.split('/').next().unwrap()).unwrap();
        let list = match &self.graph.step(step).edge {
            crate::model::graph::EdgeIx::Foreach { artifact, .. } => artifact.to_string(),
            _ => panic!("`{task}` has no elements"),
        };
        self.ends(
            task,
            Ok(Outcome::Items(count)),
            &[(&list, &format!("{task} list"))],
        )
    }

    fn fails(&mut self, task: &str, kind: FailureKind) -> String {
        self.ends(task, Err(Failure::new(kind, "it broke")), &[])
    }

    fn apply(&mut self, event: &Event) -> Result<String, String> {
        let commands = self
            .scheduler
            .apply(event)
            .map_err(|error| error.to_string())?;
        Ok(self.note(commands))
    }

    /// What a task sees of a name: the text of the value.
    fn sees(&self, task: &str, name: &str, texts: &[&str]) -> Option<usize> {
        let digest = self.assigned[task].env.get(name)?.digest;
        texts
            .iter()
            .position(|text| Digest::of(text.as_bytes()) == digest)
    }

    fn why(&self) -> String {
        let ended = self.scheduler.ended().unwrap();
        let (task, attempt, failure) = ended.failure.as_ref().unwrap();
        let hint = failure.hint.as_deref().unwrap_or("no hint");
        format!("{task} #{attempt} {failure} ({hint})")
    }
}

fn finished(
    task: &str,
    attempt: u32,
    result: Result<Outcome, Failure>,
    wrote: &[(&str, &str)],
) -> Event {
    let artifacts = wrote
        .iter()
        .map(|(name, text)| artifact(name, text))
        .collect();
    let record = Record {
        result,
        artifacts,
        logs: Logs::None,
        engine: Digest::of(b"engine"),
        inputs: crate::model::digest::Digest::from_bytes([0; 32]),
        observed: Default::default(),
        trace: None,
        usage: Usage::default(),
    };
    let task: TaskId = task.parse().unwrap();
    Event::Finished {
        task,
        attempt,
        record: Box::new(record),
    }
}

const FOREACH: &str = "
    start > each xs: work ; w xs: Vec<X>
    work > total ; item X ; w y: Y
    total join > end ; in y: Y
    end";

#[test]
fn a_flow_of_one_step_ends_when_it_is_done() {
    let (mut run, said) = Run::of("only");
    assert_eq!(said, "only/-");
    assert_eq!(run.done("only/-", &[]), "end Succeeded");
    assert_eq!(run.scheduler.outstanding(), 0);
}

#[test]
fn steps_follow_each_other_and_see_what_was_written() {
    let (mut run, _) = Run::of("a > b ; w x: X \n b > c ; w x: X, y: Y \n c ; r x: X, y: Y");
    assert_eq!(run.done("a/-", &[("x", "one")]), "b/-");
    assert_eq!(run.sees("b/-", "x", &["one"]), Some(0));
    assert_eq!(run.done("b/-", &[("x", "two"), ("y", "three")]), "c/-");
    assert_eq!(run.sees("c/-", "x", &["one", "two"]), Some(1));
    assert_eq!(run.sees("c/-", "y", &["three"]), Some(0));
    assert_eq!(run.done("c/-", &[]), "end Succeeded");
}

#[test]
fn a_join_gets_the_branches_of_a_split_in_their_order() {
    let (mut run, _) = Run::of("s > a & b & c \n a > j \n b > b2 \n b2 > j \n c > j \n j join");
    assert_eq!(run.done("s/-", &[]), "a/-, b/-, c/-");
    assert_eq!(run.done("c/-", &[]), "");
    assert_eq!(run.done("b/-", &[]), "b2/-");
    assert_eq!(run.done("b2/-", &[]), "");
    assert_eq!(run.done("a/-", &[]), "j/- of [a/- b2/- c/-]");
    assert_eq!(run.done("j/-", &[]), "end Succeeded");
}

#[test]
fn a_join_gets_the_elements_of_a_foreach_by_their_index() {
    let (mut run, _) = Run::of(FOREACH);
    assert_eq!(run.items("start/-", 3), "work/0, work/1, work/2");
    let item = run.assigned["work/1"].item.clone().unwrap();
    assert_eq!(
        (item.index, item.list.digest),
        (1, Digest::of(b"start/- list"))
    );
    assert_eq!(item.list.at, ValueAt::Record, "no bytes are kept");
    assert_eq!(run.done("work/2", &[("y", "2")]), "");
    assert_eq!(run.done("work/0", &[("y", "0")]), "");
    assert_eq!(
        run.done("work/1", &[("y", "1")]),
        "total/- of [work/0 work/1 work/2]"
    );
    let total = &run.assigned["total/-"];
    let ys: Vec<_> = total
        .branches
        .as_ref()
        .unwrap()
        .iter()
        .map(|b| b.env.get("y").unwrap().digest)
        .collect();
    assert_eq!(ys, ["0", "1", "2"].map(|text| Digest::of(text.as_bytes())));
    assert_eq!(
        total.env.get("y"),
        None,
        "what elements write does not pass by itself"
    );
    assert!(total.env.get("xs").is_some());
}

#[test]
fn a_foreach_over_nothing_goes_to_its_join_at_once() {
    let (mut run, _) = Run::of(FOREACH);
    assert_eq!(run.items("start/-", 0), "total/- of []");
    assert_eq!(run.done("total/-", &[]), "end/-");
}

#[test]
fn three_nested_foreaches_name_their_tasks_by_all_positions() {
    let (mut run, _) = Run::of(
        "
        a > each xs: b ; w xs: Vec<X>
        b > each ys: c ; item X ; w ys: Vec<Y>
        c > each zs: d ; item Y ; w zs: Vec<Z>
        d > e ; item Z
        e join > f
        f join > g
        g join",
    );
    assert_eq!(run.items("a/-", 2), "b/0, b/1");
    assert_eq!(run.items("b/1", 1), "c/1.0");
    assert_eq!(run.items("c/1.0", 2), "d/1.0.0, d/1.0.1");
    let item = run.assigned["d/1.0.1"].item.clone().unwrap();
    assert_eq!(
        (item.index, item.list.digest),
        (1, Digest::of(b"c/1.0 list"))
    );
    assert_eq!(run.done("d/1.0.1", &[]), "");
    assert_eq!(run.done("d/1.0.0", &[]), "e/1.0 of [d/1.0.0 d/1.0.1]");
    assert_eq!(run.done("e/1.0", &[]), "f/1 of [e/1.0]");
    assert_eq!(run.done("f/1", &[]), "");
    assert_eq!(run.items("b/0", 0), "f/0 of []");
    assert_eq!(run.done("f/0", &[]), "g/- of [f/0 f/1]");
    assert_eq!(run.done("g/-", &[]), "end Succeeded");
}

#[test]
fn a_split_inside_a_foreach_and_a_foreach_inside_a_split() {
    let (mut run, _) = Run::of(
        "
        s > p & q
        p > each xs: a ; w xs: Vec<X>
        a > b & c ; item X
        b > ab
        c > ab ; item X
        ab join > all
        all join > j
        q > j
        j join",
    );
    assert_eq!(run.done("s/-", &[]), "p/-, q/-");
    assert_eq!(run.items("p/-", 2), "a/0, a/1");
    assert_eq!(run.done("a/1", &[]), "b/1, c/1");
    assert_eq!(run.assigned["c/1"].item.as_ref().unwrap().index, 1);
    assert_eq!(run.done("c/1", &[]), "");
    assert_eq!(run.done("b/1", &[]), "ab/1 of [b/1 c/1]");
    assert_eq!(run.done("ab/1", &[]), "");
    assert_eq!(run.done("a/0", &[]), "b/0, c/0");
    assert_eq!(run.done("q/-", &[]), "");
    assert_eq!(run.done("b/0", &[]), "");
    assert_eq!(run.done("c/0", &[]), "ab/0 of [b/0 c/0]");
    assert_eq!(run.done("ab/0", &[]), "all/- of [ab/0 ab/1]");
    assert_eq!(run.done("all/-", &[]), "j/- of [all/- q/-]");
}

const LOOP: &str = "
    a > train
    train > judge ; w model: M
    judge > by route: again = train, stop = end max 3 ; w route: R
    end ; r model: M";

#[test]
fn a_loop_turns_until_its_switch_leads_out() {
    let (mut run, _) = Run::of(LOOP);
    assert_eq!(run.done("a/-", &[]), "train/~1");
    assert_eq!(run.done("train/~1", &[("model", "1")]), "judge/~1");
    assert_eq!(run.case("judge/~1", "again"), "train/~2");
    assert_eq!(run.sees("train/~2", "model", &["1"]), Some(0));
    assert_eq!(run.done("train/~2", &[("model", "2")]), "judge/~2");
    assert_eq!(run.case("judge/~2", "stop"), "end/-");
    assert_eq!(run.sees("end/-", "model", &["1", "2"]), Some(1));
    assert_eq!(run.done("end/-", &[]), "end Succeeded");
}

#[test]
fn a_loop_that_turns_once_too_often_fails_at_its_switch() {
    let (mut run, _) = Run::of("a > by r: again = a, stop = b max 2 ; w r: R \n b");
    assert_eq!(run.case("a/~1", "again"), "a/~2");
    assert_eq!(run.case("a/~2", "again"), "end Failed");
    assert_eq!(
        run.why(),
        "a/~2 #0 loop bound: step `a` led back to `a` after turn 2, the last one (raise `max_turns` of `a`, or end the loop before)"
    );
}

#[test]
fn loops_lie_in_elements_and_have_loops_in_them() {
    let (mut run, _) = Run::of(
        "
        s > each xs: o ; w xs: Vec<X>
        o > i
        i > by r: again = i, on = p max 9 ; w r: R
        p > by r: again = o, inner = i, on = j max 9 ; w r: R
        j join",
    );
    assert_eq!(run.items("s/-", 1), "o/0~1");
    assert_eq!(run.done("o/0~1", &[]), "i/0~1~1");
    assert_eq!(run.case("i/0~1~1", "again"), "i/0~1~2");
    assert_eq!(run.case("i/0~1~2", "on"), "p/0~1~2");
    assert_eq!(run.case("p/0~1~2", "inner"), "i/0~1~3");
    assert_eq!(run.case("i/0~1~3", "on"), "p/0~1~3");
    assert_eq!(run.case("p/0~1~3", "again"), "o/0~2");
    assert_eq!(run.done("o/0~2", &[]), "i/0~2~1");
    assert_eq!(run.case("i/0~2~1", "on"), "p/0~2~1");
    assert_eq!(run.case("p/0~2~1", "on"), "j/- of [p/0~2~1]");
}

#[test]
fn cases_meet_again_without_a_join() {
    let (mut run, _) = Run::of(
        "
        s > by r: left = a, right = b, over = c ; w r: R
        a > c
        b > c
        c",
    );
    assert_eq!(run.case("s/-", "right"), "b/-");
    assert_eq!(run.done("b/-", &[]), "c/-");
    assert_eq!(run.done("c/-", &[]), "end Succeeded");
}

const BRANCHES: &str = "
    s > a & b ; w before: T
    a > j ; w one: T, same: T, other: T, before: T
    b > j ; w same: T, other: T
    j join > end
    end ; r one: T, same?: T, other?: T, before?: T";

#[test]
fn what_branches_agree_on_passes_a_join_and_what_differs_hides() {
    let (mut run, _) = Run::of(BRANCHES);
    run.done("s/-", &[("before", "0")]);
    run.done(
        "a/-",
        &[("one", "1"), ("same", "2"), ("other", "3"), ("before", "5")],
    );
    run.done("b/-", &[("same", "2"), ("other", "4")]);
    assert_eq!(
        run.sees("j/-", "one", &["1"]),
        Some(0),
        "only one branch writes it"
    );
    assert_eq!(run.sees("j/-", "same", &["2"]), Some(0), "both agree");
    assert_eq!(run.sees("j/-", "other", &["3", "4"]), None, "they differ");
    assert_eq!(
        run.sees("j/-", "before", &["0", "5"]),
        None,
        "one has the old value, one a new one"
    );
    assert_eq!(
        run.assigned["j/-"]
            .env
            .names()
            .map(|n| n.to_string())
            .collect::<Vec<_>>(),
        ["one", "same"]
    );
}

#[test]
fn branches_that_do_not_agree_cannot_be_merged() {
    let text = BRANCHES.replace("j join > end", "j join > end ; merge other, before");
    let (mut run, _) = Run::of(&text);
    run.done("s/-", &[("before", "0")]);
    run.done(
        "a/-",
        &[("one", "1"), ("same", "2"), ("other", "3"), ("before", "0")],
    );
    assert_eq!(
        run.done("b/-", &[("same", "2"), ("other", "4")]),
        "end Failed"
    );
    assert_eq!(
        run.why(),
        "j/- #0 broken contract: the join `j` cannot merge `other`: it differs between `a/-` and `b/-` (read `other` through `Inputs` and write what is to go on)"
    );
}

#[test]
fn what_branches_agree_on_is_merged() {
    let text = FOREACH.replace("in y: Y", "merge y");
    let (mut run, _) = Run::of(&text);
    run.items("start/-", 2);
    run.done("work/0", &[("y", "1")]);
    run.done("work/1", &[("y", "1")]);
    assert_eq!(run.sees("total/-", "y", &["1"]), Some(0));
}

#[test]
fn a_branch_of_a_loop_updates_what_only_it_writes() {
    let (mut run, _) = Run::of(
        "
        h > a & b
        a > j ; w model: M
        b > j
        j join > k
        k > by r: again = h, stop = end max 5 ; r model: M ; w r: R
        end ; r model: M",
    );
    for turn in 1..=3 {
        run.done(&format!("h/~{turn}"), &[]);
        run.done(&format!("a/~{turn}"), &[("model", &turn.to_string())]);
        run.done(&format!("b/~{turn}"), &[]);
        run.done(&format!("j/~{turn}"), &[]);
        let seen = run.sees(&format!("k/~{turn}"), "model", &["1", "2", "3"]);
        assert_eq!(seen, Some(turn - 1), "the model of this turn");
        run.case(
            &format!("k/~{turn}"),
            if turn < 3 { "again" } else { "stop" },
        );
    }
    assert_eq!(run.sees("end/-", "model", &["1", "2", "3"]), Some(2));
}

#[test]
fn retries_double_their_pause_and_are_spent_by_failures_of_the_step_only() {
    let (mut run, _) = Run::of("a ; retry 3 100");
    assert_eq!(run.fails("a/-", FailureKind::Error), "a/- #1 +100");
    assert_eq!(run.fails("a/-", FailureKind::Infrastructure), "a/- #2 +0");
    assert_eq!(run.fails("a/-", FailureKind::Panic), "a/- #3 +200");
    assert_eq!(
        run.fails("a/-", FailureKind::Infrastructure),
        "a/- #4 +1000"
    );
    assert_eq!(
        run.fails("a/-", FailureKind::Limit(Limit::Memory)),
        "a/- #5 +400"
    );
    assert_eq!(run.fails("a/-", FailureKind::Trap), "end Failed");
    assert_eq!(run.why(), "a/- #5 trap: it broke (no hint)");
}

#[test]
fn a_final_failure_is_not_tried_again() {
    for kind in [
        FailureKind::Fatal,
        FailureKind::Denied,
        FailureKind::Contract,
    ] {
        let (mut run, _) = Run::of("a ; retry 3 100");
        assert_eq!(run.fails("a/-", kind), "end Failed");
    }
}

#[test]
fn the_infrastructure_fails_a_run_when_its_retries_are_spent_and_is_never_caught() {
    let (mut run, _) = Run::of("a > b ; catch oops \n b");
    assert_eq!(run.fails("a/-", FailureKind::Infrastructure), "a/- #1 +0");
    assert_eq!(
        run.fails("a/-", FailureKind::Infrastructure),
        "a/- #2 +1000"
    );
    assert_eq!(run.fails("a/-", FailureKind::Infrastructure), "end Failed");
}

#[test]
fn machines_that_are_taken_away_are_counted_apart() {
    let (mut run, _) = Run::of("a > b ; catch oops ; retry 1 100 \n b");
    let pauses = ["a/- #1 +0", "a/- #2 +1000", "a/- #3 +2000", "a/- #4 +4000"];
    for pause in pauses {
        assert_eq!(run.fails("a/-", FailureKind::Reclaimed), pause);
    }
    // What else may go wrong has not been spent, and the pauses of each are its own.
    assert_eq!(run.fails("a/-", FailureKind::Infrastructure), "a/- #5 +0");
    assert_eq!(run.fails("a/-", FailureKind::Error), "a/- #6 +100");
    assert_eq!(run.fails("a/-", FailureKind::Reclaimed), "end Failed");
    assert_eq!(run.why(), "a/- #6 reclaimed: it broke (no hint)");
}

#[test]
fn the_pause_after_machines_were_taken_away_stays_short() {
    let policy = Policy {
        reclaims: 100,
        ..Policy::default()
    };
    let (mut run, _) = Run::with("a", &[], policy);
    for _ in 0..99 {
        run.fails("a/-", FailureKind::Reclaimed);
    }
    assert_eq!(run.fails("a/-", FailureKind::Reclaimed), "a/- #100 +60000");
    assert_eq!(run.fails("a/-", FailureKind::Reclaimed), "end Failed");
}

#[test]
fn a_caught_failure_becomes_an_artifact_and_the_flow_goes_on() {
    let (mut run, _) = Run::of("a > b ; w x: X ; catch oops ; retry 1 0 \n b ; r x?: X, oops?: F");
    assert_eq!(run.fails("a/-", FailureKind::Error), "a/- #1 +0");
    assert_eq!(
        run.fails("a/-", FailureKind::Error),
        "catch a/- as oops: error: it broke"
    );
    let caught = |name: &str| Event::Caught {
        task: "a/-".parse().unwrap(),
        attempt: 1,
        artifact: artifact(name, "failure"),
    };
    assert_eq!(
        run.apply(&caught("x")).unwrap_err(),
        "the failure of task `a/-` is kept in `oops`, not in `x`"
    );
    assert_eq!(run.apply(&caught("oops")).unwrap(), "b/-");
    assert_eq!(run.sees("b/-", "oops", &["failure"]), Some(0));
    assert_eq!(run.assigned["b/-"].env.get("x"), None);
    assert_eq!(
        run.apply(&caught("oops")).unwrap_err(),
        "task `a/-` has no failure to catch"
    );
}

#[test]
fn a_wrong_outcome_is_a_broken_contract() {
    let why = |text: &str, outcome: Outcome, wrote: &[(&str, &str)]| {
        let (mut run, task) = Run::of(text);
        assert_eq!(run.ends(&task, Ok(outcome), wrote), "end Failed");
        run.why()
    };
    assert_eq!(
        why(
            LOOP.split_once("train\n").unwrap().1,
            Outcome::Items(3),
            &[]
        ),
        "train/~1 #0 broken contract: step `train` gave a number of elements, and one step follows (no hint)"
    );
    assert_eq!(
        why(FOREACH, Outcome::Done, &[]),
        "start/- #0 broken contract: step `start` gave no decision, and a foreach follows (no hint)"
    );
    assert_eq!(
        why(FOREACH, Outcome::Items(1), &[]),
        "start/- #0 broken contract: step `start` did not write `xs`, the list of its foreach (no hint)"
    );
    assert_eq!(
        why(
            "a > by r: x = b, y = b ; w r: R \n b",
            Outcome::Case("z".parse().unwrap()),
            &[]
        ),
        "a/- #0 broken contract: step `a` chose `z`, which is not a case (its cases are `x`, `y`)"
    );
    assert_eq!(
        why("a", Outcome::Done, &[("secret", "1")]),
        "a/- #0 broken contract: step `a` wrote `secret`, which it does not declare (no hint)"
    );
    assert_eq!(
        why(FOREACH, Outcome::Items(1001), &[("xs", "1")]),
        "start/- #0 foreach limit: the foreach has 1001 elements, and 1000 are the most (raise `limits.items` in `wrun.toml`, or let one task do several elements)"
    );
}

#[test]
fn after_the_end_nothing_is_started_and_what_was_running_is_taken_in() {
    let (mut run, _) = Run::of(FOREACH);
    run.items("start/-", 3);
    assert_eq!(run.fails("work/1", FailureKind::Fatal), "end Failed");
    assert_eq!(run.done("work/0", &[("y", "0")]), "");
    assert_eq!(
        run.apply(&Event::CancelRequested { at: Timestamp(1) })
            .unwrap(),
        ""
    );
    assert_eq!(run.fails("work/2", FailureKind::Error), "");
    assert_eq!(run.scheduler.outstanding(), 0);
    let ended = |status| Event::RunEnded {
        status,
        at: Timestamp(2),
    };
    assert_eq!(
        run.apply(&ended(RunStatus::Succeeded)).unwrap_err(),
        "the run ended as Failed, not as Succeeded"
    );
    assert_eq!(run.apply(&ended(RunStatus::Failed)).unwrap(), "");
    assert_eq!(
        run.apply(&ended(RunStatus::Failed)).unwrap_err(),
        "the run has ended, and nothing can happen in it any more"
    );
}

#[test]
fn a_run_is_cancelled_once() {
    let (mut run, _) = Run::of(FOREACH);
    let cancel = Event::CancelRequested { at: Timestamp(1) };
    assert_eq!(run.apply(&cancel).unwrap(), "end Cancelled");
    assert_eq!(run.apply(&cancel).unwrap(), "");
    assert_eq!(run.fails("start/-", FailureKind::Cancelled), "");
}

#[test]
fn events_that_cannot_be_are_refused_and_change_nothing() {
    let (mut run, _) = Run::of("a > b ; retry 1 0 ; catch oops \n b");
    let early = Event::RunEnded {
        status: RunStatus::Succeeded,
        at: Timestamp(0),
    };
    assert_eq!(
        run.apply(&early).unwrap_err(),
        "the run cannot have ended: its tasks are not done, none failed, and nobody stopped it"
    );
    let done = |task: &str, attempt| finished(task, attempt, Ok(Outcome::Done), &[]);
    assert_eq!(
        run.apply(&done("x/-", 0)).unwrap_err(),
        "task `x/-` cannot be: the flow has no step `x`"
    );
    let not_running = "task `b/-` is not running: it has ended already, or was never to be started";
    assert_eq!(run.apply(&done("b/-", 0)).unwrap_err(), not_running);
    assert_eq!(
        run.apply(&done("a/-", 1)).unwrap_err(),
        "attempt 1 of task `a/-` is not running: attempt 0 is"
    );
    run.fails("a/-", FailureKind::Fatal);
    assert_eq!(
        run.apply(&done("a/-", 0)).unwrap_err(),
        "attempt 0 of task `a/-` has failed already, and its failure is being caught"
    );
}

#[test]
fn loops_of_thousands_of_turns_stay_short() {
    let (mut run, _) = Run::of(
        "
        a > h ; w kept: T
        h > by r: again = h, stop = end max 5000 ; w r: R, x: T
        end ; r kept: T, x: T",
    );
    run.done("a/-", &[("kept", "kept")]);
    for turn in 1..=5000 {
        let task = format!("h/~{turn}");
        let case = if turn < 5000 { "again" } else { "stop" };
        let case = Ok(Outcome::Case(case.parse().unwrap()));
        run.ends(&task, case, &[("x", &turn.to_string())]);
        run.assigned.remove(&task);
    }
    assert_eq!(run.sees("end/-", "kept", &["kept"]), Some(0));
    assert_eq!(run.sees("end/-", "x", &["4999", "5000"]), Some(1));
    assert!(run.assigned["end/-"].env.depth() <= 17);
}

#[test]
fn parameters_are_seen_everywhere() {
    let parameters = [artifact("parts", "8")];
    let text = "param parts: u32 \n".to_owned() + FOREACH;
    let (mut run, _) = Run::with(&text, &parameters, Policy::default());
    assert_eq!(run.sees("start/-", "parts", &["8"]), Some(0));
    run.items("start/-", 1);
    assert_eq!(run.sees("work/0", "parts", &["8"]), Some(0));
    run.done("work/0", &[("y", "1")]);
    assert_eq!(run.sees("total/-", "parts", &["8"]), Some(0));
}

//! Every problem that a flow can have, as its author reads it.

use super::*;
use crate::model::definition::Read;
use crate::model::graph::FlowGraph;
use crate::model::sketch;

/// All problems of a sketched flow, a line each, and their codes.
fn problems(text: &str) -> (String, String) {
    let problems = FlowGraph::new(&sketch::definition(text)).expect_err("the flow has problems");
    let codes: Vec<&str> = problems.iter().map(Problem::code).collect();
    (problems.to_string(), codes.join(" "))
}

#[test]
fn a_misspelt_step_is_one_line() {
    let (said, codes) = problems(
        "
        start > cuont
        count > end
        end",
    );
    insta::assert_snapshot!(said, @r#"step `start` (src/lib.rs:1) leads to `cuont`, which is not a step; did you mean `count`?"#);
    assert_eq!(codes, "unknown-step");
}

#[test]
fn an_unknown_step_hides_nothing_else_and_causes_nothing_else() {
    let (said, codes) = problems(
        "
        start > nowhere
        count > end ; r x: T
        end ; catch catch-me",
    );
    insta::assert_snapshot!(said, @r#"
    step `start` (src/lib.rs:1) leads to `nowhere`, which is not a step
    step `end` (src/lib.rs:3) names an artifact that cannot exist: artifact name `catch-me` has the character '-'; letters, digits and `_` are allowed, and a letter comes first
    step `count` (src/lib.rs:2) reads `x`, which no step writes and is no parameter
    "#);
    assert_eq!(codes, "unknown-step artifact-name read-unwritten");
}

#[test]
fn what_is_wrong_in_one_place_hides_nothing_elsewhere() {
    let (_, codes) = problems(
        "
        param n: u32
        start > a & b ; w early: T
        a > join ; w x: T, y: T
        b > join ; w x: T, y: U ; r n: u64
        join join > fork ; in y: T
        fork > left & right ; r x: T, late: T
        left > meet ; r nothing: T ; item T
        right > nowhere
        meet join > end ; w m: T
        end ; r m: U, early: U, late: T ; w late: T",
    );
    insta::assert_snapshot!(codes.replace(' ', "\n"), @r"
    unknown-step
    type-differs
    type-differs
    type-differs
    read-unwritten
    ambiguous
    type-differs
    item-outside
    ");
}

#[test]
fn a_shape_that_is_wrong_hides_no_artifact_before_or_beside_it() {
    let (said, codes) = problems(
        "
        s > a & b
        a > j ; w x: X
        b > j ; w x: X
        j join > k ; in q: Q
        k > each xs: body ; r x: X ; w xs: Vec<X>
        body > end ; r never: T ; item Y
        lost > end ; r also_never: T, xs: u8
        end",
    );
    insta::assert_snapshot!(said, @r#"
    step `lost` (src/lib.rs:7) is never reached from `s`; lead to it from another step, or remove it
    step `end` (src/lib.rs:8) ends the flow inside the foreach of `k`, which no join closes; let its branches lead to a `#[step(join, …)]`
    step `lost` (src/lib.rs:7) reads `also_never`, which no step writes and is no parameter
    step `body` (src/lib.rs:6) reads `never`, which no step writes and is no parameter
    step `j` (src/lib.rs:4) reads `q`, which no step writes and is no parameter
    step `k` (src/lib.rs:5) reads `x`, on which the branches of `s` may differ (`a`, `b` write); let the join `j` read it through `Inputs` and write it, or list it there: `merge = ["x"]`
    step `lost` (src/lib.rs:7) reads `xs` as `u8`, and `k` writes it as `Vec<X>`
    step `body` (src/lib.rs:6) reads the foreach element as `Y`, and `xs` of step `k` is a `Vec<X>`
    "#);
    assert_eq!(
        codes,
        "unreachable end-inside read-unwritten read-unwritten read-unwritten ambiguous type-differs item-type"
    );
}

#[test]
fn behind_what_is_wrong_nothing_is_said_that_may_follow_from_it() {
    let (said, codes) = problems(
        "
        a > b & c
        b > d ; w x: X
        c > d ; w x: X
        d > e ; r x: X
        e > f ; r x: X, y: Y
        f ; w y: Y",
    );
    insta::assert_snapshot!(said, @"step `d` (src/lib.rs:4) is where branches of `a` meet (from `b`, `c`), and is not a join; mark it with `#[step(join, …)]`");
    assert_eq!(codes, "not-a-join");
}

#[test]
fn a_way_to_no_step_may_lead_anywhere() {
    let (said, codes) = problems(
        "
        a > b & nowhere
        b > j
        other > j ; w x: X
        j join > e ; in x?: X
        e > by r: ; r x: X ; w r: R
        f",
    );
    insta::assert_snapshot!(said, @r"
    step `a` (src/lib.rs:1) leads to `nowhere`, which is not a step
    step `e` (src/lib.rs:5) decides between no cases
    ");
    assert_eq!(codes, "unknown-step no-cases");
}

#[test]
fn names_are_names() {
    let (said, codes) = problems(
        "
        Start > end ; w 1x: T
        end",
    );
    insta::assert_snapshot!(said, @r#"
    step `Start` (src/lib.rs:1) has a name that is not allowed: step name `Start` has the character 'S'; lower-case letters, digits and `_` are allowed, and a letter comes first
    step `Start` (src/lib.rs:1) names an artifact that cannot exist: artifact name `1x` has the character '1'; letters, digits and `_` are allowed, and a letter comes first
    "#);
    assert_eq!(codes, "name artifact-name");
}

#[test]
fn steps_have_names_of_their_own() {
    let (said, codes) = problems(
        "
        a > b
        b > c
        b > c
        c",
    );
    insta::assert_snapshot!(said, @r#"step `b` (src/lib.rs:3) is there twice; the first is at src/lib.rs:2"#);
    assert_eq!(codes, "duplicate-step");
}

#[test]
fn steps_are_reached_and_lead_to_the_end() {
    let (said, codes) = problems(
        "
        a > end
        lost > lost2
        lost2 > end
        round > square
        square > round
        end",
    );
    insta::assert_snapshot!(said, @r#"
    step `lost` (src/lib.rs:2) is never reached from `a`; lead to it from another step, or remove it
    step `round` (src/lib.rs:4) is never reached from `a`; lead to it from another step, or remove it
    "#);
    assert_eq!(codes, "unreachable unreachable");
}

#[test]
fn a_loop_without_a_way_out_has_no_end() {
    let (said, codes) = problems(
        "
        a > by r: x = b, y = end ; w r: R
        b > by r: x = c ; w r: R
        c > by r: again = b max 3 ; w r: R
        end",
    );
    insta::assert_snapshot!(said, @r#"step `b` (src/lib.rs:2) has no way to the end `end`: `b`, `c` only lead to each other; add a case that leads out"#);
    assert_eq!(codes, "no-way-to-end");
}

#[test]
fn a_flow_has_one_end() {
    let (said, codes) = problems(
        "
        a > by r: x = b, y = c ; w r: R
        b
        c",
    );
    insta::assert_snapshot!(said, @r#"flow has several ends: `b`, `c`; let all of them lead to one last step"#);
    assert_eq!(codes, "several-ends");
}

#[test]
fn a_flow_in_which_all_lead_on_has_no_end() {
    let (said, codes) = problems(
        "
        a > by r: x = a max 3 ; w r: R",
    );
    insta::assert_snapshot!(said, @r#"flow has no way to an end: every step leads on; one step must have no `next`"#);
    assert_eq!(codes, "no-end");
}

#[test]
fn a_split_is_joined_before_the_end() {
    let (said, codes) = problems(
        "
        a > b & c
        b > end
        c > end
        end",
    );
    insta::assert_snapshot!(said, @r#"step `end` (src/lib.rs:4) is where branches of `a` meet (from `b`, `c`), and is not a join; mark it with `#[step(join, …)]`"#);
    assert_eq!(codes, "not-a-join");
}

#[test]
fn a_foreach_is_joined_before_the_end() {
    let (said, codes) = problems(
        "
        a > each xs: b ; w xs: Vec<X>
        b",
    );
    insta::assert_snapshot!(said, @r#"step `b` (src/lib.rs:2) ends the flow inside the foreach of `a`, which no join closes; let its branches lead to a `#[step(join, …)]`"#);
    assert_eq!(codes, "end-inside");
}

#[test]
fn a_join_needs_a_split() {
    let (said, codes) = problems(
        "
        a > b
        b join",
    );
    insta::assert_snapshot!(said, @r#"step `b` (src/lib.rs:2) is a join, and no split or foreach is open where it stands; remove `join`, or split before it"#);
    assert_eq!(codes, "join-without-split");
}

#[test]
fn every_branch_leads_to_the_join() {
    let (said, codes) = problems(
        "
        a > b & c & d
        b > j
        c > j
        d > k
        j join > k
        k join > l
        l",
    );
    insta::assert_snapshot!(said, @r#"step `j` (src/lib.rs:5) joins the split of `a`, and the branch `d` does not lead to it; let every branch lead to the same join"#);
    assert_eq!(codes, "join-incomplete");
}

#[test]
fn a_split_has_one_join() {
    let (said, codes) = problems(
        "
        a > b & c
        b > by r: x = j, y = k ; w r: R
        c > by r: x = j, y = k ; w r: R
        j join > e
        k join > e
        e",
    );
    insta::assert_snapshot!(said, @r#"step `k` (src/lib.rs:5) joins the split of `a`, which `j` joins as well; let all branches lead to one of them"#);
    assert_eq!(codes, "several-joins");
}

#[test]
fn branches_of_different_splits_are_joined_one_after_the_other() {
    let (said, codes) = problems(
        "
        a > b & c
        b > d & e
        d > j
        e > j
        c > j
        j join",
    );
    insta::assert_snapshot!(said, @r#"step `j` (src/lib.rs:6) joins branches of different origin: of `a`, `b`; join the inner branches first"#);
    assert_eq!(codes, "join-mixed");
}

#[test]
fn a_split_has_branches_and_each_is_another() {
    let (said, codes) = problems(
        "
        a > b & b
        b > j
        j join",
    );
    insta::assert_snapshot!(said, @r#"step `a` (src/lib.rs:1) splits into `b` twice"#);
    assert_eq!(codes, "split-repeats");
}

#[test]
fn a_branch_has_a_step() {
    let (said, codes) = problems(
        "
        a > b & j
        b > j
        j join",
    );
    insta::assert_snapshot!(said, @r#"step `a` (src/lib.rs:1) leads to the join `j` directly, and a branch has at least one step; put a step between"#);
    assert_eq!(codes, "empty-branch");
}

#[test]
fn a_step_is_not_in_and_out_of_a_foreach() {
    let (said, codes) = problems(
        "
        s > by r: x = a, y = b ; w r: R
        a > each xs: b ; w xs: Vec<X>
        b > j
        j join",
    );
    insta::assert_snapshot!(said, @r#"step `b` (src/lib.rs:3) is reached from inside and from outside of the foreach of `a` (from `s`, `a`); close the inner one before, or use two steps"#);
    assert_eq!(codes, "mixed-paths");
}

#[test]
fn a_loop_has_a_bound() {
    let (said, codes) = problems(
        "
        a > b
        b > by r: again = a, stop = c ; w r: R
        c",
    );
    insta::assert_snapshot!(said, @r#"step `b` (src/lib.rs:2) leads back to `a`, and nothing bounds that loop; add `max_turns = …` to its switch"#);
    assert_eq!(codes, "loop-unbounded");
}

#[test]
fn only_a_switch_leads_back() {
    let (said, codes) = problems(
        "
        a > by r: x = b, y = c ; w r: R
        b > a
        c",
    );
    insta::assert_snapshot!(said, @r#"step `b` (src/lib.rs:2) leads back to `a`, and only a switch may lead back; make it `switch = "…"` with a case that leads back and one that leads on"#);
    assert_eq!(codes, "loop-not-switch");
}

#[test]
fn a_loop_is_entered_at_one_step() {
    let (said, codes) = problems(
        "
        s > by r: x = a, y = b ; w r: R
        a > b
        b > by r: x = a, y = c max 3 ; w r: R
        c",
    );
    insta::assert_snapshot!(said, @r#"step `a` (src/lib.rs:2) is in a loop that can be entered at `a`, `b`; let every way into the loop go through one step"#);
    assert_eq!(codes, "loop-heads");
}

#[test]
fn a_loop_does_not_turn_at_a_join() {
    let (said, codes) = problems(
        "
        s > a & b
        a > j
        b > j
        j join > k
        k > by r: x = j, y = l max 3 ; w r: R
        l",
    );
    insta::assert_snapshot!(said, @r#"step `k` (src/lib.rs:5) leads back to `j`, which is a join; lead back to a step after the join, or before the split"#);
    assert_eq!(codes, "loop-into-join");
}

#[test]
fn a_loop_and_a_foreach_do_not_overlap() {
    let (said, codes) = problems(
        "
        s > h
        h > each xs: a ; w xs: Vec<X>
        a > by r: again = h, on = j max 3 ; w r: R
        j join",
    );
    insta::assert_snapshot!(said, @r#"step `a` (src/lib.rs:3) leads to `j`, out of the loop of `h`, from inside a split or foreach of that loop; a loop lies within one branch, or has whole splits and foreaches in it"#);
    assert_eq!(codes, "loop-overlap");
}

#[test]
fn a_loop_is_not_left_from_inside_a_split() {
    let (said, codes) = problems(
        "
        s > h
        h > a & b
        a > by r: out = e, on = j max 3 ; w r: R
        b > j
        j join > k
        k > by r: again = h, on = e max 3 ; w r: R
        e",
    );
    insta::assert_snapshot!(said, @r#"step `a` (src/lib.rs:3) leads to `e`, out of the loop of `h`, from inside a split or foreach of that loop; a loop lies within one branch, or has whole splits and foreaches in it"#);
    assert_eq!(codes, "loop-overlap");
}

#[test]
fn decisions_are_written_and_have_cases() {
    let (said, codes) = problems(
        "
        a > by rout: x = b, x = b max 0 ; w route: R
        b > each items: c ; w item: Vec<X>
        c > d
        d join > e
        e > each n: f ; w n: u32
        f > g
        g join > h ; w ok: T
        h > by ok: ; w ok: T",
    );
    insta::assert_snapshot!(said, @r#"
    step `a` (src/lib.rs:1) has `switch = "rout"`, and does not write `rout`; did you mean `route`?
    step `a` (src/lib.rs:1) has the case `x` twice
    step `a` (src/lib.rs:1) has a loop bound of 0 turns
    step `b` (src/lib.rs:2) has `foreach = "items"`, and does not write `items`; did you mean `item`?
    step `e` (src/lib.rs:5) has `foreach = "n"`, and `n` is a `u32`, which is not a list; write a `Vec<…>`
    step `h` (src/lib.rs:8) decides between no cases
    "#);
    assert_eq!(
        codes,
        "edge-artifact duplicate-case no-turns edge-artifact not-a-list no-cases"
    );
}

#[test]
fn options_are_those_that_one_can_mean() {
    let (said, codes) = problems(
        "
        a > by r: x = b, y = b ; w r: R ; catch oops
        b > c ; retry 101 86400001
        c > d ; timeout 0 ; w x: T, x: T ; catch x
        d ; r x?: T, x?: U ; in y: T ; merge x",
    );
    insta::assert_snapshot!(said, @r#"
    step `a` (src/lib.rs:1) catches its failure, and must then still decide how the flow goes on; move what may fail to a step before it
    step `b` (src/lib.rs:2) is retried 101 times, and 100 are the most
    step `b` (src/lib.rs:2) pauses 86400001 ms before a retry, and 86400000 ms are the most
    step `c` (src/lib.rs:3) writes `x` twice
    step `c` (src/lib.rs:3) keeps its failure in `x`, which it also writes
    step `c` (src/lib.rs:3) has a timeout of 0 ms, and 1 to 2592000000 ms are possible
    step `d` (src/lib.rs:4) reads `x` twice, as `T` and as `U`
    step `d` (src/lib.rs:4) reads the inputs of branches, and is not a join; mark it with `#[step(join, …)]`
    step `d` (src/lib.rs:4) merges `x`, and is not a join; only a join can merge: write `#[step(join, …)]`
    step `d` (src/lib.rs:4) reads `x` as `U`, and `c` writes it as `T`
    step `d` (src/lib.rs:4) reads `y`, which no step writes and is no parameter
    "#);
    assert_eq!(
        codes,
        "catch-on-decision retry-times retry-backoff duplicate-write catch-written timeout duplicate-read inputs-without-join merge-without-join type-differs read-unwritten"
    );
}

#[test]
fn parameters_are_declared_once_and_never_written() {
    let (said, codes) = problems(
        "
        param n: u32
        param n: String
        a > b ; w n: u32
        b > c ; catch n
        c ; r n: u64",
    );
    insta::assert_snapshot!(said, @r#"
    parameter `n` is declared twice, as `u32` and as `String`
    step `a` (src/lib.rs:3) writes `n`, which is a parameter of the flow; give one of the two another name
    step `b` (src/lib.rs:4) writes `n`, which is a parameter of the flow; give one of the two another name
    step `c` (src/lib.rs:5) reads `n` as `u64`, and the parameter declares it as `u32`
    "#);
    assert_eq!(
        codes,
        "duplicate-parameter parameter-written parameter-written type-differs"
    );
}

#[test]
fn what_is_read_is_written() {
    let (said, codes) = problems(
        "
        start > end ; w counts: Vec<u64>
        end ; r cuonts: Vec<u64>, nothing_like_it?: T",
    );
    insta::assert_snapshot!(said, @r#"
    step `end` (src/lib.rs:2) reads `cuonts`, which no step writes and is no parameter; did you mean `counts`?
    step `end` (src/lib.rs:2) reads `nothing_like_it`, which no step writes and is no parameter
    "#);
    assert_eq!(codes, "read-unwritten read-unwritten");
}

#[test]
fn what_is_read_is_written_before() {
    let (said, codes) = problems(
        "
        start > end ; r late: T
        end ; w late: T",
    );
    insta::assert_snapshot!(said, @r#"step `start` (src/lib.rs:1) reads `late`, which `end` writes only later or on another way"#);
    assert_eq!(codes, "read-too-early");
}

#[test]
fn what_is_read_is_written_on_every_way() {
    let (said, codes) = problems(
        "
        start > by r: x = a, y = b ; w r: R
        a > c ; w model: M
        b > c
        c > d
        d ; r model: M",
    );
    insta::assert_snapshot!(said, @r#"step `d` (src/lib.rs:5) reads `model`, which is not written on the way through `b`; read it as `model: Option<…>`"#);
    assert_eq!(codes, "read-maybe");
}

#[test]
fn what_is_read_of_a_loop_is_written_on_its_first_turn() {
    let (said, codes) = problems(
        "
        h > k ; r model: M, first?: M
        k > by r: again = h, stop = e max 2 ; w r: R, model: M, first: M
        e ; r model: M",
    );
    insta::assert_snapshot!(said, @r#"step `h` (src/lib.rs:1) reads `model`, which is not written before the first turn of its loop; read it as `model: Option<…>`"#);
    assert_eq!(codes, "read-first-turn");
}

#[test]
fn a_reader_agrees_with_every_writer_about_the_type() {
    let (said, codes) = problems(
        "
        start > by r: x = a, y = b ; w r: R
        a > c ; w x: u32
        b > c ; w x: Vec< u8 >
        c > d ; r x: u32 ; w y: Vec<u8>
        d ; r y: Vec < u8 >",
    );
    insta::assert_snapshot!(said, @r#"step `c` (src/lib.rs:4) reads `x` as `u32`, and `b` writes it as `Vec< u8 >`"#);
    assert_eq!(codes, "type-differs");
}

#[test]
fn branches_may_differ() {
    let (said, codes) = problems(
        "
        s > a & b ; w before: T, all: T
        a > j ; w one: T, both: T, before: T, twice: T
        b > j ; w both: T, all: T, twice: T
        j join > e ; merge all, nothing
        e ; r one: T, both: T, before?: T, before: T, all: T, twice?: T",
    );
    insta::assert_snapshot!(said, @r#"
    step `e` (src/lib.rs:5) reads `before` twice, as `T` and as `T`
    step `e` (src/lib.rs:5) reads `before`, on which the branches of `s` may differ (`s`, `a` write); let the join `j` read it through `Inputs` and write it, or list it there: `merge = ["before"]`
    step `e` (src/lib.rs:5) reads `both`, on which the branches of `s` may differ (`a`, `b` write); let the join `j` read it through `Inputs` and write it, or list it there: `merge = ["both"]`
    step `j` (src/lib.rs:4) merges `nothing`, which no branch writes
    "#);
    assert_eq!(codes, "duplicate-read ambiguous ambiguous merge-unwritten");
}

#[test]
fn what_elements_write_does_not_pass_by_itself() {
    let (said, codes) = problems(
        "
        s > each xs: w ; w xs: Vec<X>
        w > j ; w y: Y, z: Z, x: X ; item X
        j join > e ; in y: Y ; merge z
        e ; r y: Y, z: Z",
    );
    insta::assert_snapshot!(said, @r#"
    step `e` (src/lib.rs:4) reads `y`, which is written inside the foreach of `s` and does not pass its join; let the join read it through `Inputs`, or list it there: `merge = ["y"]`
    step `e` (src/lib.rs:4) reads `z`, which is missing when the foreach of `s` has no elements; read it as `z: Option<…>`
    "#);
    assert_eq!(codes, "read-not-passed read-empty-foreach");
}

#[test]
fn elements_are_read_inside_a_foreach_with_the_type_of_the_list() {
    let (said, codes) = problems(
        "
        s > each xs: w ; w xs: Vec<X> ; item X
        w > j ; item Y
        j join > e ; item X
        e",
    );
    insta::assert_snapshot!(said, @r#"
    step `s` (src/lib.rs:1) reads a foreach element, and is not inside a foreach; remove `#[item]`, or lead to it by `foreach = "…"`
    step `w` (src/lib.rs:2) reads the foreach element as `Y`, and `xs` of step `s` is a `Vec<X>`
    step `j` (src/lib.rs:3) reads a foreach element, and is not inside a foreach; remove `#[item]`, or lead to it by `foreach = "…"`
    "#);
    assert_eq!(codes, "item-outside item-type item-outside");
}

#[test]
fn what_a_caught_step_writes_may_be_missing() {
    let (said, codes) = problems(
        "
        a > b ; w x: X ; catch oops
        b ; r x: X, oops: F",
    );
    insta::assert_snapshot!(said, @r#"
    step `b` (src/lib.rs:2) reads `oops`, which is missing when `a` succeeds; read it as `oops: Option<…>`
    step `b` (src/lib.rs:2) reads `x`, which is missing when `a` fails and its failure is caught; read it as `x: Option<…>`
    "#);
    assert_eq!(codes, "read-failure read-caught");
}

#[test]
fn inputs_are_there_in_every_branch() {
    let (said, codes) = problems(
        "
        s > a & b
        a > j ; w x: X, y: Y
        b > j ; w y: Z
        j join > e ; in x: X, y: Y, e: E, q: Q
        e ; w e: E",
    );
    insta::assert_snapshot!(said, @r#"
    step `j` (src/lib.rs:4) reads `e`, which `e` writes only later or on another way
    step `j` (src/lib.rs:4) reads `q`, which no step writes and is no parameter
    step `j` (src/lib.rs:4) reads `x`, which is not written on the way through `b`; read it as `x: Option<…>`
    step `j` (src/lib.rs:4) reads `y` as `Y`, and `b` writes it as `Z`
    "#);
    assert_eq!(
        codes,
        "read-too-early read-unwritten read-maybe type-differs"
    );
}

#[test]
fn a_flow_has_steps_and_a_name() {
    let definition = Definition {
        name: "latest".into(),
        ..Definition::default()
    };
    let problems = FlowGraph::new(&definition).unwrap_err().to_string();
    insta::assert_snapshot!(problems, @r#"
    flow has the name `latest`, which means the last run
    flow has no steps; mark a function with `#[step]`
    "#);
}

#[test]
fn a_flow_that_is_far_too_large_is_refused_in_one_line() {
    let step = |i: usize| Step {
        name: format!("s{i}"),
        ..Step::default()
    };
    let steps = (0..MAX_STEPS + 1).map(step).collect();
    let definition = Definition {
        name: "large".into(),
        steps,
        ..Definition::default()
    };
    let problems = FlowGraph::new(&definition).unwrap_err().to_string();
    assert_eq!(problems, "flow has 10001 steps, and 10000 are the most");
}

#[test]
fn thousands_of_problems_are_counted_and_only_the_first_listed() {
    let step = |i: usize| Step {
        name: format!("s{i}"),
        edge: crate::model::definition::Edge::Next("\u{1b}[31mnowhere".repeat(20)),
        ..Step::default()
    };
    let steps = (0..MAX_STEPS).map(step).collect();
    let definition = Definition {
        name: "large".into(),
        steps,
        ..Definition::default()
    };
    let problems = FlowGraph::new(&definition).unwrap_err();
    assert_eq!(
        (problems.iter().count(), problems.count()),
        (MAX_PROBLEMS, MAX_STEPS)
    );
    let text = problems.to_string();
    assert!(
        text.ends_with("\nand 9800 more"),
        "{}",
        &text[text.len() - 80..]
    );
    assert!(
        !text.contains('\u{1b}'),
        "control characters do not reach a terminal"
    );
    assert!(text.lines().all(|line| line.len() < 200));
}

#[test]
fn nesting_has_a_limit() {
    let mut text = String::new();
    for depth in 0..=MAX_DEPTH {
        text += &format!("s{depth} > each xs: s{} ; w xs: Vec<X>\n", depth + 1);
    }
    text += &format!("s{} > j0\n", MAX_DEPTH + 1);
    for depth in 0..=MAX_DEPTH {
        text += &format!("j{depth} join > j{}\n", depth + 1);
    }
    text += &format!("j{}\n", MAX_DEPTH + 1);
    let (said, codes) = problems(&text);
    assert_eq!(codes, "too-deep", "{said}");
}

#[test]
fn a_problem_is_also_data() {
    let problems = FlowGraph::new(&sketch::definition("a > bb \n b")).unwrap_err();
    let json = serde_json::to_string(problems.iter().next().unwrap()).unwrap();
    assert_eq!(
        json,
        r#"{"code":"unknown-step","step":"a","source":"src/lib.rs:1","parameter":null,"message":"leads to `bb`, which is not a step","hint":"did you mean `b`?"}"#
    );
}

#[test]
fn a_flow_of_ten_thousand_steps_and_artifacts_is_checked() {
    let step = |i: usize| Step {
        name: format!("s{i}"),
        writes: vec![crate::model::definition::Write {
            name: format!("a{i}"),
            ty: "T".into(),
        }],
        reads: match i % 10 {
            1 => vec![Read {
                name: format!("a{}", i - 1),
                ty: "T".into(),
                optional: false,
            }],
            _ => Vec::new(),
        },
        edge: match i + 1 {
            MAX_STEPS => crate::model::definition::Edge::End,
            next => crate::model::definition::Edge::Next(format!("s{next}")),
        },
        ..Step::default()
    };
    let steps = (0..MAX_STEPS).map(step).collect();
    let definition = Definition {
        name: "long".into(),
        steps,
        ..Definition::default()
    };
    assert_eq!(
        FlowGraph::new(&definition).unwrap().steps().len(),
        MAX_STEPS
    );
}

mod any_definition {
    use proptest::prelude::*;

    use super::*;
    use crate::model::definition::{Case, Edge, Write};

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            12 => prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "g"]),
            1 => prop::sample::select(vec!["nowhere", "aa", "Not a name"]),
        ]
        .prop_map(str::to_owned)
    }

    fn edge() -> impl Strategy<Value = Edge> {
        let cases = prop::collection::vec(name(), 0..4).prop_map(|steps| {
            let case = |(next, i): (String, usize)| Case {
                name: format!("case{i}"),
                next,
            };
            steps.into_iter().zip(0..).map(case).collect()
        });
        let max_turns = prop::option::of(0..3_u32);
        prop_oneof![
            2 => Just(Edge::End),
            6 => name().prop_map(Edge::Next),
            3 => prop::collection::vec(name(), 0..4).prop_map(Edge::Split),
            3 => name().prop_map(|next| Edge::Foreach { artifact: "x".into(), next }),
            3 => (cases, max_turns).prop_map(|(cases, max_turns)| Edge::Switch {
                artifact: "x".into(),
                cases,
                max_turns,
            }),
        ]
    }

    fn reads() -> impl Strategy<Value = Vec<Read>> {
        let read = |(name, ty, optional): (&str, &str, bool)| Read {
            name: name.into(),
            ty: ty.into(),
            optional,
        };
        let (names, types) = (vec!["x", "y", "z", "1"], vec!["T", "U"]);
        let one = (
            prop::sample::select(names),
            prop::sample::select(types),
            any::<bool>(),
        );
        prop::collection::vec(one.prop_map(read), 0..3)
    }

    fn step() -> impl Strategy<Value = Step> {
        let options = (
            any::<bool>(),
            prop::option::weighted(0.2, Just("T".to_owned())),
        );
        (name(), edge(), reads(), reads(), reads(), options).prop_map(
            |(name, edge, reads, inputs, writes, (join, item))| Step {
                name,
                edge,
                reads,
                merge: inputs
                    .iter()
                    .skip(1)
                    .map(|read| read.name.clone())
                    .collect(),
                catch: writes.get(2).map(|write| write.name.clone()),
                inputs,
                writes: writes
                    .into_iter()
                    .map(|Read { name, ty, .. }| Write { name, ty })
                    .collect(),
                join,
                item,
                ..Step::default()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Also one whose shape makes no sense at all, and then something is said.
        #[test]
        fn is_taken_or_refused(steps in prop::collection::vec(step(), 0..9)) {
            let definition = Definition { name: "any".into(), steps, ..Definition::default() };
            if let Err(problems) = FlowGraph::new(&definition) {
                prop_assert!(problems.count() > 0);
            }
        }

        /// A fault in one step changes nothing of what is never written.
        #[test]
        fn never_written_is_always_said(mut steps in prop::collection::vec(step(), 1..9)) {
            let read = Read { name: "never".into(), ty: "T".into(), optional: true };
            steps.last_mut().unwrap().reads.push(read);
            let definition = Definition { name: "any".into(), steps, ..Definition::default() };
            let problems = FlowGraph::new(&definition).unwrap_err();
            let said = problems.iter().filter(|it| it.code() == "read-unwritten");
            prop_assert!(said.map(ToString::to_string).any(|it| it.contains("`never`")));
        }
    }
}

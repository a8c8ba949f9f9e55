//! Every write refused, with every error that a disk has: it is named, and everything goes on later.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use wrun::cli::exit;

use super::cases;
use super::kills::{Quiet, quiet, side_by_side};
use super::plan::Place;
use super::points;
use super::scenario::Said;

const DAMAGED: i32 = exit::DAMAGED as i32;

/// What a disk says, and how the system words it.
const ERRORS: [(&str, &str); 6] = [
    ("ENOSPC", "No space left on device"),
    ("EIO", "Input/output error"),
    ("EMFILE", "Too many open files"),
    ("EROFS", "Read-only file system"),
    ("EDQUOT", "Disk quota exceeded"),
    ("EACCES", "Permission denied"),
];

/// One error at one place: once, or as long as it lasts.
struct Case {
    scenario: usize,
    place: Place,
    error: (&'static str, &'static str),
    at: Option<u64>,
}

/// Each place in the first scenario that has it, with as many of the errors as are wanted.
fn errors(quiet: &[Quiet], each: usize) -> Vec<Case> {
    let can_fail = points::all();
    let (mut seen, mut errors) = (BTreeSet::new(), Vec::new());
    for (scenario, of) in quiet.iter().enumerate() {
        for place in of.places.keys() {
            if !can_fail[&place.point] || !seen.insert(place.clone()) {
                continue;
            }
            for number in 0..each.min(ERRORS.len()) {
                let number = errors.len() + number;
                errors.push(Case {
                    scenario,
                    place: place.clone(),
                    error: ERRORS[number % ERRORS.len()],
                    at: number.is_multiple_of(2).then_some(1),
                });
            }
        }
    }
    errors
}

/// What was said about a failure: all of it, and whether there was advice.
fn told(said: &Said) -> (String, bool) {
    let lines = said.lines.iter().map(Json::to_string);
    let mut text: String = lines.filter(|line| line.contains("\"failure\"")).collect();
    text += &said.stderr;
    if said.status.code() == Some(DAMAGED) {
        return (text + &said.stdout, said.stdout.contains("remedy"));
    }
    let error: Option<Json> = serde_json::from_str(said.stderr.trim()).ok();
    let hints = error.map(|it| {
        it["error"]["hints"]
            .as_array()
            .is_some_and(|it| !it.is_empty())
    });
    let advice = hints.unwrap_or_else(|| text.contains("hint"));
    (text, advice)
}

/// Lets one error happen, goes on, and compares; the exit code that it had.
fn fail(quiet: &Quiet, case: &Case) -> i32 {
    let Quiet {
        scenario, expected, ..
    } = quiet;
    let world = scenario.fresh();
    let (errno, words) = case.error;
    let armed = case.place.armed(errno, case.at);
    let name = format!("{armed} in {}", scenario.name);
    let said = scenario.act(&world, &[("WRUN_FAILPOINTS", &armed)]);
    let code = said.status.code().unwrap_or_else(|| panic!("{name}"));
    if code != scenario.code {
        let known = [exit::RUN_FAILED, exit::UNAVAILABLE].map(i32::from);
        // What could not be repaired is damaged still.
        let is_known = known.contains(&code) || (scenario.keeps() && code == DAMAGED);
        assert!(is_known, "{name}: {code}: {}", said.stderr);
        let (text, advice) = told(&said);
        assert!(text.contains(words), "{name}: {text}");
        assert!(advice, "{name}: {text}");
    }
    scenario.look(&world, &said.lines);
    if code == i32::from(exit::RUN_FAILED) && scenario.code != code {
        scenario.resume(&world);
        let found = scenario.found(&world, &said.lines);
        let last = found.runs.values().last();
        let wanted = expected.runs.values().last().unwrap();
        let difference = last.unwrap().difference(wanted);
        assert_eq!(difference, None, "{name}");
    } else {
        scenario.recover(&world);
        let found = scenario.found(&world, &said.lines);
        assert_eq!(found.runs, expected.runs, "{name}");
        // What the machine has failed is tried again, which the counts of attempts tell.
        let retried = said.lines.iter().any(|line| line["event"] == "retrying");
        assert!(retried || &found == expected, "{name}: {:?}", found.counts);
    }
    code
}

#[test]
fn whatever_a_disk_refuses_is_named_and_nothing_is_lost() {
    let quiet = quiet();
    let errors = errors(quiet, cases("WRUN_CRASH_CASES", 1));
    let codes = side_by_side(errors.len(), |index| {
        let case = &errors[index];
        fail(&quiet[case.scenario], case)
    });
    let told = codes.iter().filter(|code| **code != 0).count();
    println!("{} errors, {told} of them told", errors.len());
    assert!(told > errors.len() / 3, "{told} of {}", errors.len());
}

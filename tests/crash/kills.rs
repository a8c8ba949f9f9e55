//! `kill -9` at every point, and everything goes on as if it had not been.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use super::cases;
use super::check::Found;
use super::elsewhere;
use super::plan::{self, Place};
use super::points;
use super::scenario::{self, Scenario};

/// One process that is to be killed.
pub struct Case {
    pub scenario: usize,
    pub place: Place,
    pub at: u64,
}

/// A scenario, what is passed in it when nothing disturbs it, and what it comes to.
pub struct Quiet {
    pub scenario: Scenario,
    pub places: BTreeMap<Place, u64>,
    pub expected: Found,
}

/// All scenarios of drivers over a directory, each done once.
pub fn quiet() -> &'static [Quiet] {
    static QUIET: OnceLock<Vec<Quiet>> = OnceLock::new();
    QUIET.get_or_init(|| {
        let scenarios = scenario::local();
        let done = side_by_side(scenarios.len(), |index| {
            let scenario = &scenarios[index];
            let world = scenario.fresh();
            let log = scenario::log(&world);
            let said = scenario.act(&world, &[("WRUN_FAILPOINTS_LOG", log.to_str().unwrap())]);
            assert_eq!(said.status.code(), Some(scenario.code), "{}", said.stderr);
            (plan::passed(&log), scenario.found(&world, &said.lines))
        });
        let quiet = |(scenario, (places, expected))| Quiet {
            scenario,
            places,
            expected,
        };
        scenarios.into_iter().zip(done).map(quiet).collect()
    })
}

/// Does `work` for each of `many`, on all cores, and gives what came out in order.
pub fn side_by_side<T: Send>(many: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers.min(many) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= many {
                        return;
                    }
                    let result = work(index);
                    done.lock().unwrap().insert(index, result);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

/// Which processes are killed: with one case each, every place once, in one or another of the scenarios
/// that have it and early or late; with more, in all of them, at the first passing, the last, and between.
fn kills(quiet: &[Quiet], each: u64) -> Vec<Case> {
    let mut of_place: BTreeMap<&Place, Vec<(usize, u64)>> = BTreeMap::new();
    for (scenario, of) in quiet.iter().enumerate() {
        for (place, many) in &of.places {
            of_place.entry(place).or_default().push((scenario, *many));
        }
    }
    let mut kills = Vec::new();
    for (place, passed) in of_place {
        let case = |scenario, at| Case {
            scenario,
            place: place.clone(),
            at,
        };
        if each == 1 {
            let (scenario, many) = passed[kills.len() % passed.len()];
            kills.push(case(scenario, 1 + (kills.len() as u64 * 7) % many));
            continue;
        }
        for (scenario, many) in passed {
            let wanted = each.min(many);
            let at = |number| 1 + number * (many - 1) / (wanted - 1).max(1);
            kills.extend((0..wanted).map(|number| case(scenario, at(number))));
        }
    }
    kills
}

/// Kills one process, goes on, and compares; whether it was killed.
fn kill(quiet: &Quiet, case: &Case) -> bool {
    let Quiet {
        scenario, expected, ..
    } = quiet;
    let world = scenario.fresh();
    let armed = case.place.armed("kill", Some(case.at));
    let said = scenario.act(&world, &[("WRUN_FAILPOINTS", &armed)]);
    let name = format!("{armed} in {}", scenario.name);
    if !said.was_killed() {
        let code = Some(scenario.code);
        assert_eq!(said.status.code(), code, "{name}: {}", said.stderr);
        return false;
    }
    // What was shown is there at once, before anybody goes on.
    scenario.look(&world, &said.lines);
    scenario.recover(&world);
    let found = scenario.found(&world, &said.lines);
    assert_eq!(&found, expected, "{name}");
    true
}

#[test]
fn whoever_is_killed_at_a_point_loses_nothing_and_doubles_nothing() {
    let quiet = quiet();
    let kills = kills(quiet, cases("WRUN_CRASH_CASES", 1) as u64);
    let killed = side_by_side(kills.len(), |index| {
        let case = &kills[index];
        let at = case.scenario;
        // How many segments there are is a matter of time, so that a late passing may not come.
        let first = || Case {
            scenario: at,
            place: case.place.clone(),
            at: 1,
        };
        kill(&quiet[at], case) || kill(&quiet[at], &first())
    });
    let mut hit: BTreeSet<String> = BTreeSet::new();
    for (case, killed) in kills.iter().zip(&killed) {
        assert!(killed, "nobody was killed at {}", case.place);
        hit.insert(case.place.point.clone());
    }
    println!("{} processes killed at {} points", kills.len(), hit.len());
    let missed: Vec<_> = points::all()
        .into_keys()
        .filter(|point| !hit.contains(point) && !elsewhere::has(point))
        .collect();
    assert!(missed.is_empty(), "nobody was killed at {missed:?}");
}

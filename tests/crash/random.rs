//! `kill -9` after random events: of drivers, again and again; of cells; of one of several drivers.

use rustix::process::{Signal, kill_process};

use super::cases;
use super::check::{self, Found};
use super::kills::side_by_side;
use super::running::Running;
use super::world::World;

/// The flows, and how they are run.
const FLOWS: [(&str, &str, &[&str]); 4] = [
    ("shaky", "shaky/1", &["--many", "3", "--width", "4"]),
    ("foreach", "foreach/1", &["--n", "40", "--width", "40000"]),
    ("nested", "nested/1", &[]),
    ("turns", "turns/1", &[]),
];
/// How often drivers of one run are killed at most.
const KILLS: u64 = 3;

/// Numbers that look random and are the same in every execution.
struct Dice(blake3::Hasher, u64);

impl Dice {
    fn new(seed: usize) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(seed as u64).to_le_bytes());
        Self(hasher, 0)
    }

    fn below(&mut self, most: usize) -> usize {
        self.1 += 1;
        let hash = self.0.clone().update(&self.1.to_le_bytes()).finalize();
        usize::from(u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]])) % most.max(1)
    }
}

/// What an undisturbed run comes to, and how many lines it tells.
fn quiet((flow, _, more): (&str, &str, &[&str])) -> (Found, usize) {
    let world = World::new();
    let (events, code) = Running::start(&world, flow, more).end();
    assert_eq!(code, Some(0));
    (check::all(&world.store(), &events), events.len())
}

/// Drives a run, killing its drivers after random lines; how many were killed.
fn chain(seed: usize, (expected, lines): &(Found, usize)) -> u64 {
    let (flow, run, more) = FLOWS[seed % FLOWS.len()];
    let (world, mut dice) = (World::new(), Dice::new(seed));
    let (mut shown, mut killed) = (Vec::new(), 0);
    let mut running = Running::start(&world, flow, more);
    loop {
        let mut left = match killed < KILLS {
            true => dice.below(*lines),
            false => usize::MAX,
        };
        let mut ended = false;
        while left > 0 && !ended {
            match running.next() {
                Some(line) => shown.push(line),
                None => ended = true,
            }
            left -= 1;
        }
        if !ended {
            running.signal(Signal::KILL);
            killed += 1;
        }
        let (rest, code) = running.end();
        shown.extend(rest);
        if code == Some(0) || code == Some(2) {
            break;
        }
        assert!(code.is_none(), "seed {seed}: {code:?}");
        check::all(&world.store(), &shown);
        running = match world.wrun(&["show", run]).code {
            0 => Running::command(&world, &["attach", run]),
            _ => Running::start(&world, flow, more),
        };
    }
    // Its driver may have been killed after the end and before the summary.
    world.wrun(&["attach", run]);
    let found = check::all(&world.store(), &shown);
    assert_eq!(&found, expected, "seed {seed}");
    killed
}

#[test]
fn drivers_killed_again_and_again_come_to_the_same() {
    let quiet = side_by_side(FLOWS.len(), |index| quiet(FLOWS[index]));
    let seeds = cases("WRUN_CRASH_SEEDS", 8);
    let killed = side_by_side(seeds, |seed| chain(seed, &quiet[seed % FLOWS.len()]));
    let killed: u64 = killed.iter().sum();
    println!("{seeds} runs, {killed} drivers killed");
    assert!(killed >= seeds as u64, "{killed}");
}

#[test]
fn cells_killed_at_random_cost_the_steps_nothing() {
    let flow = ("foreach", "foreach/1", &["--n", "40", "--work", "3"][..]);
    let (expected, lines) = quiet(flow);
    let seeds = cases("WRUN_CRASH_SEEDS", 8).div_ceil(4);
    let killed = side_by_side(seeds, |seed| {
        let (world, mut dice) = (World::new(), Dice::new(seed));
        let mut running = Running::start(&world, flow.0, flow.2);
        let mut shown = Vec::new();
        for _ in 0..1 + dice.below(lines * 2 / 3) {
            shown.extend(running.next());
        }
        let cells = running.cells();
        for cell in &cells {
            // One that has just ended is not there.
            let _ = kill_process(*cell, Signal::KILL);
        }
        let (rest, code) = running.end();
        shown.extend(rest);
        assert_eq!(code, Some(0), "seed {seed}: {shown:?}");
        let found = check::all(&world.store(), &shown);
        assert_eq!(found.runs, expected.runs, "seed {seed}");
        cells.len()
    });
    let killed: usize = killed.iter().sum();
    println!("{killed} cells killed");
    assert!(killed >= seeds, "{killed}");
}

#[test]
fn of_many_drivers_at_once_one_goes_on_and_nothing_is_doubled() {
    let work = &["--n", "30", "--work", "2"][..];
    let flow = ("foreach", "foreach/1", work);
    let (expected, lines) = quiet(flow);
    let seeds = cases("WRUN_CRASH_SEEDS", 8).div_ceil(4);
    side_by_side(seeds, |seed| {
        let (world, mut dice) = (World::new(), Dice::new(seed));
        let mut shown = Vec::new();
        let mut running = Running::start(&world, flow.0, flow.2);
        for _ in 0..4 + dice.below(lines / 2) {
            shown.extend(running.next());
        }
        // Stopped and not dead: it goes on when others have the run.
        running.signal(Signal::STOP);
        std::fs::remove_file(world.store().join("flows/foreach/runs/1/lease")).unwrap();
        let attach = || Running::command(&world, &["attach", flow.1]);
        let mut others = [attach(), attach(), attach()];
        for other in &mut others {
            if dice.below(2) == 0 {
                shown.extend(other.next());
            }
        }
        running.signal(Signal::CONT);
        for driver in others.into_iter().chain([running]) {
            let (mut lines, code) = driver.end();
            assert!(matches!(code, Some(0 | 2 | 6)), "seed {seed}: {code:?}");
            // Each tells of the same run, beginning with its header.
            shown.append(&mut lines);
        }
        let found = check::all(&world.store(), &shown);
        assert_eq!(found, expected, "seed {seed}");
    });
}

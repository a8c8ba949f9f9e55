//! Makes flows that nobody thought of.

#[path = "../random/src/plan.rs"]
#[allow(dead_code, reason = "the module writes what the tests read")]
pub mod plan;

use self::plan::{Act, Edge, MARK, Plan, ROOM, Step};
use super::lab::Dice;

/// The deepest nesting.
const DEPTH: usize = 3;

/// Artifacts that can be seen somewhere, and whether they may be absent.
type Seen = Vec<(String, bool)>;

/// The module with a plan in it.
pub fn module(empty: &[u8], plan: &Plan) -> Vec<u8> {
    let at = empty.windows(MARK.len()).position(|window| window == MARK);
    let at = at.expect("the module has the mark") + MARK.len();
    let mut bytes = Vec::new();
    ciborium::into_writer(plan, &mut bytes).unwrap();
    assert!(bytes.len() + 4 <= ROOM, "the plan has no room");
    let mut module = empty.to_vec();
    module[at..at + 4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    module[at + 4..at + 4 + bytes.len()].copy_from_slice(&bytes);
    module
}

/// A random plan.
pub fn plan(seed: u64) -> Plan {
    let mut it = Maker {
        dice: Dice(seed),
        steps: Vec::new(),
        names: 0,
    };
    it.sequence("start".into(), "end", DEPTH, Seen::new(), false, true);
    it.step("end", Edge::End, Vec::new(), false);
    let which = it.dice.below(it.steps.len());
    let doomed = &mut it.steps[which];
    doomed.acts.push(Act::Doom);
    doomed.catch = false;
    doomed.acts.retain(|act| !matches!(act, Act::Odd));
    doomed.reads.push(("doom".into(), false));
    let caught = doomed.name.clone();
    let caught = format!("c_{caught}");
    for step in &mut it.steps {
        step.reads.retain(|(name, _)| *name != caught);
        step.inputs.retain(|(name, _)| *name != caught);
    }
    Plan { steps: it.steps }
}

struct Maker {
    dice: Dice,
    steps: Vec<Step>,
    names: u32,
}

impl Maker {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("s{}", self.names)
    }

    /// Some blocks one after another, from `entry` to `exit`. What can be seen at the exit.
    ///
    /// `plain` when the first must be a step that opens nothing.
    fn sequence(
        &mut self,
        entry: String,
        exit: &str,
        depth: usize,
        mut seen: Seen,
        item: bool,
        plain: bool,
    ) -> Seen {
        let blocks = 1 + self.dice.below(if depth == DEPTH { 4 } else { 2 });
        let mut from = entry;
        for block in 0..blocks {
            let to = match block + 1 == blocks {
                true => exit.to_owned(),
                false => self.name(),
            };
            let kind = match depth == 0 || (plain && block == 0) {
                true => 0,
                false => self.dice.below(6),
            };
            seen = match kind {
                1 => self.split(&from, &to, depth, seen, item),
                2 | 3 => self.foreach(&from, &to, depth, seen, item),
                4 => self.switch(&from, &to, depth, seen, item),
                5 => self.turns(from, &to, depth, seen, item),
                _ => self.step(&from, Edge::Next(to.clone()), seen, item),
            };
            from = to;
        }
        seen
    }

    fn split(&mut self, at: &str, exit: &str, depth: usize, seen: Seen, item: bool) -> Seen {
        let join = self.name();
        let branches: Vec<_> = (0..2 + self.dice.below(2)).map(|_| self.name()).collect();
        let before = self.step(at, Edge::Split(branches.clone()), seen, item);
        let mut inputs = Seen::new();
        for branch in branches {
            let after = self.sequence(branch, &join, depth - 1, before.clone(), item, true);
            let new = after.into_iter().filter(|it| !before.contains(it));
            inputs.extend(new.map(|(name, _)| (name, true)));
        }
        self.join(&join, exit, before, inputs, item)
    }

    fn foreach(&mut self, at: &str, exit: &str, depth: usize, seen: Seen, item: bool) -> Seen {
        let (join, body) = (self.name(), self.name());
        let edge = Edge::Foreach(body.clone(), 1 + self.dice.below(4) as u32);
        let before = self.step(at, edge, seen, item);
        let after = self.sequence(body, &join, depth - 1, before.clone(), true, true);
        let inputs = after.into_iter().filter(|it| !before.contains(it));
        let inputs = inputs.collect();
        self.join(&join, exit, before, inputs, item)
    }

    fn join(&mut self, at: &str, exit: &str, seen: Seen, inputs: Seen, item: bool) -> Seen {
        let after = self.step(at, Edge::Next(exit.to_owned()), seen, item);
        let chosen: Seen = inputs
            .into_iter()
            .filter(|_| !self.dice.one_in(4))
            .collect();
        let asks = self.dice.one_in(5);
        let step = self.steps.last_mut().expect("it was just made");
        step.join = true;
        step.inputs = chosen;
        if asks {
            step.acts.push(Act::Branches);
        }
        after
    }

    fn switch(&mut self, at: &str, exit: &str, depth: usize, seen: Seen, item: bool) -> Seen {
        let meet = self.name();
        let mut cases: Vec<_> = (0..1 + self.dice.below(3)).map(|_| self.name()).collect();
        let ways = cases.clone();
        cases.push(meet.clone());
        let before = self.step(at, Edge::Switch(cases), seen, item);
        let mut after = before.clone();
        for way in ways {
            let seen = self.sequence(way, &meet, depth - 1, before.clone(), item, true);
            let new = seen.into_iter().filter(|it| !before.contains(it));
            after.extend(new.map(|(name, _)| (name, true)));
        }
        self.step(&meet, Edge::Next(exit.to_owned()), after, item)
    }

    fn turns(&mut self, at: String, exit: &str, depth: usize, seen: Seen, item: bool) -> Seen {
        let (decide, after) = (self.name(), self.name());
        let first = self.steps.len();
        let seen = self.sequence(at.clone(), &decide, depth - 1, seen, item, true);
        let edge = Edge::Loop(at, after.clone(), 2 + self.dice.below(2) as u32);
        let seen = self.step(&decide, edge, seen, item);
        if self.dice.one_in(2) {
            // What the turn before has written.
            self.steps[first].reads.push((format!("v_{decide}"), true));
        }
        self.step(&after, Edge::Next(exit.to_owned()), seen, item)
    }

    /// A step. What can be seen after it.
    fn step(&mut self, name: &str, edge: Edge, mut seen: Seen, item: bool) -> Seen {
        let dice = &mut self.dice;
        let mut reads: Seen = Vec::new();
        for artifact in &seen {
            if dice.one_in(3) && !reads.contains(artifact) {
                reads.push(artifact.clone());
            }
        }
        for parameter in ["n", "mix"] {
            if dice.one_in(3) {
                reads.push((parameter.into(), false));
            }
        }
        let mut acts: Vec<Act> = (0..dice.below(4)).map(|_| act(dice)).collect();
        let retries = match dice.one_in(6) {
            true => 1 + dice.below(2) as u32,
            false => 0,
        };
        if retries > 0 {
            acts.push(Act::Fail(retries, dice.below(3) as u32));
        }
        let decides = matches!(edge, Edge::Foreach(..) | Edge::Switch(_) | Edge::Loop(..));
        let catch = !decides && dice.one_in(6);
        if catch {
            acts.push(Act::Odd);
        }
        let mut bigs = 0;
        acts.retain(|act| {
            // What is written once is written.
            bigs += u32::from(matches!(act, Act::Big(_)));
            !matches!(act, Act::Big(_)) || bigs == 1
        });
        let big = acts.iter().any(|act| matches!(act, Act::Big(_)));
        self.steps.push(Step {
            name: name.to_owned(),
            reads,
            item: item && self.dice.one_in(2),
            join: false,
            inputs: Vec::new(),
            edge,
            retries,
            catch,
            portable: self.dice.one_in(8),
            acts,
        });
        seen.push((format!("v_{name}"), catch));
        if big {
            seen.push((format!("b_{name}"), catch));
        }
        if catch {
            seen.push((format!("c_{name}"), true));
        }
        seen
    }
}

fn act(dice: &mut Dice) -> Act {
    match dice.below(9) {
        0 | 1 => Act::Draw,
        2 => Act::Clock(dice.below(3) as u64 * 40_000),
        3 => Act::Hash,
        4 => Act::Float,
        5 => Act::Print([3, 30, 3000][dice.below(3)]),
        6 => Act::Who,
        7 => Act::Big([1, 40, 200][dice.below(3)]),
        _ => Act::Look,
    }
}

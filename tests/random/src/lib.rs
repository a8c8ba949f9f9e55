//! A flow that is whatever the plan in this module says: see [`plan`].

#![allow(
    clippy::disallowed_methods,
    reason = "a guest does what its host must answer"
)]

#[rustfmt::skip]
#[path = "../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod bindings;

mod acts;
mod describe;
mod plan;

use bindings::wrun::flow::types::{Definition, Failure, Outcome};
use bindings::wrun::flow::{artifacts, task};
use plan::{Edge, MARK, Plan, ROOM, Step};

/// The mark, the length of the plan in four bytes, the plan in CBOR. The tests put it there.
static PLAN: [u8; MARK.len() + ROOM] = {
    // Not zeros, which would not be in the module.
    let mut bytes = [0xa5; MARK.len() + ROOM];
    let mut at = 0;
    while at < MARK.len() {
        bytes[at] = MARK[at];
        at += 1;
    }
    bytes
};

fn plan() -> Plan {
    // The compiler must not know what is in there: it will be something else.
    let bytes = &std::hint::black_box(&PLAN)[MARK.len()..];
    let (len, rest) = bytes.split_at(4);
    let len = u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize;
    ciborium::from_reader(&rest[..len]).expect("the tests wrote a plan")
}

struct Flow;

impl bindings::Guest for Flow {
    fn describe() -> Definition {
        describe::definition(&plan())
    }

    fn run(name: String) -> Result<Outcome, Failure> {
        let plan = plan();
        let step = plan.steps.iter().find(|step| step.name == name);
        let step = step.ok_or_else(|| fatal("no such step"))?;
        let mut state = State::default();
        read(step, &mut state);
        for act in &step.acts {
            acts::act(step, act, &mut state)?;
        }
        write(step, &state);
        Ok(leave(step, &state))
    }
}

fn fatal(message: &str) -> Failure {
    Failure {
        retryable: false,
        message: message.to_owned(),
        causes: Vec::new(),
    }
}

/// All that a step has met, mixed.
struct State {
    mixed: u64,
    float: f64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            mixed: 0xcbf2_9ce4_8422_2325,
            float: 1.5,
        }
    }
}

impl State {
    /// FNV-1a over more bytes, with the high bits folded down.
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mixed = (self.mixed ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.mixed ^= self.mixed >> 29;
    }

    fn mix_all(&mut self, bytes: Option<Vec<u8>>) {
        match bytes {
            None => self.mix(b"absent"),
            Some(bytes) => self.mix(&bytes),
        }
    }
}

fn read(step: &Step, state: &mut State) {
    state.mix(step.name.as_bytes());
    for (name, _) in &step.reads {
        state.mix_all(artifacts::get(name));
    }
    if step.item {
        state.mix(&artifacts::item());
    }
    if step.join {
        for branch in 0..artifacts::input_count() {
            for (name, _) in &step.inputs {
                state.mix_all(artifacts::input_get(branch, name));
            }
        }
    }
}

fn cbor(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("a vector takes all bytes");
    bytes
}

fn put(kind: &str, step: &Step, value: &impl serde::Serialize) {
    let name = format!("{kind}_{}", step.name);
    artifacts::put(&name, "application/cbor", &cbor(value));
}

fn write(step: &Step, state: &State) {
    let words = format!("{:x}", state.mixed % 4096);
    put("v", step, &(state.mixed, state.float, words));
}

fn leave(step: &Step, state: &State) -> Outcome {
    match &step.edge {
        Edge::End | Edge::Next(_) | Edge::Split(_) => Outcome::Done,
        Edge::Foreach(_, most) => {
            let count = state.mixed % u64::from(*most + 1);
            let list: Vec<u64> = (0..count).map(|at| state.mixed ^ at).collect();
            put("l", step, &list);
            Outcome::Items(count as u32)
        }
        Edge::Switch(cases) => {
            let case = format!("case{}", state.mixed % cases.len() as u64);
            put("w", step, &case);
            Outcome::Case(case)
        }
        Edge::Loop(_, _, most) => {
            let turn = task::current().turns.last().copied().unwrap_or(1);
            let again = turn < *most && !state.mixed.is_multiple_of(4);
            let case = if again { "again" } else { "done" };
            put("w", step, &case);
            Outcome::Case(case.to_owned())
        }
    }
}

bindings::export_flow!(Flow with_types_in bindings);

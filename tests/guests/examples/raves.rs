//! A module whose `describe` answers at once, and with nothing that makes sense.

#[rustfmt::skip]
#[path = "../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod bindings;
#[path = "../src/step.rs"]
mod step;

use bindings::wrun::flow::types::{Definition, Edge, Failure, Outcome, ParamKind, Parameter, Step};

struct Flow;

fn step(name: &str, next: &str) -> Step {
    let mut step = step::step(name, Edge::Next(next.into()));
    step.docs = "\u{1b}[2J".into();
    step.source = "\u{1b}]0;gone\u{7}".into();
    step.join = true;
    step.timeout_ms = Some(0);
    step.resources.memory_mib = Some(u32::MAX);
    step
}

impl bindings::Guest for Flow {
    fn describe() -> Definition {
        Definition {
            name: "../\u{1b}[2Jraves".into(),
            docs: String::new(),
            sdk: String::new(),
            parameters: vec![Parameter {
                name: "../../etc/passwd".into(),
                docs: String::new(),
                kind: ParamKind::Unsigned,
                bits: 200,
                many: false,
                ty: "u8".into(),
                default: Some(vec![0xff, 0xff]),
                choices: vec!["no number".into()],
            }],
            steps: vec![step("a\u{7}", "b"), step("start", "start")],
        }
    }

    fn run(_: String) -> Result<Outcome, Failure> {
        Ok(Outcome::Done)
    }
}

bindings::export_flow!(Flow with_types_in bindings);

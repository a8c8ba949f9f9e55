//! What the flow says of itself.

use crate::bindings::wrun::flow::types::{
    Definition, Edge, FanOut, ParamKind, Parameter, Read, Step, Write,
};
use crate::step::step;

/// Two arms side by side: a foreach over attempts, and one over honest tasks.
pub fn definition() -> Definition {
    let mut steps = vec![
        step("start", Edge::Split(vec!["arm".into(), "calm".into()])),
        fan_out("arm", "attempts", "items", "attempt"),
        step("attempt", Edge::Next("gather".into())),
        step("gather", Edge::Next("finish".into())),
        fan_out("calm", "neighbours", "turns", "work"),
        step("work", Edge::Next("settle".into())),
        step("settle", Edge::Next("finish".into())),
        step("finish", Edge::End),
    ];
    for step in &mut steps {
        step.join = matches!(step.name.as_str(), "gather" | "settle" | "finish");
        match step.name.as_str() {
            "start" => step.writes.push(write("hidden", "Text")),
            "attempt" => {
                step.item = Some("String".into());
                step.writes.push(write("said", "Text"));
                step.catch = Some("failed".into());
            }
            "work" => {
                step.item = Some("String".into());
                step.writes.push(write("sum", "Text"));
            }
            _ => {}
        }
    }
    Definition {
        name: "abuses".into(),
        docs: "Attempts to get at what was not given.".into(),
        sdk: String::new(),
        parameters: vec![list("attempts"), list("neighbours")],
        steps,
    }
}

fn list(name: &str) -> Parameter {
    Parameter {
        name: name.into(),
        docs: String::new(),
        kind: ParamKind::Text,
        bits: 0,
        many: true,
        ty: "Vec<String>".into(),
        default: None,
        choices: Vec::new(),
    }
}

fn write(name: &str, ty: &str) -> Write {
    Write {
        name: name.into(),
        ty: ty.into(),
    }
}

fn fan_out(name: &str, reads: &str, artifact: &str, next: &str) -> Step {
    let mut step = step(
        name,
        Edge::Foreach(FanOut {
            artifact: artifact.into(),
            next: next.into(),
        }),
    );
    step.reads.push(Read {
        name: reads.into(),
        ty: "Vec<String>".into(),
        optional: false,
    });
    step.writes.push(write(artifact, "Vec<String>"));
    step
}

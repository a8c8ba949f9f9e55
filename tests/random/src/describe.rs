//! The definition that follows from a plan.

use crate::bindings::wrun::flow::types::{
    Decision, Definition, Edge as Follows, FanOut, ParamKind, Parameter, Read, Resources, Retry,
    Step as Described, SwitchCase, Write,
};
use crate::plan::{Act, Edge, Plan, Step};

pub fn definition(plan: &Plan) -> Definition {
    Definition {
        name: "random".into(),
        docs: String::new(),
        sdk: String::new(),
        parameters: vec![
            parameter("n", ParamKind::Unsigned, 32),
            parameter("mix", ParamKind::Text, 0),
            parameter("doom", ParamKind::Unsigned, 32),
        ],
        steps: plan.steps.iter().map(described).collect(),
    }
}

/// The type of an artifact follows from its name.
fn type_of(name: &str) -> String {
    let ty = match (name, name.split('_').next()) {
        ("n" | "doom", _) => "u32",
        ("mix", _) | (_, Some("w")) => "String",
        (_, Some("l")) => "Vec<u64>",
        (_, Some("b")) => "Blob",
        (_, Some("c")) => "Failure",
        _ => "Value",
    };
    ty.to_owned()
}

fn parameter(name: &str, kind: ParamKind, bits: u8) -> Parameter {
    Parameter {
        name: name.into(),
        docs: String::new(),
        kind,
        bits,
        many: false,
        ty: type_of(name),
        default: None,
        choices: Vec::new(),
    }
}

fn reads(of: &[(String, bool)]) -> Vec<Read> {
    let read = |(name, optional): &(String, bool)| Read {
        name: name.clone(),
        ty: type_of(name),
        optional: *optional,
    };
    of.iter().map(read).collect()
}

fn described(step: &Step) -> Described {
    let name = &step.name;
    let mut written = vec![format!("v_{name}")];
    match step.edge {
        Edge::Foreach(..) => written.push(format!("l_{name}")),
        Edge::Switch(_) | Edge::Loop(..) => written.push(format!("w_{name}")),
        _ => {}
    }
    if step.acts.iter().any(|act| matches!(act, Act::Big(_))) {
        written.push(format!("b_{name}"));
    }
    let write = |name: String| Write {
        ty: type_of(&name),
        name,
    };
    Described {
        name: name.clone(),
        docs: String::new(),
        source: String::new(),
        reads: reads(&step.reads),
        item: step.item.then(|| "u64".to_owned()),
        join: step.join,
        inputs: reads(&step.inputs),
        merge: Vec::new(),
        writes: written.into_iter().map(write).collect(),
        edge: edge(step),
        retry: (step.retries > 0).then_some(Retry {
            times: step.retries,
            backoff_ms: 1,
        }),
        timeout_ms: None,
        catch: step.catch.then(|| format!("c_{name}")),
        resources: Resources {
            cpu_millis: None,
            memory_mib: None,
            gpus: None,
            disk_mib: None,
        },
        portable_floats: step.portable,
    }
}

fn edge(step: &Step) -> Follows {
    let case = |(name, next): (String, &String)| SwitchCase {
        name,
        next: next.clone(),
    };
    let decision = |cases, max_turns| {
        Follows::Switch(Decision {
            artifact: format!("w_{}", step.name),
            cases,
            max_turns,
        })
    };
    match &step.edge {
        Edge::End => Follows::End,
        Edge::Next(next) => Follows::Next(next.clone()),
        Edge::Split(branches) => Follows::Split(branches.clone()),
        Edge::Foreach(next, _) => Follows::Foreach(FanOut {
            artifact: format!("l_{}", step.name),
            next: next.clone(),
        }),
        Edge::Switch(cases) => {
            let named = cases.iter().enumerate();
            let named = named.map(|(at, next)| case((format!("case{at}"), next)));
            decision(named.collect(), None)
        }
        Edge::Loop(again, done, most) => {
            let cases = [("again".to_owned(), again), ("done".to_owned(), done)];
            decision(cases.map(case).into(), Some(*most))
        }
    }
}

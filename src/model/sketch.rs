//! Flows written as a few lines of text, for tests.
//!
//! ```text
//! param parts: u32
//! start > each shards: count ; w shards: Vec<Shard>
//! count > total ; item Shard ; r parts: u32 ; w counts: Counts ; retry 2 100
//! total join > done ; in counts: Counts, late?: u32 ; merge schema
//! done > by route: again = start, stop = end max 3 ; w route: Route
//! end
//! ```

use super::definition::{Case, Definition, Edge, ParamKind, Parameter, Read, Retry, Step, Write};
use super::graph::FlowGraph;

/// The definition that `text` sketches, of a flow named `sketch`.
pub(crate) fn definition(text: &str) -> Definition {
    let mut flow = Definition {
        name: "sketch".into(),
        ..Definition::default()
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for (number, line) in lines.enumerate() {
        match line.strip_prefix("param ") {
            Some(parameter) => flow.parameters.push(param(parameter)),
            None => flow.steps.push(step(line, number + 1)),
        }
    }
    flow
}

/// The graph that `text` sketches.
pub(crate) fn graph(text: &str) -> FlowGraph {
    FlowGraph::new(&definition(text)).unwrap_or_else(|problems| panic!("{problems}"))
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

fn typed(text: &str) -> (&str, &str) {
    let (name, ty) = text.split_once(':').unwrap_or((text, "T"));
    (name.trim(), ty.trim())
}

fn param(text: &str) -> Parameter {
    let (name, ty) = typed(text);
    let (kind, bits) = if ty == "u32" {
        (ParamKind::Unsigned, 32)
    } else {
        (ParamKind::Json, 0)
    };
    Parameter {
        name: name.into(),
        docs: String::new(),
        kind,
        bits,
        many: false,
        ty: ty.into(),
        default: None,
        choices: Vec::new(),
    }
}

fn read(text: &str) -> Read {
    let (name, ty) = typed(text);
    let plain = name.trim_end_matches('?');
    Read {
        name: plain.into(),
        ty: ty.into(),
        optional: plain != name,
    }
}

fn write(text: &str) -> Write {
    let (name, ty) = typed(text);
    Write {
        name: name.into(),
        ty: ty.into(),
    }
}

fn step(line: &str, number: usize) -> Step {
    let mut clauses = line.split(';').map(str::trim);
    let head = clauses.next().unwrap();
    let (head, way) = head
        .split_once('>')
        .map_or((head, ""), |(head, way)| (head, way.trim()));
    let join = head.split_whitespace().nth(1) == Some("join");
    let name = head.split_whitespace().next().unwrap().to_owned();
    let source = format!("src/lib.rs:{number}");
    let mut step = Step {
        name,
        source,
        join,
        edge: edge(way),
        ..Step::default()
    };
    for clause in clauses {
        let (word, rest) = clause.split_once(' ').unwrap();
        match word {
            "r" => step.reads = list(rest).map(read).collect(),
            "in" => step.inputs = list(rest).map(read).collect(),
            "w" => step.writes = list(rest).map(write).collect(),
            "merge" => step.merge = list(rest).map(str::to_owned).collect(),
            "item" => step.item = Some(rest.into()),
            "catch" => step.catch = Some(rest.into()),
            "docs" => step.docs = rest.into(),
            "retry" => {
                let (times, backoff) = rest.split_once(' ').unwrap();
                let (times, backoff_ms) = (times.parse().unwrap(), backoff.parse().unwrap());
                step.retry = Some(Retry { times, backoff_ms });
            }
            "timeout" => step.timeout_ms = Some(rest.parse().unwrap()),
            _ => panic!("`{clause}` is not part of a sketch"),
        }
    }
    step
}

fn edge(way: &str) -> Edge {
    if way.is_empty() {
        return Edge::End;
    }
    if let Some(rest) = way.strip_prefix("each ") {
        let (artifact, next) = typed(rest);
        return Edge::Foreach {
            artifact: artifact.into(),
            next: next.into(),
        };
    }
    if let Some(rest) = way.strip_prefix("by ") {
        let (rest, max_turns) = match rest.split_once(" max ") {
            Some((rest, max)) => (rest, Some(max.trim().parse().unwrap())),
            None => (rest, None),
        };
        let (artifact, cases) = typed(rest);
        let cases = list(cases)
            .filter_map(|case| case.split_once('='))
            .map(|(name, next)| Case {
                name: name.trim().into(),
                next: next.trim().into(),
            });
        return Edge::Switch {
            artifact: artifact.into(),
            cases: cases.collect(),
            max_turns,
        };
    }
    match way
        .split('&')
        .map(|branch| branch.trim().to_owned())
        .collect::<Vec<_>>()
    {
        branches if branches.len() > 1 => Edge::Split(branches),
        _ => Edge::Next(way.into()),
    }
}

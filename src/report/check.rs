//! What is known of a flow before it runs: its problems, or what it consists of.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::style::Style;
use super::table::{Align, Cell, Table};
use super::{clean, human, json as shape};
use crate::model::grant::{Class, Grants, asks_over_http};
use crate::model::graph::{EdgeIx, FlowGraph, StepIx, StepNode};
use crate::model::name::StepName;
use crate::model::validate::{Problem, Problems};

/// All problems, one after the other, each with what to do about it.
pub fn problems(flow: &str, problems: &Problems, style: &Style) -> String {
    let many = human::count(problems.count() as u64, "problem");
    let mut text = format!("flow {} has {many}\n", style.name(clean::line(flow)));
    for problem in problems {
        let what = format!("{} {}", problem.site, problem.fault);
        text += &format!("\n{} {}\n", style.failed("✗"), clean::line(&what));
        if let Some(hint) = problem.fault.hint() {
            text += &format!("  {} {}\n", style.hint("hint:"), clean::line(&hint));
        }
    }
    let unlisted = problems.count() - problems.iter().count();
    if unlisted > 0 {
        text += &format!("\n… and {unlisted} more\n");
    }
    text
}

/// Problems for machines: `flow`, `ok` (false), `count`, `problems` with `code`, `step`, `source`,
/// `parameter`, `message`, `hint`.
pub fn problems_json(flow: &str, problems: &Problems) -> Json {
    let listed: Vec<&Problem> = problems.iter().collect();
    let members = [
        ("flow", flow.into()),
        ("ok", false.into()),
        ("count", problems.count().into()),
        ("problems", json!(listed)),
    ];
    shape::object(members).into()
}

/// What a valid flow consists of: parameters, steps with what they read and write, and what follows.
pub fn summary(graph: &FlowGraph, style: &Style) -> String {
    let name = style.name(graph.name());
    let mut text = format!("flow {name} is valid: {}\n", counts(graph));
    if let Some(first) = graph.docs().lines().next().filter(|line| !line.is_empty()) {
        text += &format!("  {}\n", clean::line(first));
    }
    if !graph.parameters().is_empty() {
        text += &format!("\n{}", parameters(graph, style));
    }
    text + "\n" + &steps(graph, style)
}

/// How exact each step is, from what its module imports and what it is granted.
pub fn classes(
    graph: &FlowGraph,
    imports: &[String],
    grants: &Grants,
) -> BTreeMap<StepName, Class> {
    let steps = graph.steps().iter();
    let class = |step: &StepNode| Class::of(imports, grants.of(&step.name));
    steps.map(|step| (step.name.clone(), class(step))).collect()
}

/// How exact the steps are, in words, and what they are granted.
pub fn touching(graph: &FlowGraph, imports: &[String], grants: &Grants) -> String {
    let mut of: BTreeMap<Class, Vec<&str>> = BTreeMap::new();
    let classes = classes(graph, imports, grants);
    for (step, class) in &classes {
        of.entry(*class).or_default().push(step.as_str());
    }
    let mut text = "\n".to_owned();
    for (class, steps) in &of {
        let whose = match of.len() {
            1 => String::new(),
            _ => format!(" ({})", clean::short(&steps.join(", "), 60)),
        };
        text += &format!("class    {class}{whose}: {}\n", class.words());
    }
    for grant in grants.lines() {
        text += &format!("granted  {}\n", clean::line(&grant));
    }
    if asks_over_http(imports).is_some() && !grants.has_http() {
        text += "missing  http=https://HOST: it asks over HTTP, and nobody was granted\n";
    }
    text
}

fn counts(graph: &FlowGraph) -> String {
    let mut artifacts: Vec<_> = graph
        .steps()
        .iter()
        .flat_map(|step| &step.writes)
        .map(|write| &write.name)
        .collect();
    artifacts.sort();
    artifacts.dedup();
    format!(
        "{}, {}, {}",
        human::count(graph.steps().len() as u64, "step"),
        human::count(artifacts.len() as u64, "artifact"),
        human::count(graph.parameters().len() as u64, "parameter"),
    )
}

fn parameters(graph: &FlowGraph, style: &Style) -> String {
    let mut table = Table::new(&[
        ("parameter", Align::Left),
        ("type", Align::Left),
        ("about", Align::Left),
    ]);
    for param in graph.parameters() {
        let need = if param.default.is_none() && !param.many {
            "required; "
        } else {
            ""
        };
        let about = param.docs.lines().next().unwrap_or_default();
        table.row([
            Cell::painted(param.name.as_str(), style.name(&param.name)),
            clean::short(&param.ty, 30).into(),
            clean::short(&format!("{need}{about}"), 70).into(),
        ]);
    }
    table.render(style, 0)
}

fn steps(graph: &FlowGraph, style: &Style) -> String {
    let mut table = Table::new(&[
        ("step", Align::Left),
        ("reads", Align::Left),
        ("writes", Align::Left),
        ("then", Align::Left),
    ]);
    for step in graph.steps() {
        table.row([
            Cell::painted(step.name.as_str(), style.name(&step.name)),
            clean::short(&names(&reads(step)), 40).into(),
            clean::short(&names(&writes(step)), 40).into(),
            clean::short(&then(graph, step), 60).into(),
        ]);
    }
    table.render(style, 0)
}

fn reads(step: &StepNode) -> Vec<&str> {
    let item = step.item.as_ref().map(|_| "(item)");
    let declared = step
        .reads
        .iter()
        .chain(&step.inputs)
        .map(|read| read.name.as_str());
    item.into_iter().chain(declared).collect()
}

fn writes(step: &StepNode) -> Vec<&str> {
    step.writes
        .iter()
        .map(|write| write.name.as_str())
        .collect()
}

fn names(names: &[&str]) -> String {
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(", ")
    }
}

/// What follows a step, in words.
fn then(graph: &FlowGraph, step: &StepNode) -> String {
    let name = |ix: &StepIx| graph.step(*ix).name.as_str().to_owned();
    match &step.edge {
        EdgeIx::End => "end of the flow".to_owned(),
        EdgeIx::Next(next) => name(next),
        EdgeIx::Split { branches, join } => {
            let branches: Vec<_> = branches.iter().map(name).collect();
            format!(
                "{} side by side, joined by {}",
                branches.join(", "),
                name(join)
            )
        }
        EdgeIx::Foreach {
            artifact,
            next,
            join,
        } => {
            format!(
                "{} for each of {artifact}, joined by {}",
                name(next),
                name(join)
            )
        }
        EdgeIx::Switch {
            artifact,
            cases,
            max_turns,
        } => {
            let cases: Vec<_> = cases
                .iter()
                .map(|(case, next)| format!("{case}: {}", name(next)))
                .collect();
            let turns = max_turns.map(|turns| format!(" (at most {turns} turns)"));
            format!(
                "by {artifact}: {}{}",
                cases.join(", "),
                turns.unwrap_or_default()
            )
        }
    }
}

/// A valid flow for machines: `flow`, `ok` (true), `docs`, `sdk`, `parameters`, `steps`.
pub fn summary_json(graph: &FlowGraph) -> Json {
    let members = [
        ("flow", json!(graph.name())),
        ("ok", true.into()),
        ("docs", graph.docs().into()),
        ("sdk", graph.sdk().into()),
        (
            "parameters",
            graph.parameters().iter().map(parameter_json).collect(),
        ),
        (
            "steps",
            graph
                .steps()
                .iter()
                .map(|step| step_json(graph, step))
                .collect(),
        ),
    ];
    shape::object(members).into()
}

fn parameter_json(param: &crate::model::graph::Param) -> Json {
    json!({
        "name": param.name,
        "docs": param.docs,
        "kind": param.kind,
        "bits": param.bits,
        "many": param.many,
        "type": param.ty,
        "required": param.default.is_none() && !param.many,
        "choices": param.choices,
    })
}

fn step_json(graph: &FlowGraph, step: &StepNode) -> Json {
    let next: Vec<_> = step
        .edge
        .targets()
        .iter()
        .map(|ix| &graph.step(*ix).name)
        .collect();
    let kind = match &step.edge {
        EdgeIx::End => "end",
        EdgeIx::Next(_) => "next",
        EdgeIx::Split { .. } => "split",
        EdgeIx::Foreach { .. } => "foreach",
        EdgeIx::Switch { .. } => "switch",
    };
    json!({
        "name": step.name,
        "docs": step.docs,
        "source": step.source,
        "reads": step.reads.iter().map(|read| &read.name).collect::<Vec<_>>(),
        "inputs": step.inputs.iter().map(|read| &read.name).collect::<Vec<_>>(),
        "item": step.item,
        "writes": step.writes.iter().map(|write| &write.name).collect::<Vec<_>>(),
        "join": step.join,
        "edge": kind,
        "next": next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::definition::{Definition, Edge, Read, Step, Write};

    fn definition() -> Definition {
        let shards = || Write {
            name: "shards".into(),
            ty: "Vec<u32>".into(),
        };
        let each = Edge::Foreach {
            artifact: "shards".into(),
            next: "count".into(),
        };
        let start = Step {
            name: "start".into(),
            writes: vec![shards()],
            edge: each,
            ..Step::default()
        };
        let count = Step {
            name: "count".into(),
            item: Some("u32".into()),
            writes: vec![Write {
                name: "counts".into(),
                ty: "u64".into(),
            }],
            edge: Edge::Next("total".into()),
            ..Step::default()
        };
        let total = Step {
            name: "total".into(),
            join: true,
            inputs: vec![Read {
                name: "counts".into(),
                ty: "u64".into(),
                optional: false,
            }],
            edge: Edge::End,
            ..Step::default()
        };
        Definition {
            name: "wordcount".into(),
            docs: "Counts words.\n\nIn shards.".into(),
            steps: vec![start, count, total],
            ..Definition::default()
        }
    }

    #[test]
    fn a_valid_flow_says_what_it_consists_of() {
        let graph = FlowGraph::new(&definition()).unwrap();
        insta::assert_snapshot!(summary(&graph, &Style::plain()), @r"
        flow wordcount is valid: 3 steps, 2 artifacts, 0 parameters
          Counts words.

        step   reads   writes  then
        start  -       shards  count for each of shards, joined by total
        count  (item)  counts  total
        total  counts  -       end of the flow
        ");
        let json = summary_json(&graph);
        assert_eq!(
            (&json["ok"], &json["steps"][0]["edge"]),
            (&Json::from(true), &"foreach".into())
        );
    }

    #[test]
    fn all_problems_are_listed_with_what_to_do() {
        let mut wrong = definition();
        wrong.steps[0].edge = Edge::Foreach {
            artifact: "shard".into(),
            next: "cuont".into(),
        };
        wrong.steps[2].edge = Edge::Next("\u{1b}[2J".into());
        let found = FlowGraph::new(&wrong).unwrap_err();
        insta::assert_snapshot!(problems("wordcount", &found, &Style::plain()), @r#"
        flow wordcount has 3 problems

        ✗ step `start` leads to `cuont`, which is not a step
          hint: did you mean `count`?

        ✗ step `total` leads to `�[2J`, which is not a step

        ✗ step `start` has `foreach = "shard"`, and does not write `shard`
          hint: did you mean `shards`?
        "#);
        let json = problems_json("wordcount", &found);
        assert_eq!(json["count"], found.count());
    }
}

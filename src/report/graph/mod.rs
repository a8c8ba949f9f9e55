//! Pictures of a flow: as text for the terminal, as Mermaid, as Graphviz dot, as SVG.
//!
//! Pure functions from a [`FlowGraph`] to text. What an author wrote (docs, types) is shortened and
//! escaped for where it goes; names are names and need neither.

mod layout;
mod svg;

use std::fmt::Write;

use crate::model::graph::{EdgeIx, FlowGraph, Scope, StepIx, StepNode};

pub use svg::svg;

/// The longest line of docs in a picture, in characters.
const LONGEST_DOCS: usize = 60;

/// A drawing of the flow for the terminal: a line for each step, inside what is around it.
///
/// Plain text without colours, ending with a new line.
pub fn text(graph: &FlowGraph) -> String {
    let mut out = graph.name().to_string();
    let docs = first_line(graph.docs());
    let _ = if docs.is_empty() {
        writeln!(out)
    } else {
        writeln!(out, "  {docs}")
    };
    for parameter in graph.parameters() {
        let docs = first_line(&parameter.docs);
        let line = format!(
            "  --{} <{}>  {docs}",
            parameter.name,
            first_line(&parameter.ty)
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = writeln!(out);
    let order = reading_order(graph);
    let margin = |step: &StepNode| 3 * step.scopes.len() + step.name.as_str().len();
    let widest = order
        .iter()
        .map(|ix| margin(graph.step(*ix)))
        .max()
        .unwrap_or(0)
        .min(40);
    let mut around: &[Scope] = &[];
    for (i, ix) in order.iter().enumerate() {
        let step = graph.step(*ix);
        open_scopes(graph, around, step, &mut out);
        around = &step.scopes;
        let indent = "│  ".repeat(step.scopes.len());
        let label = format!("{indent}{} {}", mark(step), step.name);
        let notes = notes(graph, *ix, order.get(i + 1).copied());
        let line = format!("{label:<width$}  {notes}", width = widest + 2);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The headings of what begins before `step`.
fn open_scopes(graph: &FlowGraph, around: &[Scope], step: &StepNode, out: &mut String) {
    let common = around
        .iter()
        .zip(&step.scopes)
        .take_while(|(a, b)| a == b)
        .count();
    for (depth, scope) in step.scopes.iter().enumerate().skip(common) {
        let heading = match scope {
            Scope::Split { at, branch } => {
                let count = graph.step(*at).edge.targets().len();
                format!("branch {} of {count}", branch + 1)
            }
            Scope::Foreach { at } => match &graph.step(*at).edge {
                EdgeIx::Foreach { artifact, .. } => format!("each of {artifact}"),
                _ => "each".to_owned(),
            },
            Scope::Loop { head } => format!("loop of {}", graph.step(*head).name),
        };
        let _ = writeln!(out, "{}├─ {heading}", "│  ".repeat(depth));
    }
}

fn mark(step: &StepNode) -> char {
    match step.edge {
        EdgeIx::Switch { .. } => '◇',
        _ if step.join => '◉',
        _ => '●',
    }
}

/// What is beside a step: that it joins, where it leads when that is not the next line, its docs.
fn notes(graph: &FlowGraph, ix: StepIx, next: Option<StepIx>) -> String {
    let step = graph.step(ix);
    let mut parts = Vec::new();
    if let Some(opener) = step.closes {
        parts.push(format!("joins {}", graph.step(opener).name));
    }
    match &step.edge {
        EdgeIx::Switch {
            cases, max_turns, ..
        } => {
            let ways = cases
                .iter()
                .map(|(case, to)| format!("{case} → {}", graph.step(*to).name));
            parts.push(ways.collect::<Vec<_>>().join(", "));
            parts.extend(max_turns.map(|turns| format!("at most {turns} turns")));
        }
        EdgeIx::Next(to) if Some(*to) != next && !graph.step(*to).join => {
            parts.push(format!("→ {}", graph.step(*to).name));
        }
        _ => {}
    }
    parts.extend(step.retry.map(|retry| format!("{} retries", retry.times)));
    parts.extend(step.catch.as_ref().map(|name| format!("catches {name}")));
    let docs = first_line(&step.docs);
    match (parts.is_empty(), docs.is_empty()) {
        (true, _) => docs,
        (false, true) => format!("[{}]", parts.join("; ")),
        (false, false) => format!("[{}] {docs}", parts.join("; ")),
    }
}

/// Whether an edge leads back to the head of a loop around `from`.
fn leads_back(graph: &FlowGraph, from: StepIx, to: StepIx) -> bool {
    graph.step(from).scopes.contains(&Scope::Loop { head: to })
}

/// All steps, each after those before it, and every branch in one piece.
fn reading_order(graph: &FlowGraph) -> Vec<StepIx> {
    let count = graph.steps().len();
    let all = (0..).map(StepIx).take(count);
    let mut missing = vec![0_usize; count];
    for from in all {
        for to in graph.step(from).edge.targets() {
            missing[to.index()] += usize::from(!leads_back(graph, from, to));
        }
    }
    let mut order = Vec::with_capacity(count);
    let mut ready = vec![graph.start()];
    while let Some(step) = ready.pop() {
        order.push(step);
        for to in graph.step(step).edge.targets().into_iter().rev() {
            if leads_back(graph, step, to) {
                continue;
            }
            missing[to.index()] -= 1;
            if missing[to.index()] == 0 {
                ready.push(to);
            }
        }
    }
    order
}

/// The ways on from a step, with what is written on each.
fn ways(step: &StepNode) -> Vec<(StepIx, String)> {
    match &step.edge {
        EdgeIx::End => Vec::new(),
        EdgeIx::Next(next) => vec![(*next, String::new())],
        EdgeIx::Split { branches, .. } => branches
            .iter()
            .map(|branch| (*branch, String::new()))
            .collect(),
        EdgeIx::Foreach { artifact, next, .. } => vec![(*next, format!("each of {artifact}"))],
        EdgeIx::Switch { cases, .. } => cases
            .iter()
            .map(|(case, next)| (*next, case.to_string()))
            .collect(),
    }
}

/// The first line of a text that somebody wrote, short and without control characters.
fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("");
    // Marks that turn the direction of text could make it say something else than it does.
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut shown: String = line
        .chars()
        .filter(|c| !hides(*c))
        .take(LONGEST_DOCS)
        .collect();
    if line.chars().nth(LONGEST_DOCS).is_some() {
        shown.push('…');
    }
    shown
}

/// The flow in the language of Mermaid, ending with a new line.
pub fn mermaid(graph: &FlowGraph) -> String {
    let mut out = String::from("flowchart TD\n");
    for (step, i) in graph.steps().iter().zip(0_usize..) {
        let docs = mermaid_text(&first_line(&step.docs));
        let docs = if docs.is_empty() {
            docs
        } else {
            format!("<br/><small>{docs}</small>")
        };
        let (open, close) = match step.edge {
            EdgeIx::Switch { .. } => ("{\"", "\"}"),
            _ if step.join => ("([\"", "\"])"),
            _ => ("[\"", "\"]"),
        };
        let _ = writeln!(out, "    s{i}{open}{}{docs}{close}", step.name);
    }
    for (step, from) in graph.steps().iter().zip((0..).map(StepIx)) {
        for (to, label) in ways(step) {
            let arrow = if leads_back(graph, from, to) {
                "-.->"
            } else {
                "-->"
            };
            let label = if label.is_empty() {
                label
            } else {
                format!("|\"{}\"|", mermaid_text(&label))
            };
            let _ = writeln!(out, "    s{} {arrow}{label} s{}", from.0, to.0);
        }
    }
    out
}

fn mermaid_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Everything that is neither a letter nor harmless goes by its number.
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '_' | '-' | '.' | ',' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => {
                let _ = write!(out, "#{};", u32::from(c));
            }
        }
    }
    out
}

/// The flow in the language of Graphviz, ending with a new line.
pub fn dot(graph: &FlowGraph) -> String {
    let mut out = format!("digraph \"{}\" {{\n", graph.name());
    out.push_str("    node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    out.push_str("    edge [fontname=\"sans-serif\", fontsize=10];\n");
    for (step, i) in graph.steps().iter().zip(0_usize..) {
        let docs = dot_text(&first_line(&step.docs));
        let docs = if docs.is_empty() {
            docs
        } else {
            format!("\\n{docs}")
        };
        let shape = match step.edge {
            EdgeIx::Switch { .. } => ", shape=diamond, style=\"\"",
            _ if step.join => ", shape=ellipse, style=\"\"",
            _ => "",
        };
        let _ = writeln!(out, "    s{i} [label=\"{}{docs}\"{shape}];", step.name);
    }
    for (step, from) in graph.steps().iter().zip((0..).map(StepIx)) {
        for (to, label) in ways(step) {
            let mut options = Vec::new();
            if !label.is_empty() {
                options.push(format!("label=\"{}\"", dot_text(&label)));
            }
            if leads_back(graph, from, to) {
                options.push("style=dashed, constraint=false".to_owned());
            }
            let options = if options.is_empty() {
                String::new()
            } else {
                format!(" [{}]", options.join(", "))
            };
            let _ = writeln!(out, "    s{} -> s{}{options};", from.0, to.0);
        }
    }
    out.push_str("}\n");
    out
}

fn dot_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests;

//! The flow as an SVG picture that stands alone: no script, no font, nothing to fetch.
//!
//! Light and dark follow the reader's setting.

use std::fmt::Write;

use super::first_line;
use super::layout::{self, LAYER, Layout, Line};
use crate::model::graph::{EdgeIx, FlowGraph, StepNode};

const HEIGHT: i64 = 52;
const MARGIN: i64 = 28;
/// Room above the first layer for the name of the flow.
const TITLE: i64 = 36;
/// Room on the right for an edge that leads back, and for the text on it.
const BACK: i64 = 120;

/// Plain rules, without variables: not every viewer of pictures knows those.
const STYLE: &str = "\
text{font-family:system-ui,sans-serif;font-size:11px;fill:#59636e;text-anchor:middle}\
.name{font-size:14px;font-weight:600;fill:#1f2328}.flow{font-size:16px;text-anchor:start}\
.paper{fill:#fff}.box{fill:#f6f8fa;stroke:#b7c0c9;stroke-width:1.5}\
.join{stroke:#1a7f37}.pick{stroke:#0969da}.end{stroke-width:3}\
.line{fill:none;stroke:#8c959f;stroke-width:1.5}.turn{stroke:#9a6700;stroke-dasharray:5 4}\
.halo{stroke:#fff;stroke-width:4px}.tip{fill:#8c959f}\
@media(prefers-color-scheme:dark){text{fill:#9198a1}.name{fill:#f0f6fc}.paper{fill:#0d1117}\
.box{fill:#151b23;stroke:#3d444d}.join{stroke:#3fb950}.pick{stroke:#4493f8}\
.line{stroke:#656c76}.turn{stroke:#d29922}.halo{stroke:#0d1117}.tip{fill:#656c76}}";

/// The flow as an SVG picture, ending with a new line.
pub fn svg(graph: &FlowGraph) -> String {
    let widths: Vec<i64> = graph.steps().iter().map(width).collect();
    let layout = layout::place(graph, &widths);
    let turns = layout.lines.iter().any(|line| line.back);
    let width = layout.width.max(240) + 2 * MARGIN + if turns { BACK } else { 0 };
    let height = layout.layers * LAYER - (LAYER - HEIGHT) + 2 * MARGIN + TITLE;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n"
    );
    let name = escaped(graph.name().as_str());
    let _ = writeln!(out, "<title>{name}</title>\n<style>{STYLE}</style>");
    out.push_str("<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0 8 4 0 8z\"/></marker></defs>\n");
    let _ = writeln!(
        out,
        "<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>"
    );
    let _ = writeln!(
        out,
        "<text class=\"name flow\" x=\"{MARGIN}\" y=\"{}\">{name}</text>",
        MARGIN + 6
    );
    layout
        .lines
        .iter()
        .for_each(|line| edge(line, &layout, &mut out));
    for (step, (x, layer)) in graph.steps().iter().zip(&layout.at) {
        boxed(step, *x + MARGIN, top(*layer), &mut out);
    }
    // Last, so that no box or line hides what is written on an edge.
    layout
        .lines
        .iter()
        .for_each(|line| note(line, &layout, &mut out));
    out.push_str("</svg>\n");
    out
}

fn top(layer: i64) -> i64 {
    layer * LAYER + MARGIN + TITLE
}

/// The width of a box, from the letters in it: there is no font to ask.
fn width(step: &StepNode) -> i64 {
    let letters = |text: &str| {
        i64::try_from(text.chars().count())
            .unwrap_or(i64::MAX)
            .min(80)
    };
    let name = letters(step.name.as_str()) * 9;
    let docs = letters(&first_line(&step.docs)) * 6;
    name.max(docs).max(60) + 28
}

fn boxed(step: &StepNode, x: i64, y: i64, out: &mut String) {
    let width = width(step);
    let left = x - width / 2;
    let (class, round) = match step.edge {
        EdgeIx::Switch { .. } => ("box pick", HEIGHT / 2),
        EdgeIx::End => ("box end", 8),
        _ if step.join => ("box join", 8),
        _ => ("box", 8),
    };
    let mut rect = |shift: i64| {
        let (left, y) = (left + shift, y + shift);
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{left}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" rx=\"{round}\"/>"
        );
    };
    if step.foreach().is_some() {
        // A stack of boxes: there is a task for each element.
        rect(6);
        rect(3);
    }
    rect(0);
    let docs = first_line(&step.docs);
    let line = y + if docs.is_empty() { HEIGHT / 2 + 5 } else { 22 };
    let name = escaped(step.name.as_str());
    let _ = writeln!(
        out,
        "<text class=\"name\" x=\"{x}\" y=\"{line}\">{name}</text>"
    );
    if !docs.is_empty() {
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{}\">{}</text>",
            y + 40,
            escaped(&docs)
        );
    }
}

fn edge(line: &Line, layout: &Layout, out: &mut String) {
    let ((x1, from), (x2, to)) = (layout.at[line.from.index()], layout.at[line.to.index()]);
    let (x1, x2) = (x1 + MARGIN, x2 + MARGIN);
    let mut path = format!("M{x1} {}", top(from) + HEIGHT);
    if line.back {
        let side = layout.width.max(240) + MARGIN + BACK / 2;
        let (low, high) = (top(from) + HEIGHT + 18, top(to) - 18);
        let _ = write!(path, "C{x1} {low} {side} {low} {side} {}", top(from));
        let _ = write!(
            path,
            "L{side} {}C{side} {high} {x2} {high} {x2} {}",
            top(to) + HEIGHT,
            top(to) - 2
        );
    } else {
        let (mut x, mut y) = (x1, top(from) + HEIGHT);
        for (next, layer) in &line.points {
            let (next, high) = (next + MARGIN, top(*layer));
            let bend = (y + high) / 2;
            let _ = write!(
                path,
                "C{x} {bend} {next} {bend} {next} {high}V{}",
                high + HEIGHT
            );
            (x, y) = (next, high + HEIGHT);
        }
        let bend = (y + top(to)) / 2;
        let _ = write!(path, "C{x} {bend} {x2} {bend} {x2} {}", top(to) - 2);
    }
    let class = if line.back { "line turn" } else { "line" };
    let _ = writeln!(
        out,
        "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#tip)\"/>"
    );
}

fn note(line: &Line, layout: &Layout, out: &mut String) {
    if line.label.is_empty() {
        return;
    }
    let ((x1, from), (x2, to)) = (layout.at[line.from.index()], layout.at[line.to.index()]);
    let (x, y) = if line.back {
        (
            layout.width.max(240) + BACK / 2,
            (top(from) + top(to) + HEIGHT) / 2,
        )
    } else {
        let (x2, next) = line.points.first().copied().unwrap_or((x2, to));
        ((x1 + x2) / 2, (top(from) + HEIGHT + top(next)) / 2 + 4)
    };
    let (x, text) = (x + MARGIN, escaped(&line.label));
    // First wider and in the colour of the paper, so that the line behind does not cross it.
    for class in [" class=\"halo\"", ""] {
        let _ = writeln!(out, "<text{class} x=\"{x}\" y=\"{y}\">{text}</text>");
    }
}

/// Text as XML has it. Characters that XML does not have at all are gone already.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

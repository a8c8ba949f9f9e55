//! The parameters of a flow, listed as flags are.

use clap::{Arg, ArgAction, Command};

use crate::cli::value;
use crate::model::definition::ParamKind;
use crate::model::graph::{FlowGraph, Param};
use crate::report::clean;

/// The parameters of `graph` as a command: for help and completion.
///
/// [`super::parse`] does the parsing, because it says better what is wrong.
pub fn command(graph: &FlowGraph) -> Command {
    let heading = format!("Parameters of flow {}", graph.name());
    Command::new(graph.name().to_string())
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .next_help_heading(heading)
        .max_term_width(100)
        .about(clean::block(graph.docs()).into_owned())
        .help_template("{all-args}")
        .args(graph.parameters().iter().map(arg))
}

/// What `wrun run --help` shows for `graph`: the flags of `own`, which is `wrun run`, and the
/// parameters of the flow.
pub fn help(graph: &FlowGraph, mut own: Command, color: bool) -> String {
    let mut flow = command(graph);
    let (own, flow) = (own.render_long_help(), flow.render_help());
    let show = |text: clap::builder::StyledStr| {
        if color {
            text.ansi().to_string()
        } else {
            text.to_string()
        }
    };
    let mut text = show(own).trim_end().to_owned();
    text.push_str("\n\n");
    if graph.parameters().is_empty() {
        text.push_str(&format!("Flow {} has no parameters.\n", graph.name()));
    } else {
        text.push_str(show(flow).trim_end());
        text.push('\n');
    }
    text
}

fn arg(param: &Param) -> Arg {
    let name = param.name.to_string();
    let action = if param.many {
        ArgAction::Append
    } else {
        ArgAction::Set
    };
    let arg = Arg::new(name.clone())
        .long(name)
        .action(action)
        .help(about(param));
    match param.kind {
        ParamKind::Boolean => arg.value_name("BOOL").num_args(0..=1),
        ParamKind::Blob if param.many => arg.value_name("PATH"),
        kind => arg.value_name(value_name(kind)),
    }
}

fn value_name(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Boolean => "BOOL",
        ParamKind::Signed => "INTEGER",
        ParamKind::Unsigned => "NATURAL",
        ParamKind::Float => "NUMBER",
        ParamKind::Text => "TEXT",
        ParamKind::Json => "JSON",
        ParamKind::Blob => "FILE",
        ParamKind::TextFile => "TEXT-FILE",
    }
}

/// The docs of a parameter, and in brackets whatever else there is to know.
fn about(param: &Param) -> String {
    let paragraph: Vec<_> = param
        .docs
        .lines()
        .map(str::trim)
        .take_while(|l| !l.is_empty())
        .collect();
    let mut text = clean::line(&paragraph.join(" ")).into_owned();
    let mut note = |words: String| {
        let gap = if text.is_empty() { "" } else { " " };
        text.push_str(&format!("{gap}[{words}]"));
    };
    if !param.choices.is_empty() {
        note(format!(
            "one of: {}",
            clean::line(&param.choices.join(", "))
        ));
    }
    if param.many {
        let files = if param.kind == ParamKind::Blob {
            "a directory or a file, "
        } else {
            ""
        };
        note(format!("{files}may be given many times"));
    }
    match &param.default {
        Some(default) => note(format!("default: {}", value::default_text(default))),
        None if param.many && param.kind != ParamKind::Blob => {}
        None => note("required".into()),
    }
    text
}

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

/// What `wrun run --help` shows for `graph`: what the flow does and its parameters, then the flags
/// of `own`, which is `wrun run`.
pub fn help(graph: &FlowGraph, own: Command, color: bool) -> String {
    let show = |text: clap::builder::StyledStr| {
        if color {
            text.ansi().to_string()
        } else {
            text.to_string()
        }
    };
    let mut usage = own.clone().help_template("{usage-heading} {usage}");
    let mut flags = own.help_template("{all-args}");
    let docs = clean::block(graph.docs()).trim().to_owned();
    let parameters = if graph.parameters().is_empty() {
        format!("Flow {} has no parameters.", graph.name())
    } else {
        show(command(graph).render_help())
    };
    let parts = [
        docs,
        show(usage.render_help()),
        parameters,
        show(flags.render_help()),
    ];
    let parts = parts.iter().map(|part| part.trim_end());
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("\n\n") + "\n"
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
        Some(default) if value::is_null(default) => note("optional".into()),
        Some(default) => note(format!("default: {}", value::default_text(default))),
        None if param.many && param.kind != ParamKind::Blob => {}
        None => note("required".into()),
    }
    text
}

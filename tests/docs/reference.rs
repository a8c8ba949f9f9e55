//! Writes the reference of the command line from what the program itself knows: its tree of
//! commands, its settings, its exit codes, and the shapes of [`crate::shapes`].

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command};
use wrun::cli::exit;
use wrun::config::keys::{STEP_KEYS, all, variable_of};
use wrun::config::{Environment, Flags, Settings};

use crate::shapes;

const HEAD: &str = "\
# The command line

Written by `UPDATE=1 cargo test --test docs` from the program itself; do not edit it by hand.

`wrun help COMMAND` shows the same in the terminal, `wrun man` as manual pages. What a command was asked
for goes to standard output, all else to standard error.

A run is named `flow/number`, what is in it `flow/number/step/task/artifact`. `latest` stands for
the last run of all, `flow/latest` or just `flow` for the last run of a flow. A task is named by its place: `-` outside any
foreach and loop, `7` for an element, `3.1` for nested ones, `~3` for the third turn of a loop.
";

const SETTINGS: &str = "\
## Settings

A flag comes before a variable, a variable before `wrun.toml` beside the flow's `Cargo.toml`, that before `wrun.toml` at
the root of its workspace, that before `$XDG_CONFIG_HOME/wrun/config.toml` of the user, and that before the default.
`wrun doctor` shows every value and where it came from. A name with a dot is a key in a table: `limits.memory = \"1GiB\"`, or
`memory` below `[limits]`. Sizes are written like `512MiB`, times like `1h30m`. The variables of limits hold for all steps.

";

const STEPS: &str = "
Settings of single steps stand in tables of a file, `[steps.fit]` for step `fit`. They come before what the step says itself.

";

const EXIT_CODES: &str = "\
## Exit codes

A code never changes its meaning. `wrun exit-codes` lists them too.

";

/// What is said about the keys of a step.
const STEP_ABOUT: [(&str, &str); 10] = [
    ("cpu", "processors that an attempt needs, e.g. `0.5`"),
    ("disk", "temporary disk that an attempt needs"),
    ("executor", "where attempts are made: `local` or `batch`"),
    ("gpus", "graphics processors that an attempt needs"),
    (
        "grants",
        "what it may touch besides what all steps may; a list of grants",
    ),
    ("memory", "memory of an attempt, at most 4 GiB"),
    (
        "retry",
        "how many more attempts a task gets; the same as `retry.times`",
    ),
    (
        "retry.backoff",
        "the pause before the second attempt; it doubles with each",
    ),
    ("retry.times", "how many more attempts a task gets"),
    ("timeout", "the longest time of an attempt"),
];

/// The whole reference.
pub fn text() -> String {
    let mut tree = wrun::cli::tree().disable_help_subcommand(true);
    tree.build();
    let mut text = format!("{HEAD}\n## Commands\n\n| command | |\n|---|---|\n");
    for command in visible(&tree) {
        let (name, about) = (command.get_name(), about(command));
        writeln!(text, "| [`wrun {name}`](#wrun-{name}) | {about} |").unwrap();
    }
    for command in visible(&tree) {
        text += &sections(command.get_name(), command);
    }
    text += "\n## Options of every command\n\n";
    tree.get_arguments()
        .filter(|arg| arg.is_global_set())
        .for_each(|arg| text += &item(arg));
    text += &format!("\n{SETTINGS}{}{STEPS}{}", settings(), step_settings());
    text += &format!("\n{EXIT_CODES}| code | name | meaning |\n|---|---|---|\n");
    for (code, name, meaning) in exit::ALL {
        writeln!(text, "| {code} | `{name}` | {meaning} |").unwrap();
    }
    text + "\n" + &shapes::text()
}

fn visible(tree: &Command) -> impl Iterator<Item = &Command> {
    tree.get_subcommands()
        .filter(|command| !command.is_hide_set())
}

fn about(command: &Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// The section of a command, and those of the commands below it.
fn sections(name: &str, command: &Command) -> String {
    let below = visible(command).filter(|it| it.get_name() != "help");
    let below = below.map(|it| sections(&format!("{name} {}", it.get_name()), it));
    section(name, command) + &below.collect::<String>()
}

fn section(name: &str, command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let mut text = format!("\n### wrun {name}\n\n{}.\n", about(command));
    text += &format!("\n<!-- shown -->\n```text\n{usage}\n```\n");
    let long = command
        .get_long_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    for paragraph in long.split("\n\n").skip(1) {
        text += &match paragraph.starts_with("  ") {
            true => format!("\n<!-- shown -->\n```text\n{}\n```\n", dedented(paragraph)),
            false => format!("\n{}\n", paragraph.trim()),
        };
    }
    let own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help";
    let items: String = command.get_arguments().filter(own).map(item).collect();
    if !items.is_empty() {
        text += &format!("\n{items}");
    }
    text
}

fn dedented(paragraph: &str) -> String {
    let lines: Vec<_> = paragraph.lines().map(str::trim_start).collect();
    lines.join("\n").trim_end().to_owned()
}

/// An argument as an item of a list.
fn item(arg: &Arg) -> String {
    let takes = arg.get_action().takes_values();
    let value = arg.get_value_names().map(|names| names[0].to_string());
    let value = value.unwrap_or_else(|| arg.get_id().to_string().to_uppercase());
    let name = match arg.get_long() {
        None => format!("`{value}`"),
        Some(long) if takes => format!("`--{long} {value}`"),
        Some(long) => format!("`--{long}`"),
    };
    let short = arg.get_short().map(|short| format!(", `-{short}`"));
    let help = arg
        .get_long_help()
        .or(arg.get_help())
        .map(ToString::to_string);
    let help = help
        .unwrap_or_default()
        .replace("\n\n", ". ")
        .replace('\n', " ");
    let mut text = format!(
        "- {name}{}: {}",
        short.unwrap_or_default(),
        help.trim_end_matches('.')
    );
    let possible: Vec<_> = arg.get_possible_values();
    let possible: Vec<_> = possible
        .iter()
        .map(|it| format!("`{}`", it.get_name()))
        .collect();
    if takes && !possible.is_empty() {
        text += &format!("; one of {}", possible.join(", "));
    }
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|it| it.to_string_lossy())
        .collect();
    if takes && !defaults.is_empty() {
        text += &format!("; default `{}`", defaults.join(" "));
    }
    if let Some(variable) = arg.get_env() {
        text += &format!("; variable `{}`", variable.to_string_lossy());
    }
    text + "\n"
}

fn settings() -> String {
    let nowhere = Path::new("/nonexistent");
    let settings = Settings::load(nowhere, &Flags::default(), &Environment::default());
    let shown = settings.expect("nothing is set").shown();
    let mut text = "| setting | variable | default | |\n|---|---|---|---|\n".to_owned();
    for (key, shown) in all().zip(&shown) {
        // What depends on the machine is said in words.
        let default = match key.name {
            "datastore" => "the nearest `.wrun`, or `.wrun` beside the flow's workspace".to_owned(),
            "max-workers" => "as many as there are processors".to_owned(),
            "code-cache" => "`$XDG_CACHE_HOME/wrun/code`".to_owned(),
            _ => format!("`{}`", shown.value),
        };
        let (name, variable, about) = (key.name, variable_of(key.name), key.about);
        writeln!(text, "| `{name}` | `{variable}` | {default} | {about} |").unwrap();
    }
    text
}

fn step_settings() -> String {
    assert_eq!(
        STEP_ABOUT.map(|(name, _)| name),
        STEP_KEYS,
        "each key of a step is described"
    );
    let mut text = "| setting | |\n|---|---|\n".to_owned();
    for (name, about) in STEP_ABOUT {
        writeln!(text, "| `{name}` | {about} |").unwrap();
    }
    text
}

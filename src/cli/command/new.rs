//! `wrun new`.

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::template::{self, NewFlow, sdk};

/// Make a new flow that builds at once
///
/// Writes a small flow to start from, with a test, its settings, and the SDK that it needs.
#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// The flow's name: lower-case letters, digits, `-` and `_`
    name: String,
    /// Write it to this directory instead of one of its name
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// Use the SDK in this directory instead of a copy beside the flow
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::DirPath)]
    sdk: Option<PathBuf>,
}

/// Writes the flow and says what to type next.
pub(crate) fn run(cx: &Context, args: &NewArgs) -> Result<u8, CliError> {
    if let Some(reason) = template::refuse_name(&args.name) {
        return Err(refused_name(&args.name, reason));
    }
    let shown = args
        .dir
        .clone()
        .unwrap_or_else(|| PathBuf::from(&args.name));
    let dir = cx.directory.join(&shown);
    refuse_occupied(&dir, &shown)?;
    fs::create_dir_all(&dir).map_err(|error| unwritable(&dir, &error))?;
    let sdk = match &args.sdk {
        Some(path) => Some(path_to_sdk(&cx.directory.join(path), &dir)?),
        None => None,
    };
    let files = template::files(&NewFlow {
        name: args.name.clone(),
        sdk,
    });
    for (path, text) in &files {
        let path = dir.join(path);
        write_new(&path, text).map_err(|error| unwritable(&path, &error))?;
    }
    if cx.out.json {
        let paths: Vec<_> = files.iter().map(|(path, _)| path).collect();
        cx.out
            .json(&json!({ "version": 1, "flow": args.name, "directory": dir, "files": paths }))?;
        return Ok(exit::OK);
    }
    let style = &cx.out.talk_style;
    cx.out.say(&format!(
        "made the flow {} in {}; next:\n\n  cd {}\n  cargo test\n  wrun run\n",
        style.name(&args.name),
        style.name(shown.display()),
        quoted(&shown),
    ));
    Ok(exit::OK)
}

fn refused_name(name: &str, reason: String) -> CliError {
    let error = CliError::usage(reason);
    let path = Path::new(name);
    if let (true, Some(last)) = (
        name.contains('/'),
        path.file_name().and_then(|n| n.to_str()),
    ) {
        return error.hint(format!("`wrun new {last} --dir {name}`"));
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let better: String = name
        .to_lowercase()
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    let better = better.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let better = [
        better.to_owned(),
        format!("{better}-flow"),
        "my-flow".to_owned(),
    ]
    .into_iter()
    .find(|better| template::refuse_name(better).is_none());
    error.hint_if(better.map(|better| format!("`wrun new {better}`")))
}

/// A directory with something in it stays as it is.
fn refuse_occupied(dir: &Path, shown: &Path) -> Result<(), CliError> {
    let free = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if free {
        return Ok(());
    }
    let shown = shown.display();
    Err(
        CliError::usage(format!("`{shown}` exists and is not an empty directory"))
            .hint("choose another name, or another directory with `--dir`"),
    )
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(
        Kind::Unavailable,
        format!("could not write `{}`", path.display()),
    )
    .caused_by(error)
}

/// The way from the flow to the SDK, as the flow's `Cargo.toml` names it.
fn path_to_sdk(sdk: &Path, flow: &Path) -> Result<String, CliError> {
    let text = fs::read_to_string(sdk.join("Cargo.toml")).unwrap_or_default();
    let name = text
        .parse::<toml::Table>()
        .ok()
        .and_then(|manifest| Some(manifest.get("package")?.get("name")?.as_str()?.to_owned()));
    if name.as_deref() != Some(sdk::DIRECTORY) {
        let shown = sdk.display();
        return Err(
            CliError::usage(format!("`{shown}` is not the package `{}`", sdk::DIRECTORY))
                .hint("name the directory of the SDK's `Cargo.toml`")
                .hint("without `--sdk` the flow gets a copy of its own"),
        );
    }
    let resolve = |path: &Path| {
        path.canonicalize()
            .map_err(|error| unwritable(path, &error))
    };
    let way = relative(&resolve(flow)?, &resolve(sdk)?);
    // Cargo takes `/` on every system.
    Ok(way.to_string_lossy().replace('\\', "/"))
}

/// The way from one absolute path to another, relative unless they have nothing in common.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let named = |path: &Path| path.components().any(|c| matches!(c, Component::Prefix(_)));
    if shared == 0 || (shared == 1 && named(to)) {
        return to.to_owned();
    }
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

/// The path as it can be typed in a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./~".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::Style;

    #[test]
    fn the_way_to_an_sdk_is_relative() {
        let way = |from, to| relative(Path::new(from), Path::new(to));
        assert_eq!(
            way("/a/flows/x", "/a/wrun/guest-sdk"),
            Path::new("../../wrun/guest-sdk")
        );
        assert_eq!(way("/a/x", "/a/x/sdk"), Path::new("sdk"));
    }

    #[test]
    fn a_refused_name_comes_with_one_that_works() {
        let said = |name: &str| {
            let reason = template::refuse_name(name).expect("it is refused");
            refused_name(name, reason).render(&Style::plain())
        };
        insta::assert_snapshot!(["My Flow", "flows/first", "test", "7"].map(said).join(""), @r"
        error: flow name `My Flow` has the character 'M'; lower-case letters, digits, `_` and `-` are allowed, and a letter comes first
          hint: `wrun new my-flow`
        error: flow name `flows/first` has the character '/'; lower-case letters, digits, `_` and `-` are allowed, and a letter comes first
          hint: `wrun new first --dir flows/first`
        error: flow name `test` is the name of something else in its package
          hint: `wrun new test-flow`
        error: flow name `7` has the character '7'; lower-case letters, digits, `_` and `-` are allowed, and a letter comes first
          hint: `wrun new my-flow`
        ");
    }
}

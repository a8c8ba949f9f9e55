//! `wrun get`.

mod find;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use self::find::Found;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::explain;
use crate::cli::store::Store;
use crate::cli::value;
use crate::failpoint;
use crate::model::pathspec::PathSpec;
use crate::report::progress::is_report;
use crate::report::{clean, human, json as shape};

/// The largest value, in bytes, that is shown as text or JSON.
const MAX_SHOWN: u64 = 64 * 1024 * 1024;

/// Get an artifact: as text, as JSON, or its bytes
///
/// A report (HTML, Markdown, SVG, PNG) is written to a file under `.wrun/reports`, and the path of
/// the file is printed.
#[derive(Debug, clap::Args)]
pub(crate) struct GetArgs {
    /// Which: `flow/run/step/task/artifact`; the task may be left out when there is one, the
    /// artifact when the task has one; `flow/run/parameter` is a parameter
    #[arg(
        value_name = "RUN/STEP[/TASK]/ARTIFACT",
        value_parser = PathSpec::typed,
        add = complete::artifacts()
    )]
    target: PathSpec,
    /// Write the bytes as they are, CBOR too
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Write the bytes to this file; nothing is there until all of them are
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["json", "raw"])]
    output: Option<PathBuf>,
    /// Show a report in the browser or viewer of this machine
    #[arg(long, conflicts_with_all = ["json", "raw"])]
    open: bool,
}

/// Gets an artifact.
pub(crate) fn run(cx: &Context, args: &GetArgs) -> Result<u8, CliError> {
    let store = cx.store()?;
    let found = find::find(&store, &args.target)?;
    if let Some(path) = &args.output {
        write_file(&store, &found, path)?;
        cx.out.say(&format!(
            "wrote {} to `{}`",
            human::bytes(found.value.size),
            path.display()
        ));
        return open_if(args, path);
    }
    if cx.out.json {
        cx.out.json(&to_json(&store, &found)?)?;
    } else if args.raw {
        raw(cx, &store, &found)?;
    } else if is_report(&found.value.media) || args.open {
        let path = report_file(cx, &found)?;
        write_file(&store, &found, &path)?;
        cx.out.text(&path.display().to_string())?;
        return open_if(args, &path);
    } else {
        text(cx, &store, &found)?;
    }
    Ok(exit::OK)
}

/// Refuses to make text or JSON of what is too large for it.
fn check_size(found: &Found) -> Result<(), CliError> {
    if found.value.size <= MAX_SHOWN {
        return Ok(());
    }
    let (size, most) = (human::bytes(found.value.size), human::bytes(MAX_SHOWN));
    Err(CliError::usage(format!(
        "`{found}` has {size}, too much to show (at most {most})"
    ))
    .hint(format!("`wrun get {found} -o FILE` writes it to a file")))
}

fn to_json(store: &Store, found: &Found) -> Result<Json, CliError> {
    check_size(found)?;
    let bytes = store.load(&found.value)?;
    let mut it = shape::object([
        ("path", found.to_string().into()),
        ("name", json!(found.name)),
        ("media", json!(found.value.media)),
        ("size", found.value.size.into()),
        ("digest", json!(found.value.digest)),
    ]);
    if let Json::Object(members) = value::to_json(&found.value.media, &bytes) {
        it.extend(members);
    }
    Ok(it.into())
}

fn text(cx: &Context, store: &Store, found: &Found) -> Result<(), CliError> {
    let media = &found.value.media;
    let is_readable = media.is_cbor() || (value::is_text(media) && cx.out.is_terminal);
    if !is_readable {
        return raw(cx, store, found);
    }
    check_size(found)?;
    let bytes = store.load(&found.value)?;
    match value::text(media, &bytes) {
        Some(text) => cx.out.text(&text),
        None => raw(cx, store, found),
    }
}

/// Writes the bytes as they are, but not to a terminal, which could obey them.
fn raw(cx: &Context, store: &Store, found: &Found) -> Result<(), CliError> {
    if cx.out.is_terminal && !is_harmless(store, found)? {
        let what = format!(
            "`{found}` is {} of {}",
            human::bytes(found.value.size),
            found.value.media
        );
        return Err(CliError::usage(format!("{what}, not for a terminal"))
            .hint(format!("`wrun get {found} -o FILE` writes it to a file"))
            .hint(format!("`wrun get {found} --raw | COMMAND` passes it on")));
    }
    let mut out = io::stdout().lock();
    store.copy(&found.value, &mut out, &|error| cx.out.stdout_error(error))
}

fn is_harmless(store: &Store, found: &Found) -> Result<bool, CliError> {
    if found.value.size > MAX_SHOWN || found.value.media.is_cbor() {
        return Ok(false);
    }
    let bytes = store.load(&found.value)?;
    let text = std::str::from_utf8(&bytes);
    Ok(text.is_ok_and(|text| !text.chars().any(|c| c != '\n' && clean::is_hostile(c))))
}

/// Writes the bytes to `path`, all of them or nothing.
fn write_file(store: &Store, found: &Found, path: &Path) -> Result<(), CliError> {
    let unwritable = |error: &io::Error| {
        CliError::new(
            Kind::Unavailable,
            format!("could not write `{}`", path.display()),
        )
        .caused_by(error)
        .hint_if(explain::system_hint(error))
    };
    if path.is_dir() {
        return Err(unwritable(&io::ErrorKind::IsADirectory.into()));
    }
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".wrun-get-")
        .tempfile_in(directory)
        .map_err(|error| unwritable(&error))?;
    store.copy(&found.value, &mut file, &unwritable)?;
    file.flush().map_err(|error| unwritable(&error))?;
    make_readable(file.as_file()).map_err(|error| unwritable(&error))?;
    failpoint::pass("get.rename", path.display()).map_err(|error| unwritable(&error))?;
    file.persist(path)
        .map_err(|error| unwritable(&error.error))?;
    Ok(())
}

/// Temporary files are their owner's alone; what is written for the user is as any file of theirs.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &std::fs::File) -> io::Result<()> {
    Ok(())
}

/// Where a report is put: the same artifact at the same place every time.
fn report_file(cx: &Context, found: &Found) -> Result<PathBuf, CliError> {
    let name = found.to_string().replace('/', "-").replace("---", "-");
    let directory = cx.settings()?.project.home().join("reports");
    std::fs::create_dir_all(&directory).map_err(|error| {
        CliError::new(
            Kind::Unavailable,
            format!("could not make `{}`", directory.display()),
        )
        .caused_by(&error)
        .hint(format!("`wrun get {found} -o FILE` writes it elsewhere"))
    })?;
    Ok(directory.join(format!("{name}.{}", value::extension(&found.value.media))))
}

fn open_if(args: &GetArgs, path: &Path) -> Result<u8, CliError> {
    if !args.open {
        return Ok(exit::OK);
    }
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let quiet = std::process::Stdio::null;
    let child = std::process::Command::new(opener)
        .arg(path)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .spawn();
    match child {
        Ok(_) => Ok(exit::OK),
        Err(error) => Err(
            CliError::new(Kind::Unavailable, format!("could not start `{opener}`"))
                .caused_by(&error)
                .hint(format!("open `{}` yourself", path.display())),
        ),
    }
}

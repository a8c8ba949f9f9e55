//! `wrun doctor`.

mod sandbox;

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::store::access;
use crate::config::{Environment, Flags, Settings, Shown, project};
use crate::datastore::{Datastore, DatastoreError, DatastoreUrl};
use crate::executor::batch::check;
use crate::executor::batch::client::Client;
use crate::model::header::ExecutorKind;
use crate::report::human;
use crate::report::table::{Align, Cell, Table};
use crate::snapshot::TARGET;
use crate::snapshot::toolchain::{self, Toolchain};

/// Check that everything is there, and print every setting with where it came from
///
/// Ends with an error code when something that is needed is missing.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Look at the flow in this directory
    #[arg(value_name = "PATH", default_value = ".", value_hint = clap::ValueHint::DirPath)]
    path: PathBuf,
}

/// How it is with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// Works, but somebody should look at it.
    Odd,
    /// Needed, and does not work.
    Broken,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Odd => "odd",
            Self::Broken => "broken",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    what: &'static str,
    state: State,
    found: String,
    advice: Option<String>,
}

impl Check {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Good,
            found: found.into(),
            advice: None,
        }
    }

    fn odd(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Odd,
            found: found.into(),
            advice: Some(advice.into()),
        }
    }

    fn broken(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Broken,
            found: found.into(),
            advice: Some(advice.into()),
        }
    }
}

/// Looks at everything and says how it is.
pub(crate) fn run(cx: &Context, args: &DoctorArgs) -> Result<u8, CliError> {
    let directory = cx.directory.join(&args.path);
    let environment = Environment::of_process();
    let flags = Flags::default().with("datastore", cx.datastore_flag.as_ref());
    let mut checks = toolchain_checks(&directory);
    let shown = match Settings::load(&directory, &flags, &environment) {
        Ok(settings) => {
            checks.push(match settings.datastore.contains("://") {
                true => remote(cx, &settings),
                false => datastore(&settings.datastore),
            });
            checks.push(code_cache(&settings.code_cache));
            checks.extend(sandbox::cells(cx, &settings)?);
            checks.extend(sandbox::secrets(cx, &settings)?);
            checks.extend(batch(cx, &settings)?);
            settings.shown()
        }
        Err(error) => {
            let advice = error.hints().first().cloned();
            let advice = advice.unwrap_or_else(|| "correct it and try again".to_owned());
            checks.push(Check::broken("settings", error.to_string(), advice));
            Vec::new()
        }
    };
    checks.extend(environment.unknown().into_iter().map(|name| {
        Check::odd(
            "variable",
            format!("`{name}` is no setting"),
            format!("`unset {name}`"),
        )
    }));
    checks.extend(machine(cx));
    let broken = checks.iter().any(|check| check.state == State::Broken);
    if cx.out.json {
        cx.out.json(&as_json(&checks, &shown, !broken))?;
    } else {
        cx.out.text(&as_text(cx, &checks, &shown))?;
    }
    Ok(if broken { exit::UNAVAILABLE } else { exit::OK })
}

/// Whether a flow can be built in `directory`.
fn toolchain_checks(directory: &Path) -> Vec<Check> {
    let install = "install Rust from https://rustup.rs";
    let mut checks = vec![match toolchain::cargo_version(directory) {
        Some(version) => Check::good("cargo", version),
        None => Check::broken("cargo", "not found", install),
    }];
    let toolchain = Toolchain::of(directory);
    if toolchain.version.is_empty() {
        checks.push(Check::broken("compiler", "`rustc` was not found", install));
        return checks;
    }
    let least = env!("CARGO_PKG_RUST_VERSION");
    let found = toolchain.short().to_owned();
    checks.push(match toolchain.is_at_least(least) {
        true => Check::good("compiler", found),
        false => {
            let found = format!("{found}; the SDK needs {least}");
            Check::broken("compiler", found, "`rustup update`")
        }
    });
    checks.push(match toolchain.has_target(TARGET) {
        true => Check::good("target", TARGET),
        false => {
            let advice = format!("`rustup target add {TARGET}`");
            Check::broken("target", format!("{TARGET} is not installed"), advice)
        }
    });
    checks
}

/// Whether runs can be kept.
fn datastore(place: &str) -> Check {
    let what = "datastore";
    let path = Path::new(place);
    let marker = path.join(project::MARKER);
    match (std::fs::metadata(path), std::fs::read_to_string(&marker)) {
        (Ok(found), _) if !found.is_dir() => {
            let found = format!("`{place}` is not a directory");
            Check::broken(what, found, "name a directory with `--datastore`")
        }
        (Ok(_), read) => {
            if let Err(error) = tempfile::tempfile_in(path) {
                let found = format!("`{place}` cannot be written: {error}");
                return Check::broken(
                    what,
                    found,
                    format!("`chmod u+rwx {place}`, or `--datastore`"),
                );
            }
            match read {
                Ok(_) => Check::good(what, place),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Check::good(what, format!("{place} (made by the first run)"))
                }
                Err(error) => {
                    let found = format!("`{}` cannot be read: {error}", marker.display());
                    Check::broken(
                        what,
                        found,
                        "make it readable, or name another datastore with `--datastore`",
                    )
                }
            }
        }
        (Err(_), _) => match writable_above(path) {
            Ok(()) => Check::good(what, format!("{place} (made by the first run)")),
            Err(found) => Check::broken(what, found, "name another directory with `--datastore`"),
        },
    }
}

/// Whether Batch takes jobs; nothing when nobody said that it is used.
fn batch(cx: &Context, settings: &Settings) -> Result<Option<Check>, CliError> {
    let what = "batch";
    let Some(queue) = &settings.batch.queue else {
        return Ok(None);
    };
    let looked = cx.runtime()?.block_on(async {
        let client = Client::new(settings.batch.requests_per_second).await;
        check::queue(&client, &settings.batch).await
    });
    Ok(Some(match looked {
        Ok(()) => Check::good(what, format!("queue `{queue}` takes jobs")),
        Err(error) => {
            let error = CliError::from(error);
            let (found, advice) = (error.in_short(), error.advice());
            match settings.executor {
                ExecutorKind::Batch => Check::broken(what, found, advice),
                ExecutorKind::Local => Check::odd(what, found, advice),
            }
        }
    }))
}

/// Whether runs can be kept in a bucket: credentials, region, the bucket itself, and permissions.
fn remote(cx: &Context, settings: &Settings) -> Check {
    let (what, place) = ("datastore", &settings.datastore);
    let looked = async {
        let url: DatastoreUrl = place.parse()?;
        match Datastore::open_with(&url, &access(settings)).await {
            Ok(datastore) => {
                datastore.may_write().await?;
                Ok(place.clone())
            }
            Err(DatastoreError::Missing { .. }) => Ok(format!("{place} (made by the first run)")),
            Err(error) => Err(CliError::from(error)),
        }
    };
    match cx.runtime().and_then(|runtime| runtime.block_on(looked)) {
        Ok(found) => Check::good(what, found),
        Err(error) => Check::broken(what, error.in_short(), error.advice()),
    }
}

/// Whether compiled modules can be kept.
fn code_cache(path: &Path) -> Check {
    let (what, place) = ("code cache", path.display().to_string());
    let advice = "set `code-cache` or `WRUN_CODE_CACHE` to a directory of your own";
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            Check::broken(what, format!("`{place}` is not a directory"), advice)
        }
        Ok(found) if is_open_to_others(&found) => {
            // What lies there is executed: nobody else may put anything there.
            Check::broken(
                what,
                format!("`{place}` can be written by others"),
                format!("`chmod 700 {place}`"),
            )
        }
        Ok(_) => match tempfile::tempfile_in(path) {
            Ok(_) => Check::good(what, place),
            Err(error) => Check::broken(
                what,
                format!("`{place}` cannot be written: {error}"),
                advice,
            ),
        },
        Err(_) => match writable_above(path) {
            Ok(()) => Check::good(what, format!("{place} (made by the first run)")),
            Err(found) => Check::broken(what, found, advice),
        },
    }
}

#[cfg(unix)]
fn is_open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

/// Whether a directory can be made at `path`.
fn writable_above(path: &Path) -> Result<(), String> {
    let above = path
        .ancestors()
        .find(|dir| dir.exists())
        .unwrap_or(Path::new("/"));
    match tempfile::tempfile_in(above) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{}` cannot be written: {error}", above.display())),
    }
}

/// What the machine has.
fn machine(cx: &Context) -> Vec<Check> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut checks = vec![Check::good("processors", cores.to_string())];
    if let Some(bytes) = available_memory() {
        checks.push(Check::good(
            "memory",
            format!("{} free", human::bytes(bytes)),
        ));
    }
    let terminal = match (cx.out.talk_is_terminal, cx.out.is_terminal) {
        (true, true) => format!("{} columns", cx.out.width()),
        (true, false) => "output is not a terminal".to_owned(),
        (false, _) => "none: runs are shown line by line".to_owned(),
    };
    checks.push(Check::good("terminal", terminal));
    checks
}

/// The memory that programs can still get, where the system says so.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

fn as_json(checks: &[Check], shown: &[Shown], good: bool) -> serde_json::Value {
    let checks: Vec<_> = checks
        .iter()
        .map(|check| {
            json!({
                "check": check.what,
                "state": check.state.name(),
                "found": check.found,
                "advice": check.advice,
            })
        })
        .collect();
    let settings: Vec<_> = shown
        .iter()
        .map(|it| json!({ "key": it.key, "value": it.value, "origin": it.origin.to_string() }))
        .collect();
    json!({ "version": 1, "ok": good, "checks": checks, "settings": settings })
}

fn as_text(cx: &Context, checks: &[Check], shown: &[Shown]) -> String {
    let style = &cx.out.style;
    let mut table = Table::new(&[
        ("", Align::Left),
        ("check", Align::Left),
        ("found", Align::Left),
    ]);
    for check in checks {
        let name = check.state.name();
        let painted = match check.state {
            State::Good => style.succeeded(name),
            State::Odd => style.warning(name),
            State::Broken => style.failed(name),
        };
        table.row([
            Cell::painted(name, painted),
            check.what.into(),
            check.found.clone().into(),
        ]);
        if let Some(advice) = &check.advice {
            let advice = format!("hint: {advice}");
            table.row([
                "".into(),
                "".into(),
                Cell::painted(&advice, style.hint(&advice)),
            ]);
        }
    }
    let mut settings = Table::new(&[
        ("setting", Align::Left),
        ("value", Align::Left),
        ("from", Align::Left),
    ]);
    for it in shown {
        let origin = it.origin.to_string();
        let origin = Cell::painted(&origin, style.faint(&origin));
        settings.row([it.key.clone().into(), it.value.clone().into(), origin]);
    }
    let mut text = table.render(style, 0);
    if !settings.is_empty() {
        text += "\n";
        text += &settings.render(style, 0);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datastore_that_is_a_file_is_broken_and_one_that_is_not_there_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(datastore(file.to_str().unwrap()).state, State::Broken);
        assert_eq!(
            datastore(dir.path().join("new/.wrun").to_str().unwrap()).state,
            State::Good
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_code_cache_that_others_can_write_is_broken() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode =
            |mode| std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode));
        mode(0o777).unwrap();
        let check = code_cache(dir.path());
        assert_eq!(check.state, State::Broken);
        assert!(check.advice.unwrap().starts_with("`chmod 700 "));
        mode(0o700).unwrap();
        assert_eq!(code_cache(dir.path()).state, State::Good);
    }
}

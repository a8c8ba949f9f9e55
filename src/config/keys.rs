//! Every setting: its name, how a value is set and how it is shown.
//!
//! A new setting is a field of [`Settings`] and one entry of a list here, or of [`batch`]. Its variable follows from its
//! name: `limits.memory` is `WRUN_LIMITS_MEMORY`.

use std::path::{Path, PathBuf};

use super::file::Raw;
use super::{Seed, Settings};
use super::{batch, quantity};
use crate::aws::PathStyle;
use crate::model::confinement::ConfinementError;
use crate::model::definition::Retry;
use crate::model::grant::Grant;
use crate::model::header::StepSettings;
use crate::model::name::StepName;
use crate::model::nearest::nearest;

/// Sets a value, taking relative paths from the directory; the error follows the key in a sentence.
type Set = fn(&mut Settings, &Raw, &Path) -> Result<(), String>;

/// A setting.
#[derive(Debug)]
pub struct Key {
    /// Its name in a file, with dots.
    pub name: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    pub(super) set: Set,
    pub(super) show: fn(&Settings) -> String,
}

pub(super) const fn key(
    name: &'static str,
    about: &'static str,
    set: Set,
    show: fn(&Settings) -> String,
) -> Key {
    Key {
        name,
        about,
        set,
        show,
    }
}

/// The settings that have no list of their own, in the order in which they are shown.
const KEYS: &[Key] = &[
    key(
        "datastore",
        "where runs are kept: a directory or a URL",
        |s, v, from| {
            let text = text(v)?;
            s.datastore = if text.contains("://") {
                text
            } else {
                path(&text, from)?
            };
            Ok(())
        },
        |s| s.datastore.clone(),
    ),
    key(
        "max-workers",
        "how many tasks run side by side",
        |s, v, _| set(&mut s.max_workers, whole(v, 1, 1024)),
        |s| s.max_workers.to_string(),
    ),
    key(
        "compression-level",
        "the level of zstd for artifacts",
        |s, v, _| set(&mut s.compression_level, whole(v, 1, 19)),
        |s| s.compression_level.to_string(),
    ),
    key(
        "code-cache",
        "the directory of compiled modules",
        |s, v, from| {
            s.code_cache = PathBuf::from(path(&text(v)?, from)?);
            Ok(())
        },
        |s| s.code_cache.display().to_string(),
    ),
    key(
        "blob-cache",
        "the directory of blobs that were read from S3",
        |s, v, from| {
            s.blob_cache = PathBuf::from(path(&text(v)?, from)?);
            Ok(())
        },
        |s| s.blob_cache.display().to_string(),
    ),
    key(
        "blob-cache-size",
        "how much that directory may hold",
        |s, v, _| set(&mut s.blob_cache_mib, size_in(v, 1 << 20, 1 << 30)),
        |s| quantity::show_size(s.blob_cache_mib << 20),
    ),
    key(
        "s3.path-style",
        "whether a bucket stands in the path of a URL: `auto`, `always` or `never`",
        set_path_style,
        |s| s.path_style.to_string(),
    ),
    key(
        "gc.grace",
        "how old something is at least that `wrun gc` removes",
        |s, v, _| set(&mut s.gc_grace_ms, time(v)),
        |s| quantity::show_time(s.gc_grace_ms),
    ),
    key(
        "seed",
        "where chance comes from: a number or `random`",
        set_seed,
        |s| s.seed.to_string(),
    ),
    key(
        "grants",
        "what every step may touch",
        |s, v, from| set(&mut s.grants.all, grants(v, from)),
        |s| show_grants(&s.grants.all),
    ),
    key(
        "sandbox.confinement",
        "whether cells must be confined by the system: `best`, `require` or `off`",
        set_confinement,
        |s| s.confinement.to_string(),
    ),
    key(
        "limits.memory",
        "memory of a task",
        |s, v, _| set(&mut s.limits.memory_mib, size_in(v, 1 << 20, 4096)),
        |s| quantity::show_size(u64::from(s.limits.memory_mib) << 20),
    ),
    key(
        "limits.timeout",
        "the longest time of an attempt",
        |s, v, _| set(&mut s.limits.timeout_ms, time(v)),
        |s| quantity::show_time(s.limits.timeout_ms),
    ),
    key(
        "limits.stack",
        "the depth of calls",
        |s, v, _| set(&mut s.limits.stack_kib, size_in(v, 1 << 10, 64 << 10)),
        |s| quantity::show_size(u64::from(s.limits.stack_kib) << 10),
    ),
    key(
        "limits.table-elements",
        "elements of all tables of an instance",
        |s, v, _| set(&mut s.limits.table_elements, whole(v, 1, 100_000_000)),
        |s| s.limits.table_elements.to_string(),
    ),
    key(
        "limits.handles",
        "open readers, writers and streams of a task",
        |s, v, _| set(&mut s.limits.handles, whole(v, 1, 1_000_000)),
        |s| s.limits.handles.to_string(),
    ),
    key(
        "limits.log",
        "what an attempt may print",
        |s, v, _| set(&mut s.limits.log_kib, size_in(v, 1 << 10, 1 << 21)),
        |s| quantity::show_size(u64::from(s.limits.log_kib) << 10),
    ),
    key(
        "limits.output",
        "what an attempt may write",
        |s, v, _| set(&mut s.limits.output_mib, size_in(v, 1 << 20, 1 << 30)),
        |s| quantity::show_size(s.limits.output_mib << 20),
    ),
    key(
        "limits.items",
        "elements of a foreach",
        |s, v, _| set(&mut s.limits.items, whole(v, 1, 100_000_000)),
        |s| s.limits.items.to_string(),
    ),
    key(
        "limits.answer",
        "one answer over HTTP",
        |s, v, _| set(&mut s.limits.answer_mib, size_in(v, 1 << 20, 1 << 20)),
        |s| quantity::show_size(s.limits.answer_mib << 20),
    ),
    key(
        "limits.answer-time",
        "the longest time until the end of an answer",
        |s, v, _| set(&mut s.limits.answer_ms, time(v)),
        |s| quantity::show_time(s.limits.answer_ms),
    ),
    key(
        "limits.reclaims",
        "how often a task is made again whose machine was taken away",
        |s, v, _| set(&mut s.limits.reclaims, whole(v, 0, 1_000_000)),
        |s| s.limits.reclaims.to_string(),
    ),
    key(
        "executor",
        "where attempts are made: `local` or `batch`",
        |s, v, _| set(&mut s.executor, batch::executor(v)),
        |s| s.executor.to_string(),
    ),
];

/// Every setting but those of single steps.
pub fn all() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().chain(batch::KEYS)
}

/// What can be said about a single step, after `steps.NAME.`.
pub const STEP_KEYS: &[&str] = &[
    "cpu",
    "disk",
    "executor",
    "gpus",
    "grants",
    "memory",
    "retry",
    "retry.backoff",
    "retry.times",
    "timeout",
];

pub(super) fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

/// Whether a table of this name may hold settings.
pub(super) fn is_table(name: &str) -> bool {
    let holds = |key: &Key| {
        key.name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    let step = name.strip_prefix("steps.");
    name == "steps" || step.is_some_and(|step| step.parse::<StepName>().is_ok()) || all().any(holds)
}

/// The variable of a key.
pub fn variable_of(key: &str) -> String {
    format!("WRUN_{}", key.to_ascii_uppercase().replace(['.', '-'], "_"))
}

/// The key of a variable.
pub fn of_variable(name: &str) -> Option<&'static Key> {
    all().find(|key| variable_of(key.name) == name)
}

/// Takes `steps.NAME.FIELD` apart when the field is one.
pub(super) fn step_key(key: &str) -> Option<(&str, &'static str)> {
    let (step, field) = key.strip_prefix("steps.")?.split_once('.')?;
    Some((step, STEP_KEYS.iter().find(|known| **known == field)?))
}

pub(super) fn set_step(
    settings: &mut Settings,
    step: &str,
    field: &str,
    value: &Raw,
    from: &Path,
) -> Result<(), String> {
    let name = StepName::new(step).map_err(|error| format!("names no step: {error}"))?;
    if field == "grants" {
        settings
            .grants
            .steps
            .insert(name.clone(), grants(value, from)?);
    }
    let it = settings.steps.entry(name).or_default();
    let retry = it.retry.unwrap_or(Retry {
        times: 0,
        backoff_ms: 0,
    });
    match field {
        "memory" => it.resources.memory_mib = Some(size_in(value, 1 << 20, 4096)?),
        "disk" => it.resources.disk_mib = Some(size_in(value, 1 << 20, 1 << 30)?),
        "grants" => {}
        "gpus" => it.resources.gpus = Some(whole(value, 0, 64)?),
        "executor" => it.executor = Some(batch::executor(value)?),
        "cpu" => it.resources.cpu_millis = Some(cpu(value)?),
        "timeout" => it.timeout_ms = Some(time(value)?),
        "retry" | "retry.times" => {
            it.retry = Some(Retry {
                times: whole(value, 0, 1000)?,
                ..retry
            })
        }
        _ => {
            it.retry = Some(Retry {
                backoff_ms: time(value)?,
                ..retry
            })
        }
    }
    Ok(())
}

/// What is said about a step, as it would be written.
pub(super) fn show_step(step: &StepSettings) -> Vec<(&'static str, String)> {
    let mib = |mib: u32| quantity::show_size(u64::from(mib) << 20);
    let cpu = step
        .resources
        .cpu_millis
        .map(|millis| (f64::from(millis) / 1000.0).to_string());
    let retry = step.retry.map(|retry| retry.times.to_string());
    let backoff = step
        .retry
        .map(|retry| quantity::show_time(retry.backoff_ms));
    let all = [
        ("cpu", cpu),
        ("disk", step.resources.disk_mib.map(mib)),
        ("executor", step.executor.map(|kind| kind.to_string())),
        ("gpus", step.resources.gpus.map(|gpus| gpus.to_string())),
        ("memory", step.resources.memory_mib.map(mib)),
        ("retry.backoff", backoff),
        ("retry.times", retry),
        ("timeout", step.timeout_ms.map(quantity::show_time)),
    ];
    all.into_iter()
        .filter_map(|(field, value)| Some((field, value?)))
        .collect()
}

/// A list of grants; relative paths in it are taken from `from`.
fn grants(value: &Raw, from: &Path) -> Result<Vec<Grant>, String> {
    let texts = match value {
        Raw::List(texts) => texts.clone(),
        Raw::Text(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        _ => return Err("takes a list of texts, e.g. `[\"scratch=64MiB\"]`".to_owned()),
    };
    let mut grants = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let mut grant: Grant = text
            .parse()
            .map_err(|error| format!("has no grant there: {error}"))?;
        if let Some(there) = grant.path_mut() {
            *there = path(there, from)?;
        }
        grants.push(grant);
    }
    Ok(grants)
}

/// Grants as they would be written, separated by commas.
pub(super) fn show_grants(grants: &[Grant]) -> String {
    match grants {
        [] => "nothing".to_owned(),
        grants => grants
            .iter()
            .map(Grant::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

pub(super) fn set<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

fn set_seed(settings: &mut Settings, value: &Raw, _: &Path) -> Result<(), String> {
    settings.seed = match value {
        Raw::Text(text) if text == "random" => Seed::Random,
        other => match whole(other, 0, u64::MAX) {
            Ok(seed) => Seed::Fixed(seed),
            Err(_) => return Err("is a whole number from 0 or `random`".to_owned()),
        },
    };
    Ok(())
}

fn set_confinement(settings: &mut Settings, value: &Raw, _: &Path) -> Result<(), String> {
    let said = text(value)?.parse();
    set(
        &mut settings.confinement,
        said.map_err(|error: ConfinementError| error.to_string()),
    )
}

fn set_path_style(settings: &mut Settings, value: &Raw, _: &Path) -> Result<(), String> {
    let styles = [PathStyle::Auto, PathStyle::Always, PathStyle::Never];
    let given = text(value)?;
    settings.path_style = *styles
        .iter()
        .find(|style| style.to_string() == given)
        .ok_or("is `auto`, `always` or `never`")?;
    Ok(())
}

pub(super) fn text(value: &Raw) -> Result<String, String> {
    match value {
        Raw::Text(text) if !text.trim().is_empty() => Ok(text.clone()),
        Raw::Text(_) => Err("is empty".to_owned()),
        _ => Err("takes text in quotation marks".to_owned()),
    }
}

/// A path, absolute; `~/` is the home.
fn path(text: &str, from: &Path) -> Result<String, String> {
    let path = match text.strip_prefix("~/") {
        Some(below) => std::env::home_dir()
            .ok_or("is in a home that is not known")?
            .join(below),
        None => from.join(text),
    };
    let absolute = std::path::absolute(&path).map_err(|error| format!("is no path: {error}"))?;
    absolute
        .into_os_string()
        .into_string()
        .map_err(|_| "is no path in UTF-8".to_owned())
}

/// A whole number from `least` to `most`, which both fit into `T`.
pub(super) fn whole<T: TryFrom<u64>>(value: &Raw, least: u64, most: u64) -> Result<T, String> {
    let number = match value {
        Raw::Integer(number) => u64::try_from(*number).ok(),
        Raw::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    let fits = number.filter(|number| (least..=most).contains(number));
    let range = || format!("takes a whole number from {least} to {most}");
    fits.and_then(|number| T::try_from(number).ok())
        .ok_or_else(range)
}

/// A size in multiples of `unit`, at least one and at most `most` of them.
pub(super) fn size_in<T: TryFrom<u64>>(value: &Raw, unit: u64, most: u64) -> Result<T, String> {
    let bytes = match value {
        Raw::Text(text) => quantity::size(text)?,
        other => quantity::size(&other.to_string())?,
    };
    let count = bytes / unit;
    let fits = bytes % unit == 0 && (1..=most).contains(&count);
    let range = || {
        let (least, most) = (quantity::show_size(unit), quantity::show_size(most * unit));
        format!(
            "takes a size from {least} to {most}, in whole {}",
            &least[2..]
        )
    };
    T::try_from(count).ok().filter(|_| fits).ok_or_else(range)
}

fn time(value: &Raw) -> Result<u64, String> {
    match value {
        Raw::Text(text) => quantity::time(text),
        other => quantity::time(&other.to_string()),
    }
}

/// Thousandths of a processor.
fn cpu(value: &Raw) -> Result<u32, String> {
    let cores = match value {
        Raw::Integer(number) => Some(*number as f64),
        Raw::Float(number) => Some(*number),
        Raw::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    let fits = cores.filter(|cores| (0.001..=1024.0).contains(cores));
    let range = || "takes a number of processors from 0.001 to 1024".to_owned();
    fits.map(|cores| (cores * 1000.0).round() as u32)
        .ok_or_else(range)
}

/// The known key that `key` was most likely meant to be.
pub(super) fn similar(key: &str) -> Option<String> {
    if let Some(rest) = key.strip_prefix("step.") {
        return Some(format!("steps.{rest}"));
    }
    let (prefix, name) = match key
        .strip_prefix("steps.")
        .and_then(|rest| rest.split_once('.'))
    {
        Some((step, field)) => (format!("steps.{step}."), field),
        None => (String::new(), key),
    };
    let known: Vec<&str> = match prefix.is_empty() {
        true => all().map(|key| key.name).collect(),
        false => STEP_KEYS.to_vec(),
    };
    let given = name.replace('_', "-");
    // `memory` at the top is `limits.memory`.
    let last = |known: &'static str| known.rsplit('.').next().unwrap_or(known);
    let best = nearest(&given, known.iter().copied()).or_else(|| {
        let last = nearest(&given, known.iter().copied().map(last))?;
        known.into_iter().find(|known| known.ends_with(last))
    })?;
    Some(format!("{prefix}{best}"))
}

/// The names that could stand in the place of `key`.
pub(super) fn names_beside(key: &str) -> Vec<&'static str> {
    let is_of_step = key.starts_with("steps.");
    if is_of_step {
        STEP_KEYS.to_vec()
    } else {
        all().map(|key| key.name).collect()
    }
}

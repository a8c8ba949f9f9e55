//! Rooms depend downwards only, and each vendor crate lives in its room.
//!
//! Reads the sources as text: every `crate::room` in a room's files must be an edge of the table,
//! every vendor crate must be named only where the table says. Fails with file and line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may use. Whoever adds an edge says why in `docs/architecture.md`.
const EDGES: &[(&str, &[&str])] = &[
    ("failpoint", &[]),
    ("model", &[]),
    ("aws", &[]),
    ("image", &["model"]),
    ("scheduler", &["model"]),
    ("datastore", &["failpoint", "model", "aws"]),
    ("sandbox", &["failpoint", "model"]),
    ("config", &["model", "aws"]),
    ("report", &["model"]),
    ("snapshot", &["failpoint", "model", "datastore"]),
    (
        "task",
        &[
            "model",
            "aws",
            "scheduler",
            "datastore",
            "snapshot",
            "sandbox",
        ],
    ),
    (
        "executor",
        &[
            "model",
            "aws",
            "image",
            "config",
            "datastore",
            "scheduler",
            "task",
        ],
    ),
    (
        "runtime",
        &[
            "failpoint",
            "model",
            "scheduler",
            "datastore",
            "snapshot",
            "sandbox",
            "config",
            "task",
            "executor",
        ],
    ),
    (
        "cli",
        &[
            "failpoint",
            "model",
            "image",
            "scheduler",
            "datastore",
            "snapshot",
            "sandbox",
            "config",
            "report",
            "task",
            "executor",
            "runtime",
        ],
    ),
    (
        "fuzz",
        &[
            "model",
            "datastore",
            "sandbox",
            "config",
            "snapshot",
            "task",
        ],
    ),
];

/// The rooms in which a vendor crate may be named.
const VENDORS: &[(&str, &[&str])] = &[
    ("wasmtime", &["sandbox"]),
    ("wasmtime_wasi", &["sandbox"]),
    ("aws_config", &["aws"]),
    ("aws_credential_types", &["aws"]),
    ("aws_sigv4", &["aws"]),
    ("aws_sdk_s3", &["datastore"]),
    ("aws_sdk_batch", &["executor"]),
    ("hyper", &["task"]),
    ("hyper_rustls", &["aws", "task"]),
    ("hyper_util", &["aws", "task"]),
    ("tower_service", &["task"]),
    ("aho_corasick", &["task"]),
    ("landlock", &["sandbox"]),
    ("seccompiler", &["sandbox"]),
    ("sha2", &["image"]),
    ("postcard", &["sandbox", "snapshot"]),
    ("rand_chacha", &["sandbox"]),
    ("zstd", &["datastore"]),
    ("cap_std", &["snapshot", "task"]),
    ("ignore", &["snapshot"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("toml", &["cli", "config", "snapshot"]),
];

struct Line {
    room: String,
    file: PathBuf,
    number: usize,
    text: String,
}

/// Every line of code under `src`, without comments.
fn lines() -> Vec<Line> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let relative = file
            .strip_prefix(&root)
            .expect("it was found there")
            .to_owned();
        let first = relative.components().next().expect("a file has a name");
        let room = first
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        for (at, text) in fs::read_to_string(&file)
            .expect("sources are text")
            .lines()
            .enumerate()
        {
            let code = text.split("//").next().unwrap_or("").to_owned();
            lines.push(Line {
                room: room.clone(),
                file: relative.clone(),
                number: at + 1,
                text: code,
            });
        }
    }
    lines
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src can be listed") {
        let path = entry.expect("src can be listed").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// The words that follow `prefix` in `text`, where `prefix` starts a word.
fn words_after<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(prefix)
        .filter(|(at, _)| !text[..*at].ends_with(is_word))
        .map(|(at, _)| {
            let rest = &text[at + prefix.len()..];
            &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn rooms_depend_downwards_only() {
    let edges: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let mut wrong = Vec::new();
    for line in lines() {
        let allowed = edges.get(line.room.as_str());
        let Some(allowed) = allowed else {
            wrong.push(format!(
                "src/{}: room `{}` is not in the table",
                line.file.display(),
                line.room
            ));
            continue;
        };
        for used in words_after(&line.text, "crate::") {
            let is_room = edges.contains_key(used);
            if is_room && used != line.room && !allowed.contains(&used) {
                let Line {
                    room, file, number, ..
                } = &line;
                wrong.push(format!(
                    "src/{}:{number}: `{room}` must not use `{used}`",
                    file.display()
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "rooms depend downwards only:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_table_has_no_cycle() {
    let mut seen: Vec<&str> = Vec::new();
    for (room, uses) in EDGES {
        for used in *uses {
            assert!(
                seen.contains(used),
                "`{room}` uses `{used}`, which does not stand above it"
            );
        }
        seen.push(room);
    }
}

#[test]
fn vendors_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for line in lines() {
        for (vendor, rooms) in VENDORS {
            let named = line
                .text
                .match_indices(&format!("{vendor}::"))
                .any(|(at, _)| {
                    !line.text[..at]
                        .ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                });
            if named && !rooms.contains(&line.room.as_str()) {
                wrong.push(format!(
                    "src/{}:{}: `{vendor}` belongs to {rooms:?}",
                    line.file.display(),
                    line.number
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "vendor crates stay in their rooms:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn what_is_pure_reads_no_clock_and_no_chance() {
    let forbidden = [
        "SystemTime",
        "Instant::now",
        "HashMap",
        "HashSet",
        "thread::",
        "std::fs",
        "std::env",
    ];
    let mut wrong = Vec::new();
    for line in lines()
        .iter()
        .filter(|l| l.room == "model" || l.room == "scheduler")
    {
        for word in forbidden {
            if line.text.contains(word) {
                wrong.push(format!(
                    "src/{}:{}: `{word}`",
                    line.file.display(),
                    line.number
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "model and scheduler are pure:\n{}",
        wrong.join("\n")
    );
}

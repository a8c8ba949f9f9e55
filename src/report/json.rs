//! What is written for machines: one JSON object per line, each with `"version": 1`.
//!
//! Members may be added; a member never changes its meaning or its type, and is left out when there
//! is nothing to say. Times are microseconds since 1970 (`*_at`), durations microseconds (`*_us`) or
//! milliseconds (`*_ms`), sizes bytes. Digests are 64 hexadecimal digits. Bytes are text where they
//! are UTF-8 (`text`), else base64 (`base64`). Attempts are counted from 0.
//!
//! An event has the member `event` and, by its kind:
//!
//! | `event` | members |
//! |---|---|
//! | `run_started` | `header`: [`header`] |
//! | `started` | `task`, `attempt`, `at` |
//! | `progress` | `task`, `done`, `total` (0: not known), `message` |
//! | `log` | `task`, `attempt`, `at`, `chunks`: `[{stream, text or base64}]` |
//! | `finished` | `task`, `attempt`, and the members of [`record`] |
//! | `reused` | `task`, `attempt`, `from` (the run that executed it), and the members of [`record`] |
//! | `retrying` | `task`, `attempt`, `after_ms`, `failure` |
//! | `caught` | `task`, `attempt`, `artifact`: [`artifact`] |
//! | `rejected` | `task`, `attempt`, `ran`, `failure` |
//! | `cancel_requested` | `at` |
//! | `run_ended` | `status` (`succeeded`, `failed`, `cancelled`), `at` |

use serde_json::{Map, Value as Json, json};

use super::{base64, clean};
use crate::model::artifact::Artifact;
use crate::model::event::Event;
use crate::model::failure::Failure;
use crate::model::header::RunHeader;
use crate::model::record::{LogChunk, Logs, Outcome, Record};

/// The version of the shape of all that is written.
pub const VERSION: u32 = 1;

/// `value` on one line, without the control characters that JSON would let through.
pub fn line(value: &Json) -> String {
    let line = value.to_string();
    if !line.chars().any(|c| c != '\t' && clean::is_hostile(c)) {
        return line;
    }
    // Outside of strings the line is ASCII, so that what is replaced stands in a string.
    let escaped = |c: char| match c {
        c if clean::is_hostile(c) => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    line.chars().map(escaped).collect()
}

/// An object that begins with the version.
pub fn object<const N: usize>(members: [(&str, Json); N]) -> Map<String, Json> {
    let mut object = Map::new();
    object.insert("version".into(), VERSION.into());
    object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    object
}

/// One event.
pub fn event(event: &Event) -> Json {
    let mut it = object([]);
    let mut put = |name: &str, value: Json| it.insert(name.to_owned(), value);
    match event {
        Event::RunStarted { header: run } => {
            put("event", "run_started".into());
            put("header", header(run));
        }
        Event::Started { task, attempt, at } => {
            put("event", "started".into());
            put("task", task.to_string().into());
            put("attempt", (*attempt).into());
            put("at", at.0.into());
        }
        Event::Progress {
            task,
            done,
            total,
            message,
        } => {
            put("event", "progress".into());
            put("task", task.to_string().into());
            put("done", (*done).into());
            put("total", (*total).into());
            put("message", message.as_str().into());
        }
        Event::Waiting {
            step,
            attempts,
            for_ms,
            queue,
        } => {
            put("event", "waiting".into());
            put("step", step.as_str().into());
            put("attempts", (*attempts).into());
            put("for_ms", (*for_ms).into());
            put("queue", queue.as_str().into());
        }
        Event::Log {
            task,
            attempt,
            at,
            chunks: pieces,
        } => {
            put("event", "log".into());
            put("task", task.to_string().into());
            put("attempt", (*attempt).into());
            put("at", at.0.into());
            put("chunks", chunks(pieces));
        }
        Event::Finished {
            task,
            attempt,
            record: kept,
        } => {
            put("event", "finished".into());
            put("task", task.to_string().into());
            put("attempt", (*attempt).into());
            it.extend(record(kept));
        }
        Event::Reused {
            task,
            attempt,
            record: kept,
            from,
        } => {
            put("event", "reused".into());
            put("task", task.to_string().into());
            put("attempt", (*attempt).into());
            put("from", json!(from));
            it.extend(record(kept));
        }
        Event::Retrying {
            task,
            attempt,
            after_ms,
            failure: why,
        } => {
            put("event", "retrying".into());
            put("task", task.to_string().into());
            put("attempt", (*attempt).into());
            put("after_ms", (*after_ms).into());
            put("failure", failure(why));
        }
        Event::Caught {
            task,
            attempt,
            artifact: holds,
        } => {
            put("event", "caught".into());
            put("task", task.to_string().into());
            put("attempt", (*attempt).into());
            put("artifact", artifact(holds));
        }
        Event::Rejected {
            task,
            attempt,
            ran,
            failure: why,
        } => {
            put("event", "rejected".into());
            put("task", task.to_string().into());
            put("attempt", (*attempt).into());
            put("ran", (*ran).into());
            put("failure", failure(why));
        }
        Event::CancelRequested { at } => {
            put("event", "cancel_requested".into());
            put("at", at.0.into());
        }
        Event::RunEnded { status, at } => {
            put("event", "run_ended".into());
            put("status", json!(status));
            put("at", at.0.into());
        }
    }
    Json::Object(it)
}

/// A header: `run`, `created_at`, `user`, `wrun`, `origin`, `tags`, `parameters` (artifacts),
/// `snapshot`, `module`, `engine`, `seed`, `limits`, `clock` (where the virtual time of its tasks
/// starts), `known_as` (the number that its tasks see).
pub fn header(header: &RunHeader) -> Json {
    let mut it = Map::new();
    let mut put = |name: &str, value: Json| it.insert(name.to_owned(), value);
    put("run", json!(header.run));
    put("created_at", json!(header.created_at));
    put("user", header.user.as_str().into());
    put("wrun", header.wrun.as_str().into());
    if let Some(origin) = &header.origin {
        put("origin", json!(origin));
    }
    put("tags", json!(header.tags));
    put(
        "parameters",
        header.parameters.iter().map(artifact).collect(),
    );
    put("snapshot", json!(header.snapshot));
    put("module", json!(header.module));
    put("engine", json!(header.engine));
    put("seed", header.seed.into());
    put("limits", json!(header.limits));
    put("grants", json!(header.grants.lines()));
    if let Some(class) = header.class() {
        put("class", json!(class));
    }
    put("clock", json!(header.clock));
    put("known_as", header.known_as.into());
    Json::Object(it)
}

/// An artifact: `name`, `media`, `size`, `digest`. The value itself is what `wrun get` is for.
pub fn artifact(artifact: &Artifact) -> Json {
    json!({
        "name": artifact.name,
        "media": artifact.value.media,
        "size": artifact.value.size,
        "digest": artifact.value.digest,
    })
}

/// A record: `outcome` (`done`, `case`, `items`) with `case` or `items`, or `outcome` `failed` with
/// `failure`; `artifacts`; `logs`, or `logs_blob` when they are long; `engine`; `inputs`, a
/// digest of all that the task could read; `observed`, what it asked for besides; `trace`; `usage`.
pub fn record(record: &Record) -> Map<String, Json> {
    let mut it = Map::new();
    let mut put = |name: &str, value: Json| it.insert(name.to_owned(), value);
    match &record.result {
        Ok(Outcome::Done) => {
            put("outcome", "done".into());
        }
        Ok(Outcome::Case(case)) => {
            put("outcome", "case".into());
            put("case", json!(case));
        }
        Ok(Outcome::Items(items)) => {
            put("outcome", "items".into());
            put("items", (*items).into());
        }
        Err(why) => {
            put("outcome", "failed".into());
            put("failure", failure(why));
        }
    }
    put("artifacts", record.artifacts.iter().map(artifact).collect());
    match &record.logs {
        Logs::None => {}
        Logs::Inline(pieces) => {
            put("logs", chunks(pieces));
        }
        Logs::Blob(value) => {
            put(
                "logs_blob",
                json!({"digest": value.digest, "size": value.size}),
            );
        }
    }
    put("engine", json!(record.engine));
    put("inputs", json!(record.inputs));
    if !record.observed.is_nothing() {
        put("observed", json!(record.observed.words()));
    }
    if let Some(trace) = &record.trace {
        put("trace", json!(trace));
    }
    put("usage", json!(record.usage));
    it
}

/// A failure: `kind`, `message`, and when there are: `causes`, `source`, `backtrace`, `hint`.
///
/// The kind of a limit is the word `limit`, with the member `limit` for which.
pub fn failure(failure: &Failure) -> Json {
    let mut it = json!(failure);
    if let Some(which) = it.pointer_mut("/kind/limit").map(Json::take) {
        it["kind"] = "limit".into();
        it["limit"] = which;
    }
    it
}

/// Bytes: `{"text": …}` when they are UTF-8, else `{"base64": …}`.
pub fn bytes(bytes: &[u8]) -> Map<String, Json> {
    let (name, text) = match std::str::from_utf8(bytes) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("base64", base64::encode(bytes)),
    };
    Map::from_iter([(name.to_owned(), text.into())])
}

fn chunks(chunks: &[LogChunk]) -> Json {
    let piece = |chunk: &LogChunk| {
        let mut it = Map::from_iter([("stream".to_owned(), json!(chunk.stream))]);
        it.extend(bytes(&chunk.bytes));
        Json::Object(it)
    };
    chunks.iter().map(piece).collect()
}

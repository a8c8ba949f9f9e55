//! The shapes of what `--json` writes: as documentation, and held against what commands write.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::world::World;

/// What one kind of object holds.
pub struct Shape {
    /// Its name in the reference.
    name: &'static str,
    /// Commands that write it, tried by the test; none for what is inside of others.
    samples: &'static [&'static str],
    /// What it is about.
    about: &'static str,
    /// Its members in a list; those behind `?` are left out when there is nothing to say.
    members: &'static str,
}

const fn shape(
    name: &'static str,
    samples: &'static [&'static str],
    about: &'static str,
    members: &'static str,
) -> Shape {
    Shape {
        name,
        samples,
        about,
        members,
    }
}

/// Before any sample runs.
const BEFORE: [&str; 4] = [
    "wrun run examples/flaky",
    "wrun run examples/flaky --silent 4 || true",
    "wrun run examples/penguins",
    "wrun resume flaky/1 --path examples/flaky --from end",
];

const SHAPES: &[Shape] = &[
    shape(
        "an error",
        &[
            "wrun show nothing/1 --json || true",
            "wrun runs --wrong --json || true",
        ],
        "Of any command, on standard error: `kind` (the name of the exit code), `exit_code`, `message`, `causes`, `hints`.",
        "error",
    ),
    shape(
        "new",
        &["wrun new made --dir \"$HOME/made\" --json"],
        "`files` are paths below `directory`.",
        "flow directory files",
    ),
    shape(
        "build",
        &["wrun build examples/hello --json"],
        "`fresh` is true when nothing had changed.",
        "package module size digest fresh wall_us toolchain command",
    ),
    shape(
        "check",
        &["wrun check examples/hello --json"],
        "When `ok` is false there are `problems`, each with `code`, `message` and what is known of `step`, \
         `source`, `parameter` and `hint`, and their `count`; otherwise the rest. `classes` says of each step \
         how exact it is, `imports` which interfaces the module uses.",
        "flow ok module ?count ?problems ?docs ?sdk ?parameters ?steps ?classes ?imports ?grants",
    ),
    shape(
        "graph",
        &[
            "wrun graph examples/hello --json",
            "wrun graph examples/hello --svg --json",
        ],
        "`form` is `text`, `mermaid`, `dot` or `svg`.",
        "flow form graph",
    ),
    shape(
        "run, resume, attach",
        &[],
        "A line for each event, see below.",
        "",
    ),
    shape(
        "replay",
        &["wrun replay flaky/1 --json"],
        "A difference has `task`, `attempt`, `what`, `recorded`, `replayed`, and `engines` where they differ; \
         what is left out has `task`, `attempt` and `why`. `ended` is how the run ended; null when its journal has \
         no end, or a part of it was replayed.",
        "run identical tasks attempts artifacts ended other_engine different differences left_out",
    ),
    shape(
        "diff",
        &["wrun diff flaky/1 flaky/2 --json || true"],
        "What differs has `what`, `before` and `now`, of a task also `task` and `cause` (`inputs` when it read \
         something else, else `itself`). `equal` is how many tasks are equal.",
        "left right same equal made_of ?ended tasks only_left only_right",
    ),
    shape(
        "spin",
        &["wrun spin flaky/1/end --path examples/flaky --json 2>/dev/null"],
        "The members of a record, and these. `difference` has `what`, `recorded` and `now`.",
        "task +record ?difference",
    ),
    shape(
        "why",
        &[
            "wrun why flaky/1/end --json",
            "wrun why flaky/3/start --json",
        ],
        "`never` says why it is never taken from the cache, `before` is the run it is compared with. Parts of \
         the key have `name`, `here` and `before`.",
        "run task succeeded parts ?from ?never ?before",
    ),
    shape(
        "runs",
        &["wrun runs --json"],
        "A line for each run, newest first. `status` is `succeeded`, `failed`, `cancelled`, `running` or `interrupted`.",
        "run status created_at took_us tasks failed tags",
    ),
    shape(
        "show, a run",
        &["wrun show flaky/1 --json", "wrun show flaky/2 --json"],
        "The members of a header, and these. `failures` are tasks.",
        "+header status took_us tags steps failures",
    ),
    shape(
        "show, a step of many tasks",
        &["wrun show penguins/1/summarise --json"],
        "A line for each task: the members of a task, and this.",
        "run +task",
    ),
    shape(
        "show, a task",
        &[
            "wrun show flaky/1/start/- --json",
            "wrun show flaky/2/start --json",
            "wrun show flaky/3/start --json",
        ],
        "The members of a task, and these. A record is that of an attempt, with the number `attempt`.",
        "run +task artifacts records",
    ),
    shape(
        "logs",
        &["wrun logs flaky/1 --json"],
        "A line for each piece that was printed. `stream` is `stdout`, `stderr` or `log`.",
        "task attempt at stream ?text ?base64",
    ),
    shape(
        "get",
        &[
            "wrun get penguins/1/describe/summaries --json",
            "wrun get penguins/1/describe/chart --json",
            "wrun get penguins/1/by --json",
        ],
        "One of `value` (of CBOR), `text` and `base64`.",
        "path name media size digest ?value ?text ?base64",
    ),
    shape(
        "code",
        &["wrun code flaky/1 --json"],
        "`origin` says how the module was built; a module that was given has none.",
        "run snapshot module sdk origin files left_out",
    ),
    shape(
        "code --to",
        &["wrun code flaky/1 --to \"$HOME/code\" --json"],
        "`files` is how many sources were written, `flow` the directory in which they build.",
        "run directory flow module files",
    ),
    shape(
        "tag",
        &["wrun tag flaky/1 --json"],
        "The tags that the run has now.",
        "run tags",
    ),
    shape(
        "gc",
        &["wrun gc --dry-run --json"],
        "`removed` has `count` and `bytes` (as they are stored) of each kind of objects and of all as `total`: what \
         goes, or with `--dry-run` would. `stays` and `unreadable` have `run` and `why`; `headless` are runs \
         that have lost their headers; `young` is what nothing refers to and is too young to go; `referred` counts \
         blobs to which something refers.",
        "dry_run runs stays unreadable headless removed young referred grace_ms",
    ),
    shape(
        "fsck",
        &[
            "wrun fsck --json",
            "wrun fsck --data --repair flaky/1 --json",
        ],
        "A fault has `kind`, `key` (where it is in the datastore), `what`, `affected` (twenty at most), `many`, `run`, \
         `digest` where it has one, `repaired` and `remedy` (what can be done, or what was). `left` counts faults that were not \
         repaired; `vain` (`run`, `task`, `why`) and `closed` (`run`, `why`) say why not.",
        "whole runs segments blobs read bytes faults left vain closed",
    ),
    shape(
        "datastore copy",
        &["wrun datastore copy \"$WRUN_DATASTORE\" \"$HOME/copied\" penguins/1 --json"],
        "`runs` and `blobs` are those that are new there, `bytes` what was written.",
        "to runs runs_there blobs bytes",
    ),
    shape(
        "datastore info",
        &["wrun datastore info --json"],
        "`from` says which setting names it.",
        "place from format id flows runs",
    ),
    shape(
        "doctor",
        &["wrun doctor --json || true"],
        "A check has `check`, `state` (`ok`, `odd`, `broken`), `found` and `advice`; a setting `key`, `value` and `origin`.",
        "ok checks settings",
    ),
    shape(
        "exit-codes",
        &["wrun exit-codes --json"],
        "A line for each code.",
        "code name meaning",
    ),
];

/// What is inside of others, or on lines of `wrun run --json`.
const PARTS: &[Shape] = &[
    shape(
        "header",
        &[],
        "How a run began. `parameters` are artifacts; `clock` is where the time of its tasks begins, `known_as` the number that they see.",
        "run created_at user wrun ?origin tags parameters snapshot module engine seed limits grants ?class clock known_as",
    ),
    shape(
        "artifact",
        &[],
        "`media` is its media type.",
        "name media size digest",
    ),
    shape(
        "task",
        &[],
        "`status` is `succeeded`, `failed` or `caught`; `failure` says why it did not succeed, `reused_from` which run executed it when its result was taken over.",
        "task status attempts started_at ended_at wall_us cpu_us peak_memory ?failure ?reused_from",
    ),
    shape(
        "record",
        &[],
        "`outcome` is `done`, `case` (with the `case` chosen), `items` (with how many `items`) or `failed` (with `failure`). \
         `logs` are what was printed, `logs_blob` names a blob when that is long. `inputs` is a digest of all that the task could read, `observed` what it asked for besides.",
        "outcome ?case ?items ?failure artifacts ?logs ?logs_blob engine inputs ?observed ?trace usage",
    ),
    shape(
        "failure",
        &[],
        "`limit` says which limit was reached when `kind` is `limit`.",
        "kind message ?causes ?source ?backtrace ?hint ?limit",
    ),
];

const EVENTS: &[Shape] = &[
    shape("run_started", &[], "The first.", "header"),
    shape("started", &[], "An attempt began.", "task attempt at"),
    shape(
        "progress",
        &[],
        "`total` is 0 when it is not known.",
        "task done total message",
    ),
    shape(
        "waiting",
        &[],
        "Attempts of a step have been in a queue of Batch for a while, and none has a machine.",
        "step attempts for_ms queue",
    ),
    shape(
        "log",
        &[],
        "`chunks` have `stream` and `text` or `base64`.",
        "task attempt at chunks",
    ),
    shape(
        "finished",
        &[],
        "And the members of a record.",
        "task attempt +record",
    ),
    shape(
        "retrying",
        &[],
        "The attempt that will be made, and why.",
        "task attempt after_ms failure",
    ),
    shape(
        "reused",
        &[],
        "The result was taken over from the run `from`. And the members of a record.",
        "task attempt from +record",
    ),
    shape(
        "caught",
        &[],
        "The artifact that holds the failure.",
        "task attempt artifact",
    ),
    shape(
        "rejected",
        &[],
        "The task ended, but the flow cannot go on from it: a loop or a foreach is too large, or branches do not \
         agree. `ran` says whether it had been executed.",
        "task attempt ran failure",
    ),
    shape(
        "cancel_requested",
        &[],
        "Somebody asked the run to stop.",
        "at",
    ),
    shape(
        "run_ended",
        &[],
        "The last. `status` is `succeeded`, `failed` or `cancelled`.",
        "status at",
    ),
];

const HEAD: &str = "\
## JSON

With `--json` a command writes one JSON object on each line, each with `\"version\": 1`. Members may be added; a member never
changes its meaning or its type. Those in brackets are left out when there is nothing to say. Times are microseconds since 1970 (`…_at`, `at`), durations microseconds (`…_us`) or
milliseconds (`…_ms`), sizes bytes, digests 64 hexadecimal digits. Bytes are `text` where they are UTF-8, else
`base64`. Attempts are counted from 0. `completions` and `man` write no JSON.
";

/// The chapter of the reference.
pub fn text() -> String {
    let mut text = format!("{HEAD}\n| command | members | |\n|---|---|---|\n");
    SHAPES.iter().for_each(|shape| text += &shape.row());
    text += "\nInside of these, and of events:\n\n| object | members | |\n|---|---|---|\n";
    PARTS.iter().for_each(|shape| text += &shape.row());
    text += "\n`wrun run`, `resume` and `attach` write events. Each has the member `event`, and:\n\n\
             | `event` | members | |\n|---|---|---|\n";
    EVENTS.iter().for_each(|shape| text += &shape.row());
    text
}

impl Shape {
    fn row(&self) -> String {
        let mut members = String::new();
        for member in self
            .members
            .split(' ')
            .filter(|member| !member.starts_with('+'))
        {
            let gap = if members.is_empty() { "" } else { ", " };
            match member.strip_prefix('?') {
                Some(optional) => write!(members, "{gap}[`{optional}`]").unwrap(),
                None if member.is_empty() => {}
                None => write!(members, "{gap}`{member}`").unwrap(),
            }
        }
        format!("| {} | {members} | {} |\n", self.name, self.about)
    }

    /// The members, and whether each may be left out, those of the parts that it includes too.
    fn all(&self) -> Vec<(&str, bool)> {
        let mut all = Vec::new();
        for member in self.members.split(' ') {
            if let Some(part) = member.strip_prefix('+') {
                all.extend(named(PARTS, part).all());
            } else {
                all.push((member.trim_start_matches('?'), member.starts_with('?')));
            }
        }
        all
    }

    /// Says what is wrong with `object`, of which the `known` members are already explained.
    fn wrong(&self, object: &Json, known: &[&str]) -> String {
        let mut wrong = String::new();
        let all = self.all();
        let object = object.as_object().expect("an object");
        for (member, _) in all
            .iter()
            .filter(|(member, optional)| !optional && !object.contains_key(*member))
        {
            writeln!(wrong, "{} has no `{member}`", self.name).unwrap();
        }
        for member in object
            .keys()
            .filter(|member| !known.contains(&member.as_str()))
        {
            if !all.iter().any(|(known, _)| known == member) {
                writeln!(wrong, "{} has the undocumented `{member}`", self.name).unwrap();
            }
        }
        wrong
    }
}

fn named<'a>(shapes: &'a [Shape], name: &str) -> &'a Shape {
    let found = shapes.iter().find(|shape| shape.name == name);
    found.unwrap_or_else(|| panic!("`{name}` is not documented"))
}

/// Says what is wrong with the artifacts, records and failures inside of `object`.
fn inside(object: &Json) -> String {
    let mut wrong = String::new();
    let parts = [
        ("artifacts", "artifact"),
        ("failures", "task"),
        ("parameters", "artifact"),
    ];
    for (member, part) in parts {
        // The parameters of `check` are declarations and have a kind.
        let items = object[member].as_array().into_iter().flatten();
        for item in items.filter(|item| item.get("kind").is_none()) {
            wrong += &named(PARTS, part).wrong(item, &[]);
        }
    }
    for record in object["records"].as_array().into_iter().flatten() {
        wrong += &named(PARTS, "record").wrong(record, &["attempt"]);
    }
    if object["failure"].is_object() {
        wrong += &named(PARTS, "failure").wrong(&object["failure"], &[]);
    }
    wrong
}

fn lines(world: &mut World, command: &str) -> Vec<Json> {
    let text = world.succeeds(command);
    let read =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("`{command}`: {line}"));
    let lines: Vec<_> = text.lines().map(read).collect();
    assert!(!lines.is_empty(), "`{command}` writes nothing");
    lines
}

#[test]
fn commands_write_the_json_that_is_documented() {
    let mut world = World::new("json");
    world.directory = crate::root().to_owned();
    BEFORE
        .iter()
        .for_each(|command| drop(world.succeeds(command)));
    let mut wrong = String::new();
    for shape in SHAPES {
        for sample in shape.samples {
            for line in lines(&mut world, sample) {
                wrong += &shape.wrong(&line, &["version"]);
                wrong += &inside(&line);
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    let run = lines(&mut world, "wrun run examples/flaky --json");
    let resume = "wrun resume flaky/1 --path examples/flaky --from end --json 2>/dev/null";
    for line in run.into_iter().chain(lines(&mut world, resume)) {
        let event = line["event"].as_str().expect("an event has a name");
        wrong += &named(EVENTS, event).wrong(&line, &["version", "event"]);
        wrong += &inside(&line);
        seen.insert(event.to_owned());
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(
        [
            "run_started",
            "started",
            "finished",
            "retrying",
            "caught",
            "run_ended"
        ]
        .iter()
        .all(|it| seen.contains(*it)),
        "{seen:?}"
    );
}

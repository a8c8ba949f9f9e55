//! `wrun fsck`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::counting::Counting;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::flow;
use crate::cli::select;
use crate::cli::store::Store;
use crate::config::{Flags, Settings};
use crate::model::id::RunId;
use crate::model::pathspec::PathSpec;
use crate::report::{clean, human, json as shape};
use crate::runtime::clock::SystemClock;
use crate::runtime::fsck::{self, ALL, Closely, Fault, Kind, Remedy, Report};
use crate::runtime::repair::{self, How, Repaired};
use crate::runtime::replay::Machine;

/// The most faults that are shown without `--all`.
const SHOWN: usize = 20;
/// The most places that are shown of those that a fault affects.
const PLACES: usize = 3;

/// Check that runs are whole, and repair them
///
/// Checks that all that runs refer to is there: journals without gaps, code, parameters, artifacts,
/// logs, traces; that it has the right length; that summaries and noted results say what journals
/// say. With `--data` every byte is read.
///
/// With `--repair` what is missing or damaged is had back: tasks are executed again and must make
/// what was recorded, to the last bit; headers are taken from journals; summaries and noted
/// results are written anew. What was given to a run can be given again with `--from`.
///
/// Exits with 5 when something is wrong and was not repaired.
#[derive(Debug, clap::Args)]
pub(crate) struct FsckArgs {
    /// The runs: `flow/number`, or `flow` for its newest; all when left out
    #[arg(value_name = "RUN", value_parser = PathSpec::typed, add = complete::runs())]
    runs: Vec<PathSpec>,
    /// Read every byte of all blobs
    #[arg(long)]
    data: bool,
    /// Read every byte of so many blobs only, chosen by chance, e.g. `5%`
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "data")]
    sample: Option<u32>,
    /// Get back what is missing or damaged
    #[arg(long)]
    repair: bool,
    /// Look in this file, or below this directory, for what was given to a run or to a step
    #[arg(long, value_name = "PATH", requires = "repair")]
    from: Vec<PathBuf>,
    /// Show everything that is wrong, however much it is
    #[arg(long)]
    all: bool,
}

/// A share of all, in millionths.
fn share(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no share: there are `0.1%` to `100%`");
    let number = text.strip_suffix('%').ok_or_else(wrong)?;
    let percent: f64 = number.trim().parse().map_err(|_| wrong())?;
    let millionths = (percent * f64::from(ALL) / 100.0).round();
    if !(1.0..=f64::from(ALL)).contains(&millionths) {
        return Err(wrong());
    }
    Ok(millionths as u32)
}

/// Checks, repairs when asked to, and says what was found.
pub(crate) fn run(cx: &Context, args: &FsckArgs) -> Result<u8, CliError> {
    let settings = cx.settings_with(Flags::default())?;
    let store = cx.store_of(&settings)?;
    let mut runs = wanted(&store, args)?;
    let (datastore, runtime) = store.parts();
    if args.runs.is_empty() {
        runs.extend(runtime.block_on(fsck::headless(datastore))?);
    }
    let counting = Counting::new(cx, "checked", "blob");
    let closely = Closely {
        sample: args.sample.unwrap_or(if args.data { ALL } else { 0 }),
        seed: cx.now().0,
        workers: 2 * settings.max_workers,
        checked: counting.counter(),
    };
    let report = runtime.block_on(fsck::check(datastore, &runs, &closely));
    drop(counting);
    let report = report?;
    let repaired = match args.repair && !report.faults.is_empty() {
        true => repair(cx, &settings, &store, &runs, (&report, &args.from))?,
        false => Repaired::default(),
    };
    let left = report.faults.iter();
    let left = left
        .filter(|it| !repaired.done.contains_key(&it.key))
        .count();
    match cx.out.json {
        true => cx.out.json(&to_json(&report, &repaired, left))?,
        false => cx.out.text(&text(cx, args, &report, &repaired, left))?,
    }
    Ok(match left {
        0 => exit::OK,
        _ => exit::DAMAGED,
    })
}

/// The runs that are meant, the oldest of each flow first.
fn wanted(store: &Store, args: &FsckArgs) -> Result<Vec<RunId>, CliError> {
    let mut runs = Vec::new();
    if args.runs.is_empty() {
        for flow in store.flows()? {
            runs.extend(store.runs(&flow, usize::MAX)?.into_iter().rev());
        }
    }
    for spec in &args.runs {
        let run = spec.run();
        // A run whose header is damaged or lost is one that can be checked.
        match (run.flow.clone(), run.run) {
            (Some(flow), crate::model::pathspec::WhichRun::Number(number)) => {
                let id = RunId { flow, number };
                let (datastore, runtime) = store.parts();
                let known = store.runs(&id.flow, usize::MAX)?.contains(&id)
                    || runtime
                        .block_on(datastore.headless(&id.flow))?
                        .contains(&id);
                runs.push(if known { id } else { select::run(store, &run)? });
            }
            _ => runs.push(select::run(store, &run)?),
        }
    }
    Ok(runs)
}

fn repair(
    cx: &Context,
    settings: &Settings,
    store: &Store,
    runs: &[RunId],
    (report, given): (&Report, &[PathBuf]),
) -> Result<Repaired, CliError> {
    let modules = flow::modules(settings)?;
    let counting = Counting::new(cx, "executed", "task");
    let machine = Machine {
        modules: &modules,
        launcher: flow::launcher(settings)?,
        clock: Arc::new(SystemClock),
        workers: settings.max_workers,
        compared: counting.counter(),
        at_hand: cx.at_hand.clone(),
    };
    let (datastore, runtime) = store.parts();
    let given: Vec<_> = given.iter().map(|path| cx.directory.join(path)).collect();
    let repaired = repair::repair(datastore, runs, report, &given, &machine);
    let repaired = runtime.block_on(repaired);
    drop(counting);
    Ok(repaired?)
}

fn text(
    cx: &Context,
    args: &FsckArgs,
    report: &Report,
    repaired: &Repaired,
    left: usize,
) -> String {
    let style = &cx.out.style;
    let checked = format!(
        "{}, {}, {} ({} of {} read)",
        human::count(report.runs, "run"),
        human::count(report.segments, "segment"),
        human::count(report.blobs, "blob"),
        human::bytes(report.bytes),
        report.read,
    );
    let mut text = match (report.faults.len(), left) {
        (0, _) => format!("{}: {checked}\n", style.succeeded("whole")),
        (many, 0) => {
            let many = human::count(many as u64, "fault");
            format!("{}: {many} in {checked}\n", style.succeeded("repaired"))
        }
        _ => {
            let many = human::count(left as u64, "fault");
            format!("{}: {many} in {checked}\n", style.failed("damaged"))
        }
    };
    let shown = if args.all { usize::MAX } else { SHOWN };
    for fault in report.faults.iter().take(shown) {
        text += &said(cx, fault, repaired);
    }
    if report.faults.len() > shown {
        let more = report.faults.len() - shown;
        text += &format!("  {more} more: {}\n", style.hint("wrun fsck --all"));
    }
    text += &in_vain(repaired);
    if args.repair && left > 0 && !args.data {
        let hint = style.hint("wrun fsck --data --repair");
        text += &format!("  what a task reads may be damaged too: {hint} looks at every byte\n");
    }
    text
}

/// What was tried and did not help.
fn in_vain(repaired: &Repaired) -> String {
    let mut text = String::new();
    for (run, task, why) in &repaired.vain {
        let why = clean::line(why).into_owned();
        text += &format!("  {run}/{task} was executed again in vain: {why}\n");
    }
    for (run, why) in &repaired.closed {
        let why = clean::line(why).into_owned();
        text += &format!("  {run} could not be repaired: {why}\n");
    }
    text
}

/// A fault, what it affects, and what to do about it or what was done.
fn said(cx: &Context, fault: &Fault, repaired: &Repaired) -> String {
    let style = &cx.out.style;
    let line = |text: &str| clean::line(text).into_owned();
    let mut text = format!(
        "  {} `{}`: {}\n",
        fault.kind,
        style.name(&fault.key),
        line(&fault.what)
    );
    let places = fault.affected.iter().take(PLACES);
    for place in places {
        text += &format!("    affects  {}\n", line(place));
    }
    let more = fault.many.saturating_sub(PLACES as u64);
    if more > 0 {
        text += &format!("    affects  {more} more\n");
    }
    let (label, what) = match repaired.done.get(&fault.key) {
        Some(how) => ("repaired", done(how)),
        None => ("remedy", remedy(fault)),
    };
    text + &format!("    {label:8} {}\n", line(&what))
}

fn done(how: &How) -> String {
    match how {
        How::Executed(run, task) => format!("executed {run}/{task} again"),
        How::Given(path) => format!("taken from {}", path.display()),
        How::Rebuilt => "written anew from the journal".to_owned(),
        How::Removed => "removed: the run has no end".to_owned(),
        How::Restored => "taken from the journal".to_owned(),
    }
}

fn remedy(fault: &Fault) -> String {
    let Fault { run, key, .. } = fault;
    match &fault.remedy {
        Remedy::Execute(run, task) => {
            format!("`wrun fsck --repair {run}` executes {run}/{task} again")
        }
        Remedy::Rebuild if fault.kind == Kind::Header => {
            format!("`wrun fsck --repair {run}` takes it from the journal, which begins with it")
        }
        Remedy::Rebuild => format!("`wrun fsck --repair {run}` makes it anew from the journal"),
        Remedy::Give(what) => format!(
            "it was given as {what}: `wrun fsck --repair {run} --from PATH` takes it from there, if it is unchanged"
        ),
        Remedy::Lost => {
            format!("put `{key}` of the datastore back from a copy, or run the flow again")
        }
    }
}

/// A check: `whole`, `runs`, `segments`, `blobs`, `read` (blobs of which every byte was read),
/// `bytes` (that these have), `faults` (`kind`, `key`, `what`, `affected`, `many`, `run`, `digest` where
/// it has one, `repaired`), `left` (faults that were not repaired), and after a repair `vain` (`run`,
/// `task`, `why`) and `closed` (`run`, `why`).
fn to_json(report: &Report, repaired: &Repaired, left: usize) -> serde_json::Value {
    let fault = |fault: &Fault| {
        let mut it = json!({
            "kind": fault.kind.to_string(),
            "key": fault.key,
            "what": fault.what,
            "affected": fault.affected,
            "many": fault.many,
            "run": fault.run,
            "repaired": repaired.done.contains_key(&fault.key),
            "remedy": match repaired.done.get(&fault.key) {
                Some(how) => done(how),
                None => remedy(fault),
            },
        });
        if let Some(digest) = fault.digest {
            it["digest"] = json!(digest);
        }
        it
    };
    let vain = repaired.vain.iter();
    let vain = vain.map(|(run, task, why)| json!({"run": run, "task": task, "why": why}));
    let closed = repaired.closed.iter();
    let closed = closed.map(|(run, why)| json!({"run": run, "why": why}));
    shape::object([
        ("whole", json!(report.faults.is_empty())),
        ("runs", json!(report.runs)),
        ("segments", json!(report.segments)),
        ("blobs", json!(report.blobs)),
        ("read", json!(report.read)),
        ("bytes", json!(report.bytes)),
        ("faults", report.faults.iter().map(fault).collect()),
        ("left", json!(left)),
        ("vain", vain.collect()),
        ("closed", closed.collect()),
    ])
    .into()
}

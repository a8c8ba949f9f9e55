//! `wrun gc`.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::counting::Counting;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::config::quantity;
use crate::datastore::gc::choose::Rules;
use crate::datastore::gc::{Class, Plan, Request};
use crate::model::id::RunId;
use crate::model::name::FlowName;
use crate::report::{human, json as shape};
use crate::runtime::driver;

/// Remove what nothing refers to, and old runs
///
/// Removes blobs, code and noted results to which no run refers, what workers left of runs that have
/// ended, and what killed processes have left. Only what is older than a grace period goes (a week,
/// if `gc.grace` says nothing else), so that it is safe beside runs.
///
/// Runs go only when `--older-than` or `--keep-last` say so; with both, when both mean them. The
/// newest run of a flow, runs with tags, runs that are being driven, and runs from which one that stays
/// took something over are never removed. What a removed run refers to goes once the grace
/// period has passed.
#[derive(Debug, clap::Args)]
pub(crate) struct GcArgs {
    /// Say what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove runs that ended longer ago than this, e.g. `90d`
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<u64>,
    /// Remove runs but for so many newest of each flow
    #[arg(long, value_name = "N")]
    keep_last: Option<u64>,
    /// Remove only runs of this flow
    #[arg(long, value_name = "FLOW")]
    flow: Option<FlowName>,
    /// How old something is at least that goes, e.g. `2d`; less than `1h` only while nobody uses the
    /// datastore
    #[arg(long, value_name = "TIME", value_parser = age)]
    grace: Option<u64>,
}

/// A time in microseconds.
fn age(text: &str) -> Result<u64, String> {
    let ms = quantity::time(text).map_err(|why| format!("it {why}"))?;
    Ok(ms.saturating_mul(1000))
}

/// Collects, or says what would be.
pub(crate) fn run(cx: &Context, args: &GcArgs) -> Result<u8, CliError> {
    if args.flow.is_some() && args.older_than.is_none() && args.keep_last.is_none() {
        return Err(CliError::usage(
            "`--flow` says of which flow runs go, and nothing says which runs",
        )
        .hint("add `--older-than 90d` or `--keep-last 10`"));
    }
    let settings = cx.settings()?;
    let store = cx.store_of(&settings)?;
    let (datastore, runtime) = store.parts();
    let counting = Counting::new(cx, "removed", "object");
    let (counter, now) = (counting.counter(), cx.now());
    let request = Request {
        rules: Rules {
            flow: args.flow.clone(),
            older_than_us: args.older_than,
            keep_last: args.keep_last,
        },
        grace_us: args.grace.unwrap_or(settings.gc_grace_ms * 1000),
        now,
        is_alive: &|lease| driver::is_alive(lease, now),
        removed: &|| counter(),
    };
    let plan = match args.dry_run {
        true => runtime.block_on(datastore.plan(&request)),
        false => runtime.block_on(datastore.collect(&request)),
    };
    drop(counting);
    let plan = plan?;
    match cx.out.json {
        true => cx.out.json(&to_json(&plan, &request, args.dry_run))?,
        false => cx.out.text(&text(cx, &plan, &request, args.dry_run))?,
    }
    Ok(exit::OK)
}

/// What a class is called where people read.
fn words(class: Class) -> &'static str {
    match class {
        Class::Blob => "blob",
        Class::Snapshot => "code snapshot",
        Class::Results => "index of results",
        Class::Attempts => "object of workers",
        Class::Run => "object of removed runs",
    }
}

fn counted(class: Class, count: u64) -> String {
    let many = match class {
        Class::Results => "indexes of results",
        Class::Attempts => "objects of workers",
        Class::Run => "objects of removed runs",
        _ => return human::count(count, words(class)),
    };
    match count {
        1 => format!("1 {}", words(class)),
        _ => format!("{count} {many}"),
    }
}

fn text(cx: &Context, plan: &Plan, request: &Request<'_>, is_dry: bool) -> String {
    let style = &cx.out.style;
    let mut text = String::new();
    for run in &plan.runs {
        let what = if is_dry { "would go" } else { "removed" };
        text += &format!("{} {what}\n", style.name(run.to_string()));
    }
    for (run, why) in &plan.stays {
        text += &format!("{} stays: {why}\n", style.name(run.to_string()));
    }
    for class in Class::ALL {
        let amount = plan.amount(class);
        if amount.count > 0 {
            let size = human::bytes(amount.bytes);
            text += &format!("{}, {size}\n", counted(class, amount.count));
        }
    }
    if plan.leftovers.count > 0 {
        let (count, size) = (plan.leftovers.count, human::bytes(plan.leftovers.bytes));
        text += &format!(
            "{} of killed writers, {size}\n",
            human::count(count, "leftover")
        );
    }
    let total = plan.total();
    let what = match (is_dry, total.count) {
        (_, 0) => "nothing to remove".to_owned(),
        (true, _) => format!("{} would be freed", human::bytes(total.bytes)),
        (false, _) => format!("{} freed", human::bytes(total.bytes)),
    };
    text += &format!("{what}\n");
    text + &remarks(cx, plan, request)
}

/// What is to be said about what did not go.
fn remarks(cx: &Context, plan: &Plan, request: &Request<'_>) -> String {
    let style = &cx.out.style;
    let mut text = String::new();
    if plan.young.count > 0 {
        text += &format!(
            "  {} that nothing refers to, {}, {} too young: the grace period is {}\n",
            human::count(plan.young.count, "object"),
            human::bytes(plan.young.bytes),
            if plan.young.count == 1 { "is" } else { "are" },
            quantity::show_time(request.grace_us / 1000)
        );
    }
    if !plan.runs.is_empty() && request.grace_us > 0 {
        text += "  what removed runs refer to goes when the grace period has passed\n";
    }
    // Of one that cannot be read more is said below.
    let is_readable = |run: &&RunId| plan.unreadable.iter().all(|(it, _)| it != *run);
    for run in plan.headless.iter().filter(is_readable) {
        text += &format!(
            "  {run} has lost its header; it stays, with all that is known to belong to it: {}\n",
            style.hint(format!("wrun fsck --repair {run}"))
        );
    }
    for (run, why) in &plan.unreadable {
        let why = crate::report::clean::line(why).into_owned();
        text += &format!("  {run} cannot be read: {why}\n");
    }
    if let Some((run, _)) = plan.unreadable.first() {
        text += &format!(
            "  as long as it cannot be told what a run refers to, no blob goes: {}\n",
            style.hint(format!("wrun fsck --repair {run}"))
        );
    }
    text
}

/// A collection: `dry_run`, `runs` that went, `stays` (`run`, `why`), `unreadable` (`run`, `why`),
/// `headless` (runs that have lost their headers),
/// `removed` (`count` and `bytes` of each class of objects, of `leftovers`, and of all as `total`),
/// `young` (what nothing refers to and is too young), `referred` (blobs that something refers to),
/// `grace_ms`.
fn to_json(plan: &Plan, request: &Request<'_>, is_dry: bool) -> serde_json::Value {
    let amount = |count: u64, bytes: u64| json!({"count": count, "bytes": bytes});
    let mut removed = serde_json::Map::new();
    for class in Class::ALL {
        let of = plan.amount(class);
        removed.insert(class.name().to_owned(), amount(of.count, of.bytes));
    }
    let (leftovers, total) = (plan.leftovers, plan.total());
    removed.insert(
        "leftovers".to_owned(),
        amount(leftovers.count, leftovers.bytes),
    );
    removed.insert("total".to_owned(), amount(total.count, total.bytes));
    let stays = plan.stays.iter();
    let stays = stays.map(|(run, why)| json!({"run": run, "why": why.to_string()}));
    let unreadable = plan.unreadable.iter();
    let unreadable = unreadable.map(|(run, why)| json!({"run": run, "why": why}));
    shape::object([
        ("dry_run", json!(is_dry)),
        ("runs", json!(plan.runs)),
        ("stays", stays.collect()),
        ("unreadable", unreadable.collect()),
        ("headless", json!(plan.headless)),
        ("removed", removed.into()),
        ("young", amount(plan.young.count, plan.young.bytes)),
        ("referred", json!(plan.referred)),
        ("grace_ms", json!(request.grace_us / 1000)),
    ])
    .into()
}

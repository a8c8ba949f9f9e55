//! `wrun datastore`.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::{select, store};
use crate::config::Settings;
use crate::datastore::copy::CopyError;
use crate::datastore::{Datastore, DatastoreUrl};
use crate::model::pathspec::PathSpec;
use crate::report::human;
use crate::report::json;
use crate::runtime::copy::{Copier, CopyRunError, Tally};

/// Look at datastores, and copy runs between them
#[derive(Debug, clap::Args)]
pub(crate) struct DatastoreArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Copy runs from one datastore to another
    ///
    /// Each run is copied with its code, its parameters and all artifacts; what is there already is not
    /// copied again, so a copy that was interrupted goes on when it is started once more. Runs keep
    /// their names. A datastore is made where there is none. A run that has not ended is refused, and left
    /// out when all runs are copied.
    Copy {
        /// The datastore to copy from: a directory or a URL
        #[arg(value_name = "FROM")]
        from: String,
        /// The datastore to copy to: a directory or a URL
        #[arg(value_name = "TO")]
        to: String,
        /// Only these runs: `flow/number`, or `flow` for its newest
        #[arg(value_name = "RUN", value_parser = PathSpec::typed)]
        runs: Vec<PathSpec>,
    },
    /// Say where the datastore is and what it holds
    Info,
}

/// Does what was asked for.
pub(crate) fn run(cx: &Context, args: &DatastoreArgs) -> Result<u8, CliError> {
    match &args.what {
        What::Copy { from, to, runs } => copy(cx, (from, to), runs),
        What::Info => info(cx),
    }
}

/// The settings with another datastore.
fn settings_of(cx: &Context, datastore: &str) -> Result<Settings, CliError> {
    let other = Context {
        datastore_flag: Some(datastore.to_owned()),
        ..cx.clone()
    };
    other.settings()
}

fn copy(cx: &Context, (from, to): (&str, &str), runs: &[PathSpec]) -> Result<u8, CliError> {
    let from = cx.store_of(&settings_of(cx, from)?)?;
    let mut wanted = Vec::new();
    if runs.is_empty() {
        for flow in from.flows()? {
            wanted.extend(from.runs(&flow, usize::MAX)?);
        }
    }
    for spec in runs {
        wanted.push(select::run(&from, &spec.run())?);
    }
    // The oldest first: a run is there when those that it continues are.
    wanted.reverse();
    let settings = settings_of(cx, to)?;
    let url: DatastoreUrl = settings.datastore.parse()?;
    let (datastore, runtime) = from.parts();
    let to = runtime.block_on(Datastore::open_or_create_with(
        &url,
        &store::access(&settings),
    ))?;
    let place = to.place();
    if place == datastore.place() {
        let message = format!("both datastores are `{place}`");
        return Err(CliError::usage(message).hint("the first is copied from, the second to"));
    }
    let mut copier = Copier::new(datastore.clone(), to);
    for id in wanted {
        let run = from.run(&id)?;
        let before = copier.tally;
        match runtime.block_on(copier.run(&run)) {
            // Of all runs, those that go on are left for the next time.
            Err(CopyRunError::Copy(CopyError::Unended { run })) if runs.is_empty() => {
                cx.out.warn(&format!("{run} left out: it has not ended"));
                continue;
            }
            copied => copied?,
        }
        if !cx.out.json {
            let is_new = copier.tally.runs > before.runs;
            let what = if is_new { "copied" } else { "was there" };
            cx.out.say(&format!("{id} {what}"));
        }
    }
    report(cx, &place, copier.tally)?;
    Ok(exit::OK)
}

fn report(cx: &Context, place: &str, tally: Tally) -> Result<(), CliError> {
    let Tally {
        runs,
        there,
        blobs,
        bytes,
    } = tally;
    if cx.out.json {
        let fields = [
            ("to", json!(place)),
            ("runs", json!(runs)),
            ("runs_there", json!(there)),
            ("blobs", json!(blobs)),
            ("bytes", json!(bytes)),
        ];
        return cx.out.json(&json::object(fields).into());
    }
    cx.out.say(&format!(
        "{} copied to {place}: {}, {} written",
        human::count(runs, "run"),
        human::count(blobs, "new blob"),
        human::bytes(bytes)
    ));
    Ok(())
}

fn info(cx: &Context) -> Result<u8, CliError> {
    let settings = cx.settings()?;
    let store = cx.store_of(&settings)?;
    let (datastore, runtime) = store.parts();
    let (format, id) = runtime.block_on(datastore.id())?;
    let mut runs = 0;
    let flows = store.flows()?;
    for flow in &flows {
        runs += store.runs(flow, usize::MAX)?.len() as u64;
    }
    let origin = settings.origin("datastore").to_string();
    if cx.out.json {
        let fields = [
            ("place", json!(store.url())),
            ("from", json!(origin)),
            ("format", json!(format)),
            ("id", json!(id)),
            ("flows", json!(flows.len())),
            ("runs", json!(runs)),
        ];
        cx.out.json(&json::object(fields).into())?;
        return Ok(exit::OK);
    }
    cx.out.text(&format!(
        "place   {}\nfrom    {origin}\nformat  {format}\nid      {id}\nflows   {}\nruns    {runs}\n",
        store.url(),
        flows.len(),
    ))?;
    Ok(exit::OK)
}
